"""What the engine does first: bring disk and journal together after whatever happened.

Rows whose file is gone or short are fetched again; files that nobody recorded are adopted when
their study still wants them and they are sound, else deleted; half-written files are deleted. The
source remains the system of record, so nothing that is deleted here is lost.
"""

from __future__ import annotations

import contextlib
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from migrate.engine.retry import SETTLE_S
from migrate.errors import IllegalDicom, LocalError
from migrate.journal.events import Event, Lost, Staged
from migrate.journal.states import IN_FLIGHT, State
from migrate.journal.store import Journal
from migrate.model import Evidence
from migrate.staging.area import LandingArea
from migrate.staging.evidence import evidence_of_file


def recover(journal: Journal, area: LandingArea) -> list[Event]:
    """Append what was lost and what was adopted. Returns the events.

    Uploads that had begun wait: the destination may still be busy with what it was sent.
    """
    area.sweep()
    rows = [row for row in journal.instance_files() if row[4] not in {"VERIFIED", "QUARANTINED"}]
    events: list[Event] = [*_lost(journal, area, rows)]
    journal.append(events)
    recorded = {area.path_of(wire) for _, _, wire, _, _ in rows}
    adopted = _adopted(journal, area, [path for path in area.staged() if path not in recorded])
    journal.append(adopted)
    journal.hold_back(time.time() + SETTLE_S)
    return [*events, *adopted]


@contextlib.contextmanager
def swept(area: LandingArea) -> Iterator[None]:
    """When the workers have gone, what one of them left half-written when it was killed goes too."""
    try:
        yield
    finally:
        with contextlib.suppress(LocalError):  # the next run sweeps as well
            area.sweep()


def _lost(journal: Journal, area: LandingArea, rows: list[tuple[str, str, str, int, str]]) -> list[Event]:
    gone: dict[str, list[str]] = defaultdict(list)
    for study, sop, wire, size_bytes, _ in rows:
        if not _is_there(area.path_of(wire), size_bytes):
            gone[study].append(sop)
    states = journal.states_of(gone)
    return [
        Lost(
            study_instance_uid=study,
            reason=f"{len(uids)} staged files gone or short at start",
            sop_instance_uids=tuple(uids),
        )
        for study, uids in gone.items()
        if states.get(study) in IN_FLIGHT | {State.PLANNED}
    ]


def _is_there(path: Path, size_bytes: int) -> bool:
    try:
        return path.stat().st_size > size_bytes
    except OSError:
        return False


def _adopted(journal: Journal, area: LandingArea, orphans: list[Path]) -> list[Event]:
    """Sound files of studies that are still to be retrieved; every other orphan is deleted."""
    found: dict[str, list[Evidence]] = defaultdict(list)
    for path in orphans:
        evidence = _sound(path)
        if (
            evidence
            and journal.states_of([evidence.study_instance_uid]).get(evidence.study_instance_uid) is State.PLANNED
        ):
            area.secure(path)
            found[evidence.study_instance_uid].append(evidence)
        else:
            area.discard(path)
    return [Staged(study_instance_uid=uid, evidence=tuple(rows), missing=0) for uid, rows in found.items()]


def _sound(path: Path) -> Evidence | None:
    """What a file is, or None when it is not whole or not what its name says."""
    try:
        evidence = evidence_of_file(path)
    except (IllegalDicom, OSError):
        return None
    return evidence if evidence.wire_xxh3 == path.stem else None
