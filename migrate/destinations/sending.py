"""One staged instance on its way to the socket, proven while it is read.

The bytes that a rule replaced are read as well, so that the digest of the whole staged object is
known before its last fragment leaves: a file that changed on the disk is never sent whole.
"""

from __future__ import annotations

from collections.abc import Iterator

from migrate.dicom.digest import Xxh3
from migrate.dicom.part10 import read_meta
from migrate.errors import LocalError
from migrate.peers import Sendable
from migrate.wire.dimse.outgoing import FileRange, Outgoing

BLOCK_BYTES = 262_144


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
        with item.path.open("rb", buffering=0) as file:
            self._offset = read_meta(file.fileno()).dataset_offset
        self._segments = item.segments()
        evidence = item.evidence
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
        if begin == end:
            return
        with self.item.path.open("rb") as file:
            file.seek(self._offset + begin)
            while begin < end and (block := file.read(min(BLOCK_BYTES, end - begin))):
                self._staged.update(block)
                begin += len(block)
