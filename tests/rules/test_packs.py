"""Loading packs: those that travel with the program, includes, site values, tables."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from migrate.rules import packs
from migrate.rules.apply import normalize
from tests.rules.kit import FACTS, PHN, dataset, encoded, parsed, rules

SITE = {
    "common": {"issuer_of_patient_id": "FHA", "issuer_of_accession_number": "FHA_RIS"},
    "issuers": {"issuer_of_patient_id": "FHA", "issuer_of_patient_id_oid": "1.2.3.9"},
    "bc": {"phn_issuer": "BC_PHN", "phn_oid": "2.16.840.1.113883.4.50", "phn_crosswalk": "crosswalk.csv"},
    "bc-promoted": {"phn_issuer": "BC_PHN", "phn_crosswalk": "crosswalk.csv", "issuer_of_patient_id": "FHA"},
    "facilities": {"institution_codes": "codes.csv", "facility_codes": "codes.csv"},
    "procedures": {"description_codes": "codes.csv"},
    "charset": {"assumed_charset": "ISO_IR 100"},
    "uids": {},
    "hygiene": {},
}
CHANGED = {
    "common": {"00100021", "00080051"},
    "issuers": {"00100021", "00100024", "00101002"},
    "bc": {"00101002"},
    "bc-promoted": {"00100020", "00100021", "00101002"},
    "facilities": {"00080082"},
    "procedures": {"00081032"},
    "charset": {"00080005", "00081048"},
    "uids": {"00200052"},
    "hygiene": {"00180015"},
}
OWN = {"04000561", "00080015"}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A run folder with the tables that the shipped packs ask for."""
    (tmp_path / "crosswalk.csv").write_text(f"patient_id,phn\nMRN1,{PHN}\n", encoding="utf-8")
    lines = ["key,code_value,coding_scheme_designator,code_meaning", "Royal Columbian,R,99FHA,Royal Columbian Hospital"]
    (tmp_path / "codes.csv").write_text("\n".join([*lines, "CT HEAD,24725-4,LN,CT Head"]), encoding="utf-8")
    return tmp_path


def subject() -> bytes:
    """An object that each shipped pack has something to do with."""
    made = dataset(FrameOfReferenceUID="1.2.03.4", BodyPartExamined="head")
    content = encoded(made)
    name = b"\x08\x00\x48\x10PN\x06\x00J\xe9r\xf4me"  # 8-bit text, no character set declared
    place = content.index(b"\x10\x00\x10\x00PN")
    return content[:place] + name + content[place:]


def test_the_tables_of_this_test_name_every_shipped_pack() -> None:
    assert packs.shipped() == sorted(SITE) == sorted(CHANGED)


@pytest.mark.parametrize("name", sorted(SITE))
def test_a_shipped_pack_changes_what_it_says_and_nothing_the_second_time(name: str, site: Path) -> None:
    loaded = packs.load([name], SITE[name], site)
    header = parsed(subject())
    done = normalize(header, loaded, FACTS)
    assert {change.path[:8] for change in done.changes} == CHANGED[name] | OWN
    assert {f"{tag:08X}" for tag in done.edits} == CHANGED[name] | OWN
    assert done == normalize(header, pickle.loads(pickle.dumps(loaded)), FACTS)


def test_no_shipped_pack_removes_anything_or_touches_signed_objects() -> None:
    for name in packs.shipped():
        for bound in packs.load([name], {}, Path()).rules:
            assert bound.kind != "remove", name
            assert not bound.on_signed, name


@pytest.mark.parametrize("oid", ["2.16.840.1.113883.4.50", "2.16.840.1.113883.3.51.1.1.6.1"])
@pytest.mark.parametrize("pack", ["bc", "bc-promoted"])
def test_the_oid_of_the_phn_is_the_one_that_the_site_gives(pack: str, oid: str, site: Path) -> None:
    values = {"phn_issuer": "BC_PHN", "phn_oid": oid, "phn_crosswalk": "crosswalk.csv"}
    done = normalize(parsed(subject()), packs.load([pack], values, site), FACTS)
    assert oid in {row.after for row in done.changes if row.keyword == "UniversalEntityID"}


@pytest.mark.parametrize("name", sorted(SITE))
def test_a_shipped_pack_loads_without_any_site_value(name: str, tmp_path: Path) -> None:
    loaded = packs.load([name], {}, tmp_path)
    assert loaded.packs[-1].name == name
    assert all(idle.missing for idle in loaded.inactive)


