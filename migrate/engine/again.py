"""Verification alone, months later: what the tables say was proven, against what the destination gives back today.

Nothing is sent, and no staged file is needed: bulk and data set digests are compared. A difference
puts the study into quarantine, where a person decides.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from migrate.config import Config
from migrate.destinations.dimse import BY_UID
from migrate.dicom.digest import xxh3
from migrate.dicom.header import Header
from migrate.engine.place import open_site
from migrate.errors import PeerError
from migrate.journal.events import Quarantined
from migrate.journal.states import State
from migrate.journal.store import Journal
from migrate.manifest.place import Manifests
from migrate.manifest.sent import SentInstance, sent_instances
from migrate.manifest.write import write_part
from migrate.model import Checked, Evidence, Outcome, now
from migrate.peers import Destination, Sendable
from migrate.stages.staged import by_sent_study
from migrate.stages.verify import defect_of

STUDIES_AT_ONCE = 200
PROVEN = frozenset({Outcome.MATCH, Outcome.DIFFERS, Outcome.MISSING})

Look = Callable[[Evidence, Header], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Looked:
    """One study: what was sent of it, and what came out when it was looked at now."""

    study_instance_uid: str
    sent: tuple[SentInstance, ...]
    checked: tuple[Checked, ...]

    def count(self, outcome: Outcome) -> int:
        """How many instances have this outcome."""
        return sum(one.outcome is outcome for one in self.checked)


def look_again(run_folder: Path, config: Config, studies: Iterable[str], look: Look | None = None) -> Iterator[Looked]:
    """Read studies back by content and compare; in the order given, over a few associations at once.

    Args:
        run_folder: The run folder.
        config: Its configuration; a list or a commitment is no content, so `destination.verify` counts as auto then.
        studies: Study Instance UIDs as received.
        look: Is shown the header of every object that comes back.

    Raises (from the iterator):
        ConfigError, LocalError: The receiver cannot be opened.
    """
    by_content = config.destination.model_copy(update={"verify": "auto"})
    if config.destination.verify not in BY_UID:
        by_content = config.destination
    site = open_site(config.model_copy(update={"destination": by_content}), str(run_folder), 0)
    waiting = iter(studies)
    with closing(site), ThreadPoolExecutor(config.limits.destination_associations) as pool:
        while chunk := list(itertools.islice(waiting, STUDIES_AT_ONCE)):
            known = sent_instances(run_folder, chunk)
            items = [[_sendable(one, look) for one in known[study]] for study in chunk]
            for study, checked in zip(chunk, pool.map(lambda sent: _read(site.destination, sent), items), strict=True):
                sent = tuple(known[study])
                judged = tuple(_judged(one, sent, config) for one in checked)
                yield Looked(study_instance_uid=study, sent=sent, checked=judged)


def keep(journal: Journal, manifests: Manifests, looked: Iterable[Looked]) -> int:
    """Write results to `verification`, then put studies that differ into quarantine. Returns how many.

    What could not be compared changes no table: an earlier proof stands until another one is made.
    """
    studies = list(looked)
    rows = [(study, one) for study in studies for one in study.checked if one.outcome in PROVEN]
    if rows:
        write_part(manifests, "verification", f"again-{xxh3(repr(rows[0]).encode())}", _columns(rows))
    states = journal.states_of(study.study_instance_uid for study in studies)
    events = [
        Quarantined(study_instance_uid=study.study_instance_uid, defects=defects)
        for study in studies
        if states.get(study.study_instance_uid) is State.VERIFIED
        and (defects := tuple(d for one in study.checked if one.outcome in PROVEN and (d := defect_of(one))))
    ]
    journal.append(events)
    return len(events)


def _sendable(sent: SentInstance, look: Look | None) -> Sendable:
    evidence = sent.evidence
    return Sendable(
        evidence=evidence,
        path=Path(evidence.wire_xxh3),  # no such file: what was sent cannot be put together again
        segments=tuple,
        dataset_xxh3=sent.held_dataset_xxh3 or sent.dataset_xxh3,
        uids=sent.uids,
        look=None if look is None else lambda header: look(evidence, header),
    )


def _read(destination: Destination, items: list[Sendable]) -> list[Checked]:
    checked: list[Checked] = []
    for study, sent in by_sent_study(items).items():
        try:
            checked += destination.read_back(study, sent)
        except PeerError as error:
            checked += [_unasked(item, error) for item in sent]
    return checked


def _unasked(item: Sendable, error: PeerError) -> Checked:
    return Checked(
        sop_instance_uid=item.evidence.sop_instance_uid,
        method="content",
        outcome=Outcome.UNVERIFIABLE,
        verified_at=now(),
        detail=error.fact,
    )


def _judged(checked: Checked, sent: tuple[SentInstance, ...], config: Config) -> Checked:
    """Where the destination may change tags and nobody knows what it held, another data set says nothing."""
    if checked.outcome is not Outcome.DIFFERS:
        return checked
    known = next((one for one in sent if one.evidence.sop_instance_uid == checked.sop_instance_uid), None)
    if known and known.held_dataset_xxh3 is None and config.destination.coercions and checked.differs == ("dataset",):
        told = "declared coercions cannot be told from other changes without the object that was sent"
        return replace(checked, outcome=Outcome.UNVERIFIABLE, differs=(), detail=told)
    return replace(checked, detail="other than when it was proven")


def _columns(rows: list[tuple[Looked, Checked]]) -> dict[str, list[object]]:
    attempts = {
        (study.study_instance_uid, one.evidence.sop_instance_uid): one.evidence.attempt
        for study in {id(study): study for study, _ in rows}.values()
        for one in study.sent
    }
    columns: dict[str, list[object]] = {
        name: [getattr(one, name) for _, one in rows]
        for name in ("sop_instance_uid", "method", "verified_at", "detail", "held_dataset_xxh3")
    }
    columns["outcome"] = [one.outcome.value for _, one in rows]
    columns["differs"] = [list(one.differs) for _, one in rows]
    columns["study_instance_uid"] = [study.study_instance_uid for study, _ in rows]
    columns["attempt"] = [attempts.get((study.study_instance_uid, one.sop_instance_uid), 1) for study, one in rows]
    return columns
