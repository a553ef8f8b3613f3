"""A legacy PACS over DIMSE: C-FIND to see, C-MOVE to our receiver or C-GET to fetch.

What was received is decided by what is durable when the peer has been quiet for a while, not by a
status: some peers say success before the data comes, some with nothing sent (standards.md 2.1).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping

from migrate.dicom.status import MoveClass, move_class
from migrate.errors import PeerError, PeerRefused, PeerUnavailable
from migrate.model import Defect, Level
from migrate.peers import Features, FindEnd, Match, Received, StudyWork
from migrate.staging.doorstep import Doorstep
from migrate.staging.evidence import evidence_of
from migrate.staging.intake import Inbox, Rejected
from migrate.wire import fetch
from migrate.wire.dimse.endpoint import Endpoint
from migrate.wire.dimse.limits import Limits
from migrate.wire.dimse.retrieval import MoveEnd
from migrate.wire.query import Query
from migrate.wire.stacks import stack_of

FAILURES = frozenset({MoveClass.BUSY, MoveClass.CONFIG, MoveClass.FAILED})
UNKNOWN_DESTINATION = 0xA801  # PS3.4 C.4.2.1.5: Move Destination unknown


class DimseSource:
    """A source that speaks DIMSE. One per worker; `find` keeps one association per thread."""

    def __init__(self, door: Doorstep) -> None:
        block = door.config.source
        self.door = door
        profile = door.source_profile
        self.features = Features(
            c_move=door.receiving and profile.c_move is not False,
            c_get=block.retrieve != "c-move" and profile.c_get is not False,
            relational_queries=profile.relational_queries is True,
            counts_instances=profile.counts_instances,
            result_cap=block.result_cap or profile.result_cap,
        )
        self.endpoint = Endpoint(
            ae_title=block.ae_title,
            host=block.host,
            port=block.port,
            calling_ae_title=door.ae_title,
            tls=door.tls,
            limits=Limits(),
        )
        self.stack = stack_of(block.stack)
        self._query = Query(self.endpoint, self.stack)
        self._method = door.retrieve if block.retrieve == "auto" else block.retrieve

    def echo(self) -> None:
        """C-ECHO. Raises PeerUnavailable or PeerRefused."""
        self._query.echo()

    def find(self, level: Level, keys: Mapping[str, str], on_match: Callable[[Match], None]) -> FindEnd:
        """C-FIND, Study Root (PS3.4 C.4.1)."""
        return self._query.find(level, keys, on_match)

    def close(self) -> None:
        """Release what is open."""
        self._query.close()

    def retrieve(self, work: StudyWork) -> Received:
        """Fetch what is wanted; once more, instance by instance, what did not come.

        Raises:
            PeerError: Nothing came and the peer could not be asked.
            LocalError: The disk refused; StagingFull when it is full.
        """
        keep = functools.partial(evidence_of, attempt=work.round)
        wanted = work.wanted
        inbox = self.door.registry.open(work.study_instance_uid, [ref.sop_instance_uid for ref in wanted], keep)
        try:
            end = self._fetch(work, inbox)
        finally:
            self.door.registry.close(inbox)
        return Received(
            evidence=tuple(inbox.kept),
            defects=tuple(_defect(rejected) for rejected in inbox.rejected),
            status=end.status if end else None,
            error_comment=end.error_comment if end else "",
        )

    def _fetch(self, work: StudyWork, inbox: Inbox) -> MoveEnd | None:
        end: MoveEnd | None = None
        error: PeerError | None = None
        for ask in self._asks(work, inbox):
            try:
                end = self._one(ask, inbox)
            except PeerUnavailable as failed:
                error = failed
            if inbox.wait_complete(self.door.config.source.quiet_s):
                break
        if error and not inbox.seen:
            error.hint = error.hint or self._advice()
            raise error
        if end and not inbox.seen and move_class(end.status) in FAILURES and not work.settle:
            # Its trouble or ours, and not the study's yet.
            said = f"{end.status:04X}"
            raise PeerUnavailable("the source sent nothing", self._advice(), peer=self.endpoint.ae_title, status=said)
        return end

    def _advice(self) -> str:
        receiver = self.door.config.receiver
        return (
            f"the source may not know our AE title {self.door.ae_title} {receiver.host}:{receiver.port}, may not "
            "reach it, or may not read the study; its log says which"
        )

    def _asks(self, work: StudyWork, inbox: Inbox) -> Iterator[fetch.Ask]:
        """The study first (unless only some is missing), then instance by instance what is missing."""
        pairs = tuple((ref.sop_class_uid or "", ref.available_transfer_syntax_uid or "") for ref in work.instances)
        if len(work.wanted) == len(work.instances):
            yield fetch.study_ask(work.study_instance_uid, pairs)
        missing = inbox.missing()
        yield from fetch.image_asks(
            work.study_instance_uid, [ref for ref in work.wanted if ref.sop_instance_uid in missing], pairs
        )

    def _one(self, ask: fetch.Ask, inbox: Inbox) -> MoveEnd:
        idle_s = self.door.config.source.idle_timeout_s

        def abandon() -> bool:
            return inbox.failure is not None or inbox.idle_s() > idle_s

        inbox.touch()
        if self._method == "c-get" or not self.door.receiving:
            return self._get(ask, abandon)
        end = self._move(ask, abandon)
        if end.status == UNKNOWN_DESTINATION:
            return self._other_way(ask, abandon)
        return end

    def _move(self, ask: fetch.Ask, abandon: Callable[[], bool]) -> MoveEnd:
        return fetch.move(fetch.Giver(self.endpoint, self.stack, abandon), ask, self.door.ae_title)

    def _get(self, ask: fetch.Ask, abandon: Callable[[], bool]) -> MoveEnd:
        return fetch.get(fetch.Giver(self.endpoint, self.stack, abandon), ask, self.door.landing)

    def _other_way(self, ask: fetch.Ask, abandon: Callable[[], bool]) -> MoveEnd:
        """The peer does not know where to move to: C-GET if that is allowed, else say what to register."""
        receiver = self.door.config.receiver
        hint = (
            f"the peer does not know our AE title {self.door.ae_title}; "
            f"ask its administrator to add {self.door.ae_title} {receiver.host}:{receiver.port}"
        )
        refused = PeerRefused("C-MOVE refused", hint, peer=self.endpoint.ae_title, status="A801")
        if self._method == "c-move":
            raise refused
        try:
            end = self._get(ask, abandon)
        except PeerRefused:
            raise refused from None
        self._method = "c-get"
        return end


def _defect(rejected: Rejected) -> Defect:
    return Defect(
        exception_class=rejected.exception_class,
        level=Level.IMAGE,
        uid=rejected.sop_instance_uid,
        detail=rejected.detail,
    )
