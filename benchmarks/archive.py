"""Archives to measure against: Orthancs filled over REST, and run folders planned over what they hold."""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.corpus import KINDS, Listed, listing, objects
from migrate.config import FILE_NAME, load
from migrate.engine.planning import make_plan, register_found
from migrate.journal.store import Journal
from migrate.manifest.place import Manifests
from migrate.manifest.write import replace_table
from tests.peers.orthanc import Orthanc, OrthancSettings, orthanc_running

SOURCE = "BENCH"


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """What an archive was filled with."""

    listed: tuple[Listed, ...]
    size_bytes: int

    @property
    def studies(self) -> dict[str, list[Listed]]:
        """By Study Instance UID, in order."""
        found: dict[str, list[Listed]] = defaultdict(list)
        for one in self.listed:
            found[one.study_instance_uid].append(one)
        return dict(found)

    @property
    def gb(self) -> float:
        """Size in GB of the files."""
        return self.size_bytes / 1e9


@dataclass(frozen=True, slots=True)
class Load:
    """So many studies of a kind, with so many instances each."""

    kind: str
    studies: int
    per_study: int

    def listed(self) -> tuple[Listed, ...]:
        """Every object."""
        return tuple(listing(KINDS[self.kind], self.studies, self.per_study))

    def files(self) -> Iterator[bytes]:
        """Every object's file, in the same order."""
        return objects(KINDS[self.kind], self.studies, self.per_study)


def write_files(folder: Path, loads: Iterable[Load]) -> tuple[list[Path], Held]:
    """The objects as files, numbered in order."""
    folder.mkdir(parents=True)
    paths: list[Path] = []
    known: list[Listed] = []
    for load_ in loads:
        known += load_.listed()
        for content in load_.files():
            path = folder / f"{len(paths):07d}.dcm"
            path.write_bytes(content)
            paths.append(path)
    return paths, Held(listed=tuple(known), size_bytes=sum(path.stat().st_size for path in paths))


def fill(peer: Orthanc, loads: Iterable[Load]) -> Held:
    """Store objects over REST."""
    size, known = 0, list[Listed]()
    for load_ in loads:
        known += load_.listed()
        for content in load_.files():
            answer = peer.upload_bytes(content)
            assert answer == "Success", answer
            size += len(content)
    return Held(listed=tuple(known), size_bytes=size)


@contextmanager
def orthanc(folder: Path, ae_title: str, *, nagle: bool) -> Iterator[Orthanc]:
    """An Orthanc as Debian installs it (`nagle`), or with TCP_NODELAY."""
    place = folder / f"{ae_title}-{'nagle' if nagle else 'nodelay'}"
    shutil.rmtree(place, ignore_errors=True)
    with orthanc_running(OrthancSettings(ae_title=ae_title, tcp_nodelay=not nagle), place) as peer:
        yield peer
    shutil.rmtree(place, ignore_errors=True)


def write_config(folder: Path, *layers: Mapping[str, Mapping[str, Any]]) -> None:
    """A migration.toml; later layers win."""
    folder.mkdir(parents=True, exist_ok=True)
    tables: dict[str, dict[str, Any]] = {
        "run": {"name": "bench", "source": SOURCE},
        "staging": {"reserve_gb": 0.1},
        "normalize.values": {"issuer_of_patient_id": "BENCH"},
    }
    for layer in layers:
        for table, values in layer.items():
            tables.setdefault(table, {}).update(values)
    lines = [
        line
        for table, values in tables.items()
        for line in (f"[{table}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items()))
    ]
    (folder / FILE_NAME).write_text("\n".join((*lines, "")), encoding="utf-8")


def plan_run(folder: Path, listed: Sequence[Listed]) -> None:
    """The tables as a closed crawl leaves them, and the plan: `migrate run` can start."""
    manifests = Manifests(folder, SOURCE)
    known = sorted(listed, key=lambda one: (one.study_instance_uid, one.sop_instance_uid))
    studies: dict[str, int] = {}
    for one in known:
        studies[one.study_instance_uid] = studies.get(one.study_instance_uid, 0) + 1
    columns = {
        "study_instance_uid": list(studies),
        "study_date": ["20200101"] * len(studies),
        "institution_name": ["BENCH GENERAL"] * len(studies),
        "instance_count": list(studies.values()),
    }
    replace_table(manifests, "studies", [columns])
    names = ("study_instance_uid", "series_instance_uid", "sop_instance_uid", "sop_class_uid")
    replace_table(manifests, "instances", [{name: [getattr(one, name) for one in known] for name in names}])
    with Journal(folder) as journal:
        register_found(journal, folder)
        make_plan(journal, folder, load(folder / FILE_NAME))
