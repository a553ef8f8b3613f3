"""What is learnt from peers that behave, and from peers that were told not to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from migrate.demo.formula import FormulaArchive, FormulaPlan
from migrate.demo.matching import Dialect
from migrate.demo.rows import Row
from migrate.profiles import FACTS, Profile, read_profile, save_profile
from tests.assess.conftest import Stand
from tests.assess.kit import assessed

Start = Callable[..., Stand]
HONEST: dict[str, Any] = {
    "result_cap": None,
    "cap_signal": "none",
    "complete_answers": 30,
    "wildcard": True,
    "date_ranges": True,
    "time_ranges": True,
    "datetime_interval": False,
    "undated_in_ranges": False,
    "uid_lists": True,
    "relational_queries": False,
    "patient_root": True,
    "counts_instances": True,
    "counts_series": True,
    "c_get": True,
    "c_move": True,
    "retrieve": "c-move",
    "move_destinations": {"MIGRATE": "arrived"},
    "move_status_honest": True,
    "move_nothing_status": "0000",
    "storage_commitment": True,
    "extended_negotiation": "",
}


def facts(profile: Profile) -> dict[str, Any]:
    return {name: getattr(profile, name) for name in HONEST}


def test_a_peer_that_behaves_gets_no_failure_and_a_whole_profile(stand: Start) -> None:
    found = assessed(stand().folder)
    assert found.failures() == {}
    assert found.assessed.exit_code == 0
    assert found.told == found.assessed.checks
    assert facts(found.source) == HONEST
    assert found.source.associations == 4
    assert found.source.find_latency_s is not None
    assert set(found.source.find_latency_by_hour or {}) <= {f"{hour:02}" for hour in range(24)}
    assert found.source.optional_keys is not None
    assert found.source.optional_keys["STUDY.SOPClassesInStudy"] == "absent"
    assert found.source.optional_keys["IMAGE.SOPClassUID"] == "filled"
    assert "ISO_IR 192" in (found.source.character_sets or ())
    assert found.destination.finds_images is True
    assert found.destination.c_get is True
    assert found.destination.refused_contexts == {}
    assert len(found.destination.contexts or {}) == 45


def test_every_fact_of_the_source_is_saved_with_how_and_when(stand: Start) -> None:
    found = assessed(stand().folder)
    learnt = read_profile(found.folder, "source").learnt
    of_the_other_side = {"finds_images", "proposed_coercions", "contexts", "refused_contexts"}
    # Known from its association, where it says who it is; the embedded PACS is no product.
    assert set(FACTS) - set(learnt) <= of_the_other_side | {"product", "kept_outside_dicom"}
    assert all(fact.how and fact.when for fact in learnt.values())
    assert {"study-root-find", "patient-root-find", "study-root-move"} <= set(found.source.models or ())
    assert found.source.empty_value_matching is not None
    assert min(found.source.echo_latency_s or 0, found.source.find_latency_s or 0) > 0
    assert (found.source.find_latency_p90_s or 0) >= (found.source.find_latency_s or 1)


def test_latency_is_kept_hour_by_hour_over_assessments(stand: Start) -> None:
    folder = assessed(stand().folder).folder
    before = read_profile(folder, "source")
    (hour,) = before.learnt["find_latency_by_hour"].value
    other = f"{(int(hour) + 12) % 24:02}"
    hours = replace(before.learnt["find_latency_by_hour"], value={other: 9.5})
    save_profile(folder, replace(before, learnt={**before.learnt, "find_latency_by_hour": hours}))
    found = assessed(folder).source.find_latency_by_hour or {}
    assert found[other] == 9.5
    assert {hour, other} <= set(found)


def test_nothing_that_was_fetched_is_kept(stand: Start) -> None:
    here = stand()
    assessed(here.folder)
    assert list((here.folder / "staging").rglob("*.*")) == []
    assert here.dir.stores == []


@pytest.mark.parametrize(
    ("orders", "differs"),
    [
        pytest.param({"result_cap": 12, "cap_signal": "FE00"}, {"result_cap": 12, "cap_signal": "FE00"}, id="FE00"),
        pytest.param(
            {"result_cap": 12, "cap_signal": "silent"}, {"result_cap": 12, "cap_signal": "silent"}, id="silent"
        ),
        pytest.param({"result_cap": 12, "cap_signal": "C000"}, {"result_cap": 12, "cap_signal": "C000"}, id="C000"),
        pytest.param({"result_cap": 7, "cap_signal": "A700"}, {"result_cap": 7, "cap_signal": "A700"}, id="A700"),
        pytest.param(
            {"result_cap": 12, "cap_signal": "C000", "no_uid_lists": True},
            {"result_cap": 12, "cap_signal": "C000", "uid_lists": False},
            id="C000-without-lists",
        ),
        pytest.param({"result_cap": 30, "cap_signal": "silent"}, {}, id="silent-cap-that-cuts-nothing"),
        pytest.param({"no_wildcards": True}, {"wildcard": False}, id="no-wildcards"),
        pytest.param({"no_uid_lists": True}, {"uid_lists": False}, id="no-uid-lists"),
        pytest.param({"ignores_time": True}, {"time_ranges": False, "datetime_interval": None}, id="time-ignored"),
        pytest.param({"one_interval": True}, {"datetime_interval": True}, id="one-interval"),
        pytest.param({"hide_undated_from_ranges": False}, {"undated_in_ranges": True}, id="undated-in-ranges"),
        pytest.param({"relational": True}, {"relational_queries": True}, id="relational"),
        pytest.param({"wrong_counts": 1}, {"counts_instances": False, "counts_series": False}, id="wrong-counts"),
        pytest.param({"no_optional_keys": True}, {"counts_instances": False, "counts_series": False}, id="no-counts"),
        pytest.param({"drop_keys": ["NumberOfStudyRelatedSeries"]}, {"counts_series": False}, id="one-key-dropped"),
        pytest.param({"fails_every": 3}, {}, id="fails-now-and-then"),
        pytest.param({"close_after_rows": 1, "close_first_n": 1}, {}, id="breaks-off-once"),
        pytest.param({"flags_unsupported_keys": True}, {}, id="FF01"),
    ],
)
def test_each_sin_of_c_find_changes_what_it_should_and_nothing_else(
    stand: Start, orders: Mapping[str, Any], differs: Mapping[str, Any]
) -> None:
    learnt = facts(assessed(stand({"find": orders}).folder, queries=80).source)
    if "result_cap" in orders:  # not everything was seen, the study without a date for one
        differs = {**differs, **{name: learnt[name] for name in ("complete_answers", "undated_in_ranges")}}
    assert learnt == {**HONEST, **differs}


@pytest.mark.parametrize(
    ("orders", "differs"),
    [
        pytest.param({"refuse_get": True}, {"c_get": False}, id="no-c-get"),
        pytest.param(
            {"refuse_move": True},
            {
                "c_move": False,
                "retrieve": "c-get",
                "move_destinations": {"MIGRATE": "the peer does not accept this service"},
                "move_status_honest": None,
                "move_nothing_status": None,
            },
            id="no-c-move",
        ),
        pytest.param(
            {"success_nothing_sent": True},
            {
                "c_get": False,
                "c_move": False,
                "retrieve": None,
                "move_destinations": {"MIGRATE": "nothing arrived, status 0000"},
                "move_status_honest": False,
            },
            id="success-and-nothing-sent",
        ),
        pytest.param({"late_sending_s": 0.2}, {}, id="says-success-before-it-sends"),
        pytest.param({"no_pending": True}, {}, id="no-pending"),
    ],
)
def test_each_sin_of_c_move_changes_what_it_should_and_nothing_else(
    stand: Start, orders: Mapping[str, Any], differs: Mapping[str, Any]
) -> None:
    assert facts(assessed(stand({"move": orders}).folder).source) == {**HONEST, **differs}


def test_text_that_cannot_be_decoded_is_counted(stand: Start) -> None:
    line = assessed(stand({"find": {"undecodable_every": 4}}).folder).line("source character sets")
    assert line.result == "warn"
    assert "cannot decode" in line.fact


def test_a_source_that_fails_now_and_then_is_named(stand: Start) -> None:
    found = assessed(stand({"find": {"fails_every": 5}}).folder)
    moody = [one for one in found.assessed.checks if one.name == "source C-FIND" and one.result == "warn"]
    assert len(moody) == 1
    assert "answered when asked again" in moody[0].fact


@pytest.mark.parametrize(("allowed", "result"), [(1, "warn"), (3, "ok")])
def test_the_number_of_associations_is_what_the_peer_allows(stand: Start, allowed: int, result: str) -> None:
    found = assessed(stand({"association": {"maximum_associations": allowed}}).folder)
    assert found.failures() == {}
    assert found.source.associations == {1: 1, 3: 2}[allowed]
    assert found.line("source associations").result == result


@pytest.mark.parametrize("queries", [1, 6, 15, 25])
def test_no_more_is_asked_than_the_budget_that_was_stated(stand: Start, queries: int) -> None:
    here = stand()
    found = assessed(here.folder, queries=queries)
    assert here.legacy.finds.queries <= queries
    assert found.failures() == {}
    assert any("--queries" in one.hint for one in found.assessed.checks)


class CountingArchive:
    """A formula's archive that counts the rows it was asked to give."""

    def __init__(self, studies: int) -> None:
        self.rows_given = 0
        self._formula = FormulaArchive(FormulaPlan(studies=studies))

    def rows(self, level: str, keys: Mapping[str, str], dialect: Dialect) -> Iterator[Row]:
        for row in self._formula.rows(level, keys, dialect):
            self.rows_given += 1
            yield row

    def study_instance_uids(self) -> Iterable[str]:
        return self._formula.study_instance_uids()


