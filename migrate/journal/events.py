"""What can happen to a study: frozen values, written once, never changed.

A stage returns events; the engine appends them; `states.TRANSITIONS` says which state follows.
What an event says about single instances stays in the journal only while the study is in flight.
"""

from __future__ import annotations

from dataclasses import dataclass

from migrate.model import Checked, Decoded, Defect, Evidence, Prepared, Rejection, StoreOutcome


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """Something that happened to one study."""

    study_instance_uid: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Found(Event):
    """The crawl saw the study."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Planned(Event):
    """The study will be moved; lower `rank` first. `modified_at` goes into Original Attributes."""

    rank: int
    modified_at: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Excluded(Event):
    """The study stays behind, with a reason that somebody can defend."""

    reason: str
    by: str = "plan"


@dataclass(frozen=True, kw_only=True, slots=True)
class Staged(Event):
    """Some instances are durable, others still missing: the next attempt asks only for those."""

    evidence: tuple[Evidence, ...]
    missing: int
    retry_at: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Retrieved(Event):
    """Every instance is durable in the staging area or has a defect."""

    evidence: tuple[Evidence, ...]
    defects: tuple[Defect, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Checksummed(Event):
    """The staged files are what was received, and belong where the crawl says.

    `rejected` are instances that the source has rejected or hidden, each with what policy says. `decoded`
    are the pixels digests of those whose pixels were decoded.
    """

    defects: tuple[Defect, ...] = ()
    rejected: tuple[Rejection, ...] = ()
    decoded: tuple[Decoded, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Normalized(Event):
    """What will be sent is fixed: every changed attribute, and the digest after it.

    `flags` are noted in the register and hold nothing back.
    """

    prepared: tuple[Prepared, ...]
    defects: tuple[Defect, ...] = ()
    flags: tuple[Defect, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class UploadStarted(Event):
    """Written before the first byte leaves: from here on an instance may be at the destination."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Uploaded(Event):
    """Every instance has an answer, or was found at the destination when asked."""

    outcomes: tuple[StoreOutcome, ...]
    defects: tuple[Defect, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Verified(Event):
    """Every instance of the study is at the destination with the content that was sent.

    `flags` are noted in the register and hold nothing back.
    """

    checked: tuple[Checked, ...]
    flags: tuple[Defect, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class SentInVain(Event):
    """The destination does not hold instances that it acknowledged: send those again."""

    missing: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Quarantined(Event):
    """The study needs a person. What could be moved of it was moved and verified."""

    defects: tuple[Defect, ...]
    checked: tuple[Checked, ...] = ()
    flags: tuple[Defect, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Failed(Event):
    """An attempt failed for a reason that may pass; it is tried again at `retry_at` (Unix s)."""

    stage: str
    reason: str
    retry_at: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Lost(Event):
    """Staged files are gone or damaged: fetched again."""

    reason: str
    sop_instance_uids: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Retried(Event):
    """A person sends a quarantined study round again."""

    by: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Waived(Event):
    """A person accepts the exception; it stays in the balance as failed."""

    by: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Assigned(Event):
    """A person gives one line of the register an owner and a due date (YYYY-MM-DD); "" takes either away."""

    uid: str
    exception_class: str
    owner: str = ""
    due: str = ""
    by: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Changed(Event):
    """The source holds something else than what was moved: the study goes round again."""

    detail: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Restored(Event):
    """The journal was rebuilt, and the tables prove that everything of the study was verified."""

    round: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Doubted(Event):
    """The journal was rebuilt, and the tables do not prove the study: the destination is asked before it is sent."""

    round: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CommitmentAsked(Event):
    """Written before the destination is asked to commit to the study's instances (PS3.4 J.3.2).

    `instances` is how many are still without a commitment.
    """

    transaction_uid: str
    instances: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Committed(Event):
    """The destination's word on storage commitment, for some instances or all (PS3.4 J.3.3).

    `defects` are those that it will never commit to.
    """

    transaction_uid: str
    sop_instance_uids: tuple[str, ...]
    defects: tuple[Defect, ...] = ()


EVENTS: dict[str, type[Event]] = {kind.__name__: kind for kind in Event.__subclasses__()}
