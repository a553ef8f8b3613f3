"""Each check, on the study that it is made for, and on one that it must leave alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from migrate.checks.balance import Books
from migrate.checks.findings import CHECKS, Finding, Seen
from migrate.errors import LocalError
from migrate.model import Level, Outcome
from tests.checks.sides import STUDY, instance, seen, side

TWO = (instance("1.2.3.8"), instance("1.2.3.9"))
BOTH = {"1.2.3.8", "1.2.3.9"}


def found(check: str, study: Seen) -> list[Finding]:
    return list(CHECKS[check](study, study.compared()))


def brief(findings: list[Finding]) -> list[tuple[str, str, str, str | None, bool]]:
    return [(f.level, f.uid, f.outcome, f.exception_class, f.explained) for f in findings]


CASES = [
    pytest.param("instances_compared", seen(side(*TWO), held=BOTH), [], id="both hold both"),
    pytest.param(
        "instances_compared",
        seen(side(*TWO), held={"1.2.3.8"}),
        [(Level.IMAGE, "1.2.3.9", Outcome.MISSING, "COUNT_MISMATCH", False)],
        id="one is missing although the study is verified",
    ),
    pytest.param(
        "instances_compared",
        seen(side(*TWO), "QUARANTINED", held={"1.2.3.8"}),
        [(Level.IMAGE, "1.2.3.9", Outcome.MISSING, None, True)],
        id="one is missing and the quarantine explains it",
    ),
    pytest.param(
        "instances_compared",
        seen(side(*TWO), held={*BOTH, "1.2.3.99"}),
        [(Level.IMAGE, "1.2.3.99", Outcome.EXTRA, None, False)],
        id="one stands only at the destination",
    ),
    pytest.param(
        "instances_compared",
        seen(side(instance("1.2.3.9", outcome="differs", differs="00100010")), held={"1.2.3.9"}),
        [(Level.IMAGE, "1.2.3.9", Outcome.DIFFERS, "CONTENT_MISMATCH", False)],
        id="one differs",
    ),
    pytest.param(
        "instances_compared",
        seen(side(instance("1.2.3.9", method="uid")), held={"1.2.3.9"}),
        [(Level.IMAGE, "1.2.3.9", Outcome.UNVERIFIABLE, None, False)],
        id="held and never proven by content",
    ),
    pytest.param(
        "instances_compared",
        seen(side(*TWO), "PLANNED", held=set()),
        [(Level.STUDY, STUDY, Outcome.MISSING, None, True)],
        id="a study not yet moved is one finding",
    ),
    pytest.param("instances_compared", seen(side(*TWO), held=None), [], id="nobody asked and the proof stands"),
    pytest.param(
        "instances_compared",
        seen(None, None, held={"1.2.3.8"}),
        [(Level.IMAGE, "1.2.3.8", Outcome.EXTRA, None, False)],
        id="a study that only the destination has",
    ),
    pytest.param("counts_stated", seen(side(*TWO, stated_instances=2), held=BOTH), [], id="the counts agree"),
    pytest.param("counts_stated", seen(side(*TWO), held=BOTH), [], id="the peer stated no count"),
    pytest.param(
        "counts_stated",
        seen(side(*TWO, stated_instances=3), held=BOTH),
        [(Level.STUDY, STUDY, Outcome.UNVERIFIABLE, "COUNT_MISMATCH", True)],
        id="the counts disagree",
    ),
    pytest.param("empty_shells", seen(side(*TWO), held=BOTH), [], id="a study with instances"),
    pytest.param(
        "empty_shells",
        seen(side(), "FOUND", held=set()),
        [(Level.STUDY, STUDY, Outcome.UNVERIFIABLE, "EMPTY_SHELL", True)],
        id="a study without instances",
    ),
    pytest.param("instances_unlisted", seen(side(*TWO), held=BOTH), [], id="all were listed"),
    pytest.param(
        "instances_unlisted",
        seen(side(instance("1.2.3.9", listed=False)), held={"1.2.3.9"}),
        [(Level.STUDY, STUDY, Outcome.UNVERIFIABLE, "DELTA_CHANGED", True)],
        id="one arrived unlisted",
    ),
    pytest.param("studies_unlisted", seen(side(*TWO), held=BOTH), [], id="a crawl listed the study"),
    pytest.param(
        "studies_unlisted",
        seen(None, "PLANNED"),
        [(Level.STUDY, STUDY, Outcome.UNVERIFIABLE, "MISSING_AT_SOURCE", False)],
        id="the journal alone knows the study",
    ),
]


@pytest.mark.parametrize(("check", "study", "expected"), CASES)
def test_a_check_finds_what_it_is_made_for(
    check: str, study: Seen, expected: list[tuple[str, str, str, str | None, bool]]
) -> None:
    assert brief(found(check, study)) == expected


def test_every_check_has_a_case_that_it_finds_and_one_that_it_leaves_alone() -> None:
    cases = {(case.values[0], bool(case.values[2])) for case in CASES}
    assert cases == {(name, finds) for name in CHECKS for finds in (True, False)}


def test_a_finding_names_tags_and_no_values() -> None:
    study = seen(side(instance("1.2.3.9", outcome="differs", differs="00100010 00080050")), held={"1.2.3.9"})
    assert found("instances_compared", study)[0].detail == "00100010 00080050 (VERIFIED)"


@pytest.mark.parametrize("held", [None, BOTH, {"1.2.3.8"}, {*BOTH, "1.2.3.10"}])
@pytest.mark.parametrize("changes", [{}, {"outcome": "differs"}, {"method": "uid"}, {"rejected": "113001"}])
@pytest.mark.parametrize("state", ["VERIFIED", "QUARANTINED"])
def test_instances_that_fare_alike_are_told_like_one_by_one(
    state: str, changes: dict[str, Any], held: set[str] | None
) -> None:
    alike = side(*(one._replace(**changes) for one in TWO))
    assert alike.alike is not None
    by_one = replace(alike, alike=None)
    told = [
        (study.compared().outcomes(), [list(check(study, study.compared())) for check in CHECKS.values()])
        for study in (seen(alike, state, held), seen(by_one, state, held))
    ]
    assert told[0] == told[1]
    books = [Books(), Books()]
    for book, one in zip(books, (alike, by_one), strict=True):
        book.add(one, state)
    assert list(books[0].lines()) == list(books[1].lines())


def test_instances_in_no_order_are_refused_even_when_they_fare_alike() -> None:
    study = side(*TWO)
    with pytest.raises(LocalError, match="not sorted"):
        seen(replace(study, instances=study.instances[::-1])).compared()
