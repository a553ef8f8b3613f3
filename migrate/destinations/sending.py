"""One staged instance on its way to the socket, proven while it is read.

The bytes that a rule replaced are read as well, so that the digest of the whole staged object is
known before its last fragment leaves: a file that changed on the disk is never sent whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from migrate.dicom.digest import Xxh3
from migrate.dicom.part10 import read_meta
from migrate.errors import LocalError
from migrate.peers import Sendable
from migrate.wire.dimse.outgoing import FileRange, Outgoing

BLOCK_BYTES = 262_144


class Damaged(LocalError):
    """A staged file is not what was received."""


@dataclass
class Proof:
    """Digests what is sent, and what the staged file held, in the same pass."""

    item: Sendable
    dataset_offset: int
    sent: Xxh3 = field(default_factory=Xxh3)
    staged: Xxh3 = field(default_factory=Xxh3)
    left: int = 0

    def outgoing(self) -> Outgoing:
        """The object for the wire; its tap is this proof."""
        segments = tuple(
            one if isinstance(one, bytes) else FileRange(self.item.path, self.dataset_offset + one[0], one[1])
            for one in self.item.segments
        )
        evidence = self.item.evidence
        outgoing = Outgoing(
            sop_class_uid=evidence.sop_class_uid,
            sop_instance_uid=evidence.sop_instance_uid,
            transfer_syntax_uid=evidence.transfer_syntax_uid,
            segments=segments,
            tap=self.saw,
        )
        self.left = outgoing.size_bytes
        self._walk = self._stages()
        self._room = next(self._walk, None)
        return outgoing

    def saw(self, view: memoryview) -> None:
        """Bytes are about to leave.

        Raises:
            Damaged: These are the last ones, and the staged file is not what was received.
        """
        self.sent.update(view)
        self.left -= len(view)
        while view and self._room:
            count = min(self._room[0], len(view))
            if self._room[1]:
                self.staged.update(view[:count])
            view = view[count:]
            rest = self._room[0] - count
            self._room = (rest, self._room[1]) if rest else next(self._walk, None)
        if self.left == 0 and self.staged.hexdigest() != self.item.evidence.wire_xxh3:
            raise Damaged("a staged file is not what was received", wire=self.item.evidence.wire_xxh3)

    def _stages(self) -> Iterator[tuple[int, bool]]:
        """(bytes, are they the file's own) for each segment; what was replaced is digested in between."""
        at = 0
        for segment in self.item.segments:
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
            file.seek(self.dataset_offset + begin)
            while begin < end and (block := file.read(min(BLOCK_BYTES, end - begin))):
                self.staged.update(block)
                begin += len(block)


def dataset_offset(item: Sendable) -> int:
    """Where the data set begins in the staged file."""
    with item.path.open("rb") as file:
        return read_meta(file.fileno()).dataset_offset