def test_all_shipped_packs_but_one_choice_can_be_used_together(site: Path) -> None:
    names = [name for name in SITE if name != "bc-promoted"]
    values = {key: value for name in names for key, value in SITE[name].items()}
    loaded = packs.load(names, values, site)
    assert len(loaded.packs) == len(names)


def test_a_rule_whose_site_value_is_missing_does_nothing_and_says_so(tmp_path: Path) -> None:
    loaded = packs.load(["common"], {"issuer_of_patient_id": "FHA"}, tmp_path)
    assert [bound.full_name for bound in loaded] == ["common.issuer_of_patient_id"]
    assert [(idle.name, idle.missing) for idle in loaded.inactive] == [
        ("issuer_of_accession_number", ("issuer_of_accession_number", "issuer_of_accession_number_oid"))
    ]


def test_a_pack_that_two_packs_include_is_applied_once(tmp_path: Path) -> None:
    for name in ("one", "two"):
        text = f'name = "{name}"\nversion = "1"\ndescription = "x"\ninclude = ["issuers"]\n'
        (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
    loaded = packs.load(["one.toml", "two.toml", "common"], {}, tmp_path)
    assert [pack.name for pack in loaded.packs] == ["common", "issuers", "one", "two"]


def test_a_table_is_looked_for_beside_the_pack_before_the_run_folder(tmp_path: Path) -> None:
    beside, run = tmp_path / "packs", tmp_path / "run"
    for folder, code in ((beside, "BESIDE"), (run, "RUN")):
        folder.mkdir()
        (folder / "t.csv").write_text(f"from,to\nCT,{code}\n", encoding="utf-8")
    pack = (
        'name = "p"\nversion = "1"\ndescription = "x"\n[[rule]]\nname = "it"\nkind = "map"\nkeyword = "StationName"\n'
    )
    (beside / "p.toml").write_text(pack + 'table = "t.csv"\n', encoding="utf-8")
    found = packs.load([str(beside / "p.toml")], {}, run).rules[0].values.table
    (beside / "t.csv").unlink()
    assert (found, packs.load([str(beside / "p.toml")], {}, run).rules[0].values.table) == (
        {"CT": "BESIDE"},
        {"CT": "RUN"},
    )


def test_a_table_that_is_not_csv_is_read_by_the_reader_that_was_passed_in(tmp_path: Path) -> None:
    def read_rows(path: Path) -> Iterable[Mapping[str, str]]:
        return [{"from": "CT", "to": path.stem}]

    (tmp_path / "p.toml").write_text(
        'name = "p"\nversion = "1"\ndescription = "x"\n[[rule]]\nname = "it"\nkind = "map"\n'
        'keyword = "StationName"\ntable = "rooms.parquet"\n',
        encoding="utf-8",
    )
    loaded = packs.load(["p.toml"], {}, tmp_path, read_rows)
    assert loaded.rules[0].values.table == {"CT": "rooms"}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ('{ modality = "CT" }', '{ modality = ["MR", "US"] }'),
        ('{ facility = "RCH" }', '{ facility = "VGH" }'),
        ('{ source = "FRASER" }', '{ source = "INTERIOR" }'),
        ('{ present = ["StationName"] }', '{ absent = ["StationName"] }'),
        ('{ absent = ["StationName"] }', '{ equals = { StationName = "CT1" } }'),
        ("{ study_date = { to = 2009-12-31 } }", "{ study_date = { from = 2010-01-01 } }"),
    ],
)
def test_rules_that_never_meet_may_set_one_tag_differently(first: str, second: str, tmp_path: Path) -> None:
    body = "".join(
        f'[[rule]]\nname = "r{number}"\nkind = "set"\nkeyword = "StudyID"\nvalue = "{number}"\nwhen = {when}\n'
        for number, when in enumerate((first, second))
    )
    assert len(rules(tmp_path, body).rules) == 2


def test_the_rule_set_names_every_tag_that_it_may_touch(tmp_path: Path) -> None:
    loaded = packs.load(["issuers"], {"issuer_of_patient_id": "FHA", "issuer_of_accession_number": "R"}, tmp_path)
    assert loaded.touches() == frozenset({0x00100021, 0x00100024, 0x00080051, 0x00400275, 0x00101002})
    assert packs.load(["charset"], {}, tmp_path).touches() is None
