"""Writing a changed header in front of untouched bytes.

Nothing that a rule did not change is encoded again: the result is a list of new elements and of ranges of the
original data set. The ranges ascend, so that they can be copied by the kernel or streamed.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from migrate.dicom.encode import encode_element
from migrate.dicom.header import Header

Edits = Mapping[int, tuple[str, bytes] | None]
"""Top level tag -> VR and complete value bytes in the object's own syntax, or None to leave the element out."""

_LENGTH_TO_END: Final = 0x00080001
_DEFLATE_LEVEL: Final = 6


class Span(NamedTuple):
    """A range of the original data set; of the inflated one where the syntax is deflated."""

    offset: int
    length: int


Part = bytes | Span


def splice(header: Header, edits: Edits) -> tuple[Part, ...]:
    """The data set with some top level elements replaced, inserted or left out.

    A replaced element stays where it was; a new one goes in front of the first with a higher tag. The group
    length of an edited group and Length to End are left out, because they would be wrong; both are retired
    (PS3.5 7.2) and no reader needs them. Without edits the result is one range over everything.
    """
    parts: list[Part] = []
    fresh = deque(sorted(tag for tag, edit in edits.items() if tag not in header.elements and edit is not None))
    touched = edits.keys() | _overtaken(header, edits)
    begin = end = 0  # the range that is growing
    for tag, element in header.elements.items():
        is_due = bool(fresh) and fresh[0] < tag
        if not is_due and element.offset == end and tag not in touched:
            end = element.value_offset + element.length
            continue
        _append(parts, Span(begin, end - begin))
        while fresh and fresh[0] < tag:
            _append(parts, _encoded(fresh.popleft(), edits, header))
        begin, end = element.offset, element.end
        if tag in touched:
            begin = end
            _append(parts, _encoded(tag, edits, header))
    _append(parts, Span(begin, end - begin))
    for tag in fresh:
        _append(parts, _encoded(tag, edits, header))
    return tuple(parts)


def _overtaken(header: Header, edits: Edits) -> set[int]:
    """Elements that say a length which the edits change."""
    effective = {tag for tag, edit in edits.items() if edit is not None or tag in header.elements}
    lengths = {tag & 0xFFFF0000 for tag in effective}
    return lengths | {_LENGTH_TO_END} if lengths else lengths


def _encoded(tag: int, edits: Edits, header: Header) -> bytes:
    edit = edits.get(tag)
    return b"" if edit is None else encode_element(tag, edit[0], edit[1], header.syntax)


def _append(parts: list[Part], part: Part) -> None:
    """Join what touches, so that a file range is sent with one call."""
    if not part or (isinstance(part, Span) and not part.length):
        return
    last = parts[-1] if parts else None
    if isinstance(part, Span) and isinstance(last, Span) and last.offset + last.length == part.offset:
        parts[-1] = Span(last.offset, last.length + part.length)
    elif isinstance(part, bytes) and isinstance(last, bytes):
        parts[-1] = last + part
    else:
        parts.append(part)


def size_bytes(parts: Iterable[Part]) -> int:
    """Length of the spliced (inflated) data set."""
    return sum(part.length if isinstance(part, Span) else len(part) for part in parts)


def joined(parts: Iterable[Part], dataset: bytes | memoryview) -> bytes:
    """The spliced data set in memory, for small ones."""
    view = memoryview(dataset)
    return b"".join(
        bytes(view[part.offset : part.offset + part.length]) if isinstance(part, Span) else part for part in parts
    )


def deflated(parts: tuple[Part, ...], original: Iterable[bytes | memoryview]) -> Iterator[bytes]:
    """The spliced data set of a deflated object, deflated again, as a stream.

    Ranges count inflated bytes, so a deflated object cannot be sent as file ranges. The result depends only
    on the content and on the zlib in use: level 6, raw stream, one zero byte where the length would be odd
    (PS3.5 A.5). A result without edits is the original bytes.

    Args:
        parts: From `splice`.
        original: The deflated bytes as received.
    """
    if len(parts) == 1 and isinstance(parts[0], Span):
        yield from (bytes(piece) for piece in original)
        return
    deflater = zlib.compressobj(_DEFLATE_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    odd = 0
    for piece in _inflated_parts(parts, original):
        packed = deflater.compress(piece)
        odd ^= len(packed) & 1
        if packed:
            yield packed
    last = deflater.flush()
    odd ^= len(last) & 1
    yield last + b"\0" * odd


def _inflated_parts(parts: Iterable[Part], original: Iterable[bytes | memoryview]) -> Iterator[bytes]:
    source = _Inflated(original)
    for part in parts:
        if isinstance(part, bytes):
            yield part
        else:
            yield from source.span(part)


class _Inflated:
    """Ascending ranges of a deflated stream, inflated a mebibyte at a time."""

    def __init__(self, original: Iterable[bytes | memoryview]) -> None:
        self._pieces = self._inflate(original)
        self._piece = b""
        self._start = 0  # data set offset of the piece

    @staticmethod
    def _inflate(original: Iterable[bytes | memoryview]) -> Iterator[bytes]:
        stream = zlib.decompressobj(-zlib.MAX_WBITS)
        for packed in original:
            pending: bytes | memoryview = packed
            while pending:
                yield stream.decompress(pending, 1024 * 1024)
                pending = stream.unconsumed_tail

    def span(self, span: Span) -> Iterator[bytes]:
        stop = span.offset + span.length
        at = span.offset
        while at < stop:
            end = self._start + len(self._piece)
            if at >= end:
                self._start, self._piece = end, next(self._pieces)
                continue
            cut = self._piece[at - self._start : stop - self._start]
            yield cut
            at += len(cut)
