"""Spoilt objects through the digester and the header reader: read, or refused as `IllegalDicom`."""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fuzz.damage import spoilt
from migrate.dicom.digest import Digester, differing_paths
from migrate.dicom.part10 import read_meta
from migrate.dicom.splice import joined, splice
from migrate.errors import IllegalDicom
from tests import dicom_kit as kit

LARGEST_BYTES = 12_000
PATIENT_ID = 0x00100020
SYNTAXES = (kit.IMPLICIT, kit.EXPLICIT, kit.BIG, kit.DEFLATED, kit.JPEG_LOSSLESS)


@dataclass(frozen=True, slots=True)
class Sample:
    """A data set as a peer would send it."""

    transfer_syntax_uid: str
    content: bytes


def samples(corpora: tuple[Path, ...]) -> tuple[Sample, ...]:
    """Objects made here in every kind of encoding, and the small ones of the corpora."""
    made = [
        Sample(uid, kit.encode(ds, uid, undefined_lengths=flag))
        for uid in SYNTAXES
        for flag in (False, True)
        for ds in ((kit.encapsulated_image([b"ab" * 20, b"cd" * 9]),) if uid == kit.JPEG_LOSSLESS else (kit.image(),))
    ]
    return (*made, *(one for folder in corpora for one in _small(folder)))


def _small(folder: Path) -> Iterator[Sample]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.stat().st_size <= LARGEST_BYTES:
            content = path.read_bytes()
            try:
                meta = read_meta(content)
            except IllegalDicom:
                continue
            yield Sample(meta.transfer_syntax_uid, content[meta.dataset_offset :])


def read(seeds: tuple[Sample, ...], chance: random.Random) -> tuple[str, int]:
    """One spoilt object: digested as it arrives, its header read, now and then edited and compared."""
    sample = chance.choice(seeds)
    others = tuple(one.content for one in chance.sample(seeds, 2))
    content = _spoilt(sample, others, chance)
    digester = Digester(sample.transfer_syntax_uid)
    step = chance.choice((len(content) + 1, chance.randint(1, 4000)))
    for start in range(0, len(content), step):
        digester.feed(memoryview(content)[start : start + step])
    try:
        result = digester.close()
    except IllegalDicom:
        return "refused", len(content)
    header = result.header
    for tag in header.elements:
        header.lenient_text(tag)
        header.items(tag)
    if chance.random() < 0.05:
        differing_paths(header, header)
        _edited(content, sample.transfer_syntax_uid)
    return "read", len(content)


def _spoilt(sample: Sample, others: tuple[bytes, ...], chance: random.Random) -> bytes:
    """A deflated object is spoilt inside as often as outside, else only the inflater would be tested."""
    if sample.transfer_syntax_uid != kit.DEFLATED or chance.random() < 0.5:
        return spoilt(sample.content, others, chance)
    deflater = zlib.compressobj(6, zlib.DEFLATED, -15)
    return deflater.compress(spoilt(zlib.decompress(sample.content, -15), others, chance)) + deflater.flush()


def _edited(content: bytes, transfer_syntax_uid: str) -> None:
    """What rules do to an object that was let in: it must be possible, and be read again."""
    digester = Digester(transfer_syntax_uid)
    digester.feed(content)
    header = digester.close().header
    if transfer_syntax_uid == kit.DEFLATED:
        return
    edited = joined(splice(header, {PATIENT_ID: ("LO", b"FUZZED")}), content)
    again = Digester(transfer_syntax_uid)
    again.feed(edited)
    assert again.close().header.text(PATIENT_ID) == "FUZZED"
