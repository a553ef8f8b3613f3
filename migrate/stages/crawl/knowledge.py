"""What a crawl has learnt so far about the peer and the archive. It guides the cuts and proves nothing."""

from __future__ import annotations

from dataclasses import dataclass, field

from migrate.stages.crawl.answers import Seen
from migrate.stages.crawl.close import Caps
from migrate.stages.crawl.density import DayRates, HourProfile
from migrate.stages.crawl.prefixes import DEEPEN_AT, Prefixes
from migrate.stages.crawl.windows import ALPHABET, DATE, Window

# Modalities of PS3.3 C.7.3.1.1.1 that archives hold, retired ones included.
MODALITIES = tuple(
    "AR AU BDUS BI BMD CF CP CR CS CT DD DF DG DM DOC DS DX EC ECG EM EPS ES FA FID FS GM HC HD IO IVOCT IVUS KER KO "
    "LEN LP LS MA MG MR MS NM OAM OCT OP OPM OPT OPTBSV OPTENF OPV OSS OT PLAN PR PT PX REG RESP RF RG RTDOSE RTIMAGE "
    "RTPLAN RTRECORD RTSTRUCT RWV SEG SM SMR SR SRF ST STAIN TEXTUREMAP TG US VA VF XA XC".split()
)


@dataclass(slots=True)
class Knowledge:
    """Counts by day, hour and prefix; letters and modalities seen; what the peer ignores.

    Args:
        caps: The peer's result cap.
        alphabet: Letters that are asked for whether they were seen or not.
        question_mark: The peer honours `?` inside a text key; None when not tried.
        placed: (keyword, place) for which every letter not seen there was asked for by itself.
        few: The archive is known to be small.
        junk: Answers without a UID come in windows without any study: cutting does not help.
        endless: How many answers had no end.
        studies: How many the date axis has found.
        crowd: Rows, and the studies that they named, of answers that were not whole.
        unnamed: Rows, and how many of them had no UID, of answers with such rows.
    """

    caps: Caps
    alphabet: str = ALPHABET
    rates: DayRates = field(default_factory=DayRates)
    hours: HourProfile = field(default_factory=HourProfile)
    prefixes: dict[str, Prefixes] = field(
        default_factory=lambda: {"PatientID": Prefixes(), "AccessionNumber": Prefixes()}
    )
    modalities: set[str] = field(default_factory=lambda: set(MODALITIES))
    question_mark: bool | None = None
    placed: set[tuple[str, int]] = field(default_factory=set)
    few: bool = False
    junk: bool = False
    endless: int = 0
    studies: int = 0
    crowd: tuple[int, int] = (0, 0)
    unnamed: tuple[int, int] = (0, 0)

    def room(self) -> int | None:
        """The most studies that a whole answer can be expected to hold; None when nothing is known.

        A peer may give several rows for each study (one for each instance, in old archives), or leave
        out the UID of every so many rows.
        """
        rows, (of_rows, studies), (told, unnamed) = self.caps.room(), self.crowd, self.unnamed
        if rows and unnamed:
            rows = min(rows, told // unnamed - 1)
        return max(1, rows * studies // of_rows) if rows and studies else rows

    def observe(self, window: Window, seen: Seen, *, whole: bool) -> None:
        """Learn from one answer that is complete on this side (its rows are with the recorder)."""
        counted = whole and window.axis == DATE
        self.studies += len(seen.found) if counted else 0
        self.hours.observe(seen.minutes)
        if not whole:
            self.crowd = self.crowd[0] + seen.matches - seen.outside, self.crowd[1] + len(seen.found)
        if seen.without_uid:
            self.unnamed = self.unnamed[0] + seen.matches, self.unnamed[1] + seen.without_uid
        room = self.room()
        for keyword, texts in seen.texts.items():
            self.prefixes[keyword].deepen_at = min(DEEPEN_AT, room or DEEPEN_AT)
            self.prefixes[keyword].observe(texts, counted=counted)
        if whole and window.first and window.last and not window.minutes and not window.extra:
            self.rates.observe(window.first, window.last, seen.days)
