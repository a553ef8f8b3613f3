"""Laws that hold for every kind of rule and every object."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from migrate.dicom.digest import dataset_digest, dataset_digest_after, digest_of
from migrate.rules import packs
from migrate.rules.apply import normalize
from migrate.rules.result import header_after
from migrate.rules.ruleset import RuleSet
from migrate.rules.table import RULES
from migrate.rules.undo import is_reversible
from tests.rules.examples import EXAMPLES, write_crosswalk
from tests.rules.kit import (
    FACTS,
    OTHER_PHN,
    PHN,
    SYNTAXES,
    WRONG_PHN,
    dataset,
    encoded,
    item,
    one_rule,
    parsed,
    read,
    spliced,
)

OWN = {0x00080015, 0x04000561}
REMOVED = {0x00100020: None, 0x00081030: None}
PRIVATE = {0x00090010: ("LO", b"SOMEBODY"), 0x00091001: ("LO", b"A1")}
GREEK = {0x00080005: ("CS", b"ISO_IR 126")}
WORDS = st.text("ABCxyz 019-_.é", max_size=20).map(str.strip)
NUMBERS = st.sampled_from(["MRN1", "MRN2", PHN, OTHER_PHN, WRONG_PHN, "9698 658 215", ""])
ISSUERS = st.sampled_from(["FHA", "VCHA", "BC_PHN", ""])


def items(**values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Dataset]]:
    """Sequences of up to three items with some of these attributes."""
    one = st.fixed_dictionaries({}, optional=values).map(lambda found: item(**found))
    return st.lists(one, max_size=3)


VALUES = st.fixed_dictionaries(
    {},
    optional={
        "PatientID": NUMBERS,
        "IssuerOfPatientID": ISSUERS,
        "IssuerOfPatientIDQualifiersSequence": items(UniversalEntityID=st.sampled_from(["1.2.3.9", "1.2.3.7"])),
        "OtherPatientIDsSequence": items(PatientID=NUMBERS, IssuerOfPatientID=ISSUERS),
        "AccessionNumber": st.sampled_from(["A1", "", "1234567890123456"]),
        "IssuerOfAccessionNumberSequence": items(LocalNamespaceEntityID=ISSUERS),
        "RequestAttributesSequence": items(
            AccessionNumber=st.sampled_from(["A1", ""]),
            RequestedProcedureDescription=WORDS,
            IssuerOfAccessionNumberSequence=items(LocalNamespaceEntityID=ISSUERS),
        ),
        "InstitutionName": st.sampled_from(["Royal Columbian", "RCH", "Elsewhere", ""]),
        "InstitutionCodeSequence": items(CodeValue=st.just("L1")),
        "ProcedureCodeSequence": items(
            CodeValue=st.sampled_from(["L1", "X1"]), CodingSchemeDesignator=st.just("99FHA")
        ),
        "StationName": WORDS,
        "StudyDescription": st.one_of(WORDS, st.just("CT HEAD"), st.just("x" * 70)),
        "StudyID": WORDS,
        "AdmissionID": WORDS,
        "BodyPartExamined": st.sampled_from(["head", "HEAD", " Head"]),
        "StudyDate": st.sampled_from(["20010203", "2001.02.03", "2001-02-03", "", "soon"]),
        "StudyTime": st.sampled_from(["102030", "10:20:30", ""]),
        "FrameOfReferenceUID": st.sampled_from(["1.2.3", "1.2.03.4", "1.2.03.5"]),
        "ReferencedStudySequence": items(ReferencedSOPInstanceUID=st.sampled_from(["1.2.3", "1.2.03.4"])),
        "OriginalAttributesSequence": items(ModifyingSystem=WORDS, ModifiedAttributesSequence=items(PatientID=NUMBERS)),
    },
)


@st.composite
def objects(draw: st.DrawFn) -> tuple[bytes, str]:
    """An object in one of three syntaxes, its sequences with defined or undefined lengths."""
    made = dataset(SpecificCharacterSet="ISO_IR 100", **draw(VALUES))
    undefined = draw(st.booleans())
    for element in made.iterall():
        if element.VR == "SQ":
            element.is_undefined_length = undefined
    syntax = draw(st.sampled_from(sorted(SYNTAXES.values())))
    return encoded(made, syntax), syntax


def leaves(found: Dataset) -> dict[int, Any]:
    """Top-level values to compare, sequences as JSON; group lengths aside, which the splice writer drops."""
    return {element.tag: found[element.tag].to_json_dict(None, 0) for element in found if element.tag.element}


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, RuleSet]:
    """The example of every kind, loaded once."""
    folder = tmp_path_factory.mktemp("examples")
    write_crosswalk(folder)
    return {kind: one_rule(folder, f'kind = "{kind}"\n{body}') for kind, body in EXAMPLES.items()}


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> RuleSet:
    """Packs as a site would use them together."""
    folder: Path = tmp_path_factory.mktemp("site")
    write_crosswalk(folder)
    values = {
        "issuer_of_patient_id": "FHA",
        "issuer_of_patient_id_oid": "1.2.3.9",
        "issuer_of_accession_number": "FHA_RIS",
        "phn_issuer": "BC_PHN",
        "phn_oid": "1.2.3.7",
        "phn_crosswalk": "crosswalk.csv",
    }
    return packs.load(["bc-promoted", "hygiene", "uids", "charset"], values, folder)


QUICK = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("kind", RULES)
@given(made=objects())
@QUICK
def test_a_rule_changes_nothing_the_second_time(
    kind: str, examples: dict[str, RuleSet], made: tuple[bytes, str]
) -> None:
    content, syntax = made
    done = normalize(parsed(content, syntax), examples[kind], FACTS)
    again = normalize(parsed(spliced(content, done.edits, syntax), syntax), examples[kind], FACTS)
    assert (again.edits, again.changes) == ({}, ())


@pytest.mark.parametrize("kind", RULES)
@given(made=objects())
@QUICK
def test_only_what_the_ledger_names_differs(kind: str, examples: dict[str, RuleSet], made: tuple[bytes, str]) -> None:
    content, syntax = made
    pack = examples[kind]
    done = normalize(parsed(content, syntax), pack, FACTS)
    before, after = (leaves(read(one, syntax)) for one in (content, spliced(content, done.edits, syntax)))
    differs = {tag for tag in before.keys() | after.keys() if before.get(tag) != after.get(tag)}
    assert differs == {int(row.path[:8], 16) for row in done.changes}
    touched = pack.touches()
    assert touched is None or differs <= touched | OWN
    assert bool(differs) is bool(OWN & differs) is bool(done.edits)


@pytest.mark.parametrize("kind", RULES)
@given(made=objects())
@QUICK
def test_what_a_rule_did_can_be_undone(kind: str, examples: dict[str, RuleSet], made: tuple[bytes, str]) -> None:
    content, syntax = made
    received = digest_of(content, syntax)
    done = normalize(received.header, examples[kind], FACTS)
    sent = digest_of(spliced(content, done.edits, syntax), syntax)
    assert is_reversible(sent.header, done.changes, received.digests.dataset)


@pytest.mark.parametrize("kind", RULES)
@given(made=objects())
@QUICK
def test_an_event_is_added_and_the_others_stay(
    kind: str, examples: dict[str, RuleSet], made: tuple[bytes, str]
) -> None:
    content, syntax = made
    done = normalize(parsed(content, syntax), examples[kind], FACTS)
    before, after = (
        [event.to_json_dict() for event in read(one, syntax).get("OriginalAttributesSequence", [])]
        for one in (content, spliced(content, done.edits, syntax))
    )
    assert len(after) == len(before) + bool(done.edits)
    if kind != "charset_converted":
        assert after[: len(before)] == before


@given(made=objects())
@settings(QUICK, max_examples=150)
def test_packs_together_come_to_rest_after_one_pass_and_can_be_undone(
    everything: RuleSet, made: tuple[bytes, str]
) -> None:
    content, syntax = made
    received = digest_of(content, syntax)
    done = normalize(received.header, everything, FACTS)
    sent = digest_of(spliced(content, done.edits, syntax), syntax)
    assert normalize(sent.header, everything, FACTS).edits == {}
    assert is_reversible(sent.header, done.changes, received.digests.dataset)


@given(made=objects())
@QUICK
def test_the_digest_of_what_will_be_sent_is_that_of_the_sent_bytes(
    everything: RuleSet, made: tuple[bytes, str]
) -> None:
    content, syntax = made
    received = digest_of(content, syntax)
    for edits in (normalize(received.header, everything, FACTS).edits, REMOVED, PRIVATE, GREEK):
        sent = digest_of(spliced(content, edits, syntax), syntax)
        after = header_after(received.header, edits)
        assert dataset_digest_after(received, after) == dataset_digest(after) == sent.digests.dataset


@given(made=objects())
@QUICK
def test_no_rules_leave_every_byte(made: tuple[bytes, str]) -> None:
    content, syntax = made
    done = normalize(parsed(content, syntax), RuleSet(), FACTS)
    assert spliced(content, done.edits, syntax) == content