def test_a_large_archive_is_not_asked_for_everything(stand: Start) -> None:
    catalogue = CountingArchive(100_000)
    found = assessed(stand(catalogue=catalogue).folder, answers=1_000)
    assert catalogue.rows_given < 3_000
    assert found.source.cap_signal == "none"
    assert "none up to 1,000 answers" in found.line("source result cap").fact


def test_a_silent_cap_of_a_large_archive_is_found(stand: Start) -> None:
    orders = {"find": {"result_cap": 500, "cap_signal": "silent"}}
    found = assessed(stand(orders, catalogue=FormulaArchive(FormulaPlan(studies=10_000))).folder)
    assert (found.source.result_cap, found.source.cap_signal) == (500, "silent")
    assert found.line("source result cap").result == "warn"


def test_an_endless_answer_is_cancelled(stand: Start) -> None:
    found = assessed(stand({"find": {"endless": True}}).folder, answers=200)
    assert found.failures() == {}
    assert found.source.result_cap is None
    assert found.source.wildcard is True


def test_an_empty_source_is_a_warning_with_a_remedy(stand: Start) -> None:
    found = assessed(stand(catalogue=CountingArchive(0)).folder)
    assert found.failures() == {}
    assert "no study was returned" in found.line("source C-FIND").fact
    assert "MIGRATE" in found.line("source C-FIND").hint
    assert "result cap" in next(one for one in found.assessed.checks if "not asked" in one.fact).fact


