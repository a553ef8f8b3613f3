"""A run folder as a closed crawl and a plan leave it, without a crawler: tables from files, `Found`, `Planned`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from migrate.config import Config, load
from migrate.engine.planning import make_plan, register_found
from migrate.journal.store import Journal
from migrate.manifest.place import Manifests
from migrate.manifest.read import read_table
from migrate.manifest.write import replace_table
from tests.engine.objects import TestObject
from tests.peers.ports import free_port

SOURCE = "TEST"
Settings = Mapping[str, Mapping[str, Any]]
QUICK: Settings = {
    "run": {"name": "test", "source": SOURCE},
    "source": {"quiet_s": 0.3, "idle_timeout_s": 20},
    "receiver": {},
    "destination": {},
    "limits": {"backoff_s": 0.05},
    "staging": {"reserve_gb": 0.01},
}


@dataclass(frozen=True, kw_only=True)
class SeededRun:
    """One run folder and its configuration."""

    folder: Path
    config: Config

    @property
    def staging(self) -> Path:
        return self.folder / self.config.staging.path

    def staged_files(self) -> list[Path]:
        """Whatever lies in the staging area, half-written files and quarantine included."""
        return sorted(path for path in self.staging.rglob("*") if path.is_file())

    def rows(self, table: str, *columns: str) -> list[dict[str, Any]]:
        """A table's rows, sorted by SOP Instance UID where it has one."""
        rows: list[dict[str, Any]] = read_table(self.folder, table, list(columns) or None).to_pylist()
        return sorted(rows, key=lambda row: str(row.get("sop_instance_uid")))

    def count(self, table: str) -> int:
        return int(pc.sum(read_table(self.folder, table, ["study_instance_uid"]).num_rows).as_py() or 0)


def write_config(folder: Path, *layers: Settings) -> Config:
    """migration.toml with quick time-outs; later layers win."""
    folder.mkdir(parents=True, exist_ok=True)
    tables: dict[str, dict[str, Any]] = {}
    for layer in (QUICK, *layers):
        for table, values in layer.items():
            tables.setdefault(table, {}).update(values)
    lines = [
        line
        for table, values in tables.items()
        for line in (f"[{table}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items()))
    ]
    path = folder / "migration.toml"
    path.write_text("\n".join((*lines, "")), encoding="utf-8")
    return load(path)


def between(source_port: int, destination_port: int, receiver_port: int | None = None) -> Settings:
    """Where LEGACY, DIR and our receiver are."""
    return {
        "source": {"ae_title": "LEGACY", "port": source_port},
        "destination": {"ae_title": "DIR", "port": destination_port},
        "receiver": {"port": receiver_port or free_port()},
    }


def seeded(folder: Path, objects: Sequence[TestObject], *layers: Settings) -> SeededRun:
    """A planned run over exactly these objects."""
    run = SeededRun(folder=folder, config=write_config(folder, *layers))
    seed_tables(run, objects)
    with Journal(folder) as journal:
        register_found(journal, folder)
        make_plan(journal, folder, run.config)
    return run


def seed_tables(run: SeededRun, objects: Iterable[TestObject]) -> None:
    """The studies, series and instances tables, sorted as a crawl sorts them."""
    known = sorted(objects, key=lambda one: (one.study_instance_uid, one.sop_instance_uid))
    manifests = Manifests(run.folder, SOURCE)
    studies: dict[str, list[TestObject]] = {}
    for one in known:
        studies.setdefault(one.study_instance_uid, []).append(one)
    first = [members[0] for members in studies.values()]
    replace_table(
        manifests,
        "studies",
        [
            {
                "study_instance_uid": list(studies),
                "study_date": [one.study_date for one in first],
                "modalities_in_study": [one.modality for one in first],
                "institution_name": ["TEST HOSPITAL"] * len(first),
                "instance_count": [len(members) for members in studies.values()],
            }
        ],
    )
    series = {(one.study_instance_uid, one.series_instance_uid): one for one in known}
    replace_table(
        manifests,
        "series",
        [
            {
                "study_instance_uid": [one.study_instance_uid for one in series.values()],
                "series_instance_uid": [one.series_instance_uid for one in series.values()],
                "modality": [one.modality for one in series.values()],
            }
        ],
    )
    replace_table(
        manifests,
        "instances",
        [
            {
                "study_instance_uid": [one.study_instance_uid for one in known],
                "series_instance_uid": [one.series_instance_uid for one in known],
                "sop_instance_uid": [one.sop_instance_uid for one in known],
                "sop_class_uid": [one.sop_class_uid for one in known],
            }
        ],
    )
