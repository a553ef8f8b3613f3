"""A TCP byte stream cut into association PDUs and pieces of presentation data values (PS3.8 9.3).

P-DATA-TF bytes are never collected: each piece goes out as a view of the buffer it arrived in, so
memory does not grow with what a peer sends. Other PDUs are collected, up to a limit that is
checked when their six header bytes are there and nothing else has been read.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from migrate.wire.dimse.pdu import BadPdu, PduType

_PDU_HEADER: Final = struct.Struct(">BxI")
_PDV_HEADER: Final = struct.Struct(">IBB")
_BOTH_HEADERS: Final = struct.Struct(">BxIIBB")
_P_DATA_TF: Final = int(PduType.P_DATA_TF)


@dataclass(slots=True)
class Fragment:
    """A piece of a presentation data value (PS3.8 9.3.5.1).

    `view` is only good until the next read. `last` says that the message part (command or data
    set) ends with this piece (PS3.8 E.2).
    """

    context_id: int
    is_command: bool
    last: bool
    view: memoryview


@dataclass(slots=True)
class WholePdu:
    """Any PDU but P-DATA-TF; `body` is without the six header bytes."""

    pdu_type: PduType
    body: bytes


class Framer:
    """Cuts bytes into frames, whatever the sizes they come in.

    Args:
        admit: Called with type and length once per PDU, before its body is read; raises BadPdu
            when the PDU may not come now or is too long.
        max_fragments: Presentation data values in one message part.
    """

    def __init__(self, admit: Callable[[PduType, int], None], max_fragments: int) -> None:
        self._admit = admit
        self._max_fragments = max_fragments
        self._head = bytearray()
        self._pdu_left = 0
        self._pdv_left = 0
        self._context_id = 0
        self._control = 0
        self._fragments = 0
        self._whole: PduType | None = None
        self._whole_left = 0
        self._body = bytearray()

    @property
    def in_pdu(self) -> bool:
        """Whether a PDU has begun and not ended."""
        return bool(self._pdu_left or self._head or self._whole is not None)

    @property
    def certain_bytes(self) -> int:
        """How many bytes will come before anything could be expected of us; 0 if unknown.

        A reader may wait for that many in one call: the rest of the value in progress and, when
        the message goes on in another PDU, the two headers of that.
        """
        if self._pdv_left:
            goes_on = self._pdu_left == self._pdv_left and not self._control & 2
            return self._pdv_left + (_BOTH_HEADERS.size if goes_on else 0)
        return self._whole_left

    def feed(self, view: memoryview) -> Iterator[Fragment | WholePdu]:
        """Take all of `view`; yield what is complete, pieces of data values at once.

        Raises:
            BadPdu: The bytes are no PDU, or one that `admit` refuses.
        """
        at, end = 0, len(view)
        while at < end:
            if self._pdv_left:
                taken = min(self._pdv_left, end - at)
                yield self._piece(view[at : at + taken])
                at += taken
            elif self._whole is not None:
                taken = min(self._whole_left, end - at)
                self._body += view[at : at + taken]
                self._whole_left -= taken
                at += taken
                if not self._whole_left:
                    yield self._finished()
            elif not self._pdu_left and not self._head and end - at >= 12 and view[at] == _P_DATA_TF:
                # The usual case first: both headers are here, nothing needs keeping.
                _, length, pdv_length, context_id, control = _BOTH_HEADERS.unpack_from(view, at)
                self._admit(PduType.P_DATA_TF, length)
                self._pdu_left = length
                self._open_value(pdv_length, context_id, control)
                at += 12
                taken = min(self._pdv_left, end - at)
                yield self._piece(view[at : at + taken])
                at += taken
            elif self._pdu_left and not self._head and end - at >= 6:
                # Another value in the same PDU, its header here as well.
                self._open_value(*_PDV_HEADER.unpack_from(view, at))
                at += 6
                if not self._pdv_left:
                    yield self._piece(view[at:at])
            else:
                at = self._take_header(view, at)
                if self._whole is not None and not self._whole_left:
                    yield self._finished()
                elif self._control >= 0x100:
                    self._control &= 0xFF
                    yield self._piece(view[at:at])

    def _piece(self, view: memoryview) -> Fragment:
        self._pdv_left -= len(view)
        self._pdu_left -= len(view)
        last = self._control & 2 == 2 and not self._pdv_left
        if last:
            self._fragments = 0
        return Fragment(self._context_id, self._control & 1 == 1, last, view)

    def _finished(self) -> WholePdu:
        assert self._whole is not None
        frame = WholePdu(self._whole, bytes(self._body))
        self._whole = None
        self._body = bytearray()
        return frame

    def _take_header(self, view: memoryview, at: int) -> int:
        missing = 6 - len(self._head)
        self._head += view[at : at + missing]
        if len(self._head) == 6:
            head, self._head = self._head, bytearray()
            if self._pdu_left:
                self._open_value(*_PDV_HEADER.unpack(head))
                if not self._pdv_left:
                    self._control |= 0x100  # an empty value: `feed` yields it
            else:
                self._open_pdu(*_PDU_HEADER.unpack(head))
        return min(at + missing, len(view))

    def _open_pdu(self, kind: int, length: int) -> None:
        try:
            pdu_type = PduType(kind)
        except ValueError:
            raise BadPdu(f"unknown PDU type {kind:02x}", reason=1) from None
        self._admit(pdu_type, length)
        if pdu_type is PduType.P_DATA_TF:
            self._pdu_left = length
        else:
            self._whole, self._whole_left = pdu_type, length

    def _open_value(self, length: int, context_id: int, control: int) -> None:
        if not 2 <= length <= self._pdu_left - 4:
            raise BadPdu("a presentation data value does not fit its PDU")
        self._fragments += 1
        if self._fragments > self._max_fragments:
            raise BadPdu(f"more than max_fragments={self._max_fragments} values in one message")
        self._pdu_left -= 6
        self._pdv_left = length - 2
        self._context_id = context_id
        self._control = control
