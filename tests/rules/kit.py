"""Small objects, packs and facts for the tests of rules; pydicom writes and reads, so nothing checks itself."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from migrate.dicom.digest import digest_of
from migrate.dicom.header import Header
from migrate.dicom.splice import joined, splice
from migrate.rules import packs
from migrate.rules.rule import RunFacts
from migrate.rules.ruleset import RuleSet

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
SYNTAXES = {"implicit": IMPLICIT, "explicit": EXPLICIT, "big-endian": BIG_ENDIAN}
MODIFIED_AT = "2026-11-03T21:15:00.250000-08:00"
MODIFIED_AT_DT = "20261103211500.250000-0800"
FACTS = RunFacts(
    source="FRASER",
    facility="RCH",
    modifying_system="migrate 0.1 / fraser-2026",
    modified_at=MODIFIED_AT,
    source_of_previous_values="FRASER PACS",
    uid_map={"1.2.03.4": "2.25.1234"},
    crosswalk={("MRN1", ""): "9698658215"},
)
PHN = "9698658215"
OTHER_PHN = "9260784079"
WRONG_PHN = "9698648215"


pydicom.config.logger.setLevel("CRITICAL")  # objects here break rules on purpose, and it would say so each time


def dataset(**values: object) -> Dataset:
    """A small object with a patient, a study and what the test asks for (keyword = value; None leaves out)."""
    made = Dataset()
    plain: dict[str, object] = {
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2",
        "SOPInstanceUID": "1.2.3.4.5",
        "StudyInstanceUID": "1.2.3",
        "SeriesInstanceUID": "1.2.3.4",
        "StudyDate": "20010203",
        "Modality": "CT",
        "PatientID": "MRN1",
        "PatientName": "Doe^Jane",
        "AccessionNumber": "A1",
        "InstitutionName": "Royal Columbian",
        "StudyDescription": "CT HEAD",
    }
    for keyword, value in {**plain, **values}.items():
        if value is not None:
            setattr(
                made, keyword, Sequence(value) if isinstance(value, list) and keyword.endswith("Sequence") else value
            )
    return made


def item(**values: object) -> Dataset:
    """One item of a sequence."""
    made = Dataset()
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


def encoded(made: Dataset, syntax: str = EXPLICIT) -> bytes:
    """The data set as pydicom writes it."""
    buffer = io.BytesIO()
    implicit, little = syntax == IMPLICIT, syntax != BIG_ENDIAN
    pydicom.dcmwrite(buffer, made, implicit_vr=implicit, little_endian=little)
    return buffer.getvalue()


def parsed(content: bytes, syntax: str = EXPLICIT) -> Header:
    """The header of a data set in memory."""
    return digest_of(content, syntax).header


def spliced(content: bytes, edits: Mapping[int, tuple[str, bytes] | None], syntax: str = EXPLICIT) -> bytes:
    """The data set with the edits made."""
    return joined(splice(parsed(content, syntax), edits), content)


def read(content: bytes, syntax: str = EXPLICIT) -> Dataset:
    """What pydicom reads."""
    implicit, little = syntax == IMPLICIT, syntax != BIG_ENDIAN
    return pydicom.filereader.read_dataset(io.BytesIO(content), implicit, little)


def rules(folder: Path, body: str, values: Mapping[str, str] | None = None) -> RuleSet:
    """Rules of a pack made of `body`, the lines after its name."""
    path = folder / "test.toml"
    path.write_text(f'name = "test"\nversion = "1.2"\ndescription = "for a test"\n{body}', encoding="utf-8")
    return packs.load([str(path)], values or {}, folder)


def one_rule(folder: Path, body: str) -> RuleSet:
    """A rule set of one rule, named `it`."""
    return rules(folder, f'[[rule]]\nname = "it"\n{body}')