@pytest.mark.parametrize(
    ("orders", "code"),
    [
        pytest.param({"store": {"refuse_sop_classes": ["1.2.840.10008.5.1.4.1.1.2"]}}, 0, id="one-class"),
        pytest.param({"store": {"refuse_transfer_syntaxes": ["1.2.840.10008.1.2.4.90"]}}, 0, id="one-syntax"),
        pytest.param({"move": {"refuse_get": True, "refuse_move": True}}, 42, id="nothing-to-read-back"),
        pytest.param({"commitment": {"refuse": True}}, 0, id="no-commitment"),
    ],
)
def test_what_the_destination_refuses_is_in_its_profile(stand: Start, orders: dict[str, Any], code: int) -> None:
    found = assessed(stand(dir_=orders).folder)
    profile = found.destination
    store = orders.get("store", {})
    refused_classes = {uid for uid in profile.refused_contexts or {} if uid not in (profile.contexts or {})}
    assert refused_classes == set(store.get("refuse_sop_classes", ()))
    syntaxes = {one for each in (profile.contexts or {}).values() for one in each}
    assert not syntaxes & set(store.get("refuse_transfer_syntaxes", ()))
    assert profile.c_get is ("move" not in orders)
    assert profile.storage_commitment is ("commitment" not in orders)
    assert found.assessed.exit_code == code
    if refused_classes:
        assert "CT Image Storage" in found.line("destination kinds of objects").hint
