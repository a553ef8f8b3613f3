"""An archive written down study by study: small, for property tests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from migrate.demo.matching import Dialect, matches
from migrate.demo.rows import Row


@dataclass(frozen=True, kw_only=True, slots=True)
class InstanceFacts:
    """One instance: keyword -> text; needs SOPInstanceUID."""

    values: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class SeriesFacts:
    """One series: keyword -> text; needs SeriesInstanceUID."""

    values: Mapping[str, str]
    instances: tuple[InstanceFacts, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyFacts:
    """One study: keyword -> text; needs StudyInstanceUID. No series: an empty shell."""

    values: Mapping[str, str]
    series: tuple[SeriesFacts, ...] = ()


def study_facts(study_instance_uid: str, instance_counts: tuple[int, ...] = (1,), **values: str) -> StudyFacts:
    """A study with one CT series for each count, its UIDs below the study's.

    `values` are further STUDY keys by keyword: `StudyDate="20190230"`, `PatientID="A1"`.
    """
    modality = values.get("ModalitiesInStudy", "CT").split("\\")[0]
    series = tuple(
        _series_facts(f"{study_instance_uid}.{number}", modality, count)
        for number, count in enumerate(instance_counts, start=1)
    )
    return StudyFacts(values={**values, "StudyInstanceUID": study_instance_uid}, series=series)


def _series_facts(uid: str, modality: str, count: int) -> SeriesFacts:
    instances = tuple(
        InstanceFacts(
            values={
                "SOPInstanceUID": f"{uid}.{number}",
                "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2",
                "InstanceNumber": str(number),
            }
        )
        for number in range(1, count + 1)
    )
    return SeriesFacts(values={"SeriesInstanceUID": uid, "Modality": modality}, instances=instances)


class ListArchive:
    """A catalogue over a list of studies. Two studies may share UIDs; each stays a row of its own."""

    def __init__(self, studies: Iterable[StudyFacts]) -> None:
        self._studies = list(studies)

    def add(self, study: StudyFacts) -> None:
        """Let a study arrive (or arrive again, grown) during the crawl."""
        self._studies.append(study)

    def remove(self, study_instance_uid: str) -> None:
        """Let a study vanish."""
        self._studies = [study for study in self._studies if study.values["StudyInstanceUID"] != study_instance_uid]

    def study_instance_uids(self) -> set[str]:
        """The truth."""
        return {study.values["StudyInstanceUID"] for study in self._studies}

    def sop_instance_uids(self) -> set[str]:
        """The truth at IMAGE level."""
        series = (each for study in self._studies for each in study.series)
        return {instance.values["SOPInstanceUID"] for each in series for instance in each.instances}

    def rows(self, level: str, keys: Mapping[str, str], dialect: Dialect) -> Iterator[Row]:
        """See `migrate.demo.rows.Catalogue`."""
        test = matches(keys, dialect)
        return (Row(values) for values in self._level(level) if test(values))

    def _level(self, level: str) -> Iterator[dict[str, str]]:
        if level == "PATIENT":
            return self._patients()
        if level == "STUDY":
            return (_study_values(study) for study in self._studies)
        if level == "SERIES":
            return (_series_values(study, each) for study in self._studies for each in study.series)
        return self._instances()

    def _patients(self) -> Iterator[dict[str, str]]:
        counts: dict[str, int] = {}
        for study in self._studies:
            patient_id = study.values.get("PatientID", "")
            counts[patient_id] = counts.get(patient_id, 0) + 1
        seen: set[str] = set()
        for study in self._studies:
            patient_id = study.values.get("PatientID", "")
            if patient_id not in seen:
                seen.add(patient_id)
                yield {**study.values, "NumberOfPatientRelatedStudies": str(counts[patient_id])}

    def _instances(self) -> Iterator[dict[str, str]]:
        for study in self._studies:
            for series in study.series:
                above = _above(study) | {"SeriesInstanceUID": series.values["SeriesInstanceUID"]}
                yield from ({**above, **instance.values} for instance in series.instances)


def _above(study: StudyFacts) -> dict[str, str]:
    return {
        "StudyInstanceUID": study.values["StudyInstanceUID"],
        "PatientID": study.values.get("PatientID", ""),
    }


def _study_values(study: StudyFacts) -> dict[str, str]:
    modalities = sorted({series.values.get("Modality", "") for series in study.series})
    counted = {
        "NumberOfStudyRelatedSeries": str(len(study.series)),
        "NumberOfStudyRelatedInstances": str(sum(len(series.instances) for series in study.series)),
        "ModalitiesInStudy": "\\".join(modalities),
    }
    return {**counted, **study.values}


def _series_values(study: StudyFacts, series: SeriesFacts) -> dict[str, str]:
    count = {"NumberOfSeriesRelatedInstances": str(len(series.instances))}
    return {**_above(study), **count, **series.values}
