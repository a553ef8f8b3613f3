"""A DI-r over DIMSE: C-STORE in, C-FIND for what it holds; C-GET, C-MOVE or WADO-RS to read it back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from migrate.destinations import committing
from migrate.destinations.compare import Expectation
from migrate.destinations.over_http import fetch_over_http
from migrate.destinations.sending import Proof
from migrate.errors import IllegalDicom, LocalError, PeerError, PeerRefused, PeerUnavailable
from migrate.model import Checked, Level, Outcome, StoreOutcome, now
from migrate.peers import Commitment, Features, Match, Sendable, Transaction
from migrate.staging.doorstep import Doorstep
from migrate.staging.intake import Inbox
from migrate.wire import fetch
from migrate.wire.dimse.endpoint import Context, Endpoint
from migrate.wire.dimse.limits import Limits
from migrate.wire.dimse.scu import Association
from migrate.wire.query import Query

CONTEXTS_PER_ASSOCIATION = 128
REOPENED_AT_MOST = 3
SYNTAXES_REFUSED = 4  # PS3.8 9.3.3.2: transfer-syntaxes-not-supported
QUIET_S = 3.0
BY_UID = frozenset({"c-find", "commitment"})  # what is listed counts, nothing is read back


class DimseDestination:
    """A destination that speaks DIMSE. One per worker; there every call has its own association."""

    def __init__(self, door: Doorstep) -> None:
        block = door.config.destination
        self.door = door
        profile = door.destination_profile
        self.features = Features(
            c_get=block.verify in {"auto", "c-get"} and profile.c_get is not False,
            c_move=door.receiving and profile.c_move is not False,
            storage_commitment=profile.storage_commitment,
        )
        self.endpoint = Endpoint(
            ae_title=block.ae_title,
            host=block.host,
            port=block.port,
            calling_ae_title=door.ae_title,
            tls=door.tls,
            limits=Limits(),
        )
        self._query = Query(self.endpoint, Association)
        self._method = block.verify

    def echo(self) -> None:
        """C-ECHO. Raises PeerUnavailable or PeerRefused."""
        self._query.echo()

    def close(self) -> None:
        """Release what is open."""
        self._query.close()

    # ---- storage commitment

    def offers_commitment(self) -> bool:
        """Whether it accepts storage commitment. Raises PeerUnavailable or PeerRefused."""
        learnt = self.door.destination_profile.storage_commitment
        return committing.offers_commitment(self.endpoint) if learnt is None else learnt

    def commit(self, transaction: Transaction) -> Commitment:
        """N-ACTION, and the N-EVENT-REPORT on this association or to our receiver (PS3.4 J.3).

        Raises:
            PeerUnavailable: The request was not taken.
            CommitmentSilent: No result came in time.
        """
        return committing.commit(self.endpoint, self.door.mailbox, transaction)

    # ---- store

    def store(self, items: Sequence[Sendable]) -> tuple[StoreOutcome, ...]:
        """C-STORE each item once; a lost association is opened again for the rest (PS3.4 B.2).

        Raises:
            PeerUnavailable: No association at all.
            PeerRefused: The destination takes no association from us.
        """
        outcomes: list[StoreOutcome] = []
        for group in _by_contexts(items):
            outcomes += self._store_group(group)
        return tuple(outcomes)

    def _store_group(self, items: Sequence[Sendable]) -> list[StoreOutcome]:
        outcomes: list[StoreOutcome] = []
        reopened = 0
        while len(outcomes) < len(items):
            try:
                outcomes += self._store_some(items[len(outcomes) :])
            except PeerUnavailable:
                if not outcomes or reopened == REOPENED_AT_MOST:
                    raise
            if len(outcomes) < len(items):
                reopened += 1
                if reopened > REOPENED_AT_MOST:
                    return outcomes + [_unsent(item) for item in items[len(outcomes) :]]
        return outcomes

    def _store_some(self, items: Sequence[Sendable]) -> list[StoreOutcome]:
        """Over one association, until it is lost or all have an answer."""
        pairs = sorted({_kind(item) for item in items})
        outcomes: list[StoreOutcome] = []
        association = Association.open(self.endpoint, [Context(sop, (syntax,)) for sop, syntax in pairs])
        try:
            for item in items:
                if _kind(item) in association.accepted:
                    outcomes.append(self._store_one(association, item))
                else:
                    outcomes.append(_refused(item, association, pairs))
                if not association.is_open:
                    break
        finally:
            association.release()
        return outcomes

    def _store_one(self, association: Association, item: Sendable) -> StoreOutcome:
        evidence = item.evidence
        try:
            proof = Proof(item)
            answer = association.store(proof.outgoing)
        except (OSError, IllegalDicom, LocalError):
            return StoreOutcome(sop_instance_uid=evidence.sop_instance_uid, status=None, damaged=True, sent_at=now())
        return StoreOutcome(
            sop_instance_uid=evidence.sop_instance_uid,
            status=answer.status,
            warning=_warning(answer.status),
            error_comment=_safe(answer.error_comment),
            sent_transfer_syntax_uid=evidence.transfer_syntax_uid,
            sent_wire_xxh3=proof.sent.hexdigest(),
            sent_at=now(),
        )

    # ---- what it holds

    def holds(self, study_instance_uid: str, series_instance_uids: Iterable[str]) -> set[str]:
        """SOP Instance UIDs at IMAGE level, series by series (hierarchical queries, PS3.4 C.4.1.2.1).

        Raises:
            PeerUnavailable: No final answer, so nothing is known.
        """
        try:
            series = {*series_instance_uids, *self._series(study_instance_uid)}
            return set().union(*(self._images(study_instance_uid, one) for one in series))
        finally:
            if self.door.receiving:
                # A worker asks once in a while. Orthanc has four threads, and each waits for an association that
                # says nothing while the next upload waits for a thread.
                self._query.rest()

    def _images(self, study_instance_uid: str, series_instance_uid: str) -> set[str]:
        keys = {"StudyInstanceUID": study_instance_uid, "SeriesInstanceUID": series_instance_uid}
        return self._ask(Level.IMAGE, {**keys, "SOPInstanceUID": ""}, "SOPInstanceUID")

    def _series(self, study_instance_uid: str) -> set[str]:
        keys = {"StudyInstanceUID": study_instance_uid, "SeriesInstanceUID": ""}
        return self._ask(Level.SERIES, keys, "SeriesInstanceUID")

    def _ask(self, level: Level, keys: dict[str, str], wanted: str) -> set[str]:
        found: set[str] = set()

        def on_match(match: Match) -> None:
            found.add(match.values.get(wanted, "").strip())

        end = self._query.find(level, keys, on_match)
        if end.status:
            raise PeerUnavailable(
                "the destination did not finish a query", peer=self.endpoint.ae_title, status=f"{end.status:04X}"
            )
        return found - {""}

    # ---- read back

    def read_back(self, study_instance_uid: str, expected: Sequence[Sendable]) -> tuple[Checked, ...]:
        """Fetch each instance and compare digests; what does not come is asked about.

        Raises:
            PeerError: The destination could not be asked at all.
        """
        block = self.door.config.destination
        pixels = self.door.pixels if block.transcodes == "lossless" else None
        wanted = Expectation(expected, frozenset(int(tag, 16) for tag in block.coercions), pixels)
        checked = [] if self._method in BY_UID else self._given_back(study_instance_uid, wanted)
        return tuple(map(wanted.as_received, self._listed(study_instance_uid, wanted, checked)))

    def _given_back(self, study_instance_uid: str, wanted: Expectation) -> list[Checked]:
        inbox = self.door.registry.open(study_instance_uid, wanted.uids, wanted.compare)
        try:
            if self._method == "wado-rs":
                fetch_over_http(self.door, study_instance_uid, wanted.refs, inbox)
            else:
                self._fetch(study_instance_uid, wanted, inbox)
        finally:
            self.door.registry.close(inbox)
        checked = [one for one in inbox.kept if one.sop_instance_uid in wanted.uids]
        checked += [wanted.unreadable(r.sop_instance_uid, r.detail) for r in inbox.rejected]
        return checked

    def _fetch(self, study_instance_uid: str, wanted: Expectation, inbox: Inbox) -> None:
        error: PeerError | None = None
        for ask in self._asks(study_instance_uid, wanted, inbox):
            quiet_s = QUIET_S if self._method == "c-move" else 0.0
            try:
                quiet_s = self._one(ask, inbox)
            except PeerUnavailable as failed:
                error = failed
            if inbox.wait_complete(quiet_s):
                return
        if error and not inbox.seen:
            raise error

    def _asks(self, study_instance_uid: str, wanted: Expectation, inbox: Inbox) -> Iterator[fetch.Ask]:
        """The whole study, then instance by instance what did not come."""
        yield fetch.study_ask(study_instance_uid, wanted.pairs)
        missing = inbox.missing()
        refs = [ref for ref in wanted.refs if ref.sop_instance_uid in missing]
        yield from fetch.image_asks(study_instance_uid, refs, wanted.pairs)

    def _one(self, ask: fetch.Ask, inbox: Inbox) -> float:
        """Ask once; how long objects may still come: after a C-GET has ended, none do."""
        idle_s = self.door.config.source.idle_timeout_s

        def abandon() -> bool:
            return inbox.failure is not None or inbox.idle_s() > idle_s

        inbox.touch()
        if self._method in {"auto", "c-get"} and len(ask.pairs) <= fetch.MOST_CONTEXTS:
            try:
                fetch.get(fetch.Giver(self.endpoint, Association, abandon), ask, self.door.reading)
                return 0.0
            except PeerRefused:
                if self._method == "c-get" or not self.door.receiving:
                    raise
                self._method = "c-move"
        fetch.move(fetch.Giver(self.endpoint, Association, abandon), ask, self.door.ae_title)
        return QUIET_S

    def _listed(self, study_instance_uid: str, wanted: Expectation, checked: list[Checked]) -> tuple[Checked, ...]:
        """Add a result for whatever was not given back: listed there (unverifiable) or not (missing)."""
        silent = wanted.uids - {one.sop_instance_uid for one in checked}
        if not silent:
            return tuple(checked)
        held = self.holds(study_instance_uid, wanted.series)
        by_uid_alone = Outcome.MATCH if self._method in BY_UID else Outcome.UNVERIFIABLE
        for uid in sorted(silent):
            outcome = by_uid_alone if uid in held else Outcome.MISSING
            detail = "" if outcome is not Outcome.UNVERIFIABLE else "listed, but not given back"
            checked.append(
                Checked(sop_instance_uid=uid, method="uid", outcome=outcome, verified_at=now(), detail=detail)
            )
        return tuple(checked)


def _by_contexts(items: Sequence[Sendable]) -> Iterator[list[Sendable]]:
    """Groups that need at most 128 presentation contexts each, in the order given."""
    group: list[Sendable] = []
    kinds: set[tuple[str, str]] = set()
    for item in items:
        kind = _kind(item)
        if kind not in kinds and len(kinds) == CONTEXTS_PER_ASSOCIATION:
            yield group
            group, kinds = [], set()
        kinds.add(kind)
        group.append(item)
    if group:
        yield group


def _kind(item: Sendable) -> tuple[str, str]:
    return item.evidence.sop_class_uid, item.evidence.transfer_syntax_uid


def _refused(item: Sendable, association: Association, pairs: Sequence[tuple[str, str]]) -> StoreOutcome:
    """Which half of the context was refused: the peer says so, or takes the class in another syntax."""
    answers = {pairs[(one.context_id - 1) // 2]: one.result for one in association.peer.contexts}
    takes_class = any(sop_class == item.evidence.sop_class_uid for sop_class, _ in association.accepted)
    kind = "REFUSED_TS" if takes_class or answers.get(_kind(item)) == SYNTAXES_REFUSED else "REFUSED_SOP"
    return StoreOutcome(
        sop_instance_uid=item.evidence.sop_instance_uid, status=None, refused_context=kind, sent_at=now()
    )


def _unsent(item: Sendable) -> StoreOutcome:
    return StoreOutcome(
        sop_instance_uid=item.evidence.sop_instance_uid, status=None, warning="association lost", sent_at=now()
    )


def _warning(status: int | None) -> str | None:
    """PS3.4 B.2.3: what the destination says it did to the object."""
    return {0xB000: "coerced", 0xB006: "elements discarded", 0xB007: "does not match SOP class"}.get(status or 0)


def _safe(comment: str | None) -> str | None:
    """An error comment may quote a value of the object: only its length is kept."""
    return f"{len(comment)} characters" if comment else None
