"""One staged instance on its way to the socket, proven while it is read.

The bytes that a rule replaced are read as well, so that the digest of the whole staged object is
known before its last fragment leaves: a file that changed on the disk is never sent whole.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from migrate.dicom.digest import Xxh3
from migrate.errors import IllegalDicom, LocalError
from migrate.peers import Sendable
from migrate.wire.dimse.outgoing import FileRange, Outgoing

NEAR_BYTES = 65_536


class Damaged(LocalError):
    """A staged file is not what was received."""


class Proof:
    """Digests what is sent, and what the staged file held, in the same pass.

    Args:
        item: What to send.

    Raises:
        IllegalDicom, OSError: The staged file is gone or no longer what was received.
    """

    def __init__(self, item: Sendable) -> None:
        self.item = item
        self.sent = Xxh3()
        self._staged = Xxh3()
        evidence = item.evidence
        # What is not the data set is our own preamble and meta; a file of another length fails the digest.
        self._offset = item.path.stat().st_size - evidence.size_bytes
        if self._offset <= 0:
            raise IllegalDicom("a staged file is truncated", missing_bytes=-self._offset)
        self._near: tuple[int, bytes] = (0, b"")
        self._segments = item.segments()
        self.outgoing = Outgoing(
            sop_class_uid=evidence.sop_class_uid,
            sop_instance_uid=item.sent.sop_instance_uid,
            transfer_syntax_uid=evidence.transfer_syntax_uid,
            segments=tuple(
                one if isinstance(one, bytes) else FileRange(item.path, self._offset + one[0], one[1])
                for one in self._segments
            ),
            tap=self.saw,
        )
        self._left = self.outgoing.size_bytes
        self._walk = self._stretches()
        self._now = next(self._walk, None)

    def saw(self, view: memoryview) -> None:
        """Bytes are about to leave.

        Raises:
            Damaged: These are the last ones, and the staged file is not what was received.
        """
        self.sent.update(view)
        self._left -= len(view)
        while view and self._now:
            count = min(self._now[0], len(view))
            if self._now[1]:
                self._staged.update(view[:count])
            view = view[count:]
            rest = self._now[0] - count
            self._now = (rest, self._now[1]) if rest else next(self._walk, None)
        if self._left == 0 and self._staged.hexdigest() != self.item.evidence.wire_xxh3:
            raise Damaged("a staged file is not what was received", wire=self.item.evidence.wire_xxh3)

    def _stretches(self) -> Iterator[tuple[int, bool]]:
        """(bytes, are they the file's own) for each segment; what was replaced is digested in between."""
        at = 0
        for segment in self._segments:
            if isinstance(segment, bytes):
                if segment:
                    yield len(segment), False
                continue
            self._digest_file(at, segment[0])
            at = segment[0] + segment[1]
            yield segment[1], True
        self._digest_file(at, self.item.evidence.size_bytes)

    def _digest_file(self, begin: int, end: int) -> None:
        while begin < end:
            piece = self._piece(begin, end)
            self._staged.update(piece)
            begin += len(piece)

    def _piece(self, begin: int, end: int) -> memoryview:
        """Bytes of the data set from `begin`; replaced elements lie close together, so one read serves most."""
        at, block = self._near
        if not at <= begin < at + len(block):
            with self.item.path.open("rb", buffering=0) as file:
                at, block = begin, os.pread(file.fileno(), NEAR_BYTES, self._offset + begin)
            if not block:
                raise Damaged("a staged file became shorter", wire=self.item.evidence.wire_xxh3)
            self._near = (at, block)
        return memoryview(block)[begin - at : end - at]
