"""Whose study it is: the random surrogate of the patient, or the patient, as the configuration says."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from migrate.manifest.read import rows_of_studies

MOST_KNOWN = 5_000
UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """What a message may say about a study. Accession numbers are left out with the identity."""

    patient: str = UNKNOWN
    patient_name: str = ""
    accession_number: str = ""


class Subjects:
    """Looks studies up in the manifests, many at a time, and remembers the latest."""

    def __init__(self, run_folder: Path, *, identify: bool) -> None:
        self._run_folder = run_folder
        self._identify = identify
        self._known: OrderedDict[str, Known] = OrderedDict()

    def learn(self, study_instance_uids: Iterable[str]) -> None:
        """Read what is not known yet, in one go."""
        wanted = [uid for uid in dict.fromkeys(study_instance_uids) if uid not in self._known]
        if not wanted:
            return
        self._known.update(dict.fromkeys(wanted, Known()))
        self._known.update(self._identities(wanted) if self._identify else self._surrogates(wanted))
        while len(self._known) > max(MOST_KNOWN, len(wanted)):
            self._known.popitem(last=False)

    def of(self, study_instance_uid: str) -> Known:
        """One study; `UNKNOWN` when the manifests say nothing."""
        self.learn([study_instance_uid])
        return self._known[study_instance_uid]

    def _surrogates(self, wanted: list[str]) -> dict[str, Known]:
        names = ["study_instance_uid", "patient_key"]
        columns = rows_of_studies(self._run_folder, "studies", wanted, names)
        return {uid: Known(patient=key or UNKNOWN) for uid, key in zip(*columns.values(), strict=True)}

    def _identities(self, wanted: list[str]) -> dict[str, Known]:
        names = ["study_instance_uid", "patient_id", "patient_name"]
        people = rows_of_studies(self._run_folder, "identities", wanted, names)
        numbers = rows_of_studies(self._run_folder, "studies", wanted, ["study_instance_uid", "accession_number"])
        accession = dict(zip(*numbers.values(), strict=True))
        return {
            uid: Known(patient=patient or UNKNOWN, patient_name=name or "", accession_number=accession.get(uid) or "")
            for uid, patient, name in zip(*people.values(), strict=True)
        }
