"""What a delta crawl saw becomes events: moved studies that changed go round again, what has gone is noted.

The tables are published before the journal hears of a change, so a mark in the journal says which
delta crawls it has followed; whoever opens it next makes up for the rest. Doing it twice costs a
round in which nothing is fetched, because what was proven since then stays proven.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from migrate.config import Config
from migrate.engine.flush import flush_all
from migrate.journal.events import Changed, Event, Lost, Quarantined
from migrate.journal.notes import mark, note, set_mark
from migrate.journal.states import IN_FLIGHT, State
from migrate.journal.store import Journal
from migrate.manifest.place import Manifests
from migrate.manifest.read import batches
from migrate.model import Defect, ExceptionClass, Level
from migrate.staging.area import LandingArea

BATCH = 2_000
MARK = "followed_crawl"
MOVED = frozenset({State.VERIFIED, State.QUARANTINED})
UNTOUCHED = frozenset({State.FOUND, State.PLANNED})
CONTENT = frozenset({"HEADER_CHANGED", "PATIENT_CHANGED", "NEW"})
COLUMNS = ("study_instance_uid", "kind", "detail", "crawl_id")
STAYS = "nothing was deleted at the destination"

Kinds = dict[str, str]


def follow_deltas(journal: Journal, run_folder: Path, config: Config) -> dict[str, int]:
    """Tell the journal what delta crawls saw since it was last told. Returns counts: changed, gone.

    Raises:
        ManifestDamaged: The table of deltas cannot be read.
        JournalError: The journal cannot be written.
    """
    counts = {"changed": 0, "gone": 0}
    after = mark(journal, MARK)
    found, latest = _changes_after(run_folder, after)
    if latest == after:
        return counts
    area = LandingArea(run_folder / config.staging.path)
    flush_all(journal, Manifests(run_folder, config.run.source), area)
    for chunk in _chunks(sorted(found.items())):
        states = journal.states_of(uid for uid, _ in chunk)
        known = [(uid, kinds, states[uid]) for uid, kinds in chunk if uid in states]
        stale = [uid for uid, kinds, state in known if CONTENT & kinds.keys() and state in IN_FLIGHT | UNTOUCHED]
        area.remove(row["wire_xxh3"] for uid in stale for row in journal.instances(uid))
        events = [event for one in known for event in _events(journal, *one)]
        journal.append(events)
        note(journal, (pair for one in known for pair in _notes(*one)))
        counts["changed"] += sum(not isinstance(event, Quarantined) for event in events)
        counts["gone"] += sum("GONE" in kinds for _, kinds, _ in known)
    set_mark(journal, MARK, latest)
    return counts


def _changes_after(run_folder: Path, after: str) -> tuple[dict[str, Kinds], str]:
    """Study -> kind -> detail of all delta crawls after a mark, and the latest of them."""
    found: dict[str, Kinds] = defaultdict(dict)
    latest = after
    for columns in batches(run_folder, "deltas", list(COLUMNS)):
        for uid, kind, detail, crawl_id in zip(*(columns[name] for name in COLUMNS), strict=True):
            if crawl_id > after:
                found[uid][kind] = detail
                latest = max(latest, crawl_id)
    return found, latest


def _events(journal: Journal, uid: str, kinds: Kinds, state: State) -> Iterator[Event]:
    changed = {kind: detail for kind, detail in kinds.items() if kind != "GONE" and (kind, detail) != ("NEW", "")}
    told = "; ".join(f"{kind}: {detail}" for kind, detail in sorted(changed.items()))
    if "GONE" in kinds and state in UNTOUCHED:
        yield Quarantined(study_instance_uid=uid, defects=(_gone(uid, "before it was moved"),))
    elif changed and state in MOVED:
        yield Changed(study_instance_uid=uid, detail=told)
    elif changed and (state in IN_FLIGHT or (state is State.PLANNED and journal.instances(uid))):
        # What is staged of it goes on if the content stands; else it is fetched again.
        rows = journal.instances(uid) if CONTENT & changed.keys() else []
        lost = tuple(sorted({row["sop_instance_uid"] for row in rows}))
        yield Lost(study_instance_uid=uid, reason=f"the source changed it on its way: {told}", sop_instance_uids=lost)


def _notes(uid: str, kinds: Kinds, state: State) -> Iterator[tuple[str, Defect]]:
    if "GONE" in kinds and state not in UNTOUCHED:
        yield uid, _gone(uid, STAYS)
    if "SHRUNK" in kinds and state in MOVED:
        yield uid, _defect(ExceptionClass.DELTA_CHANGED, uid, f"{kinds['SHRUNK']} at the source; {STAYS}")


def _gone(uid: str, detail: str) -> Defect:
    return _defect(ExceptionClass.MISSING_AT_SOURCE, uid, f"the source no longer has the study; {detail}")


def _defect(exception_class: ExceptionClass, uid: str, detail: str) -> Defect:
    return Defect(exception_class=exception_class, level=Level.STUDY, uid=uid, detail=detail)


def note_crawl_defects(journal: Journal, run_folder: Path) -> int:
    """What the latest crawl found wrong becomes lines of the register. Returns how many are new.

    They hold nothing back: a study whose counts disagree may well be whole.

    Raises:
        ManifestDamaged: The table cannot be read.
    """
    names = ("study_instance_uid", "exception_class", "level", "uid", "detail")
    new = 0
    for columns in batches(run_folder, "crawl_defects", list(names)):
        rows = zip(*(columns[name] for name in names), strict=True)
        new += sum(note(journal, (_noted(row) for row in chunk)) for chunk in _chunks(rows))
    return new


def _noted(row: tuple[str, ...]) -> tuple[str, Defect]:
    study, kind, level, uid, detail = row
    return study, Defect(exception_class=ExceptionClass(kind), level=Level(level), uid=uid, detail=detail)


def _chunks(items: Iterable[Any]) -> Iterator[list[Any]]:
    waiting = iter(items)
    while chunk := list(itertools.islice(waiting, BATCH)):
        yield chunk
