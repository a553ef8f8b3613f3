"""Evidence of one received object: who it is and the digests of what it is."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from migrate.dicom.digest import Digested, digest_file
from migrate.dicom.part10 import read_meta
from migrate.model import Evidence
from migrate.staging.intake import Arrival


def evidence_of(arrival: Arrival, attempt: int) -> Evidence:
    """The evidence row of an arrival; identity as the data set says, not the command."""
    return _evidence(arrival.digested, arrival.transfer_syntax_uid, arrival.received_at, attempt)


def evidence_of_file(path: Path, attempt: int = 1) -> Evidence:
    """The evidence row of a file of ours that nobody recorded.

    Raises:
        IllegalDicom: It is not a whole object.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        meta = read_meta(file.fileno())
        digested = digest_file(file, meta.dataset_offset, meta.transfer_syntax_uid)
        received = datetime.fromtimestamp(os.fstat(file.fileno()).st_mtime, UTC).isoformat(timespec="milliseconds")
    return _evidence(digested, meta.transfer_syntax_uid, received, attempt)


def _evidence(digested: Digested, transfer_syntax_uid: str, received_at: str, attempt: int) -> Evidence:
    header = digested.header
    return Evidence(
        study_instance_uid=header.study_instance_uid,
        series_instance_uid=header.series_instance_uid,
        sop_instance_uid=header.sop_instance_uid,
        sop_class_uid=header.sop_class_uid,
        transfer_syntax_uid=transfer_syntax_uid,
        size_bytes=digested.size_bytes,
        wire_xxh3=digested.digests.wire,
        bulk_xxh3=digested.digests.bulk,
        dataset_xxh3=digested.digests.dataset,
        received_at=received_at,
        attempt=attempt,
    )
