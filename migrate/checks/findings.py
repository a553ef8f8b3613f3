"""What can be found when one study is looked at from both sides: one function per check.

A check gets everything that is known about one study and yields findings; a study without findings
matches. To add one: a function here, a line in `CHECKS`, a row in the check table test.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from operator import lt
from typing import Any

from migrate.checks.balance import PROOFS, is_proven, stays_behind
from migrate.checks.march import Step, compare, march
from migrate.manifest.sides import InstanceSide, StudySide
from migrate.model import ExceptionClass, Level, Outcome

Judged = tuple[Outcome, Step[InstanceSide, bool]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """How the instances of one study fared: those that match are counted, the `others` are named.

    `source`: how many the source holds.
    """

    source: int
    matches: int
    others: tuple[Judged, ...] = ()

    def __len__(self) -> int:
        """Instances of either side."""
        return self.matches + len(self.others)

    def outcomes(self) -> Counter[Outcome]:
        """How many fared how."""
        counts = Counter(outcome for outcome, _ in self.others)
        if self.matches:
            counts[Outcome.MATCH] = self.matches
        return counts


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One difference. `explained`: an exception, an exclusion or open work says why it is there."""

    study_instance_uid: str
    level: Level
    uid: str
    outcome: Outcome
    exception_class: str | None
    detail: str
    explained: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """One study from both sides.

    `side` is None when the source does not have it, `state` when the journal does not know it.
    `held` are the SOP Instance UIDs that the destination names now; None when nobody asked it.
    """

    study_instance_uid: str
    side: StudySide | None
    state: str | None = None
    exception_class: str | None = None
    held: AbstractSet[str] | None = None
    proofs: frozenset[str] = PROOFS

    @property
    def instances(self) -> tuple[InstanceSide, ...]:
        """What the source holds of it, without what it has rejected and policy leaves behind."""
        found = self.side.instances if self.side else ()
        if self.side and self.side.alike and not stays_behind(self.side.alike, self.proofs):
            return found
        return tuple(instance for instance in found if not stays_behind(instance, self.proofs))

    @property
    def is_open(self) -> bool:
        """Not VERIFIED: its state, not a fault, is why something may be missing."""
        return self.state != "VERIFIED"

    def compared(self) -> Compared:
        """Each instance of either side with its outcome, in the order of the SOP Instance UIDs.

        Nobody asked the destination: what was last proven stands, the rest is unverifiable.
        """
        instances = self.instances
        if self._all_match():
            return Compared(source=len(instances), matches=len(instances))
        source = ((instance.sop_instance_uid, instance) for instance in instances)
        held = self.held if self.held is not None else self._believed()
        steps = march(source, ((uid, True) for uid in sorted(held)))
        judged = list(compare(steps, lambda instance, _held: self._judged(instance)))
        others = tuple(each for each in judged if each[0] is not Outcome.MATCH)
        return Compared(source=len(instances), matches=len(judged) - len(others), others=others)

    def _all_match(self) -> bool:
        """Every instance is proven and the destination has these and no others: the walk would say match each time.

        The SOP Instance UIDs rise strictly, as the walk demands; else it is walked, and says what is wrong.
        """
        side = self.side
        if side is None or side.alike is None or not is_proven(side.alike, self.proofs):
            return False
        uids = [instance.sop_instance_uid for instance in side.instances]
        same = self.held is None or self.held == frozenset(uids)
        return same and all(map(lt, uids, uids[1:]))

    def _believed(self) -> AbstractSet[str]:
        return {i.sop_instance_uid for i in self.instances if i.outcome != Outcome.MISSING}

    def _judged(self, instance: InstanceSide) -> Outcome:
        if instance.outcome == Outcome.DIFFERS:
            return Outcome.DIFFERS
        return Outcome.MATCH if is_proven(instance, self.proofs) else Outcome.UNVERIFIABLE


Check = Callable[[Seen, Compared], Iterable[Finding]]


def instances_compared(seen: Seen, compared: Compared) -> Iterator[Finding]:
    """Every instance that does not match; a study whose instances all fare alike is one finding."""
    outcomes = compared.outcomes()
    if len(outcomes) == 1 and len(compared) > 1 and (outcome := next(iter(outcomes))) in _AS_ONE:
        yield _finding(seen, outcome, (Level.STUDY, seen.study_instance_uid), f"all {len(compared)} instances")
        return
    for outcome, step in compared.others:
        detail = step.source.differs or "" if step.source and outcome is Outcome.DIFFERS else ""
        yield _finding(seen, outcome, (Level.IMAGE, step.key), detail)


