"""The rules of a run applied outside of it: to one file, for a side-by-side view or a proof."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from migrate.config import Config
from migrate.dicom.header import Header
from migrate.dicom.part10 import read_meta
from migrate.dicom.stream import header_of_file
from migrate.engine.rulings import phns_for, rules_of_run, uids_of_run
from migrate.engine.work import facilities
from migrate.rules.apply import Normalized, normalize
from migrate.stages.staged import facts_of_run


class Rulebook:
    """Packs, map of UIDs and facts of one run.

    Raises:
        ConfigError: A pack is wrong.
    """

    def __init__(self, run_folder: Path, config: Config) -> None:
        self._folder = run_folder
        self._run = config.run
        self._rules = rules_of_run(config, run_folder)
        self._uids = uids_of_run(config, run_folder)
        self._phns = phns_for(self._rules, run_folder)

    def normalized(self, header: Header, study_instance_uid: str, modified_at: str) -> Normalized:
        """What the run would make of an object (`modified_at`: the moment that the plan fixed for its study)."""
        facility = facilities(self._folder, [study_instance_uid]).get(study_instance_uid, "")
        facts = facts_of_run(self._run, facility, modified_at)
        return normalize(header, self._rules, replace(facts, uid_map=self._uids, crosswalk=self._phns))


def header_in(path: Path) -> Header:
    """The header of a DICOM file.

    Raises:
        IllegalDicom: It is none.
        OSError: It cannot be read.
    """
    with path.open("rb", buffering=0) as file:
        meta = read_meta(file.fileno())
        return header_of_file(file, meta.dataset_offset, meta.transfer_syntax_uid)
