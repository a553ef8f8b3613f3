"""The result cap of C-FIND, and how a capped answer shows itself (standards.md 1.4).

FE00, A700, … after n answers   the cap is n
A700, C000, … without answers   spans are halved until a count that comes and one that does not are near
0000                            all, or a silent cap: then parts of the span return what the whole did not
we cancelled                    no cap up to there
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from migrate.model import Level
from migrate.stages.assess.asking import Answer, Question
from migrate.stages.assess.sampling import EARLIEST, ask_span
from migrate.stages.assess.scene import Scene, Span

NEAR = 0.05
MOST_HALVINGS = 6
MOST_LISTS = 8
LONGEST_LIST_BYTES = 60_000  # a UI value in explicit VR ends at 65,534 bytes
LATEST = date(2200, 12, 31)


def cap(scene: Scene) -> None:
    """Judge the last and largest answer of the sample."""
    span, answer = scene.sample.spans[-1]
    scene.learn("complete_answers", _largest(scene), "the largest answer that came whole")
    if answer.cancelled:
        count = min(answer.received - 1, scene.assessment.answers)
        _none(scene, count, f"{span} was cancelled after so many")
    elif answer.status == 0:
        _silent(scene, span, answer)
    elif answer.received:
        signal = f"{answer.status or 0:04X}"
        _found(scene, answer.received, signal, f"the answer for {span} ended after {answer.received:,} with {signal}")
    else:
        _refused(scene, answer)


def _largest(scene: Scene) -> int | None:
    return max((answer.received for _, answer in scene.sample.spans if answer.complete), default=None)


def _found(scene: Scene, count: int, signal: str, how: str) -> None:
    scene.learn("result_cap", count, how)
    scene.learn("cap_signal", signal, how)
    scene.ok("result cap", f"{count:,} answers at most, shown by {signal} ({how})")


def _none(scene: Scene, count: int, how: str) -> None:
    scene.learn("result_cap", None, f"none up to {count:,} answers: {how}")
    scene.learn("cap_signal", "none", how)
    scene.ok("result cap", f"none up to {count:,} answers ({how})")


# ---- silent caps


def _silent(scene: Scene, span: Span, answer: Answer) -> None:
    parts = _parts(scene)
    if not parts:
        why = "the answer ended with 0000, and the archive cannot be cut by date to see whether it was all"
        scene.learn("result_cap", None, why)
        scene.learn("cap_signal", None, why)
        scene.warn("result cap", f"not known ({why})", "set source.result_cap when its administrator knows the limit")
        return
    whole = set(answer.values("StudyInstanceUID"))
    hidden = {uid for part in parts for uid in ask_span(scene, part).values("StudyInstanceUID")} - whole
    if hidden:
        hidden -= set(ask_span(scene, span).values("StudyInstanceUID"))  # what was stored meanwhile is no cap
    if not hidden:
        _none(scene, answer.received, f"{len(parts)} parts of {span} return nothing that the whole did not")
        return
    how = f"{span} returned {answer.received:,} with 0000, its parts return {len(hidden):,} studies more"
    scene.learn("result_cap", answer.received, how)
    scene.learn("cap_signal", "silent", how)
    fact = f"{answer.received:,} answers at most, and the peer does not say so ({how})"
    scene.warn("result cap", fact, "the crawl splits every window that reaches this count; keep this profile")


def _parts(scene: Scene) -> list[Span]:
    """The archive cut at its middle date; around the date when there is one only."""
    dates = sorted(filter(None, (_date(study.study_date) for study in scene.sample.studies.values())))
    if not dates or scene.knows("date_ranges") is not True:
        return []
    first, middle, last = dates[0], dates[len(dates) // 2], dates[-1]
    day = timedelta(days=1)
    if first == last:
        return [Span(EARLIEST, first - day), Span(first, first), Span(first + day, LATEST)]
    cut = middle if middle > first else next(one for one in dates if one > first)
    return [Span(EARLIEST, cut - day), Span(cut, LATEST)]


def _date(text: str | None) -> date | None:
    try:
        return date.fromisoformat((text or "").replace(".", ""))
    except ValueError:
        return None


# ---- caps that return nothing


@dataclass(slots=True)
class _Bounds:
    """`low` answers came, `high` did not. Days from `accepted` on came, from `refused` on did not."""

    low: int
    accepted: date
    refused: date
    high: int | None = None

    @property
    def near(self) -> bool:
        return self.high is not None and self.high - self.low <= max(1, self.low * NEAR)


def _refused(scene: Scene, answer: Answer) -> None:
    signal = f"{answer.status or 0:04X}"
    bounds = _bounds(scene)
    known = _halve(scene, bounds)
    _by_lists(scene, bounds, known)
    beyond = "more" if bounds.high is None else f"{bounds.high:,}"
    how = f"{bounds.low:,} answers came, {beyond} did not: {signal} and nothing"
    scene.learn("result_cap", bounds.low or None, how)
    scene.learn("cap_signal", signal, how)
    scene.learn("complete_answers", bounds.low, how)
    scene.ok("result cap", how)


def _bounds(scene: Scene) -> _Bounds:
    spans = scene.sample.spans
    last = spans[-1][0]
    end = spans[0][0].last or date.today()  # noqa: DTZ011  a bound of a search, off by a day does no harm
    bounds = _Bounds(low=0, accepted=end + timedelta(days=1), refused=last.first or EARLIEST)
    for span, answer in spans[:-1]:
        if span.first and answer.complete:
            bounds.low, bounds.accepted = answer.received, span.first
    return bounds


def _halve(scene: Scene, bounds: _Bounds) -> list[str]:
    """Move the first day of the span between one that came and one that did not; the UIDs that came."""
    end = scene.sample.spans[0][0].last or bounds.accepted
    known: list[str] = []
    for _ in range(MOST_HALVINGS):
        gap_days = (bounds.accepted - bounds.refused).days
        if gap_days <= 1:
            break
        middle = bounds.refused + timedelta(days=gap_days // 2)
        answer = ask_span(scene, Span(middle, end))
        if answer.complete:
            bounds.low, bounds.accepted, known = answer.received, middle, answer.values("StudyInstanceUID")
        else:
            bounds.refused = middle
    rest = ask_span(scene, Span(bounds.refused, bounds.accepted - timedelta(days=1)))
    if rest.complete:
        bounds.high = bounds.low + rest.received
    return list(dict.fromkeys([*(known or scene.sample.studies), *rest.values("StudyInstanceUID")]))


def _by_lists(scene: Scene, bounds: _Bounds, known: list[str]) -> None:
    """Ask for so many studies by their UIDs: exact, and it reads no more than it returns."""
    for _ in range(MOST_LISTS):
        if bounds.high is None or bounds.near:
            return
        count = (bounds.low + bounds.high) // 2
        wanted = "\\".join(known[:count])
        if count > len(known) or len(wanted) > LONGEST_LIST_BYTES:
            return
        keys = {"StudyInstanceUID": wanted}
        answer = scene.finder.ask(Question(level=Level.STUDY, keys=keys, most=scene.assessment.answers))
        if answer.complete and answer.received < count:
            return  # lists are not understood, or a study went away
        if answer.complete:
            bounds.low = count
        else:
            bounds.high = count
