"""Before and after of identifying attributes stand in `identity_changes` alone, once a study has ended."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from migrate.journal import read
from tests.engine.inline import run_inline
from tests.engine.migration import Migrate, Migration
from tests.engine.objects import CANARY_ID, many
from tests.security.identities import ALLOWED

# The pack repeats the patient's number in OtherPatientIDsSequence: the ledger has it.
ISSUERS = {
    "normalize": {"packs": ["issuers"]},
    "normalize.values": {"issuer_of_patient_id": "FHA", "issuer_of_accession_number": "FHA_RIS"},
    "limits": {"attempts": 1},
}
COERCES = {"store": {"coerce": {"InstitutionName": "DI-R"}}}


def holding(folder: Path, text: str) -> set[str]:
    """Files of a run folder in which these bytes stand, whatever the file is, but for those that may."""
    names = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    return {name for name, path in names.items() if not name.startswith(ALLOWED) and text.encode() in path.read_bytes()}


def changed(one: Migration) -> set[str | None]:
    """What `changes` says of attributes that identify, before and after."""
    rows = [row for row in one.run.rows("changes") if row["identifying"]]
    assert rows
    return {row[side] for row in rows for side in ("before", "after")}


@pytest.mark.parametrize(
    ("orders", "states"), [({}, {"VERIFIED": 2}), (COERCES, {"QUARANTINED": 2})], ids=["verified", "quarantined"]
)
def test_no_file_but_identity_changes_has_the_values_when_a_study_has_ended(
    migration: Migrate, orders: dict[str, dict[str, dict[str, str]]], states: dict[str, int]
) -> None:
    one = migration(many(2), ISSUERS, dir_=orders)
    assert run_inline(one.run) is None
    assert read.states(one.run.folder) == states
    assert changed(one) == {None}
    assert CANARY_ID in {row["after"] for row in one.run.rows("identity_changes")}
    assert holding(one.run.folder, CANARY_ID) == set()


def test_no_log_has_a_value_that_a_rule_changed(migration: Migrate, caplog: pytest.LogCaptureFixture) -> None:
    one = migration(many(2), ISSUERS, dir_=COERCES)
    with caplog.at_level(logging.DEBUG, logger="migrate"):
        assert run_inline(one.run) is None
    assert CANARY_ID not in caplog.text
    assert CANARY_ID not in str(list(read.exceptions(one.run.folder)))
