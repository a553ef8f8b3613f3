"""When the destination is asked to commit: as the policy says, as long as it answers at all."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from migrate.config import Config
from migrate.destinations import open_destination
from migrate.engine.cluster import Done
from migrate.engine.place import doorstep
from migrate.errors import PeerError
from migrate.journal.events import Committed
from migrate.journal.store import Journal
from migrate.model import SentUids
from migrate.peers import CommitmentSilent, Reference, StagedStudy, Transaction

log = logging.getLogger("migrate.engine")

SILENT_AT_MOST = 3
"""Transactions in a row without any answer, before `auto` asks no more in this run."""


@dataclass
class Committing:
    """The policy of one run, and what was learnt of the destination meanwhile."""

    policy: str
    wait_s: float
    offered: Callable[[], bool | None]
    known: bool | None = None
    silent: int = 0

    def transaction(self, journal: Journal, study: StagedStudy) -> Transaction | None:
        """A new transaction for the instances that are still open, to be recorded before it goes out."""
        uid = study.study_instance_uid
        open_ = tuple(_references(study))
        if not open_ or not self._wanted(settle=study.settle):
            return None
        return Transaction(
            transaction_uid=f"2.25.{uuid.uuid4().int}",  # PS3.5 B.2
            references=open_,
            earlier=journal.commitments(uid),
            wait_s=self.wait_s,
        )

    def saw(self, done: Done) -> bool:
        """Learn from a finished task; whether its error is a silence that content proof makes up for."""
        silent = isinstance(done.error, CommitmentSilent)
        if isinstance(done.event, Committed):
            self.silent = 0
        elif silent and self.policy == "auto":
            self.silent += 1
            if self.silent == SILENT_AT_MOST:
                log.warning("no storage commitment results come from the destination: it is not asked any more")
        return silent and self.policy == "auto"

    def _wanted(self, *, settle: bool) -> bool:
        if self.policy != "auto":
            return self.policy == "always"
        if self.known is None:
            self.known = self.offered()
        # On the last attempt the content proof decides alone.
        return bool(self.known) and self.silent < SILENT_AT_MOST and not settle


def _references(study: StagedStudy) -> Iterator[Reference]:
    """The instances that were sent and are not committed to."""
    ledgers = {one.sop_instance_uid: one.ledger for one in study.prepared}
    for one in study.evidence:
        uid = one.sop_instance_uid
        if uid in ledgers and uid not in study.committed:
            sent = SentUids.of_ledger(one, ledgers[uid]).sop_instance_uid
            yield Reference(sop_class_uid=one.sop_class_uid, sop_instance_uid=uid, sent_sop_instance_uid=sent)


def committing(run_folder: Path, config: Config) -> Committing:
    """The policy of `[destination] commitment`."""
    block = config.destination

    def offered() -> bool | None:
        destination = open_destination(doorstep(config, run_folder, 0, receiving=False))
        try:
            return destination.offers_commitment()
        except PeerError:
            return None
        finally:
            destination.close()

    return Committing(policy=block.commitment, wait_s=block.commitment_timeout_s, offered=offered)
