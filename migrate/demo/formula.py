"""A PACS of any size that exists only as a formula: no files, no list of studies.

Every attribute of study number `i` follows from `i` and the seed, and every index that a query
can use (day, patient, accession number, UID) can be inverted, so that ten million studies take no
memory. Days are uneven on purpose: a few per cent hold more studies than the usual result cap.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from migrate.demo.matching import Dialect, matches
from migrate.demo.patients import Patients
from migrate.demo.rows import Row

_ROOT = "1.2.826.0.1.3680043.8.498"
_MASK = (1 << 64) - 1
_MODALITIES = ("CR", "CR", "CR", "DX", "DX", "CT", "CT", "CT\\SR", "MR", "US", "US", "MG", "NM", "XA", "PT\\CT")
_SOP_CLASSES = {
    "CR": "1.2.840.10008.5.1.4.1.1.1",
    "DX": "1.2.840.10008.5.1.4.1.1.1.1",
    "MG": "1.2.840.10008.5.1.4.1.1.1.2",
    "CT": "1.2.840.10008.5.1.4.1.1.2",
    "MR": "1.2.840.10008.5.1.4.1.1.4",
    "US": "1.2.840.10008.5.1.4.1.1.6.1",
    "XA": "1.2.840.10008.5.1.4.1.1.12.1",
    "NM": "1.2.840.10008.5.1.4.1.1.20",
    "PT": "1.2.840.10008.5.1.4.1.1.128",
    "SR": "1.2.840.10008.5.1.4.1.1.88.11",
}
_FACILITIES = ("NORTH HOSPITAL", "SOUTH HOSPITAL", "LAKE CLINIC", "HILL CLINIC", "HARBOUR IMAGING", "")
_DAY_S = 86_400


@dataclass(frozen=True, kw_only=True, slots=True)
class FormulaPlan:
    """The shape of the archive.

    Args:
        studies: How many there are.
        days: Over how many days the dated ones spread, from `first_day`; 0 chooses about 137 a day.
        cap: The result cap that heavy days exceed.
        heavy_days_share: Share of days with more studies than `cap`.
        undated_share: Share of studies without StudyDate.
        timeless_share: Share of dated studies without StudyTime.
    """

    studies: int = 1_000_000
    seed: int = 1
    first_day: date = date(2006, 1, 1)
    days: int = 0
    cap: int = 500
    heavy_days_share: float = 0.03
    undated_share: float = 0.005
    timeless_share: float = 0.001


def _mixed(number: int) -> int:
    """A 64-bit mix (splitmix64): the same everywhere, no library, no state."""
    number = (number + 0x9E3779B97F4A7C15) & _MASK
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & _MASK
    return number ^ (number >> 31)


def _day_counts(plan: FormulaPlan, dated: int) -> list[int]:
    days = plan.days or min(7_305, max(1, dated // 137))
    draws = [_mixed(plan.seed * 1_000_003 + day) for day in range(days)]
    heavy_days = sorted(range(days), key=draws.__getitem__)[: math.ceil(days * plan.heavy_days_share)]
    counts: dict[int, int] = {}
    for day in heavy_days:
        count = plan.cap + 1 + (draws[day] >> 8) % plan.cap
        if sum(counts.values()) + count <= dated:
            counts[day] = count
    light = [day for day in range(days) if day not in counts] or [0]
    weights = {day: 40 + (draws[day] >> 16) % 60 for day in light}
    shared, total, given, weight_so_far = dated - sum(counts.values()), sum(weights.values()), 0, 0
    for day in light:
        weight_so_far += weights[day]
        share = shared * weight_so_far // total - given
        counts[day] = counts.get(day, 0) + share
        given += share
    return [counts.get(day, 0) for day in range(days)]


class FormulaArchive:
    """A catalogue of `plan.studies` studies that are nowhere kept."""

    def __init__(self, plan: FormulaPlan = FormulaPlan()) -> None:
        self.plan = plan
        self.undated = round(plan.studies * plan.undated_share)
        self.dated = plan.studies - self.undated
        self.studies_per_day = _day_counts(plan, self.dated)
        days = range(len(self.studies_per_day))
        self.dates = [f"{plan.first_day + timedelta(days=day):%Y%m%d}" for day in days]
        self.starts = [0]
        for count in self.studies_per_day:
            self.starts.append(self.starts[-1] + count)
        self.patients = Patients(plan.studies)

    def __len__(self) -> int:
        return self.plan.studies

    def study_instance_uid(self, index: int) -> str:
        """The UID of study number `index` (from 0)."""
        return f"{_ROOT}.{self.plan.seed}.{index + 1}"

    def study_instance_uids(self) -> Iterator[str]:
        """The truth, streamed."""
        return map(self.study_instance_uid, range(self.plan.studies))

    def __contains__(self, study_instance_uid: object) -> bool:
        return self._index_of(str(study_instance_uid)) is not None

    def rows(self, level: str, keys: Mapping[str, str], dialect: Dialect) -> Iterator[Row]:
        """See `migrate.demo.rows.Catalogue`; the narrowest index that the keys allow is walked."""
        test = matches(keys, dialect)
        return (Row(values) for values in self._level(level, keys) if test(values))

    def _level(self, level: str, keys: Mapping[str, str]) -> Iterator[Mapping[str, str]]:
        if level == "PATIENT":
            return self._patient_rows(keys)
        studies = (_Study(self, index) for index in self._candidates(keys))
        if level == "STUDY":
            return studies
        series = (each for study in studies for each in study.series())
        if level == "SERIES":
            return series
        return (instance for each in series for instance in _instances(each))

    def _patient_rows(self, keys: Mapping[str, str]) -> Iterator[Mapping[str, str]]:
        for patient in self.patients.with_prefix(_prefix(keys.get("PatientID", ""))):
            studies = self.patients.studies_of(patient)
            first = _Study(self, next(studies))
            yield {**first, "NumberOfPatientRelatedStudies": str(1 + sum(1 for _ in studies))}

    def _candidates(self, keys: Mapping[str, str]) -> Iterator[int]:
        if keys.get("StudyInstanceUID"):
            found = map(self._index_of, keys["StudyInstanceUID"].split("\\"))
            return (index for index in found if index is not None)
        if _prefix(keys.get("PatientID", "")):
            patients = self.patients.with_prefix(_prefix(keys["PatientID"]))
            return (index for patient in patients for index in self.patients.studies_of(patient))
        if not self.patients.may_have(keys.get("PatientID", "")):
            return iter(())
        accession = keys.get("AccessionNumber", "")
        if accession.startswith("A") and len(accession) == 10 and accession[1:].isdigit():
            return iter(range(int(accession[1:]), int(accession[1:]) + 1))
        return iter(self._in_days(keys.get("StudyDate", "")))

    def _in_days(self, wanted: str) -> range:
        if not wanted or wanted == "*":
            return range(self.plan.studies)
        low, dash, high = wanted.partition("-")
        first, last = self._day(low, 0), self._day(high if dash else low, len(self.studies_per_day) - 1)
        if last < first or last < 0 or first >= len(self.studies_per_day):
            return range(0)
        return range(self.starts[max(first, 0)], self.starts[min(last, len(self.starts) - 2) + 1])

    def _day(self, text: str, default: int) -> int:
        if len(text) != 8 or not text.isdigit():
            return default
        year, month, day = int(text[:4]), int(text[4:6]), int(text[6:])
        # A bound such as 20190231 is legal in a range; clamp it into its month.
        month = min(max(month, 1), 12)
        after = date(year + month // 12, month % 12 + 1, 1)
        bound = min(date(year, month, 1) + timedelta(days=max(day, 1) - 1), after - timedelta(days=1))
        return (bound - self.plan.first_day).days

    def _index_of(self, study_instance_uid: str) -> int | None:
        head, _, number = study_instance_uid.rpartition(".")
        if head != f"{_ROOT}.{self.plan.seed}" or not number.isdigit():
            return None
        return int(number) - 1 if 1 <= int(number) <= self.plan.studies else None


def _prefix(wanted: str) -> str:
    return wanted[: min((wanted.find(mark) for mark in "*?\\" if mark in wanted), default=len(wanted))]


class _Study(Mapping[str, str]):
    """The attributes of one study, each worked out when it is read."""

    __slots__ = ("_archive", "_index", "_mix")

    def __init__(self, archive: FormulaArchive, index: int) -> None:
        self._archive = archive
        self._index = index
        self._mix = _mixed(archive.plan.seed * 7_919 + index)

    def __getitem__(self, keyword: str) -> str:
        return _STUDY_FORMULAS[keyword](self)

    def get(self, keyword: str, default: str = "") -> str:  # type: ignore[override]
        """The value, or `default` for a key the formula does not know."""
        formula = _STUDY_FORMULAS.get(keyword)
        return formula(self) if formula else default

    def __contains__(self, keyword: object) -> bool:
        return keyword in _STUDY_FORMULAS

    def __iter__(self) -> Iterator[str]:
        return iter(_STUDY_FORMULAS)

    def __len__(self) -> int:
        return len(_STUDY_FORMULAS)

    def series(self) -> Iterator[dict[str, str]]:
        """One row for each series."""
        for number, modality in enumerate(self._series_modalities(), start=1):
            yield {
                "StudyInstanceUID": self.uid(),
                "PatientID": self.patient_id(),
                "SeriesInstanceUID": f"{self.uid()}.{number}",
                "Modality": modality,
                "SeriesNumber": str(number),
                "NumberOfSeriesRelatedInstances": str(self._instances_in(number)),
            }

    def _series_modalities(self) -> list[str]:
        named = self.modalities().split("\\")
        return named + [named[0]] * ((self._mix >> 20) % 3)

    def _instances_in(self, series_number: int) -> int:
        return 1 + _mixed(self._mix + series_number) % 40

    def number(self) -> int:
        return self._index

    def uid(self) -> str:
        return self._archive.study_instance_uid(self._index)

    def patient_id(self) -> str:
        return self._archive.patients.id_of(self._patient())

    def _patient(self) -> int:
        return self._archive.patients.of_study(self._index)

    def name(self) -> str:
        return f"SYNTHETIC^P{self._patient():08d}"

    def day(self) -> int:
        """The day's number, -1 when the study has no date."""
        if self._index >= self._archive.dated:
            return -1
        return bisect.bisect_right(self._archive.starts, self._index) - 1

    def date(self) -> str:
        day = self.day()
        return self._archive.dates[day] if day >= 0 else ""

    def time(self) -> str:
        day = self.day()
        if day >= 0 and (self._mix >> 8) % 100_000 < self._archive.plan.timeless_share * 100_000:
            return ""
        first, count = (self._archive.starts[day], self._archive.studies_per_day[day]) if day >= 0 else (0, 0)
        place = self._index - first
        second = (place * _DAY_S + self._mix % _DAY_S) // (count + 1) if count else self._mix % _DAY_S
        return f"{second // 3600:02d}{second // 60 % 60:02d}{second % 60:02d}"

    def modalities(self) -> str:
        return _MODALITIES[(self._mix >> 4) % len(_MODALITIES)]

    def institution(self) -> str:
        return _FACILITIES[(self._mix >> 12) % len(_FACILITIES)]

    def accession(self) -> str:
        return f"A{self._index:09d}" if (self._mix >> 30) % 100 else ""

    def series_count(self) -> str:
        return str(len(self._series_modalities()))

    def instance_count(self) -> str:
        return str(sum(self._instances_in(n) for n in range(1, len(self._series_modalities()) + 1)))


