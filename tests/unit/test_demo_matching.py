from __future__ import annotations

import pytest

from migrate.demo.matching import Dialect, matches

STUDY = {
    "StudyInstanceUID": "1.2.3",
    "StudyDate": "20190230",
    "StudyTime": "123059.5",
    "PatientName": "Sample^Alpha",
    "PatientID": "A100",
    "ModalitiesInStudy": "CT\\SR",
    "StudyDescription": "head (no contrast)",
    "Rows": "512",
}


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        pytest.param({"StudyDate": "", "PatientID": "*"}, True, id="empty and lone asterisk are universal"),
        pytest.param({"StudyInstanceUID": "1.2"}, False, id="a UID matches whole"),
        pytest.param({"StudyInstanceUID": "9\\1.2.3"}, True, id="list of UID"),
        pytest.param({"StudyDate": "20190230"}, True, id="a date that is none matches itself"),
        pytest.param({"StudyDate": "20190201-20190301"}, True, id="range includes"),
        pytest.param({"StudyDate": "20190230-20190230"}, True, id="range of one day"),
        pytest.param({"StudyDate": "-20190229"}, False, id="open below, ends before"),
        pytest.param({"StudyDate": "20190301-"}, False, id="open above, begins after"),
        pytest.param({"StudyTime": "123059-1231"}, True, id="time range with short bound"),
        pytest.param({"StudyTime": "1231-"}, False, id="time range begins after"),
        pytest.param({"PatientName": "SAMPLE^*"}, True, id="names ignore case"),
        pytest.param({"PatientID": "a1*"}, False, id="ids do not"),
        pytest.param({"PatientID": "A?00"}, True, id="question mark"),
        pytest.param({"ModalitiesInStudy": "SR"}, True, id="any of several values"),
        pytest.param({"ModalitiesInStudy": "MR\\SR"}, True, id="any of several wanted"),
        pytest.param({"ModalitiesInStudy": "MR"}, False, id="none of several values"),
        pytest.param({"StudyDescription": "head (no*"}, True, id="brackets are plain text"),
        pytest.param({"Rows": "512"}, True, id="number"),
        pytest.param({"AccessionNumber": "1"}, False, id="an absent value matches no value"),
        pytest.param({"StudyDate": "20190201-20190301", "PatientID": "B"}, False, id="all keys must match"),
    ],
)
def test_a_row_is_found_as_the_standard_says(keys: dict[str, str], found: bool) -> None:
    assert matches(keys, Dialect())(STUDY) is found


@pytest.mark.parametrize("date", ["", "nodate", "2019AB01", "201901"])
def test_a_study_without_a_real_date_is_in_no_range(date: str) -> None:
    wide = matches({"StudyDate": "00000101-99991231"}, Dialect())
    assert not wide({"StudyDate": date})
    assert matches({"StudyDate": "-20300101"}, Dialect(hide_undated_from_ranges=False))({"StudyDate": date})


def test_an_acr_nema_date_is_in_the_range_of_its_day() -> None:
    assert matches({"StudyDate": "19970424-19970424"}, Dialect())({"StudyDate": "1997.04.24"})


@pytest.mark.parametrize(
    ("dialect", "keys", "found"),
    [
        pytest.param(Dialect(no_wildcards=True), {"PatientID": "A*"}, False, id="no wildcards"),
        pytest.param(
            Dialect(no_uid_lists=True), {"StudyInstanceUID": "9\\1.2.3"}, False, id="first UID of a list only"
        ),
        pytest.param(Dialect(ignores_time=True), {"StudyTime": "0000-0001"}, True, id="time is ignored"),
        pytest.param(
            Dialect(one_interval=True),
            {"StudyDate": "20190229-20190301", "StudyTime": "2300-0100"},
            True,
            id="date and time as one interval",
        ),
        pytest.param(
            Dialect(), {"StudyDate": "20190229-20190301", "StudyTime": "2300-0100"}, False, id="as two filters"
        ),
    ],
)
def test_a_dialect_deviates_as_ordered(dialect: Dialect, keys: dict[str, str], found: bool) -> None:
    assert matches(keys, dialect)(STUDY) is found
