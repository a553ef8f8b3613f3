"""What a source and a destination must do: the two protocols at the edges.

Kinds live in `sources/` and `destinations/`; stages see only these. Optional abilities are fields
of `Features`: a stage asks `source.features.counts_instances`, it never asks which class it got.
Every method may be called again after an error. An error is one of `errors.PeerError` or
`errors.LocalError`; nothing of a library's own passes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from migrate.dicom.header import Header
from migrate.errors import PeerUnavailable
from migrate.model import Checked, Defect, Evidence, InstanceRef, Level, Prepared, Proven, SentUids, StoreOutcome


@dataclass(frozen=True, kw_only=True, slots=True)
class Features:
    """What this peer can do, as learnt or configured."""

    c_get: bool | None = None
    c_move: bool | None = None
    relational_queries: bool = False
    counts_instances: bool | None = None
    storage_commitment: bool | None = None
    result_cap: int | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """One C-FIND answer: keyword -> text for every key the peer returned.

    A key that the peer left out is not in `values`; a key it returned empty is "". Several values
    are joined by a backslash. `raw` holds the bytes of values that the declared character set
    cannot decode (their text in `values` then has U+FFFD).
    """

    values: Mapping[str, str]
    raw: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class FindEnd:
    """How a C-FIND ended (PS3.4 C.4.1.1.4): the final status and how many matches came before."""

    status: int
    matches: int
    optional_keys_unsupported: bool = False
    error_comment: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyWork:
    """One study to be moved and what the crawl says it holds.

    `staged` is what earlier attempts brought: only the rest is asked for. `proven` was moved in an
    earlier round and has not changed since; `aside` is verified in this one, or stays behind by
    policy: neither is asked for. `settle` says that this is the last attempt: what is missing after
    it has a defect.
    """

    study_instance_uid: str
    instances: tuple[InstanceRef, ...]
    staged: tuple[Evidence, ...] = ()
    round: int = 1
    settle: bool = False
    proven: tuple[Proven, ...] = ()
    aside: frozenset[str] = frozenset()

    @property
    def due(self) -> tuple[InstanceRef, ...]:
        """What is listed and has to be in the staging area when the study is complete."""
        done = self.aside | {one.sop_instance_uid for one in self.proven}
        return tuple(ref for ref in self.instances if ref.sop_instance_uid not in done)

    @property
    def wanted(self) -> tuple[InstanceRef, ...]:
        """What is due and not yet staged."""
        have = {evidence.sop_instance_uid for evidence in self.staged}
        return tuple(ref for ref in self.due if ref.sop_instance_uid not in have)


class CommitmentSilent(PeerUnavailable):
    """The destination gives no word on storage commitment: it refused the request, or no result came in time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reference:
    """One instance to be committed to: its class, its UID as received and as the destination knows it."""

    sop_class_uid: str
    sop_instance_uid: str
    sent_sop_instance_uid: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Transaction:
    """One request for storage commitment (PS3.4 J.3.2), recorded before it goes out.

    `earlier` transactions of the same study had no answer yet: one that comes late counts.
    """

    transaction_uid: str
    references: tuple[Reference, ...]
    earlier: tuple[str, ...] = ()
    wait_s: float = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Commitment:
    """What the destination said about instances of a transaction, by SOP Instance UID as received.

    `failed` pairs each with its failure reason (PS3.3 C.14.1.1). One that is in neither had no word.
    """

    committed: frozenset[str] = frozenset()
    failed: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class StagedStudy:
    """One study whose instances lie in the staging area. `prepared` is empty before normalize.

    `sent_before` has the digest that an instance was last sent with in an earlier round; `hidden` are
    instances that stay behind because the source has rejected or hidden them.

    `committed` are SOP Instance UIDs that the destination has committed to; `transaction` asks for the rest.
    """

    study_instance_uid: str
    evidence: tuple[Evidence, ...]
    prepared: tuple[Prepared, ...] = ()
    listed: tuple[InstanceRef, ...] = ()
    modified_at: str = ""
    facility: str = ""
    doubtful: bool = False
    settle: bool = False
    committed: frozenset[str] = frozenset()
    transaction: Transaction | None = None
    sent_before: Mapping[str, str] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class Received:
    """What one retrieve brought: only what is durable counts.

    `defects` are objects that arrived and cannot be trusted. `status` is the peer's final word,
    which proves nothing.
    """

    evidence: tuple[Evidence, ...]
    defects: tuple[Defect, ...] = ()
    status: int | None = None
    error_comment: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sendable:
    """One staged instance as it will be sent: new bytes and untouched ranges of the staged file.

    `segments()` in order make the data set (in its own transfer syntax): bytes, or (offset, length)
    within the data set of the staged file at `path`. It reads the file: IllegalDicom or OSError say
    that the file is no longer what was received. `uids` are those it goes out under (None: as received).
    `look` is shown the header of what a read-back brings.
    """

    evidence: Evidence
    path: Path
    segments: Callable[[], tuple[bytes | tuple[int, int], ...]]
    dataset_xxh3: str
    uids: SentUids | None = None
    look: Callable[[Header], None] | None = None

    @property
    def sent(self) -> SentUids:
        """The UIDs under which the destination gets it: they stand in the command, the file meta and the answers."""
        return self.uids or SentUids.of(self.evidence, ())


class Source(Protocol):
    """Where studies come from."""

    @property
    def features(self) -> Features:
        """What this source can do."""
        ...

    def echo(self) -> None:
        """Prove that the peer answers. Raises PeerUnavailable or PeerRefused."""
        ...

    def find(self, level: Level, keys: Mapping[str, str], on_match: Callable[[Match], None]) -> FindEnd:
        """Ask one query; `on_match` gets each answer as it comes (PS3.4 C.4.1).

        `keys` maps keywords to values; "" asks for the key to be returned.
        Raises PeerUnavailable when no final status came: then the answers are no result.
        """
        ...

    def retrieve(self, work: StudyWork) -> Received:
        """Bring the instances of `work` into the staging area, durable before they count."""
        ...

    def close(self) -> None:
        """Release associations; may be called twice."""
        ...


class Destination(Protocol):
    """Where studies go."""

    @property
    def features(self) -> Features:
        """What this destination can do."""
        ...

    def echo(self) -> None:
        """Prove that the peer answers. Raises PeerUnavailable or PeerRefused."""
        ...

    def store(self, items: Sequence[Sendable]) -> tuple[StoreOutcome, ...]:
        """Send each item once, in order; one outcome each, also when the association is lost."""
        ...

    def holds(self, study_instance_uid: str, series_instance_uids: Iterable[str]) -> set[str]:
        """The SOP Instance UIDs the destination says it holds for the study (IMAGE level)."""
        ...

    def read_back(self, study_instance_uid: str, expected: Sequence[Sendable]) -> tuple[Checked, ...]:
        """Fetch each expected instance again and compare its content; one result each."""
        ...

    def offers_commitment(self) -> bool:
        """Whether it can be asked to commit to what it stores. Raises PeerUnavailable."""
        ...

    def commit(self, transaction: Transaction) -> Commitment:
        """Ask for commitment and wait for the word.

        Raises PeerUnavailable when the request was not taken, CommitmentSilent when no word came.
        """
        ...

    def close(self) -> None:
        """Release associations; may be called twice."""
        ...
