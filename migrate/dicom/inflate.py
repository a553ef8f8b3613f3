"""Inflating a deflated data set within bounds (PS3.5 A.5, RFC 1951)."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final

from migrate.dicom.walk import ParseLimits
from migrate.errors import IllegalDicom

_CHUNK_BYTES: Final = 1024 * 1024
_RAW_WINDOW: Final = -zlib.MAX_WBITS


class Inflater:
    """Inflates what is fed, never more than a mebibyte at a time, and stops a bomb."""

    def __init__(self, limits: ParseLimits) -> None:
        self._limits = limits
        self._stream = zlib.decompressobj(_RAW_WINDOW)
        self._taken = 0
        self._given = 0
        self._after = b""

    def feed(self, view: memoryview) -> Iterator[bytes]:
        """Inflate one fragment.

        Raises:
            IllegalDicom: Not a deflate stream, or more comes out than the limits allow.
        """
        if self._stream.eof:
            self._after += bytes(view[:2])
            return
        self._taken += len(view)
        pending: bytes | memoryview = view
        while pending:
            yield self._piece(pending)
            pending = self._stream.unconsumed_tail
        self._after += self._stream.unused_data[:2]

    def _piece(self, pending: bytes | memoryview) -> bytes:
        try:
            piece = self._stream.decompress(pending, _CHUNK_BYTES)
        except zlib.error:
            raise IllegalDicom("the data set is not deflated as its syntax says", offset=self._taken) from None
        self._given += len(piece)
        free = self._given <= self._limits.inflate_free_bytes
        if self._given > self._limits.inflated_bytes or (
            not free and self._given > self._taken * self._limits.inflate_ratio
        ):
            raise IllegalDicom("the data set inflates beyond its limit", deflated=self._taken, inflated=self._given)
        return piece

    def close(self) -> bool:
        """End the stream; True when it was followed by anything but one zero byte of padding.

        Raises:
            IllegalDicom: The stream is cut off.
        """
        if not self._stream.eof:
            raise IllegalDicom("the deflated data set is cut off", offset=self._taken)
        return self._after not in (b"", b"\0")
