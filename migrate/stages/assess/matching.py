"""How the source matches: ranges, wildcards, lists, empty values, time, levels, the other root (PS3.4 C.2.2.2)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from datetime import date, timedelta

from migrate.dicom.uid import PATIENT_ROOT_FIND
from migrate.errors import PeerError
from migrate.model import Level
from migrate.stages.assess.asking import Answer, Question
from migrate.stages.assess.check import Unlearnt
from migrate.stages.assess.contact import EVERYTHING_EXTENDED
from migrate.stages.assess.scene import Scene, StudySeen

MANY = 2_000
_NEEDS_DATE = "no study with a date and a patient ID that can be asked for was seen"
_ASK = "look at a study in the PACS itself, or assess again with: migrate assess --answers N"


def date_ranges(scene: Scene) -> None:
    """A range around a known study returns it, a range beside it does not."""
    study, day = _dated(scene)
    around, beside = _days(day, -1, 1), _days(day, 1, 3)
    inside = _returns(scene, study, StudyDate=around)
    outside = _returns(scene, study, StudyDate=beside)
    how = f"a range around a study {_verb(inside)} it, a range beside it {_verb(outside)} it"
    scene.learn("date_ranges", inside and not outside, how)
    if inside and not outside:
        scene.ok("date ranges", how)
    else:
        hint = "the crawl cannot use windows of dates here; ask the vendor, or bring a list of studies"
        scene.warn("date ranges", how, hint)
    _undated(scene)


def _undated(scene: Scene) -> None:
    undated = next((study for study in _usable(scene) if study.study_date == ""), None)
    if undated is None:
        scene.learn("undated_in_ranges", None, "no study without a date was seen")
        return
    found = _returns(scene, undated, StudyDate="18500101-22001231")
    scene.learn("undated_in_ranges", found, f"a range of all dates {_verb(found)} a study without a date")


def times(scene: Scene) -> None:
    """Whether times count, and whether date and time ranges are two filters or one interval."""
    study, day = _dated(scene, timed=True)
    before_noon = (study.study_time or "") < "12"
    wrong = "230000-235959" if before_noon else "000000-010000"
    ignored = _returns(scene, study, StudyDate=f"{day:%Y%m%d}", StudyTime=wrong)
    if not ignored:
        right = "000000-115959.999999" if before_noon else "120000-235959.999999"
        found = _returns(scene, study, StudyDate=f"{day:%Y%m%d}", StudyTime=right)
        how = f"a range with the study's time {_verb(found)} it, one without it does not"
        scene.learn("time_ranges", found, how)
        interval = _returns(scene, study, StudyDate=_days(day, -1, 1), StudyTime=wrong)
        how = f"three days and a time that is not the study's: the peer {_verb(interval)} it"
        scene.learn("datetime_interval", interval, how)
        scene.ok("time ranges", f"{'one interval with the date' if interval else 'a filter of its own'} ({how})")
        return
    how = "a time that is not the study's returns it all the same: times are ignored"
    scene.learn("time_ranges", value=False, how=how)
    scene.learn("datetime_interval", None, how)
    scene.warn("time ranges", how, "days above the cap are split by modality and patient instead")


def text(scene: Scene) -> None:
    """Wildcards in text keys, lists of UIDs, and `""` for an empty value."""
    for probe in (_wildcard, _uid_lists, _empty_values):
        probe(scene)
    found = {name: scene.knows(name) for name in ("wildcard", "uid_lists", "empty_value_matching")}
    fact = ", ".join(f"{name} {_yes(value)}" for name, value in found.items())
    if found["wildcard"] is False:
        scene.warn("matching", fact, "the second sweep of the crawl cannot go by prefix of the patient ID here")
    else:
        scene.ok("matching", fact)


def _wildcard(scene: Scene) -> None:
    study = next((one for one in _usable(scene) if len(one.patient_id or "") > 1), None)
    if study is None:
        scene.learn("wildcard", None, "no study with a patient ID was seen")
        return
    prefix = (study.patient_id or "")[:-1]
    answer = _ask(scene, {"PatientID": f"{prefix}*"})
    values = answer.values("PatientID")
    works = bool(values) and all(value.startswith(prefix) for value in values)
    scene.learn("wildcard", works, f"a patient ID without its last letter and * returned {answer.received:,} studies")


def _uid_lists(scene: Scene) -> None:
    wanted = sorted(scene.sample.studies)[:2]
    if len(wanted) < 2:
        scene.learn("uid_lists", None, "one study only was seen")
        return
    answer = _ask(scene, {"StudyInstanceUID": "\\".join(wanted)})
    found = set(answer.values("StudyInstanceUID"))
    scene.learn("uid_lists", found == set(wanted), f"a list of 2 Study Instance UIDs returned {len(found)} studies")


def _empty_values(scene: Scene) -> None:
    """`""` as PS3.4 C.2.2.2.6 says, with the extended negotiation that it needs."""
    without = any(study.accession_number == "" for study in scene.sample.studies.values())
    try:
        answer = _ask(scene, {"AccessionNumber": '""'}, extended=EVERYTHING_EXTENDED)
    except PeerError:
        scene.learn("empty_value_matching", value=False, how='AccessionNumber="" is refused')
        return
    values = answer.values("AccessionNumber")
    how = f'AccessionNumber="" returned {answer.received:,} studies'
    if not values and not without:
        scene.learn("empty_value_matching", None, f"{how}; none without an accession number was seen")
    else:
        scene.learn("empty_value_matching", bool(values) and not any(values), how)


def relational(scene: Scene) -> None:
    """SERIES level by Series Instance UID alone, without negotiation (PS3.4 C.4.1.2.2.1)."""
    instance = scene.sample.instance
    if instance is None:
        raise Unlearnt("no series was seen", _ASK)
    keys = {"StudyInstanceUID": "", "SeriesInstanceUID": instance.series_instance_uid}
    answer = scene.finder.ask(Question(level=Level.SERIES, keys=keys))
    works = answer.complete and instance.study_instance_uid in answer.values("StudyInstanceUID")
    how = f"SERIES level without its study returned {answer.received} with {_status(answer)}"
    scene.learn("relational_queries", works, how)
    scene.ok("relational queries", f"{_yes(works)} ({how})")


def patient_root(scene: Scene) -> None:
    """Patient Root, STUDY level, by one patient ID: the way to studies without a date."""
    models = scene.knows("models")
    study = next(_usable(scene), None)
    if not isinstance(models, list) or "patient-root-find" not in models or study is None:
        offered = "no study with a patient ID was seen" if study is None else "Patient Root C-FIND is not offered"
        scene.learn("patient_root", None if study is None else False, offered)
        scene.ok("Patient Root", offered)
        return
    keys = {"PatientID": study.patient_id or "", "StudyInstanceUID": ""}
    answer = scene.finder.ask(Question(level=Level.STUDY, keys=keys, model_uid=PATIENT_ROOT_FIND, most=MANY))
    works = study.study_instance_uid in answer.values("StudyInstanceUID")
    how = f"studies of one patient: {answer.received:,} with {_status(answer)}"
    scene.learn("patient_root", works, how)
    scene.ok("Patient Root", f"{_yes(works)} ({how})")


# ---- inside


def _usable(scene: Scene) -> Iterator[StudySeen]:
    """Studies with a patient ID that has no letter with a meaning of its own."""
    for study in scene.sample.studies.values():
        if study.patient_id and study.patient_id.isascii() and not set(study.patient_id) & set("*?\\"):
            yield study


def _dated(scene: Scene, *, timed: bool = False) -> tuple[StudySeen, date]:
    for study in _usable(scene):
        time_fits = (study.study_time or "")[:2].isdigit() or not timed
        if time_fits and (day := _day(study.study_date)):
            return study, day
    raise Unlearnt(_NEEDS_DATE, _ASK)


def _day(text: str | None) -> date | None:
    """Only `YYYYMMDD`: an ACR-NEMA date may match in another way. The first days of time have no day before."""
    if text is None or len(text) != 8:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if date(1800, 1, 1) < day < date(2200, 1, 1) else None


def _days(day: date, first: int, last: int) -> str:
    return f"{day + timedelta(days=first):%Y%m%d}-{day + timedelta(days=last):%Y%m%d}"


def _returns(scene: Scene, study: StudySeen, **keys: str) -> bool:
    """Whether a query for the study's patient and `keys` returns the study."""
    answer = _ask(scene, {"PatientID": study.patient_id or "", **keys})
    return study.study_instance_uid in answer.values("StudyInstanceUID")


def _ask(scene: Scene, keys: dict[str, str], extended: bytes = b"") -> Answer:
    wanted = {"StudyInstanceUID": "", "PatientID": "", "AccessionNumber": "", **keys}
    question = Question(level=Level.STUDY, keys=wanted, most=MANY)
    return scene.finder.ask(dataclasses.replace(question, extended=extended) if extended else question)


def _status(answer: Answer) -> str:
    return "no final status" if answer.status is None else f"{answer.status:04X}"


def _verb(found: bool) -> str:  # noqa: FBT001  a word for a fact
    return "returns" if found else "does not return"


_WORDS: dict[object, str] = {True: "yes", False: "no", None: "not known"}
_yes: Callable[[object], str] = _WORDS.__getitem__
