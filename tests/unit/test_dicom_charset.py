"""Character sets: decoded strictly, whatever escape sequences they use."""

from __future__ import annotations

import pytest

from migrate.dicom.charset import UnknownCharset, charset_terms, codec_of, decode, encode

# From PS3.5 annexes H to K.
CASES = {
    "default": (b"Test^One", ("",), "Test^One"),
    "latin 1": (b"Buc^J\xe9r\xf4me", ("ISO_IR 100",), "Buc^Jérôme"),
    "cyrillic": (b"\xbb\xee\xdace\xdc\xd1yp\xd3", ("ISO_IR 144",), "Люкceмбypг"),  # noqa: RUF001 - as PS3.5 H.2 has it
    "greek": (b"\xc4\xe9\xef\xed\xf5\xf3\xe9\xef\xf2", ("ISO_IR 126",), "Διονυσιος"),
    "utf-8": ("Wang^XiaoDong=王^小东".encode(), ("ISO_IR 192",), "Wang^XiaoDong=王^小东"),
    "gb18030": ("王^小东".encode("gb18030"), ("GB18030",), "王^小东"),
    "katakana": (
        b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J",
        ("ISO 2022 IR 13", "ISO 2022 IR 87"),
        "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
    ),
    "kanji": (
        b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
        ("", "ISO 2022 IR 87"),
        "Yamada^Tarou=山田^太郎=やまだ^たろう",
    ),
    "korean": (
        b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
        ("", "ISO 2022 IR 149"),
        "Hong^Gildong=洪^吉洞=홍^길동",
    ),
    "chinese": (
        b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab=",
        ("", "ISO 2022 IR 58"),
        "Zhang^XiaoDong=张^小东=",
    ),
}


@pytest.mark.parametrize(("value", "terms", "text"), CASES.values(), ids=CASES.keys())
def test_text_is_decoded(value: bytes, terms: tuple[str, ...], text: str) -> None:
    assert decode(value, terms) == text


@pytest.mark.parametrize(("value", "terms", "text"), CASES.values(), ids=CASES.keys())
def test_text_is_encoded_so_that_it_can_be_decoded(value: bytes, terms: tuple[str, ...], text: str) -> None:
    assert decode(encode(text, terms), terms) == text


@pytest.mark.parametrize(
    ("value", "terms"),
    [
        (b"M\xfcller", ("",)),
        (b"M\xfcller", ("ISO_IR 192",)),
        (b"\x1b%Gabc", ("", "ISO 2022 IR 87")),
        (b"\x1b$B\xff\xff\x1b(B", ("", "ISO 2022 IR 87")),
    ],
)
def test_bytes_that_are_no_text_in_the_set_are_an_error(value: bytes, terms: tuple[str, ...]) -> None:
    with pytest.raises(UnicodeDecodeError):
        decode(value, terms)


@pytest.mark.parametrize("term", ["ISO_IR 100", "ISO-IR 100", "ISO_IR_100", "iso ir 100", "ISO 2022 IR 100"])
def test_a_term_is_known_by_every_spelling_met(term: str) -> None:
    assert codec_of(term) == "latin_1"


def test_an_unknown_term_is_an_error() -> None:
    with pytest.raises(UnknownCharset):
        decode(b"\xff", ("ISO_IR 999",))


@pytest.mark.parametrize(
    ("value", "terms"),
    [(None, ("",)), (b"", ("",)), (b"ISO_IR 100", ("ISO_IR 100",)), (b"\\ISO 2022 IR 87 ", ("", "ISO 2022 IR 87"))],
)
def test_terms_are_split_and_stripped(value: bytes | None, terms: tuple[str, ...]) -> None:
    assert charset_terms(value) == terms
