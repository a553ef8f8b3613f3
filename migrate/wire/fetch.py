"""Asking a peer to give objects: C-MOVE to our receiver, or C-GET on the same association.

Both take identifiers at STUDY or IMAGE level; the contexts of C-GET are built from what is
expected, at most 128 a request (PS3.8 9.3.2.2), each with one transfer syntax so that the peer
cannot choose to decompress.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from migrate.dicom.uid import STUDY_ROOT_GET, STUDY_ROOT_MOVE
from migrate.errors import PeerUnavailable
from migrate.model import InstanceRef, Level
from migrate.wire.dimse.endpoint import Context, Endpoint
from migrate.wire.dimse.identifier import encode
from migrate.wire.dimse.retrieval import MoveEnd
from migrate.wire.dimse.scu import Association
from migrate.wire.dimse.sinks import StoreSink

MOST_CONTEXTS = 127
UIDS_PER_REQUEST = 200

# Most common first: with many SOP classes only the head of the list fits.
GET_SYNTAXES = (
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2.4.70",
    "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.4.80",
    "1.2.840.10008.1.2.5",
    "1.2.840.10008.1.2.4.50",
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.4.91",
    "1.2.840.10008.1.2.4.57",
    "1.2.840.10008.1.2.4.81",
    "1.2.840.10008.1.2.4.51",
    "1.2.840.10008.1.2.4.201",
    "1.2.840.10008.1.2.4.202",
    "1.2.840.10008.1.2.4.102",
    "1.2.840.10008.1.2.4.100",
    "1.2.840.10008.1.2.1.99",
    "1.2.840.10008.1.2.2",
)

_message_ids = itertools.count(1)
_message_ids_lock = threading.Lock()


def next_message_id() -> int:
    """A message id that no other C-MOVE in flight from this process has (PS3.7 9.1.4.1.1)."""
    with _message_ids_lock:
        return next(_message_ids) % 65535 + 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """One request: what to ask for, and the (SOP class, transfer syntax) pairs it may bring."""

    level: Level
    keys: dict[str, str]
    pairs: tuple[tuple[str, str], ...] = ()


def study_ask(study_instance_uid: str, pairs: Iterable[tuple[str, str]] = ()) -> Ask:
    """The whole study at once."""
    return Ask(level=Level.STUDY, keys={"StudyInstanceUID": study_instance_uid}, pairs=tuple(pairs))


def image_asks(
    study_instance_uid: str, refs: Sequence[InstanceRef], pairs: Iterable[tuple[str, str]] = ()
) -> Iterator[Ask]:
    """Single instances: one request a series, at most 200 UIDs each (a UI value ends at 64 KiB)."""
    known = tuple(pairs)
    ordered = sorted(refs, key=lambda ref: (ref.series_instance_uid, ref.sop_instance_uid))
    for series, group in itertools.groupby(ordered, key=lambda ref: ref.series_instance_uid):
        members = list(group)
        for start in range(0, len(members), UIDS_PER_REQUEST):
            chunk = members[start : start + UIDS_PER_REQUEST]
            keys = {
                "StudyInstanceUID": study_instance_uid,
                "SeriesInstanceUID": series,
                "SOPInstanceUID": "\\".join(ref.sop_instance_uid for ref in chunk),
            }
            yield Ask(level=Level.IMAGE, keys=keys, pairs=known)


@dataclass(frozen=True, slots=True)
class Giver:
    """The peer that is asked, through which stack, and who may end the wait (asked every second)."""

    endpoint: Endpoint
    stack: type[Association]
    abandon: Callable[[], bool]


def move(giver: Giver, ask: Ask, move_destination: str) -> MoveEnd:
    """C-MOVE to `move_destination`; how it ended proves nothing (PS3.4 C.4.2.1.5).

    Raises:
        PeerUnavailable: No final response, or `abandon` ended the wait: the peer may go on sending.
        PeerRefused: No association or no C-MOVE.
    """
    context = Context(STUDY_ROOT_MOVE, _BASIC)
    with giver.stack.open(giver.endpoint, [context]) as association:
        identifier = encode(ask.level, ask.keys, association.transfer_syntax(STUDY_ROOT_MOVE))
        return association.move(
            STUDY_ROOT_MOVE, identifier, move_destination, message_id=next_message_id(), abandon=giver.abandon
        )


def get(giver: Giver, ask: Ask, sink: StoreSink) -> MoveEnd:
    """C-GET into `sink`.

    Raises:
        PeerUnavailable: No final response, or `abandon` ended the wait.
        PeerRefused: No association or no C-GET.
    """
    contexts = [Context(STUDY_ROOT_GET, _BASIC), *get_contexts(ask.pairs)]
    with giver.stack.open(giver.endpoint, contexts) as association:
        identifier = encode(ask.level, ask.keys, association.transfer_syntax(STUDY_ROOT_GET))
        return association.get(STUDY_ROOT_GET, identifier, sink, abandon=giver.abandon)


_BASIC = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2")


def get_contexts(pairs: Iterable[tuple[str, str]]) -> list[Context]:
    """One context for each (SOP class, transfer syntax), with the SCP role (PS3.7 D.3.3.4).

    A pair whose syntax is "" stands for a class whose stored syntax is unknown: as many of
    GET_SYNTAXES as fit.
    """
    wanted = sorted(set(pairs))
    exact = [(sop_class, syntax) for sop_class, syntax in wanted if syntax]
    unknown = [sop_class for sop_class, syntax in wanted if not syntax]
    room = (MOST_CONTEXTS - len(exact)) // max(1, len(unknown))
    exact += [(sop_class, syntax) for sop_class in unknown for syntax in GET_SYNTAXES[: max(1, room)]]
    if len(exact) > MOST_CONTEXTS:
        raise PeerUnavailable("too many kinds of objects for one C-GET", "use C-MOVE", kinds=len(exact))
    return [Context(sop_class, (syntax,), scp_role=True) for sop_class, syntax in exact]
