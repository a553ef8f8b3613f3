"""Rules and what they look up, for one process of a run.

The tables are opened only where a rule needs them: a worker that does not read them starts without
pyarrow, which takes as long to import as everything else of ours together.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from migrate.config import Config
from migrate.rules import packs
from migrate.rules.ruleset import RuleSet
from migrate.rules.run_uids import RunUids

LOOKED_UP, REPLACES_UIDS = "phn_from_crosswalk", "invalid_uids_replaced"


def rules_of_run(config: Config, run_folder: Path) -> RuleSet:
    """The packs that the configuration names; their tables are CSV or Parquet.

    Raises:
        ConfigError: A pack or a table is wrong.
    """
    return packs.load(config.normalize.packs, config.normalize.values, run_folder, _table_rows)


def _table_rows(path: Path) -> Iterator[dict[str, str]]:
    from migrate.manifest.table_file import read_rows  # noqa: PLC0415 - see above

    return read_rows(path)


def phns_for(rules: RuleSet, run_folder: Path) -> dict[tuple[str, str], str]:
    """What was looked up about patients, where some rule asks for it."""
    if not any(bound.kind == LOOKED_UP for bound in rules):
        return {}
    from migrate.manifest.crosswalk import known_phns  # noqa: PLC0415 - see above

    return known_phns(run_folder)


def uids_for(rules: RuleSet, config: Config, run_folder: Path) -> RunUids:
    """The run's map of invalid UIDs; what is written down of it only where some rule replaces them."""
    replaces = any(bound.kind == REPLACES_UIDS for bound in rules)
    return uids_of_run(config, run_folder) if replaces else RunUids(_seed(config), {})


def uids_of_run(config: Config, run_folder: Path) -> RunUids:
    """The run's map of invalid UIDs, with what is written down of it."""
    from migrate.manifest.uid_map import read_uid_map  # noqa: PLC0415 - see above

    return RunUids(_seed(config), read_uid_map(run_folder))


def _seed(config: Config) -> str:
    return f"{config.run.source}/{config.run.name}"