def counts_stated(seen: Seen, _compared: Compared) -> Iterator[Finding]:
    """The source states another number of instances than it lists."""
    side = seen.side
    if side is None or not side.instances_listed or side.stated_instances is None:
        return
    listed = len(side.instances) - _late(side)
    if listed and listed != side.stated_instances:
        yield _note(
            seen,
            ExceptionClass.COUNT_MISMATCH,
            f"the source states {side.stated_instances} instances and lists {listed}",
        )


def empty_shells(seen: Seen, _compared: Compared) -> Iterator[Finding]:
    """The source lists a study and no instance of it."""
    side = seen.side
    if side is not None and side.in_crawl and side.instances_listed and not side.instances:
        yield _note(seen, ExceptionClass.EMPTY_SHELL, "the source lists no instance")


def instances_unlisted(seen: Seen, _compared: Compared) -> Iterator[Finding]:
    """Instances arrived that the crawl had not listed: the study grew."""
    side = seen.side
    if side is None or not side.instances_listed:
        return
    late = _late(side)
    if late:
        yield _note(seen, ExceptionClass.DELTA_CHANGED, f"{late} instances arrived that the crawl had not listed")


def _late(side: StudySide) -> int:
    """How many instances arrived that the crawl had not listed."""
    if side.alike:
        return 0 if side.alike.listed else len(side.instances)
    return sum(not instance.listed for instance in side.instances)


def studies_unlisted(seen: Seen, _compared: Compared) -> Iterator[Finding]:
    """The journal works on a study that no crawl listed."""
    if seen.state is not None and (seen.side is None or not seen.side.in_crawl):
        yield Finding(
            study_instance_uid=seen.study_instance_uid,
            level=Level.STUDY,
            uid=seen.study_instance_uid,
            outcome=Outcome.UNVERIFIABLE,
            exception_class=ExceptionClass.MISSING_AT_SOURCE,
            detail="the journal knows the study, no crawl listed it",
            explained=False,
        )


CHECKS: dict[str, Check] = {
    "instances_compared": instances_compared,
    "counts_stated": counts_stated,
    "empty_shells": empty_shells,
    "instances_unlisted": instances_unlisted,
    "studies_unlisted": studies_unlisted,
}

_AS_ONE = frozenset({Outcome.MISSING, Outcome.EXTRA, Outcome.UNVERIFIABLE})
_CLASS_OF: Mapping[Outcome, ExceptionClass] = {
    Outcome.MISSING: ExceptionClass.COUNT_MISMATCH,
    Outcome.DIFFERS: ExceptionClass.CONTENT_MISMATCH,
}


def _finding(seen: Seen, outcome: Outcome, what: tuple[Level, str], detail: str) -> Finding:
    level, uid = what
    state = seen.state or "not in the journal"
    return Finding(
        study_instance_uid=seen.study_instance_uid,
        level=level,
        uid=uid,
        outcome=outcome,
        exception_class=seen.exception_class or (None if seen.is_open else _CLASS_OF.get(outcome)),
        detail=f"{detail} ({state})" if detail else state,
        explained=seen.is_open and outcome is not Outcome.EXTRA,
    )


def _note(seen: Seen, exception_class: ExceptionClass, detail: str) -> Finding:
    """Something about the source that a person may want to know and that breaks nothing."""
    return Finding(
        study_instance_uid=seen.study_instance_uid,
        level=Level.STUDY,
        uid=seen.study_instance_uid,
        outcome=Outcome.UNVERIFIABLE,
        exception_class=exception_class,
        detail=detail,
        explained=True,
    )


def seen_of(
    side: StudySide | None, row: Mapping[str, Any] | None, held: AbstractSet[str] | None, proofs: frozenset[str]
) -> Seen:
    """One study from the source side, the journal's row and the destination's answer."""
    uid = side.study_instance_uid if side else (row or {}).get("study_instance_uid", "")
    state = row["state"] if row else None
    exception_class = row["exception_class"] if row else None
    return Seen(
        study_instance_uid=uid, side=side, state=state, exception_class=exception_class, held=held, proofs=proofs
    )
