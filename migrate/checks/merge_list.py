"""Patient merges as they are kept: CSV of prior and surviving id, or HL7 v2 messages ADT^A40.

HL7 v2.5 3.3.40: PID-3 holds the ids that survive, MRG-1 the prior ones, of the same assigning authority.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from migrate.checks.merges import Merge
from migrate.dicom.identifiers import IssuedId
from migrate.errors import UsageError

PRIOR, SURVIVING, ISSUER = "prior_id", "surviving_id", "issuer"
MERGES = frozenset({"A40"})
_SEGMENT = re.compile(r"[\r\n\x0b\x1c]+")


@dataclass(slots=True)
class MergeList:
    """What was read. `invalid` holds (line or message, why); `other` counts messages that are no merge."""

    merges: list[Merge] = field(default_factory=list)
    invalid: list[tuple[int, str]] = field(default_factory=list)
    other: int = 0


def read_merges(path: Path) -> MergeList:
    """Read one file, or every .hl7 file of a folder.

    Raises:
        UsageError: It cannot be read, or is neither CSV with the headings `prior_id` and `surviving_id`, nor HL7.
    """
    try:
        files = sorted(path.glob("*.hl7")) if path.is_dir() else [path]
        texts = [_text(file.read_bytes()) for file in files]
    except OSError as error:
        raise UsageError("the merges cannot be read", file=path.name, reason=type(error).__name__) from None
    found = MergeList()
    for text in texts:
        if text.lstrip("\x0b\r\n ").startswith("MSH"):
            _read_messages(text, found)
        else:
            _read_csv(text, path.name, found)
    return found


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


# --- CSV


def _read_csv(text: str, name: str, found: MergeList) -> None:
    rows = csv.reader(text.splitlines(), delimiter=";" if ";" in text.partition("\n")[0] else ",")
    heads = [head.strip().lower() for head in next(rows, [])]
    if PRIOR not in heads or SURVIVING not in heads:
        hint = f"the headings must be {PRIOR}, {SURVIVING} and, where ids have issuers, {ISSUER}"
        raise UsageError("the merges have no such columns, and are no HL7 messages", hint, file=name)
    for line, cells in enumerate(rows, start=2):
        row = dict(zip(heads, (cell.strip() for cell in cells), strict=False))
        issuer = row.get(ISSUER, "")
        if any(row.values()):
            _add(found, IssuedId(row.get(PRIOR, ""), issuer), IssuedId(row.get(SURVIVING, ""), issuer), line)


def _add(found: MergeList, prior: IssuedId, surviving: IssuedId, line: int) -> None:
    if not prior.patient_id or not surviving.patient_id:
        found.invalid.append((line, "one of the two ids is empty"))
    elif prior == surviving:
        found.invalid.append((line, "a patient is merged into itself"))
    else:
        found.merges.append(Merge(prior, surviving, line))


# --- HL7 v2


@dataclass(frozen=True, slots=True)
class _Marks:
    """The separators that a message declares in MSH-1 and MSH-2 (HL7 v2.5 2.5.4)."""

    field: str
    component: str
    repetition: str
    escape: str
    subcomponent: str

    def plain(self, text: str) -> str:
        """A value without escapes (HL7 v2.5 2.7.1)."""
        meanings = dict(
            zip("FSRET", (self.field, self.component, self.repetition, self.escape, self.subcomponent), strict=True)
        )
        mark = re.escape(self.escape)
        return re.sub(f"{mark}([FSRET]){mark}", lambda found: meanings[found[1]], text).strip()


def _read_messages(text: str, found: MergeList) -> None:
    number = 0
    for message in re.split(r"(?:^|[\r\n\x0b\x1c]+)(?=MSH)", text):
        segments = [segment for segment in _SEGMENT.split(message) if segment]
        if not segments or not segments[0].startswith("MSH") or len(segments[0]) < 9:
            continue
        number += 1
        marks = _Marks(segments[0][3], *segments[0][4:8])
        kind = _fields(segments[0], marks, 8)
        if kind.split(marks.component)[1:2] != ["A40"]:
            found.other += 1
            continue
        pairs = list(_pairs(segments, marks))
        if not pairs:
            found.invalid.append((number, "the message has no PID with an MRG after it"))
        for survivors_of, priors in pairs:
            for prior in priors:
                _add(found, prior, _same_issuer(survivors_of, prior), number)


def _pairs(segments: Sequence[str], marks: _Marks) -> Iterator[tuple[list[IssuedId], list[IssuedId]]]:
    """Ids of each PID and of the MRG after it."""
    surviving: list[IssuedId] = []
    for segment in segments:
        if segment.startswith(f"PID{marks.field}"):
            surviving = _ids(_fields(segment, marks, 3), marks)
        elif segment.startswith(f"MRG{marks.field}") and surviving:
            yield surviving, _ids(_fields(segment, marks, 1), marks)


def _fields(segment: str, marks: _Marks, number: int) -> str:
    fields = segment.split(marks.field)
    return fields[number] if number < len(fields) else ""


def _ids(text: str, marks: _Marks) -> list[IssuedId]:
    """CX values: the id, and the namespace of its assigning authority (component 4)."""
    found = []
    for repetition in text.split(marks.repetition):
        parts = repetition.split(marks.component)
        authority = parts[3].split(marks.subcomponent)[0] if len(parts) > 3 else ""
        if parts[0]:
            found.append(IssuedId(marks.plain(parts[0]), marks.plain(authority)))
    return found


def _same_issuer(candidates: Sequence[IssuedId], prior: IssuedId) -> IssuedId:
    """The surviving id of the same authority; the first one where none is."""
    return next((one for one in candidates if one.issuer == prior.issuer), candidates[0])
