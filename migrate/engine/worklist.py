"""Asks the RIS's worklist who is booked and keeps the answer: plans are made from what was kept."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from migrate.audit.recorder import Recorder
from migrate.config import Config
from migrate.dicom.uid import MODALITY_WORKLIST_FIND
from migrate.engine.auditing import EXPLICIT_VR_LITTLE_ENDIAN
from migrate.engine.place import tls_files
from migrate.errors import ConfigError
from migrate.report.tables import write_text
from migrate.stages.booked import ISSUER, PATIENT, WORKLIST
from migrate.wire.dimse.endpoint import Endpoint
from migrate.wire.dimse.tls import client_context
from migrate.wire.worklist import booked_patients, question


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What a worklist said: scheduled steps, distinct patients, steps without a patient id, the days asked for."""

    steps: int
    patients: int
    nameless: int
    first: date
    last: date


def ask_worklist(run_folder: Path, config: Config, today: date) -> Asked:
    """Ask for today and the days that are configured; the list that was kept is replaced when all have answered.

    Args:
        run_folder: The run folder; the list holds patient ids and stays in it, for its owner alone.
        config: Has `[plan.worklist]`.
        today: The first day, where the hospital is.

    Raises:
        ConfigError: There is no `[plan.worklist]`, or a file of `[tls]` cannot be used.
        PeerError: The worklist cannot be asked; the list of before stays.
        LocalError: The list or the audit trail cannot be written.
    """
    block = config.plan.worklist
    if block is None:
        raise ConfigError("no worklist is configured", "give [plan.worklist] its ae_title, host and port")
    files = tls_files(config, run_folder)
    endpoint = Endpoint(
        ae_title=block.ae_title,
        host=block.host,
        port=block.port,
        calling_ae_title=block.calling_ae_title or config.calling_ae_title,
        tls=client_context(files) if files else None,
    )
    days = [today + timedelta(days=number) for number in range(block.days + 1)]
    with Recorder(run_folder, config) as recorder:
        found = list(booked_patients(endpoint, _audited(days, recorder)))
    patients = sorted({pair for pair in found if pair[0]})
    write_text(run_folder / WORKLIST, _as_csv(patients))
    nameless = sum(not patient_id for patient_id, _ in found)
    return Asked(steps=len(found), patients=len(patients), nameless=nameless, first=days[0], last=days[-1])


def _audited(days: Iterable[date], recorder: Recorder) -> Iterator[date]:
    """Each day's question is in the audit trail before it goes out."""
    for day in days:
        query = question(day, EXPLICIT_VR_LITTLE_ENDIAN)
        recorder.queried(MODALITY_WORKLIST_FIND, EXPLICIT_VR_LITTLE_ENDIAN, query, recorder.booked)
        yield day


def _as_csv(patients: Iterable[tuple[str, str]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([(PATIENT, ISSUER), *patients])
    return text.getvalue()
