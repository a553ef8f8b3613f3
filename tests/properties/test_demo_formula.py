"""The formula archive answers any query as if every study were written down."""

from __future__ import annotations

from functools import cache

from hypothesis import given
from hypothesis import strategies as st

from migrate.demo.formula import FormulaArchive, FormulaPlan
from migrate.demo.matching import Dialect, matches
from migrate.demo.simulated import SimulatedSource
from migrate.model import Level

STUDY_KEYS = ("StudyInstanceUID", "StudyDate", "StudyTime", "PatientID", "AccessionNumber", "ModalitiesInStudy")
DATES = st.dates(min_value=FormulaPlan().first_day).map(lambda day: f"{day:%Y%m%d}")


@cache
def archive(studies: int = 3_000) -> FormulaArchive:
    return FormulaArchive(FormulaPlan(studies=studies, cap=100, seed=5))


@cache
def written_down() -> list[dict[str, str]]:
    rows = archive().rows("STUDY", {}, Dialect())
    return [{key: row.values[key] for key in STUDY_KEYS} for row in rows]


def keys() -> st.SearchStrategy[dict[str, str]]:
    ids = st.sampled_from([row["PatientID"] for row in written_down()])
    prefixes = st.tuples(ids, st.integers(0, 7)).map(lambda pair: pair[0][: pair[1]] + "*")
    dates = st.sampled_from([row["StudyDate"] for row in written_down()])
    ranges = st.tuples(dates, dates).map(lambda pair: "-".join(sorted(pair)))
    return st.fixed_dictionaries(
        {},
        optional={
            "PatientID": ids | prefixes | st.just("M*") | st.just("*1"),
            "StudyDate": dates | ranges | st.just("-20060105") | st.just("20060105-") | st.just("20060231-20060399"),
            "StudyTime": st.just("0000-1159") | st.just("120000-"),
            "ModalitiesInStudy": st.sampled_from(["CT", "SR", "CR\\DX", "XX"]),
            "AccessionNumber": st.sampled_from([row["AccessionNumber"] for row in written_down()] + ["A0000000*"]),
            "StudyInstanceUID": st.sampled_from([row["StudyInstanceUID"] for row in written_down()] + ["1.2\\1.3"]),
        },
    )


@given(keys())
def test_an_index_finds_what_a_walk_over_all_studies_finds(wanted: dict[str, str]) -> None:
    test = matches(wanted, Dialect())
    expected = {row["StudyInstanceUID"] for row in written_down() if test(row)}
    found = [row.values["StudyInstanceUID"] for row in archive().rows("STUDY", wanted, Dialect())]
    assert set(found) == expected
    assert len(found) == len(expected)


@given(st.integers(1, 5_000), st.integers(0, 50))
def test_every_study_is_dated_or_not_and_stands_once(studies: int, seed: int) -> None:
    made = FormulaArchive(FormulaPlan(studies=studies, seed=seed))
    assert sum(made.studies_per_day) == made.dated
    assert made.dated + made.undated == len(made) == studies
    assert all(count >= 0 for count in made.studies_per_day)
    patients = {made.patients.of_study(index) for index in range(studies)}
    spread = [index for patient in patients for index in made.patients.studies_of(patient)]
    assert sorted(spread) == list(range(studies))


def test_a_million_studies_have_the_promised_shape_and_take_no_memory() -> None:
    made = FormulaArchive(FormulaPlan(studies=1_000_000))
    heavy = sum(count > 500 for count in made.studies_per_day) / len(made.studies_per_day)
    assert 0.025 <= heavy <= 0.035
    assert made.undated == 5_000
    assert made.study_instance_uid(999_999) in made
    assert "1.2.3" not in made


def test_patient_ids_are_in_order_and_unique() -> None:
    ids = [archive().patients.id_of(number) for number in range(len(archive().patients))]
    assert ids == sorted(set(ids))


def test_counts_agree_with_the_image_level() -> None:
    source = SimulatedSource(archive())
    first = written_down()[0]["StudyInstanceUID"]
    found: list[str] = []
    study = next(iter(archive().rows("STUDY", {"StudyInstanceUID": first}, Dialect()))).values
    series: list[str] = []
    source.find(
        Level.SERIES,
        {"StudyInstanceUID": first, "SeriesInstanceUID": ""},
        lambda match: series.append(match.values["SeriesInstanceUID"]),
    )
    for uid in series:
        wanted = {"StudyInstanceUID": first, "SeriesInstanceUID": uid, "SOPInstanceUID": ""}
        source.find(Level.IMAGE, wanted, lambda match: found.append(match.values["SOPInstanceUID"]))
    assert len(series) == int(study["NumberOfStudyRelatedSeries"])
    assert len(set(found)) == len(found) == int(study["NumberOfStudyRelatedInstances"])
