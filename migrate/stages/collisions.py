"""One SOP Instance UID with two contents, both staged: what came again is not what came before.

It happens within one answer, and when a study is fetched again because some of it was missing and the source
has changed an object in between. Neither is sent: a person decides, and is told in which tags they differ.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from migrate.dicom.digest import differing_paths
from migrate.errors import IllegalDicom
from migrate.model import Defect, Evidence, ExceptionClass
from migrate.stages.site import Site, defect
from migrate.stages.staged import read_staged

NAMED_TAGS = 20


def collisions(site: Site, evidence: Iterable[Evidence]) -> list[Defect]:
    """A defect for each SOP Instance UID that came with more than one content."""
    contents: dict[str, list[Evidence]] = defaultdict(list)
    for one in evidence:
        contents[one.sop_instance_uid].append(one)
    return [
        defect(
            ExceptionClass.UID_COLLISION,
            uid,
            f"the source sent two different objects under this UID{_told(site, same)}",
        )
        for uid, same in contents.items()
        if len(same) > 1
    ]


def _told(site: Site, same: Sequence[Evidence]) -> str:
    """In which tags the first two differ, never what stands there; nothing where one cannot be read any more."""
    first, again = same[:2]
    try:
        before, after = (read_staged(site.area, one).header for one in (first, again))
        paths = differing_paths(before, after)
    except (IllegalDicom, OSError):
        return ""
    differs = [*paths[:NAMED_TAGS], *(["bulk data"] if first.bulk_xxh3 != again.bulk_xxh3 else [])]
    return f": they differ in {' '.join(differs)}" if differs else ": their content is the same, their encoding is not"
