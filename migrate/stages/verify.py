"""Verify: ask the destination for what it holds now and compare content, not counts.

A check that could not be made is `unverifiable`: never `differs`, never `match`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace

from migrate.errors import PeerUnavailable
from migrate.journal.events import Event, Quarantined, SentInVain, Verified
from migrate.model import Checked, Defect, ExceptionClass, Level, Outcome
from migrate.peers import StagedStudy
from migrate.stages.commit import commit
from migrate.stages.site import Site, defect
from migrate.stages.staged import by_sent_study, sendables


def verify(site: Site, study: StagedStudy) -> Event:
    """Read back every instance of a study; before that, ask for commitment where the engine wants it.

    Returns:
        `Verified`; `SentInVain` when acknowledged instances are not held; `Quarantined` when content
        differs or something stays unproven; what `commit` returns when commitment was asked for.

    Raises:
        PeerUnavailable: Something could not be compared, and this is not the last attempt.
    """
    if study.transaction:
        return commit(site, study, study.transaction)
    items = sendables(site, study)
    checked = [
        _with_word(study, one)
        for uid, sent in by_sent_study(items).items()
        for one in site.destination.read_back(uid, sent)
    ]
    if not study.settle:
        if missing := sum(c.outcome is Outcome.MISSING for c in checked):
            return SentInVain(study_instance_uid=study.study_instance_uid, missing=missing)
        _raise_unproven(checked)
    defects = tuple(d for c in checked if (d := defect_of(c)))
    flags = tuple(_taken_away(study, checked))
    if defects:
        return Quarantined(
            study_instance_uid=study.study_instance_uid, defects=defects, checked=tuple(checked), flags=flags
        )
    return Verified(study_instance_uid=study.study_instance_uid, checked=tuple(checked), flags=flags)


def _with_word(study: StagedStudy, checked: Checked) -> Checked:
    """Where no content was compared, the destination's commitment says more than its list."""
    if checked.method == "uid" and checked.outcome is Outcome.MATCH and checked.sop_instance_uid in study.committed:
        return replace(checked, method="commitment")
    return checked


def _raise_unproven(checked: Iterable[Checked]) -> None:
    unproven = [c for c in checked if c.outcome is Outcome.UNVERIFIABLE]
    if unproven:
        hint = "the destination did not give the instances back; they are asked for again"
        raise PeerUnavailable("read-back is incomplete", hint, instances=len(unproven), reason=unproven[0].detail)


def _taken_away(study: StagedStudy, checked: Iterable[Checked]) -> Iterator[Defect]:
    """What radiologists miss first: less of it was given back than was sent, whatever the reason."""
    given_back = {one.sop_instance_uid: one for one in checked if one.census is not None}
    sent: Counter[str] = Counter()
    held: Counter[str] = Counter()
    for prepared in study.prepared:
        if prepared.sop_instance_uid in given_back:
            sent.update(prepared.census.split())
            held.update((given_back[prepared.sop_instance_uid].census or "").split())
    for kind, count in sorted(sent.items()):
        if held[kind] < count:
            told = f"{kind}: in {count} instances as sent, in {held[kind]} as given back"
            yield defect(ExceptionClass.DEST_COERCED, study.study_instance_uid, told, Level.STUDY)


def defect_of(checked: Checked) -> Defect | None:
    """What a result means for the register; None for a match."""
    uid = checked.sop_instance_uid
    if checked.outcome is Outcome.MATCH:
        return None
    if checked.outcome is Outcome.MISSING:
        return defect(ExceptionClass.COUNT_MISMATCH, uid, "acknowledged by the destination and not held there")
    if checked.outcome is Outcome.UNVERIFIABLE:
        return defect(ExceptionClass.PEER_UNAVAILABLE, uid, f"could not be compared: {checked.detail}")
    named = " ".join(checked.differs[:20])
    if "bulk" in checked.differs:
        return defect(ExceptionClass.CONTENT_MISMATCH, uid, f"the destination holds other content: {named}")
    return defect(ExceptionClass.DEST_COERCED, uid, f"the destination changed: {named}")
