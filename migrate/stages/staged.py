"""Staged files as the stages see them: is it whole, what is in it, how will it be sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from migrate.dicom.header import Header
from migrate.dicom.part10 import read_meta
from migrate.dicom.splice import Span, deflated, splice
from migrate.dicom.stream import Tokenizer
from migrate.errors import IllegalDicom
from migrate.model import Evidence
from migrate.peers import Sendable, StagedStudy
from migrate.rules.apply import Normalized, normalize
from migrate.rules.rule import RunFacts
from migrate.stages.site import Site
from migrate.staging.area import LandingArea
from migrate.staging.sent import sent_blocks

Edits = Mapping[int, tuple[str, bytes] | None]

BLOCK_BYTES = 262_144
LARGEST_META_BYTES = 65_536


class Unreadable(Exception):
    """Staged files that are gone or no longer whole."""

    def __init__(self, reason: str, uids: tuple[str, ...]) -> None:
        super().__init__(reason)
        self.reason = reason
        self.uids = uids


@dataclass(frozen=True, slots=True)
class StagedObject:
    """One staged file: where its data set begins, and its header."""

    path: Path
    dataset_offset: int
    header: Header

    @property
    def size_bytes(self) -> int:
        """Length of the data set as it lies in the file (deflated, if it is)."""
        return self.path.stat().st_size - self.dataset_offset


def is_whole(area: LandingArea, evidence: Evidence) -> bool:
    """Whether the staged file is there with preamble, meta and all of the data set."""
    try:
        extra = area.path_of(evidence.wire_xxh3).stat().st_size - evidence.size_bytes
    except OSError:
        return False
    return 0 < extra < LARGEST_META_BYTES


def read_staged(area: LandingArea, evidence: Evidence) -> StagedObject:
    """Parse the header of one staged file.

    Raises:
        IllegalDicom: It is not what was received.
        OSError: It cannot be read.
    """
    path = area.path_of(evidence.wire_xxh3)
    with path.open("rb") as file:
        offset = read_meta(file.fileno()).dataset_offset
        tokenizer = Tokenizer(evidence.transfer_syntax_uid)
        file.seek(offset)
        while block := file.read(BLOCK_BYTES):
            tokenizer.feed(memoryview(block))
    return StagedObject(path, offset, tokenizer.close())


def edited(site: Site, study: StagedStudy, header: Header) -> Normalized:
    """What the rules change in one object: a pure function of content, packs and run."""
    run = site.config.run
    facts = RunFacts(
        source=run.source,
        facility=study.facility,
        modifying_system=f"cdi-migrate / {run.name}"[:64],
        modified_at=study.modified_at,
        source_of_previous_values=run.source,
    )
    return normalize(header, site.rules, facts)


def edited_header(staged: StagedObject, edits: Edits) -> Header:
    """The header after the edits, parsed from the bytes that will be sent."""
    tokenizer = Tokenizer(staged.header.transfer_syntax_uid)
    for block in sent_blocks(staged.path, staged.dataset_offset, segments_of(staged, edits)):
        tokenizer.feed(block)
    return tokenizer.close()


def segments_of(staged: StagedObject, edits: Edits) -> tuple[bytes | tuple[int, int], ...]:
    """The edits spliced in front of, between and behind untouched ranges of the data set.

    A deflated object has no ranges that could be kept: it is deflated again as a whole.
    """
    parts = splice(staged.header, edits)
    if staged.header.syntax.deflated:
        whole = ((0, staged.size_bytes),)
        return (b"".join(deflated(parts, sent_blocks(staged.path, staged.dataset_offset, whole))),)
    return tuple((part.offset, part.length) if isinstance(part, Span) else part for part in parts)


def sendables(site: Site, study: StagedStudy) -> list[Sendable]:
    """Every prepared instance as it will be sent.

    Raises:
        Unreadable: Some staged files are gone or no longer whole.
    """
    prepared = {one.sop_instance_uid: one for one in study.prepared}
    items: list[Sendable] = []
    lost: list[str] = []
    for evidence in study.evidence:
        uid = evidence.sop_instance_uid
        if uid not in prepared:
            continue
        try:
            segments = _segments(site, study, evidence)
        except (OSError, IllegalDicom):
            lost.append(uid)
            continue
        path = site.area.path_of(evidence.wire_xxh3)
        items.append(Sendable(evidence=evidence, path=path, segments=segments, dataset_xxh3=prepared[uid].dataset_xxh3))
    if lost:
        raise Unreadable(f"{len(lost)} staged files are gone or damaged", tuple(lost))
    return items


def _segments(site: Site, study: StagedStudy, evidence: Evidence) -> tuple[bytes | tuple[int, int], ...]:
    if not is_whole(site.area, evidence):
        raise IllegalDicom("a staged file is short", wire=evidence.wire_xxh3)
    staged = read_staged(site.area, evidence)
    edits = edited(site, study, staged.header).edits
    return segments_of(staged, edits) if edits else ((0, evidence.size_bytes),)
