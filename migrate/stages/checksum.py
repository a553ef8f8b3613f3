"""Checksum: what lies in the staging area is what was received, and belongs where the crawl says.

The digests were computed while the bytes came. Here the file is proven to be there whole (its
content is proven again while it is sent), and its identity is compared with the crawl. Rejection
notes are read, so that what they reject is treated as policy says. Where the destination is declared to
transcode, pixels are decoded and digested as well.
"""

from __future__ import annotations

from collections.abc import Iterator

from migrate.journal.events import Checksummed, Event, Lost
from migrate.model import Decoded, Defect, ExceptionClass
from migrate.peers import StagedStudy
from migrate.stages.rejected import rejections
from migrate.stages.site import Site, defect
from migrate.stages.staged import is_whole


def checksum(site: Site, study: StagedStudy) -> Event:
    """Compare the staged files with their evidence and with the crawl.

    Returns:
        `Checksummed`, or `Lost` with the instances whose files are gone or short.
    """
    lost = tuple(e.sop_instance_uid for e in study.evidence if not is_whole(site.area, e))
    if lost:
        reason = f"{len(lost)} staged files are gone or short"
        return Lost(study_instance_uid=study.study_instance_uid, reason=reason, sop_instance_uids=lost)
    return Checksummed(
        study_instance_uid=study.study_instance_uid,
        defects=tuple(_moved(study)),
        rejected=tuple(rejections(site, study)),
        decoded=tuple(_decoded(site, study)) if site.pixels else (),
    )


def _decoded(site: Site, study: StagedStudy) -> Iterator[Decoded]:
    """The pixels digest of each instance that can be decoded; lossy ones have none."""
    for evidence in study.evidence:
        path = site.area.path_of(evidence.wire_xxh3)
        offset = path.stat().st_size - evidence.size_bytes
        digest = site.pixels.digest(path, offset, evidence.transfer_syntax_uid) if site.pixels else None
        if digest:
            yield Decoded(sop_instance_uid=evidence.sop_instance_uid, pixels_xxh3=digest)


def _moved(study: StagedStudy) -> list[Defect]:
    """Instances that came with another series than the crawl listed them in."""
    series = {ref.sop_instance_uid: ref.series_instance_uid for ref in study.listed}
    told = "the object names another series than the source's answer to C-FIND"
    return [
        defect(ExceptionClass.UID_DRIFT, e.sop_instance_uid, told)
        for e in study.evidence
        if series.get(e.sop_instance_uid, e.series_instance_uid) != e.series_instance_uid
    ]
