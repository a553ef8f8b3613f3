"""Why a window counts as closed, or must be cut: what one answer's end and count prove.

No peer says how many matches it did not send. A cut answer shows itself by a status that nobody
caused (FE00, A700, Cxxx; standards.md 1.4), by a count that reaches the known cap, or not at all:
then it holds exactly as many rows as the cap, so no complete answer can hold more. Hence the rule
for silent caps: an answer with fewer rows than some other answer that ended with success is
whole; one that reaches the largest such count so far is suspect, and its pieces must prove it. A
peer that has been seen to say FE00 says so every time.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from migrate.stages.crawl.answers import Seen

SUCCESS, CANCEL, OUT_OF_RESOURCES = 0x0000, 0xFE00, 0xA700
# Statuses that no smaller window cures (PS3.4 C.4.1.1.4; PS3.7 C.5.9 and C.5.24).
HOPELESS = frozenset({0xA900, 0x0122, 0x0124, 0x0210, 0x0211})


class Verdict(StrEnum):
    """What one answer says about its window."""

    WHOLE = "whole"
    CAPPED = "capped"
    SUSPECT = "suspect"
    UNNAMED = "unnamed"
    BROKEN = "broken"


@dataclass(slots=True)
class Caps:
    """What is known about the peer's result cap at STUDY level.

    Args:
        known: As configured or learnt beforehand.
        largest: The most rows of an answer that ended with success or with FE00: the peer can send as
            many, so a silent cap is not below it.
        signalled: The fewest rows of an answer that was cut with FE00.
        signals: The peer says when it cuts.
        smallest: No peer is believed to cut answers of fewer rows without a word.
        silent: The cap that pieces have proven to be cut without a signal.
    """

    known: int | None = None
    largest: int = 0
    signalled: int | None = None
    silent: int | None = None
    signals: bool = False
    smallest: int = 1

    def observe(self, status: int | None, matches: int) -> None:
        """Take one answer into account."""
        if status in (SUCCESS, CANCEL):
            self.largest = max(self.largest, matches)
        if status == CANCEL:
            self.signalled = min(self.signalled or matches, matches)
        self.signals = self.signals or (status is not None and is_cap_status(status))

    def room(self) -> int | None:
        """The most rows that a whole answer can be expected to hold; None when nothing is known."""
        caps = [cap for cap in (self.known, self.signalled, self.silent) if cap]
        return max(1, min(caps) - 1) if caps else self.largest or None


def plausible_cap(count: int) -> bool:
    """Whether a person would set a cap at this number: a multiple of 50, or a power of two."""
    return count % 50 == 0 or count & (count - 1) == 0


def is_cap_status(status: int) -> bool:
    """Whether a status says that there is more, or too much (FE00, A700, Cxxx)."""
    return status in (CANCEL, OUT_OF_RESOURCES) or status >> 12 == 0xC


def judge(status: int | None, seen: Seen, caps: Caps) -> tuple[Verdict, str]:
    """What an answer proves, and the sentence that says why.

    `status` is None when no final answer came, in spite of repeats.
    """
    if status is None:
        return Verdict.BROKEN, "no final answer"
    if status != SUCCESS:
        return Verdict.CAPPED, f"status {status:04X} after {seen.matches} answers"
    return _judge_count(seen, caps)


def _judge_count(seen: Seen, caps: Caps) -> tuple[Verdict, str]:
    count = seen.matches
    known = caps.known if caps.known and caps.largest <= caps.known else None
    if known and count >= known:
        return Verdict.CAPPED, f"{count} answers reach the result cap {known}"
    if count and caps.silent == count == caps.largest:
        return Verdict.CAPPED, f"{count} answers reach the silent cap"
    if seen.without_uid:
        return Verdict.UNNAMED, f"{seen.without_uid} answers without a UID"
    if count >= max(caps.largest, caps.smallest) and count > int(caps.signals) and caps.signalled is None:
        return Verdict.SUSPECT, f"{count} answers, as many as ever came"
    most = f"the result cap {known}" if known else f"the {caps.largest} of another answer"
    return Verdict.WHOLE, f"{count} answers, fewer than {most}"
