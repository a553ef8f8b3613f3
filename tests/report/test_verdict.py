"""Nothing that does not balance, is not crawled to the end or is not moved can be called complete."""

from __future__ import annotations

from dataclasses import replace

import pytest

from migrate.report.facts import Axis, Changed, Crawl, Entry, Exceptional, Facts
from migrate.report.html import Dress, render
from migrate.report.sections import SECTIONS
from migrate.report.texts import Words
from migrate.report.verdict import SIGNABLE, reasons, standing
from tests.report.page import Page

LINE = Entry(
    year="2020", modality="CT", facility="", level="STUDY", source=3, migrated=3, excluded=0, failed=0, pending=0
)
CLOSED = Crawl(axes=[Axis(axis="date", windows=4, closed=4, capped=0, matches=3)], closed=True)
COMPLETE = Facts(name="r", source="S", destination="D", generated_at="", balance=[LINE], crawl=CLOSED)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param(COMPLETE, "complete", id="all migrated"),
        pytest.param(replace(COMPLETE, balance=[]), "no_balance", id="never reconciled"),
        pytest.param(replace(COMPLETE, balance=[replace(LINE, source=4)]), "unbalanced", id="one study too many"),
        pytest.param(replace(COMPLETE, states={"VERIFIED": 3}), "complete", id="the journal says the same"),
        pytest.param(replace(COMPLETE, states={"VERIFIED": 2, "QUARANTINED": 1}), "stale", id="the run went on"),
        pytest.param(replace(COMPLETE, crawl=Crawl()), "open_crawl", id="never crawled"),
        pytest.param(replace(COMPLETE, crawl=replace(CLOSED, closed=False)), "open_crawl", id="a window is open"),
        pytest.param(
            replace(COMPLETE, balance=[replace(LINE, migrated=2, pending=1)]), "in_progress", id="a study is pending"
        ),
        pytest.param(
            replace(COMPLETE, balance=[LINE, replace(LINE, level="IMAGE", migrated=2, pending=1)]),
            "in_progress",
            id="an instance of a verified study is not proven",
        ),
        pytest.param(
            replace(COMPLETE, balance=[replace(LINE, migrated=2, failed=1)]), "exceptions", id="a study failed"
        ),
        pytest.param(
            replace(COMPLETE, balance=[replace(LINE, migrated=2, excluded=1)]), "complete", id="one left out on purpose"
        ),
    ],
)
def test_the_verdict_is_the_worst_that_is_true(facts: Facts, expected: str) -> None:
    assert standing(facts)[1] == expected


def test_reasons_say_why(request: pytest.FixtureRequest) -> None:
    said = [text for _, text in reasons(replace(COMPLETE, crawl=Crawl()), Words("en"))]
    assert "There is no crawl to certify" in said


@pytest.mark.parametrize("key", ["in_progress", "exceptions"])
def test_a_certificate_is_a_draft_until_the_run_is_complete(key: str) -> None:
    line = replace(LINE, migrated=2, pending=1) if key == "in_progress" else replace(LINE, migrated=2, failed=1)
    page = SECTIONS["certificate"](replace(COMPLETE, balance=[line]), Words("en"))
    drafts = [block for block in page.blocks if block.block == "prose"]
    assert bool(drafts) == (key not in SIGNABLE)


def test_a_waiver_removes_no_line() -> None:
    line = Exceptional(
        exception_class="CORRUPT",
        study_instance_uid="1.2",
        state="QUARANTINED",
        facility="",
        detail="",
        since="2026-01-01T00:00:00+00:00",
        age_days=3,
        disposition="waived",
    )
    facts = replace(COMPLETE, exceptions=[line], balance=[replace(LINE, migrated=2, failed=1)])
    (register,) = [table for table in SECTIONS["exceptions"](facts, Words("en")).tables() if table.key == "exceptions"]
    assert len(register.rows) == 1
    assert facts.total("STUDY").failed == 1


def test_nobody_accepts_by_signing_what_nobody_has_decided() -> None:
    line = Exceptional(
        exception_class="CORRUPT",
        study_instance_uid="1.2",
        state="QUARANTINED",
        facility="",
        detail="",
        since="2026-01-01T00:00:00",
        age_days=1,
    )
    words = Words("en")
    changed = Changed(rule="r", pack="common", pack_version="1.0", keyword="k", instances=1, identifying=False)
    for disposition, told in (("open", True), ("accepted", False)):
        facts = replace(COMPLETE, exceptions=[replace(line, disposition=disposition)], changes=[changed])
        page = Page(render([SECTIONS["certificate"](facts, words)], facts, words, Dress()))
        assert ("Exceptions nobody has decided yet: 1. Signing accepts none of them." in page.text) is told
        assert page.tables["accepted"] == [["CORRUPT", disposition, "1"]]
        assert "Rule packs: common 1.0." in page.text