def _instances(series: Mapping[str, str]) -> Iterator[dict[str, str]]:
    for number in range(1, int(series["NumberOfSeriesRelatedInstances"]) + 1):
        yield {
            "StudyInstanceUID": series["StudyInstanceUID"],
            "PatientID": series["PatientID"],
            "SeriesInstanceUID": series["SeriesInstanceUID"],
            "SOPInstanceUID": f"{series['SeriesInstanceUID']}.{number}",
            "SOPClassUID": _SOP_CLASSES[series["Modality"]],
            "InstanceNumber": str(number),
        }


_STUDY_FORMULAS: dict[str, Callable[[_Study], str]] = {
    "StudyInstanceUID": _Study.uid,
    "PatientID": _Study.patient_id,
    "PatientName": _Study.name,
    "StudyDate": _Study.date,
    "StudyTime": _Study.time,
    "AccessionNumber": _Study.accession,
    "StudyID": lambda study: str(study.number() % 10_000),
    "ModalitiesInStudy": _Study.modalities,
    "InstitutionName": _Study.institution,
    "StudyDescription": lambda study: f"{study.modalities().split(chr(92))[0]} EXAMINATION",
    "NumberOfStudyRelatedSeries": _Study.series_count,
    "NumberOfStudyRelatedInstances": _Study.instance_count,
}
