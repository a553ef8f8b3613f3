"""The whole state machine as one literal table. Nothing else knows what follows what.

It reads no clock, no file, no socket. An event that the table does not allow is an error.
"""

from __future__ import annotations

from enum import StrEnum

from migrate.errors import IllegalEvent
from migrate.journal import events as e


class State(StrEnum):
    """Where a study stands."""

    FOUND = "FOUND"
    PLANNED = "PLANNED"
    RETRIEVED = "RETRIEVED"
    CHECKSUMMED = "CHECKSUMMED"
    NORMALIZED = "NORMALIZED"
    UPLOADED = "UPLOADED"
    VERIFIED = "VERIFIED"
    QUARANTINED = "QUARANTINED"
    EXCLUDED = "EXCLUDED"
    CHANGED = "CHANGED"


TRANSITIONS: dict[State | None, dict[type[e.Event], State]] = {
    None: {
        e.Found: State.FOUND,
    },
    State.FOUND: {
        e.Found: State.FOUND,
        e.Planned: State.PLANNED,
        e.Excluded: State.EXCLUDED,
        e.Quarantined: State.QUARANTINED,
        e.Restored: State.VERIFIED,
        e.Doubted: State.FOUND,
        e.Assigned: State.FOUND,
    },
    State.PLANNED: {
        e.Planned: State.PLANNED,
        e.Excluded: State.EXCLUDED,
        e.Staged: State.PLANNED,
        e.Failed: State.PLANNED,
        e.Lost: State.PLANNED,
        e.Retrieved: State.RETRIEVED,
        e.Quarantined: State.QUARANTINED,
        e.Assigned: State.PLANNED,
    },
    State.RETRIEVED: {
        e.Failed: State.RETRIEVED,
        e.Lost: State.PLANNED,
        e.Checksummed: State.CHECKSUMMED,
        e.Quarantined: State.QUARANTINED,
        e.Assigned: State.RETRIEVED,
    },
    State.CHECKSUMMED: {
        e.Failed: State.CHECKSUMMED,
        e.Lost: State.PLANNED,
        e.Normalized: State.NORMALIZED,
        e.Quarantined: State.QUARANTINED,
        e.Assigned: State.CHECKSUMMED,
    },
    State.NORMALIZED: {
        e.Failed: State.NORMALIZED,
        e.Lost: State.PLANNED,
        e.UploadStarted: State.NORMALIZED,
        e.Uploaded: State.UPLOADED,
        e.Quarantined: State.QUARANTINED,
        e.Assigned: State.NORMALIZED,
    },
    State.UPLOADED: {
        e.Failed: State.UPLOADED,
        e.Lost: State.PLANNED,
        e.CommitmentAsked: State.UPLOADED,
        e.Committed: State.UPLOADED,
        e.SentInVain: State.NORMALIZED,
        e.Verified: State.VERIFIED,
        e.Quarantined: State.QUARANTINED,
        e.Assigned: State.UPLOADED,
    },
    State.VERIFIED: {
        e.Changed: State.CHANGED,
        e.Quarantined: State.QUARANTINED,
        e.Assigned: State.VERIFIED,
    },
    State.QUARANTINED: {
        e.Retried: State.PLANNED,
        e.Waived: State.QUARANTINED,
        e.Excluded: State.EXCLUDED,
        e.Changed: State.CHANGED,
        e.Assigned: State.QUARANTINED,
    },
    State.EXCLUDED: {
        e.Planned: State.PLANNED,
        e.Excluded: State.EXCLUDED,
        e.Assigned: State.EXCLUDED,
    },
    State.CHANGED: {
        e.Planned: State.PLANNED,
        e.Excluded: State.EXCLUDED,
        e.Changed: State.CHANGED,
        e.Assigned: State.CHANGED,
    },
}

SETTLED = frozenset({State.VERIFIED, State.QUARANTINED, State.EXCLUDED})
IN_FLIGHT = frozenset({State.RETRIEVED, State.CHECKSUMMED, State.NORMALIZED, State.UPLOADED})


def follow(state: State | None, event: e.Event) -> State:
    """The state after `event`.

    Raises:
        IllegalEvent: The table does not allow it.
    """
    allowed = TRANSITIONS[state]
    if type(event) not in allowed:
        raise IllegalEvent(
            "the journal refuses an event",
            "this is a bug; the journal is unchanged: keep the run folder and report it",
            study=event.study_instance_uid,
            state=state or "unknown study",
            event=type(event).__name__,
            allowed="|".join(kind.__name__ for kind in allowed),
        )
    return allowed[type(event)]
