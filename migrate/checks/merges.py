"""Which patients are one: pairs of prior and surviving ids, followed to the last survivor.

A chain (a into b, b into c) is followed; a ring, or one patient merged into two, is refused as a
whole: nobody can say who survives. Messages name lines, never ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from migrate.dicom.identifiers import IssuedId
from migrate.errors import UsageError


class Merge(NamedTuple):
    """One merge and the line or message that says so."""

    prior: IssuedId
    surviving: IssuedId
    line: int


def survivors(merges: Iterable[Merge]) -> dict[IssuedId, IssuedId]:
    """Prior patient -> the one that survives in the end.

    Raises:
        UsageError: A patient survives itself, is merged into two, or the merges run in a ring.
    """
    into: dict[IssuedId, Merge] = {}
    for merge in merges:
        before = into.setdefault(merge.prior, merge)
        if before.surviving != merge.surviving:
            hint = "ask who maintains the patient index which of the two survives"
            raise UsageError("one patient is merged into two", hint, line=before.line, other_line=merge.line)
    return {prior: _last(prior, into) for prior in into}


def _last(prior: IssuedId, into: Mapping[IssuedId, Merge]) -> IssuedId:
    seen = {prior}
    merge = into[prior]
    while True:
        if merge.surviving in seen:
            hint = "take the line that is wrong out of the list; nothing was changed"
            raise UsageError("patients are merged in a ring: none of them survives", hint, line=merge.line)
        if merge.surviving not in into:
            return merge.surviving
        seen.add(merge.surviving)
        merge = into[merge.surviving]
