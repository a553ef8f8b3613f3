"""Merges are followed to the last survivor, or refused as a whole; messages never show an id."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrate.checks.merge_list import read_merges
from migrate.checks.merges import Merge, survivors
from migrate.dicom.identifiers import IssuedId
from migrate.errors import UsageError


def who(patient_id: str, issuer: str = "") -> IssuedId:
    return IssuedId(patient_id, issuer)


def merges(*pairs: tuple[str, str]) -> list[Merge]:
    return [Merge(who(prior), who(surviving), line) for line, (prior, surviving) in enumerate(pairs, start=2)]


def test_a_chain_is_followed_to_its_end() -> None:
    found = survivors(merges(("B", "C"), ("A", "B"), ("C", "D")))
    assert found == {who("A"): who("D"), who("B"): who("D"), who("C"): who("D")}


@pytest.mark.parametrize(
    ("pairs", "sentence"),
    [
        ([("A", "B"), ("B", "A")], "ring"),
        ([("A", "B"), ("B", "C"), ("C", "A"), ("X", "A")], "ring"),
        ([("A", "B"), ("A", "C")], "two"),
    ],
)
def test_what_contradicts_itself_is_refused_without_naming_an_id(pairs: list[tuple[str, str]], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence) as caught:
        survivors(merges(*pairs))
    assert caught.value.facts["line"] in range(2, 6)
    assert not {"A", "B", "C"} & set(str(caught.value).replace("(", " ").replace(",", " ").split())


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(lambda pair: pair[0] < pair[1]), max_size=9))
def test_a_survivor_never_is_somebody_who_was_merged(pairs: list[tuple[int, int]]) -> None:
    once = {str(prior): str(surviving) for prior, surviving in pairs}
    found = survivors(merges(*once.items()))
    assert not set(found) & set(found.values())
    assert set(found) == {who(prior) for prior in once}


def written(tmp_path: Path, name: str, content: str) -> Path:
    path = tmp_path / name
    path.write_bytes(content.encode())
    return path


CSV = "prior_id,surviving_id,issuer\nA,B,HOSP\n\n,B,\nC,C,\nD,E\n"


def test_a_csv_says_who_was_merged_and_bad_lines_are_told_with_their_numbers(tmp_path: Path) -> None:
    found = read_merges(written(tmp_path, "m.csv", CSV))
    assert found.merges == [Merge(who("A", "HOSP"), who("B", "HOSP"), 2), Merge(who("D"), who("E"), 6)]
    assert found.invalid == [(4, "one of the two ids is empty"), (5, "a patient is merged into itself")]


A40 = (
    "MSH|^~\\&|PIX|H|MIG|H|20260101||ADT^A40^ADT_A39|1|P|2.5\r"
    "EVN|A40|20260101\r"
    "PID|1||S1^^^HOSP&1.2&ISO~P9^^^BC||NOBODY^AT ALL\r"
    "MRG|OLD1^^^HOSP&1.2&ISO~P8^^^BC\r"
    "PID|2||S\\T\\2^^^HOSP\r"
    "MRG|OLD2^^^HOSP\r"
)
A08 = "MSH|^~\\&|PIX|H|MIG|H|20260101||ADT^A08|2|P|2.5\rPID|1||S1^^^HOSP\r"
BARE = "MSH|^~\\&|PIX|H|MIG|H|20260101||ADT^A40|3|P|2.5\rPID|1||S1^^^HOSP\r"
OWN_MARKS = "MSH$@#!%$PIX$H$MIG$H$20260101$$ADT@A40$4$P$2.5\rPID$1$$S1@@@HOSP\rMRG$O1@@@HOSP\r"


@pytest.mark.parametrize("frame", ["{}", "\x0b{}\x1c\r", "\r\n{}"], ids=["plain", "MLLP", "blank line"])
@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_hl7_merges_pair_the_ids_of_one_authority(tmp_path: Path, frame: str, end: str) -> None:
    text = "".join(frame.format(message) for message in (A40, A08, BARE, OWN_MARKS)).replace("\r", end)
    found = read_merges(written(tmp_path, "m.hl7", text))
    assert [(merge.prior, merge.surviving, merge.line) for merge in found.merges] == [
        (who("OLD1", "HOSP"), who("S1", "HOSP"), 1),
        (who("P8", "BC"), who("P9", "BC"), 1),
        (who("OLD2", "HOSP"), who("S&2", "HOSP"), 1),
        (who("O1", "HOSP"), who("S1", "HOSP"), 4),
    ]
    assert found.other == 1
    assert found.invalid == [(3, "the message has no PID with an MRG after it")]


def test_a_folder_of_messages_is_read_as_a_whole(tmp_path: Path) -> None:
    written(tmp_path, "1.hl7", A40)
    written(tmp_path, "2.hl7", OWN_MARKS)
    assert len(read_merges(tmp_path).merges) == 4


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", "\xff\xfe nonsense", "MSH|"])
def test_what_is_no_list_of_merges_is_refused_or_empty(tmp_path: Path, content: str) -> None:
    path = written(tmp_path, "m.csv", content)
    if content.startswith("MSH"):
        assert read_merges(path).merges == []
    else:
        with pytest.raises(UsageError, match="merges"):
            read_merges(path)


def test_a_file_that_is_not_there_is_a_wrong_command_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_merges(tmp_path / "none.csv")
