"""Staged files as the stages see them: is it whole, what is in it, how will it be sent."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from migrate.config import RunBlock
from migrate.dicom.digest import Digested
from migrate.dicom.header import Header
from migrate.dicom.splice import Span, deflated, splice
from migrate.dicom.stream import header_of_file
from migrate.model import Evidence, SentUids
from migrate.peers import Sendable, StagedStudy
from migrate.rules.apply import Normalized, normalize
from migrate.rules.rule import RunFacts
from migrate.stages.site import Segments, Site
from migrate.staging.area import LandingArea
from migrate.staging.sent import sent_blocks

Edits = Mapping[int, tuple[str, bytes] | None]

BLOCK_BYTES = 262_144
LARGEST_META_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class StagedObject:
    """One staged file: its data set's length in the file (deflated, if it is), its header, and more if it just came."""

    path: Path
    size_bytes: int
    header: Header
    received: Digested | None = None

    @property
    def dataset_offset(self) -> int:
        """In front of the data set is our own preamble and meta, whatever their length."""
        return self.path.stat().st_size - self.size_bytes


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
    with path.open("rb", buffering=0) as file:
        offset = os.fstat(file.fileno()).st_size - evidence.size_bytes
        header = header_of_file(file, max(offset, 0), evidence.transfer_syntax_uid)
    return StagedObject(path, evidence.size_bytes, header)


def arrived(site: Site, evidence: Evidence) -> StagedObject:
    """One staged file, once: its header as it was parsed while it came, if it came a moment ago, else from the file.

    Raises: As `read_staged`.
    """
    known = site.arrived.take(evidence.wire_xxh3)
    if known is None or known.header.transfer_syntax_uid != evidence.transfer_syntax_uid:
        return read_staged(site.area, evidence)
    return StagedObject(site.area.path_of(evidence.wire_xxh3), evidence.size_bytes, known.header, known)


def edited(site: Site, study: StagedStudy, header: Header) -> Normalized:
    """What the rules change in one object: a pure function of content, packs and run."""
    facts = facts_of_run(site.config.run, study.facility, study.modified_at)
    return normalize(header, site.rules, replace(facts, uid_map=site.uid_map, crosswalk=site.crosswalk))


def facts_of_run(run: RunBlock, facility: str, modified_at: str) -> RunFacts:
    """What the rules may know besides an object; the map of UIDs aside."""
    return RunFacts(
        source=run.source,
        facility=facility,
        modifying_system=f"cdi-migrate / {run.name}"[:64],
        modified_at=modified_at,
        source_of_previous_values=run.source,
    )


def segments_of(staged: StagedObject, edits: Edits) -> Segments:
    """The edits spliced in front of, between and behind untouched ranges of the data set.

    A deflated object has no ranges that could be kept: it is deflated again as a whole.
    """
    if not edits:
        return ((0, staged.size_bytes),)
    parts = splice(staged.header, edits)
    if staged.header.syntax.deflated:
        whole = ((0, staged.size_bytes),)
        return (b"".join(deflated(parts, sent_blocks(staged.path, staged.dataset_offset, whole))),)
    return tuple((part.offset, part.length) if isinstance(part, Span) else part for part in parts)


def sendables(site: Site, study: StagedStudy) -> list[Sendable]:
    """Every prepared instance; how its bytes are put together is worked out when it is sent."""
    prepared = {one.sop_instance_uid: one for one in study.prepared}
    return [
        Sendable(
            evidence=evidence,
            path=site.area.path_of(evidence.wire_xxh3),
            segments=functools.partial(_segments, site, study, evidence),
            dataset_xxh3=prepared[evidence.sop_instance_uid].dataset_xxh3,
            uids=SentUids.of_ledger(evidence, prepared[evidence.sop_instance_uid].ledger),
        )
        for evidence in study.evidence
        if evidence.sop_instance_uid in prepared
    ]


def by_sent_study(items: Iterable[Sendable]) -> dict[str, list[Sendable]]:
    """The instances by the Study Instance UID that the destination knows: one, unless a rule replaced some."""
    found: dict[str, list[Sendable]] = {}
    for item in items:
        found.setdefault(item.sent.study_instance_uid, []).append(item)
    return found


def _segments(site: Site, study: StagedStudy, evidence: Evidence) -> Segments:
    key = _key(study, evidence)
    known = site.recent.take(key)
    if known is None:
        staged = read_staged(site.area, evidence)
        known = segments_of(staged, edited(site, study, staged.header).edits)
    return known


def remember(site: Site, study: StagedStudy, evidence: Evidence, segments: Segments) -> None:
    """Let `sendables` find how this instance is sent without reading its file."""
    site.recent.put(_key(study, evidence), segments)


def _key(study: StagedStudy, evidence: Evidence) -> tuple[str, ...]:
    """Everything that segments depend on besides the run."""
    return evidence.wire_xxh3, study.study_instance_uid, study.facility, study.modified_at
