"""What is wrong with a pack is said when it is loaded, with file and line."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from migrate.errors import ConfigError
from migrate.rules import packs

HEAD = 'name = "bad"\nversion = "1.0"\ndescription = "for a test"\n'
RULE = '[[rule]]\nname = "it"\n'


@dataclass(frozen=True, kw_only=True)
class Bad:
    """The lines after `HEAD` (its own first line is line 4), what is said, and in which line."""

    text: str
    says: str
    line: int | None
    values: dict[str, str] = field(default_factory=dict)
    whole: bool = False


CASES = {
    "not TOML": Bad(text="[[rule", says="the rule pack is not TOML", line=None),
    "unknown key of the pack": Bad(text='author = "me"\n', says="unknown key author", line=4),
    "no version": Bad(text='name = "bad"\ndescription = "x"\n', says="version: Field required", line=1, whole=True),
    "a name that no table can hold": Bad(
        text='name = "Bad pack"\nversion = "1"\ndescription = "x"\n', says="name:", line=1, whole=True
    ),
    "a rule without a name": Bad(text='[[rule]]\nkind = "set"\n', says="a rule needs a name", line=4),
    "unknown kind": Bad(text=RULE + 'kind = "sett"\n', says="unknown kind of rule sett", line=6),
    "unknown key of a rule": Bad(
        text=RULE + 'kind = "remove"\nkeyword = "StudyID"\nforce = true\n', says="unknown key force", line=8
    ),
    "a parameter that is missing": Bad(
        text=RULE + 'kind = "set"\nkeyword = "StudyID"\n', says="the rule needs value", line=6
    ),
    "unknown keyword": Bad(
        text=RULE + 'kind = "set"\n\nkeyword = "StudyIdd"\nvalue = "1"\n',
        says="keyword: StudyIdd is not a keyword of the data dictionary",
        line=8,
    ),
    "a keyword that no rule may write": Bad(
        text=RULE + 'kind = "set"\nkeyword = "Rows"\nvalue = "1"\n', says="Rows is not for rules to change", line=7
    ),
    "a UID": Bad(
        text=RULE + 'kind = "set"\nkeyword = "StudyInstanceUID"\nvalue = "1.2"\n',
        says="StudyInstanceUID is not for rules to change",
        line=7,
    ),
    "removed pixels": Bad(
        text=RULE + 'kind = "remove"\nkeyword = "PixelData"\n', says="PixelData is not for rules to change", line=7
    ),
    "a VR that a rule cannot write": Bad(
        text=RULE + 'kind = "set"\nkeyword = "RegionFlags"\nvalue = "1"\n', says="RegionFlags has VR UL", line=7
    ),
    "a sequence that is none": Bad(
        text=RULE + 'kind = "add_sequence_item"\nsequence = "StudyID"\nitem = { CodeValue = "1" }\n',
        says="StudyID has VR SH; this rule writes a sequence",
        line=7,
    ),
    "a value too long for SH": Bad(
        text=RULE + 'kind = "set"\nkeyword = "StationName"\nvalue = "12345678901234567"\n',
        says="StationName: 17 characters do not fit SH, which holds 16",
        line=7,
    ),
    "a value too long for LO": Bad(
        text=RULE + f'kind = "issuer_of_patient_id_set"\nissuer = "{"x" * 65}"\n',
        says="issuer: 65 characters do not fit LO, which holds 64",
        line=7,
    ),
    "lower case in CS": Bad(
        text=RULE + 'kind = "set"\nkeyword = "Modality"\nvalue = "ct"\n',
        says="Modality: the value is not a valid CS",
        line=7,
    ),
    "a date with dots": Bad(
        text=RULE + 'kind = "set_if_empty"\nkeyword = "StudyDate"\nvalue = "2001.01.01"\n',
        says="StudyDate: 10 characters do not fit DA",
        line=7,
    ),
    "two values where one fits": Bad(
        text=RULE + 'kind = "set"\nkeyword = "Modality"\nvalue = ["CT", "MR"]\n',
        says="2 values do not fit Modality, which holds 1",
        line=7,
    ),
    "a backslash in a value": Bad(
        text=RULE + 'kind = "set"\nkeyword = "StudyID"\nvalue = \'a\\b\'\n', says="a backslash separates values", line=7
    ),
    "six components of a name": Bad(
        text=RULE + 'kind = "set"\nkeyword = "ReferringPhysicianName"\nvalue = "a^b^c^d^e^f"\n',
        says="a person name has at most 5 components",
        line=7,
    ),
    "an OID that is none": Bad(
        text=RULE + 'kind = "issuer_of_patient_id_set"\nissuer = "FHA"\nuniversal_entity_id = "1.02"\n',
        says="universal_entity_id: not an OID",
        line=8,
    ),
    "unknown condition": Bad(
        text=RULE + 'kind = "other_patient_ids_kept"\nwhen = { modalty = "CT" }\n',
        says="when: modalty is not a condition",
        line=7,
    ),
    "unknown keyword in a condition": Bad(
        text=RULE + 'kind = "other_patient_ids_kept"\nwhen = { present = ["PatientIdd"] }\n',
        says="PatientIdd is not a keyword of the data dictionary",
        line=7,
    ),
    "a condition of the wrong type": Bad(
        text=RULE + 'kind = "other_patient_ids_kept"\nunless = { modality = 7 }\n',
        says="unless: modality needs a text or a list of texts",
        line=7,
    ),
    "a date condition without days": Bad(
        text=RULE + 'kind = "other_patient_ids_kept"\nwhen = { study_date = { from = "last year" } }\n',
        says="study_date needs days such as 2001-01-31",
        line=7,
    ),
    "a pattern that is too long": Bad(
        text=RULE + f'kind = "other_patient_ids_kept"\nwhen = {{ like = {{ StudyID = "{"*" * 129}" }} }}\n',
        says="longer than 128 characters",
        line=7,
    ),
    "unknown reason": Bad(
        text=RULE + 'kind = "other_patient_ids_kept"\nreason = "BECAUSE"\n', says="unknown reason", line=7
    ),
    "on_signed that is no claim": Bad(
        text=RULE + 'kind = "other_patient_ids_kept"\non_signed = "yes"\n', says="on_signed is true or false", line=7
    ),
    "two rules of one name": Bad(
        text=RULE + 'kind = "other_patient_ids_kept"\n' + RULE + 'kind = "other_patient_ids_kept"\n',
        says="two rules of a pack have one name",
        line=8,
    ),
    "two rules that set one tag differently": Bad(
        text=RULE
        + 'kind = "set"\nkeyword = "StudyID"\nvalue = "1"\n'
        + '[[rule]]\nname = "other"\nkind = "set_if_empty"\nkeyword = "StudyID"\nvalue = "2"\n',
        says="two rules set StudyID differently",
        line=10,
    ),
    "two issuers for one number": Bad(
        text=RULE
        + 'kind = "issuer_of_patient_id_set"\nissuer = "FHA"\n'
        + '[[rule]]\nname = "other"\nkind = "issuer_of_patient_id_set"\nissuer = "VCHA"\n',
        says="two rules set IssuerOfPatientID differently",
        line=9,
    ),
    "a rule that reads what a later one writes": Bad(
        text=RULE
        + 'kind = "copy"\nfrom = "StudyID"\nto = "StationName"\n'
        + '[[rule]]\nname = "other"\nkind = "set"\nkeyword = "StudyID"\nvalue = "2"\n',
        says="a rule reads StudyID, which a later rule writes",
        line=10,
    ),
    "a map that never comes to rest": Bad(
        text=RULE + 'kind = "map"\nkeyword = "StationName"\ntable = { A = "B", B = "A" }\n',
        says="table has a result that is itself a key",
        line=8,
    ),
    "a mapped value that does not fit": Bad(
        text=RULE + 'kind = "map"\nkeyword = "Modality"\ntable = { ct = "c t" }\n',
        says="Modality: the value is not a valid CS",
        line=7,
    ),
    "an identifier that would be cut": Bad(
        text=RULE + 'kind = "values_conform"\nkeywords = ["AccessionNumber"]\ncut = true\n',
        says="AccessionNumber is never cut",
        line=7,
    ),
    "a character set that the Standard does not have": Bad(
        text=RULE + 'kind = "charset_converted"\nassume = "KOI8"\n', says="unknown character set", line=4
    ),
    "a value that the pack does not declare": Bad(
        text=RULE + 'kind = "set"\nkeyword = "StudyID"\nvalue = "$study_id"\n',
        says="$study_id is not a value that this pack declares",
        line=8,
    ),
    "a site value that does not fit": Bad(
        text='[values]\nstation = "x"\n' + RULE + 'kind = "set"\nkeyword = "StationName"\nvalue = "$station"\n',
        says="StationName: 17 characters do not fit SH",
        line=9,
        values={"station": "12345678901234567"},
    ),
    "a pack that is not there": Bad(text='include = ["commn"]\n', says="there is no such rule pack", line=4),
    "a pack that includes itself": Bad(
        text='include = ["bad.toml"]\n', says="rule packs include each other in a circle", line=4
    ),
}


@pytest.mark.parametrize("bad", CASES.values(), ids=CASES.keys())
def test_a_bad_pack_is_refused_with_file_and_line(bad: Bad, tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(bad.text if bad.whole else HEAD + bad.text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        packs.load(["bad.toml"], bad.values, tmp_path)
    assert bad.says in caught.value.fact
    assert caught.value.facts["file"] == (f"{path}:{bad.line}" if bad.line else path)
    assert caught.value.exit_code == 20


TABLE = RULE + 'kind = "institution_code_added"\ntable = "codes.csv"\n'
COLUMNS = "key,code_value,coding_scheme_designator,code_meaning\n"
BAD_TABLES = {
    "not there": (None, "the table cannot be read", ""),
    "a column is missing": ("key,code_value,code_meaning\nA,1,x\n", "no column coding_scheme_designator", ":1"),
    "a line is too short": (COLUMNS + "A,1\n", "a line with too few columns", ":2"),
    "a key says two things": (COLUMNS + "A,1,S,x\nB,1,S,x\nA,2,S,x\n", "two things about one key", ":4"),
    "a key is empty": (COLUMNS + ",1,S,x\n", "an empty key", ":2"),
    "a code is too long": (COLUMNS + "A,12345678901234567,S,x\n", "a code that cannot be written", ":2"),
    "a code has no meaning": (COLUMNS + "A,1,S,\n", "a code that cannot be written", ":2"),
}


@pytest.mark.parametrize(("text", "says", "line"), BAD_TABLES.values(), ids=BAD_TABLES.keys())
def test_a_bad_table_is_refused_with_file_and_line(text: str | None, says: str, line: str, tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text(HEAD + TABLE, encoding="utf-8")
    if text is not None:
        (tmp_path / "codes.csv").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        packs.load(["bad.toml"], {}, tmp_path)
    assert says in caught.value.fact
    assert str(caught.value.facts["file"]) == f"{tmp_path / 'codes.csv'}{line}"


def test_packs_that_include_each_other_are_refused(tmp_path: Path) -> None:
    for name, other in (("one", "two"), ("two", "three"), ("three", "one")):
        text = HEAD.replace("bad", name) + f'include = ["{other}.toml"]\n'
        (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="in a circle") as caught:
        packs.load(["one.toml"], {}, tmp_path)
    assert caught.value.facts["circle"] == "one > two > three > one"


def test_two_packs_with_one_name_are_refused(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.toml").write_text(HEAD, encoding="utf-8")
    with pytest.raises(ConfigError, match="two rule packs have one name"):
        packs.load(["one.toml", "two.toml"], {}, tmp_path)


def test_a_site_value_that_no_pack_asks_for_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no pack asks for the value issuer_of_patient") as caught:
        packs.load(["common"], {"issuer_of_patient": "FHA"}, tmp_path)
    assert "issuer_of_patient_id" in caught.value.hint


def test_no_message_of_a_bad_pack_shows_the_value(tmp_path: Path) -> None:
    secret = "9698658215 DOE^JANE"
    for body in (f'keyword = "StudyID"\nvalue = "{secret}"', f'keyword = "Modality"\nvalue = "{secret}"'):
        (tmp_path / "bad.toml").write_text(HEAD + RULE + 'kind = "set"\n' + body, encoding="utf-8")
        with pytest.raises(ConfigError) as caught:
            packs.load(["bad.toml"], {}, tmp_path)
        assert secret not in str(caught.value) + caught.value.hint
