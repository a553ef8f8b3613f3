"""Patients' numbers looked up before the run: from a file, else from a PIXm server, with a cache. Never guessed.

What has no single, valid answer is a line of the work list: UNMATCHED_ORDER where nobody knows the
patient, PATIENT_CONFLICT where there are two answers or a number that fails its check digit.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

from migrate.config import Config, IdentityBlock
from migrate.dicom.identifiers import PhnState, phn_state
from migrate.errors import ConfigError, PeerUnavailable
from migrate.manifest.crosswalk import LookedUp, patient_numbers, read_looked_up, write_looked_up
from migrate.manifest.place import Manifests
from migrate.manifest.table_file import read_rows
from migrate.model import ExceptionClass
from migrate.rules.crosswalk import PatientNumber, read_crosswalk
from migrate.wire.pixm import PixmClient, PixmOutcome, PixmServer

CLIENTS = 4
SILENT_IN_A_ROW = 8
CLASS_OF = {
    "found": None,
    "unknown": ExceptionClass.UNMATCHED_ORDER,
    "refused": ExceptionClass.UNMATCHED_ORDER,
    "unavailable": ExceptionClass.UNMATCHED_ORDER,
    "ambiguous": ExceptionClass.PATIENT_CONFLICT,
    "invalid": ExceptionClass.PATIENT_CONFLICT,
}
FILE, PIXM = "file", "pixm"


def look_up(run_folder: Path, config: Config, at: datetime, step: Callable[[int], None]) -> list[LookedUp]:
    """Look up every patient that the crawl saw; write and return the whole table.

    Args:
        run_folder: The run folder.
        config: `[identity]` says where.
        at: Now; answers older than `max_age_days` are asked for again.
        step: Called with 1 for each number asked for.

    Raises:
        ConfigError: Nowhere to look, or the crosswalk is wrong.
        PeerUnavailable: The server is silent; what was learnt is kept, the same command goes on.
    """
    block = config.identity
    if not block.crosswalk and not block.pixm_url:
        hint = "give crosswalk (a file) or pixm_url in [identity]"
        raise ConfigError("there is nowhere to look patients up", hint)
    file = read_crosswalk(run_folder / block.crosswalk, read_rows) if block.crosswalk else {}
    numbers, fresh = patient_numbers(run_folder), (at.astimezone(UTC) - timedelta(days=block.max_age_days)).isoformat()
    known = {
        row.number: row
        for row in read_looked_up(run_folder)
        if row.number in numbers
        and row.looked_up_in == PIXM
        and row.looked_up_at > fresh
        and row.outcome != "unavailable"
    }
    known.update({one: _row(one, ("found", _in_file(file, one)), FILE, at) for one in numbers if _in_file(file, one)})
    waiting = sorted(numbers - known.keys())
    silent: PeerUnavailable | None = None
    if block.pixm_url:
        try:
            for row in _asked(block, waiting, at):
                known[row.number] = row
                step(1)
        except PeerUnavailable as error:
            silent = error
    known.update({one: _row(one, ("unknown", None), FILE, at) for one in waiting if not block.pixm_url})
    rows = list(known.values())
    write_looked_up(Manifests(run_folder, config.run.source), rows)
    if silent:
        raise silent
    return rows


def _in_file(file: Mapping[PatientNumber, str], number: PatientNumber) -> str | None:
    """By number and issuer; a patient without an issuer is the one whose row names none."""
    return file.get(number)


def _row(number: PatientNumber, answer: tuple[str, str | None], where: str, at: datetime) -> LookedUp:
    outcome, phn = answer
    if phn is not None and phn_state(phn) is not PhnState.VALID:
        outcome, phn = "invalid", None
    kind = CLASS_OF[outcome]
    return LookedUp(
        patient_id=number[0],
        issuer_of_patient_id=number[1],
        phn=phn,
        outcome=outcome,
        exception_class=kind.value if kind else None,
        looked_up_in=where,
        looked_up_at=at.astimezone(UTC).isoformat(timespec="milliseconds"),
    )


def _asked(block: IdentityBlock, numbers: Iterable[PatientNumber], at: datetime) -> Iterator[LookedUp]:
    """Answers of the server, a few questions at a time.

    Raises:
        PeerUnavailable: Too many in a row had no answer.
    """
    server = PixmServer(
        url=block.pixm_url,
        target_system=block.target_system,
        timeout_s=block.timeout_s,
        token=os.environ.get(block.token_env, "") if block.token_env else "",
    )
    mine = threading.local()
    clients: list[PixmClient] = []

    def ask(number: PatientNumber) -> LookedUp:
        if not hasattr(mine, "client"):
            mine.client = PixmClient(server)
            clients.append(mine.client)
        system = block.systems.get(number[1])
        if system is None:  # whose number this is nobody said: not a question that can be asked
            return _row(number, ("refused", None), PIXM, at)
        answer = mine.client.lookup(system, number[0])
        return _row(number, (answer.outcome.value, answer.value), PIXM, at)

    silent = 0
    with ThreadPoolExecutor(CLIENTS) as pool:
        try:
            for row in pool.map(ask, numbers):
                silent = silent + 1 if row.outcome == PixmOutcome.UNAVAILABLE.value else 0
                yield row
                if silent >= SILENT_IN_A_ROW:
                    raise PeerUnavailable("the PIXm server does not answer", "try again later", unanswered=silent)
        finally:
            pool.shutdown(cancel_futures=True)
            for client in clients:
                client.close()
