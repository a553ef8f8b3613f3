"""A whole migration leaves valid messages, one study and one patient each, that name nobody."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from migrate.audit.check import check
from migrate.audit.trail import FOLDER, files, lines
from migrate.engine.crawling import CrawlOrder, run_crawl
from migrate.engine.planning import make_plan
from migrate.journal.store import Journal
from tests.audit.schema import violations
from tests.engine.command import migrate
from tests.engine.inline import run_inline
from tests.engine.migration import Migrate, Migration, migrations
from tests.engine.objects import CANARY_BIRTH_DATE, CANARY_ID, CANARY_NAME, many


@pytest.fixture(name="migration")
def a_migration(tmp_path: Path) -> Iterator[Migrate]:
    with migrations(tmp_path) as start:
        yield start


def messages(folder: Path) -> list[str]:
    """Every message of a run folder's trail."""
    return [entry["message"] for path in files(folder / FOLDER) for _, entry in lines(path) if entry]


def kinds(folder: Path) -> Counter[str]:
    """Event code and type code (or outcome, when it is not success) -> messages."""
    found: Counter[str] = Counter()
    for message in messages(folder):
        event = ET.fromstring(message).find("EventIdentification")
        assert event is not None
        codes = [code.attrib["csd-code"] for code in event if "csd-code" in code.attrib]
        outcome = event.attrib["EventOutcomeIndicator"]
        found[" ".join(codes) + ("" if outcome == "0" else f" outcome {outcome}")] += 1
    return found


def whole(one: Migration) -> Path:
    """Crawl, plan, run between the peers of `one`."""
    folder = one.run.folder
    run_crawl(CrawlOrder(run_folder=folder, config=one.run.config), lambda _: None, lambda: False)
    with Journal(folder) as journal:
        make_plan(journal, folder, one.run.config)
    assert run_inline(one.run) is None
    return folder


def test_every_message_of_a_whole_migration_is_valid_and_the_trail_has_no_gap(migration: Migrate) -> None:
    folder = whole(migration(many(3), {"crawl": {"from": "2000-01-01"}}))
    told = messages(folder)
    assert [violation for message in told for violation in violations(message)] == []
    found = kinds(folder)
    assert found["110102"] == found["110104"] == 6
    assert found["110105"] == 3
    assert found["110100 110120"] == found["110100 110121"] == 2
    assert found["110112"] > 3
    report = check(folder)
    assert (report.whole, report.messages, report.last) == (True, len(told), len(told))


def test_the_trail_names_no_patient_unless_it_is_configured(migration: Migrate) -> None:
    folder = whole(migration(many(2), {"crawl": {"from": "2000-01-01"}}))
    text = "".join(path.read_text() for path in files(folder / FOLDER))
    queries = [
        base64.b64decode(query.text or "")
        for message in messages(folder)
        for query in ET.fromstring(message).iter("ParticipantObjectQuery")
    ]
    assert queries
    for secret in (CANARY_NAME, CANARY_ID, CANARY_BIRTH_DATE):
        assert secret not in text
        assert not any(secret[:5].encode() in query for query in queries)


def test_the_trail_names_patients_where_that_is_configured(migration: Migrate) -> None:
    folder = whole(migration(many(1), {"crawl": {"from": "2000-01-01"}, "audit": {"identify": True}}))
    told = messages(folder)
    assert [violation for message in told for violation in violations(message)] == []
    assert any(CANARY_ID in message and CANARY_NAME in message for message in told)


def test_counts_of_instances_stand_by_sop_class(migration: Migrate) -> None:
    one = migration(many(1, instances=3))
    assert run_inline(one.run) is None
    classes = [
        (sop.attrib["UID"], sop.attrib["NumberOfInstances"])
        for message in messages(one.run.folder)
        for sop in ET.fromstring(message).iter("SOPClass")
    ]
    assert classes == [("1.2.840.10008.5.1.4.1.1.2", "3")] * 4


@pytest.mark.parametrize(
    ("dir_", "expected"),
    [
        ({"store": {"flip_bit_every": 2}}, {"110104": 2, "110104 outcome 4": 1}),
        ({"store": {"drop_every": 1}}, {"110104": 1, "110104 outcome 8": 1}),
    ],
    ids=["some", "none"],
)
def test_what_did_not_arrive_is_told_as_a_failure(
    migration: Migrate, dir_: dict[str, dict[str, int]], expected: dict[str, int]
) -> None:
    one = migration(many(1), {"limits": {"attempts": 1}}, dir_=dir_)
    assert run_inline(one.run) is None
    found = kinds(one.run.folder)
    assert {name: count for name, count in found.items() if name.startswith("110104")} == expected
    assert [violation for message in messages(one.run.folder) for violation in violations(message)] == []


def test_a_run_that_ends_with_an_error_stops_with_a_failure(migration: Migrate) -> None:
    one = migration(many(1))
    assert run_inline(one.run, stopping=lambda: True) is not None
    assert kinds(one.run.folder)["110100 110121 outcome 8"] == 1


def test_exports_are_told_and_the_command_verifies_the_trail(migration: Migrate) -> None:
    one = migration(many(1))
    folder = one.run.folder
    assert run_inline(one.run) is None
    assert migrate(folder, "journal", "export", "--to", str(folder / "events.jsonl")).code == 0
    assert migrate(folder, "exceptions", "export", "--to", str(folder / "exceptions.csv")).code == 0
    assert kinds(folder)["110106"] == 2
    assert [violation for message in messages(folder) for violation in violations(message)] == []
    verified = migrate(folder, "--json", "audit", "verify")
    assert (verified.code, verified.json["whole"], verified.json["sent"]) == (0, True, 0)
    [path] = files(folder / FOLDER)
    kept = path.read_text().splitlines(keepends=True)
    path.write_text("".join(kept[:2] + kept[3:]))
    broken = migrate(folder, "audit", "verify")
    assert (broken.code, "messages 3 to 3 are missing" in broken.stdout) == (50, True)


@pytest.mark.parametrize(
    "harm",
    ["EventID", "ActiveParticipant", "ParticipantObjectName", "originalText", "UserIsRequestor"],
)
def test_the_schema_of_this_test_finds_what_is_not_valid(migration: Migrate, harm: str) -> None:
    one = migration(many(1))
    assert run_inline(one.run) is None
    assert any(violations(message.replace(harm, "Other")) for message in messages(one.run.folder))
