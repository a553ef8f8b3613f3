"""What a data set says about itself: its elements, without the bulk data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from migrate.dicom.charset import charset_terms, decode
from migrate.dicom.dictionary import tag_text
from migrate.dicom.element import Element, Item
from migrate.dicom.syntax import TransferSyntax
from migrate.dicom.walk import sequence_in
from migrate.errors import IllegalDicom

SPECIFIC_CHARACTER_SET: Final = 0x00080005
SOP_CLASS_UID: Final = 0x00080016
SOP_INSTANCE_UID: Final = 0x00080018
STUDY_INSTANCE_UID: Final = 0x0020000D
SERIES_INSTANCE_UID: Final = 0x0020000E

_PADDING: Final = " \0"


@dataclass(frozen=True, kw_only=True, slots=True)
class ElementSet:
    """Elements by tag in file order, and what is needed to read them."""

    elements: Mapping[int, Element]
    charset: tuple[str, ...] = ("",)
    little_endian: bool = True

    def raw(self, tag: int) -> bytes | None:
        """The value bytes as they came, padding included; None when absent or bulk."""
        element = self.elements.get(tag)
        return element.value if element else None

    def text(self, tag: int) -> str | None:
        r"""The text of an element, decoded strictly, without padding; several values keep their `\`.

        Raises:
            IllegalDicom: The bytes are not text in the declared character set.
        """
        value = self.raw(tag)
        if value is None:
            return None
        if value.isascii() and b"\x1b" not in value:
            return value.decode("ascii").rstrip(_PADDING)
        try:
            return decode(value, self.charset).rstrip(_PADDING)
        except ValueError:
            raise IllegalDicom(
                "text is not in the declared character set",
                "declare the right character set in a rule pack or leave the text as it is",
                tag=tag_text(tag),
                charset="+".join(self.charset) or "ISO_IR 6",
            ) from None

    def lenient_text(self, tag: int) -> str | None:
        """Like `text`, with U+FFFD for what cannot be decoded."""
        try:
            return self.text(tag)
        except IllegalDicom:
            return (self.raw(tag) or b"").decode("ascii", "replace").rstrip(_PADDING)

    def uid(self, tag: int) -> str | None:
        """A UID as received, without padding; None when absent or empty. Never raises: check `valid_uid`."""
        value = self.raw(tag)
        if not value:
            return None
        return value.decode("ascii", "replace").strip(_PADDING) or None

    def number(self, tag: int) -> int | None:
        """A `US`, `UL`, `SS`-free unsigned binary value (the first, if several); None when absent or empty."""
        element = self.elements.get(tag)
        if element is None or not element.value:
            return None
        width = 4 if element.vr == "UL" else 2
        return int.from_bytes(element.value[:width], "little" if self.little_endian else "big")

    def items(self, tag: int) -> tuple[ElementSet, ...]:
        """The items of a sequence, also of one that is written as `UN`; empty when absent.

        An item without its own character set has the one around it (PS3.5 7.5.3).
        """
        element = self.elements.get(tag)
        if element is None:
            return ()
        found = element.items
        if found is None and element.value:
            found = sequence_in(element.value, explicit=False, little=True)
        return tuple(self._view(item) for item in found or ())

    def _view(self, item: Item) -> ElementSet:
        elements = {element.tag: element for element in item.elements}
        own = elements.get(SPECIFIC_CHARACTER_SET)
        charset = charset_terms(own.value) if own else self.charset
        return ElementSet(elements=elements, charset=charset, little_endian=item.little_endian)


@dataclass(frozen=True, kw_only=True, slots=True)
class Header(ElementSet):
    """One parsed data set without its bulk data.

    `transfer_syntax_uid` is what was declared; `syntax` is how the bytes really are encoded. `size_bytes`
    counts the inflated data set. `deviations` names what was tolerated, without values. `bulk_xxh3` has the
    digest of each bulk element when the data set went through a `Digester`.
    """

    transfer_syntax_uid: str
    syntax: TransferSyntax
    size_bytes: int
    deviations: tuple[str, ...] = ()
    bulk_xxh3: Mapping[int, str] = field(default_factory=dict)

    @property
    def sop_class_uid(self) -> str:
        """SOP Class UID, "" when absent."""
        return self.uid(SOP_CLASS_UID) or ""

    @property
    def sop_instance_uid(self) -> str:
        """SOP Instance UID, "" when absent."""
        return self.uid(SOP_INSTANCE_UID) or ""

    @property
    def study_instance_uid(self) -> str:
        """Study Instance UID, "" when absent."""
        return self.uid(STUDY_INSTANCE_UID) or ""

    @property
    def series_instance_uid(self) -> str:
        """Series Instance UID, "" when absent."""
        return self.uid(SERIES_INSTANCE_UID) or ""
