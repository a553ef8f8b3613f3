"""Content proof: what came back against what was sent, digest by digest, then tag by tag."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from migrate.destinations.transcoding import follows_from_transcoding, may_be_transcoded, pixels_of
from migrate.dicom.census import census_of
from migrate.dicom.decoding import PixelReader
from migrate.dicom.digest import differing_paths
from migrate.dicom.header import Header
from migrate.dicom.part10 import read_meta
from migrate.dicom.pixels import READ_BACK_SYNTAXES
from migrate.dicom.stream import Tokenizer
from migrate.errors import IllegalDicom
from migrate.model import Checked, Evidence, InstanceRef, Outcome, now
from migrate.peers import Sendable
from migrate.staging.intake import Arrival
from migrate.staging.sent import sent_blocks


class Expectation:
    """What a destination must give back for one study.

    Args:
        items: What was sent.
        coercions: Top-level tags that the destination is declared to change.
        pixels: Decodes, where the destination is declared to compress anew without loss; None elsewhere.
    """

    def __init__(self, items: Sequence[Sendable], coercions: frozenset[int], pixels: PixelReader | None = None) -> None:
        self._items = {item.sent.sop_instance_uid: item for item in items}
        self.coercions = coercions
        self._pixels = pixels

    @property
    def uids(self) -> frozenset[str]:
        """SOP Instance UIDs expected, as sent."""
        return frozenset(self._items)

    @property
    def evidence(self) -> list[Evidence]:
        """The evidence of each."""
        return [item.evidence for item in self._items.values()]

    @property
    def refs(self) -> list[InstanceRef]:
        """Series and SOP Instance UID of each, as sent."""
        return [
            InstanceRef(series_instance_uid=sent.series_instance_uid, sop_instance_uid=sent.sop_instance_uid)
            for sent in (item.sent for item in self._items.values())
        ]

    @property
    def series(self) -> set[str]:
        """Series Instance UIDs expected, as sent."""
        return {ref.series_instance_uid for ref in self.refs}

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """(SOP class, transfer syntax) of what was sent, and of what it may have been transcoded to."""
        sent = {(e.sop_class_uid, e.transfer_syntax_uid) for e in self.evidence}
        images = {e.sop_class_uid for e in self.evidence if e.pixels_xxh3} if self._pixels else set()
        return tuple(sorted(sent | {(one, syntax) for one in images for syntax in READ_BACK_SYNTAXES}))

    def compare(self, arrival: Arrival) -> Checked:
        """One object that came back."""
        uid = arrival.digested.header.sop_instance_uid
        item = self._items.get(uid)
        if item is None:
            return self._checked(uid, Outcome.EXTRA)
        if item.look:
            item.look(arrival.digested.header)
        same_bulk = arrival.digests.bulk == item.evidence.bulk_xxh3
        if same_bulk and arrival.digests.dataset == item.dataset_xxh3:
            checked = self._checked(uid, Outcome.MATCH)
        elif not same_bulk and self._pixels and may_be_transcoded(arrival, item.evidence.transfer_syntax_uid):
            checked = self._by_pixels(item, arrival, pixels_of(arrival, self._pixels))
        else:
            checked = self._explained(item, arrival, same_bulk=same_bulk)
        return replace(checked, census=census_of(arrival.digested.header), held_dataset_xxh3=arrival.digests.dataset)

    def unreadable(self, sop_instance_uid: str, detail: str) -> Checked:
        """One object that came back and is not DICOM we can trust."""
        return self._checked(sop_instance_uid, Outcome.DIFFERS, ("bulk",), detail)

    def as_received(self, checked: Checked) -> Checked:
        """The same result under the SOP Instance UID that was received: ours alone knows that one."""
        item = self._items.get(checked.sop_instance_uid)
        return replace(checked, sop_instance_uid=item.evidence.sop_instance_uid) if item else checked

    def _explained(self, item: Sendable, arrival: Arrival, *, same_bulk: bool) -> Checked:
        """Name the tags that differ; the declared coercions of the destination are no difference."""
        uid = item.sent.sop_instance_uid
        came = arrival.digested.header
        try:
            sent = header_of(item)
        except (OSError, IllegalDicom):
            return self._checked(uid, Outcome.DIFFERS, ("bulk" if not same_bulk else "dataset",), "staged file is gone")
        # Private values in implicit VR are only comparable with the VRs that either side teaches.
        differs = differing_paths(sent, came, skip=self.coercions)
        if same_bulk and self._pixels:  # it may hold the same pixels compressed, and decompress what it gives back
            differs = tuple(path for path in differs if not follows_from_transcoding(path, sent, came))
        if same_bulk and not differs:
            declared = "but for declared coercions" if self.coercions or self._pixels else ""
            return self._checked(uid, Outcome.MATCH, (), declared)
        return self._checked(uid, Outcome.DIFFERS, (*(() if same_bulk else ("bulk",)), *differs))

    def _by_pixels(self, item: Sendable, arrival: Arrival, came: str | None) -> Checked:
        """Other bytes, and not lossy: decoded pixels decide; where they cannot be had nothing is proven."""
        uid, sent = item.sent.sop_instance_uid, item.evidence.pixels_xxh3
        if sent is None or came is None:
            told = "compressed anew, and the pixels cannot be decoded without doubt on both sides"
            return self._checked(uid, Outcome.UNVERIFIABLE, (), told)
        if sent != came:
            return self._explained(item, arrival, same_bulk=False)
        told = f"transcoded without loss to {arrival.transfer_syntax_uid}"
        if arrival.digests.dataset == item.dataset_xxh3:
            return replace(self._checked(uid, Outcome.MATCH, (), told), method="pixels")
        differs = self._differs_besides(item, arrival)
        outcome = Outcome.DIFFERS if differs else Outcome.MATCH
        return replace(self._checked(uid, outcome, differs, told), method="pixels")

    def _differs_besides(self, item: Sendable, arrival: Arrival) -> tuple[str, ...]:
        """Tags that differ and do not follow from the transcoding."""
        came = arrival.digested.header
        try:
            sent = header_of(item)
        except (OSError, IllegalDicom):
            return ("dataset",)
        paths = differing_paths(sent, came, skip=self.coercions)
        return tuple(path for path in paths if not follows_from_transcoding(path, sent, came))

    def _checked(self, uid: str, outcome: Outcome, differs: tuple[str, ...] = (), detail: str = "") -> Checked:
        return Checked(
            sop_instance_uid=uid, method="content", outcome=outcome, differs=differs, verified_at=now(), detail=detail
        )


def header_of(item: Sendable) -> Header:
    """The header of exactly the bytes that were sent.

    Raises:
        IllegalDicom: The staged file is no longer whole.
    """
    tokenizer = Tokenizer(item.evidence.transfer_syntax_uid)
    with item.path.open("rb") as file:
        start = read_meta(file.fileno()).dataset_offset
    for block in sent_blocks(item.path, start, item.segments()):
        tokenizer.feed(block)
    return tokenizer.close()
