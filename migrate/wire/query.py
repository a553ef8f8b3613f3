"""Queries to one peer: C-FIND and C-ECHO over an association that is kept open, one per thread."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping

from migrate.dicom.uid import STUDY_ROOT_FIND, VERIFICATION
from migrate.errors import PeerError, PeerRefused
from migrate.model import Level
from migrate.peers import FindEnd, Match
from migrate.wire.dimse.endpoint import Context, Endpoint
from migrate.wire.dimse.identifier import decode, encode, tags_of
from migrate.wire.dimse.scu import Association

OPTIONAL_KEYS_UNSUPPORTED = 0xFF01
_BASIC = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2")


class Query:
    """C-FIND and C-ECHO at one peer. Thread-safe: each thread has its own association."""

    def __init__(self, endpoint: Endpoint, stack: type[Association]) -> None:
        self.endpoint = endpoint
        self.stack = stack
        self._mine = threading.local()
        self._all: list[Association] = []
        self._lock = threading.Lock()

    def echo(self) -> None:
        """C-ECHO on a fresh association (PS3.4 A.4).

        Raises:
            PeerUnavailable: No connection or no answer.
            PeerRefused: No association, or an answer other than success.
        """
        with self.stack.open(self.endpoint, [Context(VERIFICATION, _BASIC)]) as association:
            status = association.echo()
        if status:
            raise PeerRefused("C-ECHO refused", peer=self.endpoint.ae_title, status=f"{status:04X}")

    def find(self, level: Level, keys: Mapping[str, str], on_match: Callable[[Match], None]) -> FindEnd:
        """One query, Study Root (PS3.4 C.4.1); `on_match` gets each answer as it comes.

        Raises:
            PeerUnavailable: No final response came: what came before is no result.
            PeerRefused: No association, or Study Root is not offered.
        """
        association = self._association()
        wanted = tags_of(("QueryRetrieveLevel", *keys))  # an answer of another level must be seen to be one
        matches = 0
        unsupported = False

        def answer(status: int, identifier: bytes, transfer_syntax_uid: str) -> None:
            nonlocal matches, unsupported
            matches += 1
            unsupported = unsupported or status == OPTIONAL_KEYS_UNSUPPORTED
            on_match(decode(identifier, transfer_syntax_uid, wanted))

        identifier = encode(level, keys, association.transfer_syntax(STUDY_ROOT_FIND))
        try:
            end = association.find(STUDY_ROOT_FIND, identifier, answer)
        except BaseException:
            # An answer may still be on its way: this association is of no more use.
            self._drop(association)
            raise
        return FindEnd(
            status=end.status or 0,
            matches=matches,
            optional_keys_unsupported=unsupported,
            error_comment=end.error_comment or "",
        )

    def rest(self) -> None:
        """Release the association of this thread; the next question opens another."""
        mine: Association | None = getattr(self._mine, "association", None)
        if mine is not None:
            self._mine.association = None
            self._forget(mine)
            mine.release()

    def close(self) -> None:
        """Release every association; may be called twice."""
        with self._lock:
            every, self._all = self._all, []
        for association in every:
            association.release()

    def _association(self) -> Association:
        mine: Association | None = getattr(self._mine, "association", None)
        if mine is not None:
            if mine.is_open:
                return mine
            self.rest()
        mine = self.stack.open(self.endpoint, [Context(STUDY_ROOT_FIND, _BASIC)])
        self._mine.association = mine
        with self._lock:
            self._all.append(mine)
        return mine

    def _forget(self, association: Association) -> None:
        """Only its own thread may look at an association, so nobody else's is touched here."""
        with self._lock:
            self._all = [one for one in self._all if one is not association]

    def _drop(self, association: Association) -> None:
        self._mine.association = None
        self._forget(association)
        with contextlib.suppress(PeerError):
            association.abort()
