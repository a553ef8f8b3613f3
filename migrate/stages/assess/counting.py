"""What comes back for a few studies, down to IMAGE level: optional keys, and whether counts are right."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from migrate.model import Level
from migrate.peers import Match
from migrate.stages.assess.asking import FEW, Question
from migrate.stages.assess.check import Unlearnt
from migrate.stages.assess.scene import InstanceSeen, Scene

CANDIDATES = 8
STUDIES = 3
MOST_SERIES = 3
SHOWN = 6
INSTANCES, SERIES = "NumberOfStudyRelatedInstances", "NumberOfStudyRelatedSeries"
# PS3.4 C.6.2.1: optional, so they may come back empty or not at all; the crawl asks for them.
OPTIONAL_KEYS = {
    Level.STUDY: (
        *("ModalitiesInStudy", "SOPClassesInStudy", SERIES, INSTANCES, "StudyDescription", "ReferringPhysicianName"),
        *("PatientBirthDate", "PatientSex", "IssuerOfPatientID", "InstitutionName", "InstanceAvailability"),
    ),
    Level.SERIES: (
        *("NumberOfSeriesRelatedInstances", "SeriesDescription", "SeriesDate", "BodyPartExamined"),
        *("StationName", "InstitutionName"),
    ),
    Level.IMAGE: ("SOPClassUID", "Rows", "NumberOfFrames", "InstanceAvailability", "AvailableTransferSyntaxUID"),
}
_PARENTS = {
    Level.STUDY: ("StudyInstanceUID",),
    Level.SERIES: ("StudyInstanceUID", "SeriesInstanceUID"),
    Level.IMAGE: ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"),
}
_SAID_FIRST = ("filled", "empty", "absent")


@dataclass(frozen=True, slots=True)
class Counted:
    """What one study says about itself, and what its lower levels list; None is not said or not listed."""

    said_instances: int | None
    said_series: int | None
    instances: int | None
    series: int


def optional_keys(scene: Scene) -> None:
    """Go down into the smallest of a few studies, and keep one instance to be fetched."""
    keys: dict[str, str] = {}
    counted = [_count(scene, row, keys) for row in _smallest(scene)]
    if not counted:
        raise Unlearnt("none of the studies seen is returned when it is asked for by its UID", "ask the vendor")
    scene.learn("optional_keys", dict(sorted(keys.items())), f"asked for {len(counted)} studies and what is below")
    _say_keys(scene, keys)
    _judge(scene, counted)
    if scene.sample.instance is None:
        raise Unlearnt("no instance was listed below the studies asked for", "ask the vendor about IMAGE level queries")


def _say_keys(scene: Scene, keys: dict[str, str]) -> None:
    absent = sorted(name for name, how in keys.items() if how == "absent")
    fact = f"{sum(how == 'filled' for how in keys.values())} of {len(keys)} come back filled"
    more = f" and {len(absent) - SHOWN} more" if len(absent) > SHOWN else ""
    scene.ok("optional keys", f"{fact}; absent: {', '.join(absent[:SHOWN])}{more}" if absent else fact)


# ---- studies


def _smallest(scene: Scene) -> list[Match]:
    """STUDY answers for some of the studies seen, spread over the archive, those with least to list."""
    uids = list(scene.sample.studies)
    cap = scene.knows("result_cap")
    count = min(CANDIDATES, cap) if isinstance(cap, int) else CANDIDATES
    spread = list(dict.fromkeys(uids[index * len(uids) // count] for index in range(count)))
    if scene.knows("uid_lists") is True:
        rows = _below(scene, Level.STUDY, {"StudyInstanceUID": "\\".join(spread)})
    else:
        rows = [row for uid in spread[:STUDIES] for row in _below(scene, Level.STUDY, {"StudyInstanceUID": uid})]
    rows = [row for row in rows if row.values.get("StudyInstanceUID", "").strip() in spread]
    return sorted(rows, key=lambda row: (_number(row, SERIES) or MOST_SERIES, _number(row, INSTANCES) or 1))[:STUDIES]


def _count(scene: Scene, study: Match, keys: dict[str, str]) -> Counted:
    _see(Level.STUDY, [study], keys)
    study_uid = study.values["StudyInstanceUID"].strip()
    series = _below(scene, Level.SERIES, {"StudyInstanceUID": study_uid})
    _see(Level.SERIES, series, keys)
    images = 0
    uids = list(dict.fromkeys(_uid(row, "SeriesInstanceUID") for row in series))
    for series_uid in uids[:MOST_SERIES]:
        rows = _below(scene, Level.IMAGE, {"StudyInstanceUID": study_uid, "SeriesInstanceUID": series_uid})
        _see(Level.IMAGE, rows, keys)
        images += len({_uid(row, "SOPInstanceUID") for row in rows})
        _keep(scene, study_uid, series_uid, rows)
    return Counted(
        said_instances=_number(study, INSTANCES),
        said_series=_number(study, SERIES),
        instances=images if len(uids) <= MOST_SERIES else None,
        series=len(uids),
    )


def _below(scene: Scene, level: Level, keys: dict[str, str]) -> list[Match]:
    """What one level lists, with every optional key asked for."""
    wanted = {**dict.fromkeys((*OPTIONAL_KEYS[level], *_PARENTS[level]), ""), **keys}
    question = Question(level=level, keys=wanted, most=max(FEW, scene.assessment.answers))
    return scene.finder.ask(question).rows


def _see(level: Level, rows: Iterable[Match], keys: dict[str, str]) -> None:
    """Note of each optional key the best that was seen: filled, else empty, else absent."""
    for row in rows:
        for keyword in OPTIONAL_KEYS[level]:
            value = row.values.get(keyword)
            how = "absent" if value is None else ("filled" if value else "empty")
            name = f"{level}.{keyword}"
            keys[name] = min(how, keys.get(name, how), key=_SAID_FIRST.index)


def _keep(scene: Scene, study_uid: str, series_uid: str, rows: list[Match]) -> None:
    for row in rows:
        if scene.sample.instance is None and _uid(row, "SOPInstanceUID"):
            scene.sample.instance = InstanceSeen(
                study_instance_uid=study_uid,
                series_instance_uid=series_uid,
                sop_instance_uid=_uid(row, "SOPInstanceUID"),
                sop_class_uid=_uid(row, "SOPClassUID") or None,
                available_transfer_syntax_uid=_uid(row, "AvailableTransferSyntaxUID").partition("\\")[0] or None,
            )


def _uid(row: Match, keyword: str) -> str:
    return row.values.get(keyword, "").strip()


def _number(row: Match, keyword: str) -> int | None:
    text = row.values.get(keyword, "").strip()
    return int(text) if text.isascii() and text.isdigit() else None


# ---- counts


def _judge(scene: Scene, counted: list[Counted]) -> None:
    instances = _learn(scene, "counts_instances", [(one.said_instances, one.instances) for one in counted])
    series = _learn(scene, "counts_series", [(one.said_series, one.series) for one in counted])
    fact = f"instances: {instances}; series: {series}"
    if scene.knows("counts_instances") is True and scene.knows("counts_series") is not False:
        scene.ok("counts", fact)
    else:
        scene.warn("counts", fact, "crawl to IMAGE level (crawl.level): only what is listed there counts")


def _learn(scene: Scene, name: str, pairs: list[tuple[int | None, int | None]]) -> str:
    """Right only if it was said of every study that could be counted, and true."""
    known = [(said, listed) for said, listed in pairs if listed is not None]
    said = [(count, listed) for count, listed in known if count is not None]
    right = sum(count == listed for count, listed in said)
    how = f"said of {len(said)} and right of {right} among {len(known)} studies listed"
    scene.learn(name, None if not known else right == len(known), how)
    return how
