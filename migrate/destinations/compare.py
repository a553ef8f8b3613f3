"""Content proof: what came back against what was sent, digest by digest, then tag by tag."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from migrate.dicom.census import census_of
from migrate.dicom.digest import differing_paths
from migrate.dicom.header import Header
from migrate.dicom.part10 import read_meta
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
    """

    def __init__(self, items: Sequence[Sendable], coercions: frozenset[int]) -> None:
        self._items = {item.sent.sop_instance_uid: item for item in items}
        self.coercions = coercions

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
        """(SOP class, transfer syntax) of what was sent."""
        return tuple(sorted({(e.sop_class_uid, e.transfer_syntax_uid) for e in self.evidence}))

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
        if same_bulk and not differs:
            return self._checked(uid, Outcome.MATCH, (), "but for declared coercions" if self.coercions else "")
        return self._checked(uid, Outcome.DIFFERS, (*(() if same_bulk else ("bulk",)), *differs))

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
