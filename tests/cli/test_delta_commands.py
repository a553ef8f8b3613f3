"""crawl --delta, crawl --against, plan --deleted and identities merge as an operator uses them."""

from __future__ import annotations

from pathlib import Path

import pytest

from migrate.engine.planning import make_plan, register_found
from migrate.journal.store import Journal
from tests.cli.inline import say
from tests.engine.migration import Migrate, Migration
from tests.engine.objects import CANARY_ID, UID_ROOT, many
from tests.engine.seeded import write_config

QUICK = {"source": {"result_cap": 1000}, "crawl": {"from": "2020-01-01"}}
SECRETS = (CANARY_ID, "8888888888")


@pytest.fixture
def crawled(migration: Migrate) -> Migration:
    """Two studies, crawled."""
    one = migration(many(2), QUICK)
    assert say(one.run.folder, "crawl").code == 0
    return one


def test_a_delta_is_0_when_nothing_changed_and_4_with_counts_when_something_did(crawled: Migration) -> None:
    still = say(crawled.run.folder, "--json", "crawl", "--delta", "--days", "0")
    assert (still.code, still.json["delta"]["fixed_point"], still.json["delta"]["kinds"]) == (0, True, {})
    for each in crawled.embedded_legacy.archive.objects()[:1]:
        crawled.embedded_legacy.archive.remove(each)
    changed = say(crawled.run.folder, "--json", "crawl", "--delta")
    assert changed.code == 4
    assert changed.json["delta"] == {"round": 2, "kinds": {"SHRUNK": 1}, "listed_again": 1, "fixed_point": False}
    spoken = say(crawled.run.folder, "crawl", "--delta", "--thorough")
    assert spoken.code == 0
    assert "round 3: 2 studies listed again" in spoken.stdout
    assert "nothing has changed since the last crawl" in spoken.stdout


def test_a_list_is_answered_line_by_line(crawled: Migration, tmp_path: Path) -> None:
    (tmp_path / "ris.csv").write_text(f"Case;Study UID\n1;{UID_ROOT}.1\n2;1.2.3.4\n3;x\n")
    found = say(crawled.run.folder, "--json", "crawl", "--against", str(tmp_path / "ris.csv"))
    assert found.code == 0
    against = found.json["against"]
    assert (against["rows"], against["found_by_crawl"], against["missing"]) == (2, 1, 1)
    assert against["invalid_rows"] == [{"line": 4, "why": "not a UID"}]
    spoken = say(crawled.run.folder, "crawl", "--against", str(tmp_path / "ris.csv"), "--column", "case")
    assert "ris.csv: 3 lines, 0 studies found by the crawl" in spoken.stdout


def test_a_crawl_that_cannot_be_closed_is_5_and_names_its_windows(migration: Migrate) -> None:
    legacy = {"find": {"extra_rows_without_uid": 1}}
    one = migration(many(3), QUICK, legacy=legacy)
    found = say(one.run.folder, "--json", "crawl", "--level", "STUDY")
    assert found.code == 5
    assert not found.json["closed"]
    assert found.json["open_windows"]
    spoken = say(one.run.folder, "crawl", "--level", "STUDY")
    assert spoken.code == 5
    assert f"open: {found.json['open_windows'][0]}" in spoken.stdout
    assert "not closed: something may be missing" in spoken.stdout
    assert not any(secret in found.stdout + spoken.stdout for secret in SECRETS)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("crawl", "--thorough"), "without --delta"),
        (("crawl", "--delta"), "migrate crawl"),
        (("crawl", "--against", "nowhere.csv"), "CSV"),
        (("plan", "--deleted", "nowhere.csv"), "CSV"),
        (("identities", "merge", "nowhere.csv"), ""),
    ],
    ids=["thorough alone", "delta first", "no list", "no deleted", "no merges"],
)
def test_what_cannot_be_done_is_a_wrong_command_line(words: tuple[str, ...], hint: str, tmp_path: Path) -> None:
    write_config(tmp_path)
    said = say(tmp_path, *words)
    assert said.code == 2
    assert hint in said.stderr


def test_a_list_of_deleted_objects_joins_the_plan(crawled: Migration, tmp_path: Path) -> None:
    (tmp_path / "gone.csv").write_text(f"study_instance_uid\n{UID_ROOT}.2\n9.9\n")
    found = say(crawled.run.folder, "--json", "plan", "--deleted", str(tmp_path / "gone.csv"))
    assert found.code == 0
    assert (found.json["deleted"]["studies"], found.json["deleted"]["unmatched"]) == (1, 1)
    assert found.json["states"] == {"PLANNED": 1, "EXCLUDED": 1}
    [noted] = say(crawled.run.folder, "--json", "exceptions", "list", "--all").json["exceptions"]
    assert (noted["exception_class"], noted["disposition"]) == ("REJECTED_AT_SOURCE", "noted")
    assert say(crawled.run.folder, "--json", "plan").json["states"] == {"PLANNED": 1, "EXCLUDED": 1}


def test_what_the_crawl_found_wrong_is_noted_and_holds_nothing_back(migration: Migrate) -> None:
    one = migration(many(2), QUICK, legacy={"find": {"wrong_counts": 2}})
    say(one.run.folder, "crawl")
    found = say(one.run.folder, "--json", "plan").json
    assert found["noted"] >= 2
    assert found["states"] == {"PLANNED": 2}
    assert say(one.run.folder, "--json", "plan").json["noted"] == 0
    rows = say(one.run.folder, "--json", "exceptions", "list", "--all").json["exceptions"]
    assert {row["exception_class"] for row in rows} == {"COUNT_MISMATCH"}
    assert {row["disposition"] for row in rows} == {"noted"}


def test_merges_are_counted_and_nobody_is_named(crawled: Migration, tmp_path: Path) -> None:
    with Journal(crawled.run.folder) as journal:
        register_found(journal, crawled.run.folder)
        make_plan(journal, crawled.run.folder, crawled.run.config)
    (tmp_path / "merges.csv").write_text(f"prior_id,surviving_id\n{CANARY_ID},8888888888\nA,B\n")
    found = say(crawled.run.folder, "--json", "identities", "merge", str(tmp_path / "merges.csv"))
    assert found.code == 0
    assert (found.json["merges"], found.json["unknown_priors"], found.json["unknown_survivors"]) == (2, 1, 1)
    (tmp_path / "ring.csv").write_text(f"prior_id,surviving_id\n{CANARY_ID},8888888888\n8888888888,{CANARY_ID}\n")
    refused = say(crawled.run.folder, "identities", "merge", str(tmp_path / "ring.csv"))
    assert refused.code == 2
    assert "ring" in refused.stderr
    for text in (found.stdout, found.stderr, refused.stdout, refused.stderr):
        assert not any(secret in text for secret in SECRETS)
