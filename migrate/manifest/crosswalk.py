"""What was looked up about patients' numbers: the table `identities_xwalk`. It holds direct identifiers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from migrate.manifest.place import Manifests
from migrate.manifest.read import batches
from migrate.manifest.write import replace_table

ROWS_PER_BATCH = 10_000
_COLUMNS = ("patient_id", "issuer_of_patient_id", "phn", "outcome", "exception_class", "looked_up_in", "looked_up_at")


@dataclass(frozen=True, kw_only=True, slots=True)
class LookedUp:
    """One patient's number and what came of it; the fields are the columns."""

    patient_id: str
    issuer_of_patient_id: str
    phn: str | None
    outcome: str
    exception_class: str | None
    looked_up_in: str
    looked_up_at: str

    @property
    def number(self) -> tuple[str, str]:
        """Local number and issuer."""
        return self.patient_id, self.issuer_of_patient_id


def patient_numbers(run_folder: Path) -> set[tuple[str, str]]:
    """(patient id, issuer or "") of every patient that the crawl saw; those without an id left out.

    Raises:
        ManifestDamaged, FormatTooNew: The table cannot be read.
    """
    found: set[tuple[str, str]] = set()
    for columns in batches(run_folder, "identities", ["patient_id", "issuer_of_patient_id"]):
        pairs = zip(columns["patient_id"], columns["issuer_of_patient_id"], strict=True)
        found.update((number.strip(), (issuer or "").strip()) for number, issuer in pairs if (number or "").strip())
    return found


def read_looked_up(run_folder: Path) -> Iterator[LookedUp]:
    """Every row.

    Raises:
        ManifestDamaged, FormatTooNew: The table cannot be read.
    """
    for columns in batches(run_folder, "identities_xwalk", list(_COLUMNS)):
        for values in zip(*(columns[name] for name in _COLUMNS), strict=True):
            yield LookedUp(**dict(zip(_COLUMNS, values, strict=True)))


def known_phns(run_folder: Path) -> dict[tuple[str, str], str]:
    """(patient id, issuer or "") -> PHN, where exactly one valid number was found.

    Raises:
        ManifestDamaged, FormatTooNew: The table cannot be read.
    """
    return {row.number: row.phn for row in read_looked_up(run_folder) if row.outcome == "found" and row.phn}


def write_looked_up(manifests: Manifests, rows: Iterable[LookedUp]) -> None:
    """Put the table in the place of the old one, sorted.

    Raises:
        LocalError: The disk is full or not writable; the old table stays.
    """
    ordered = sorted(rows, key=lambda row: row.number)
    columns = [
        {name: [asdict(row)[name] for row in ordered[start : start + ROWS_PER_BATCH]] for name in _COLUMNS}
        for start in range(0, len(ordered), ROWS_PER_BATCH)
    ]
    replace_table(manifests, "identities_xwalk", columns)
