"""One map of UIDs for the whole run: what the Standard forbids, and what stands in its place everywhere.

The new UID follows from the run and the old UID alone, so every worker, every reference and every
repeat finds the same one without asking. What an earlier part of the run wrote down goes first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from migrate.dicom.digest import xxh3
from migrate.dicom.uid import valid_uid

_UUID_ROOT = "2.25."  # PS3.5 B.2: the root for numbers of 128 bits


class RunUids(Mapping[str, str]):
    """Invalid UID -> its replacement; a valid UID has none.

    Args:
        run: Name of the run: another run gives other UIDs.
        known: Replacements that are written down already.
    """

    def __init__(self, run: str, known: Mapping[str, str]) -> None:
        self._run = run
        self._known = known

    def __getitem__(self, uid: str) -> str:
        """The replacement. Raises KeyError for a UID that is valid or empty."""
        if uid in self._known:
            return self._known[uid]
        if not uid or valid_uid(uid):
            raise KeyError(uid)
        digest = xxh3(f"{self._run}\x1f{uid}".encode())
        return f"{_UUID_ROOT}{int(digest, 16)}"

    def __iter__(self) -> Iterator[str]:
        """The old UIDs that are written down."""
        return iter(self._known)

    def __len__(self) -> int:
        """How many are written down."""
        return len(self._known)
