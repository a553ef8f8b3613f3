"""Looking at the archive gently: growing spans of days, until one is cut off or all was seen."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from migrate.model import Level
from migrate.peers import Match
from migrate.stages.assess.asking import Answer, Question
from migrate.stages.assess.check import Unlearnt
from migrate.stages.assess.scene import Sample, Scene, Span, StudySeen

SPANS_DAYS = (31, 366, 5 * 366, 20 * 366)
MOST_STUDIES = 12_000
MOST_HALVINGS = 10
EARLIEST = date(1850, 1, 1)
# Identity is asked for because the crawl asks for it: only whether it can be decoded is kept.
KEYS = ("StudyInstanceUID", "StudyDate", "StudyTime", "PatientID", "AccessionNumber", "PatientName")
DEFAULT_CHARACTER_SET = "none (ASCII)"


def see_studies(scene: Scene) -> None:
    """Ask for the last month, year, five, twenty years, then all; stop where an answer is cut off."""
    today = datetime.now(zone(scene)).date()
    spans = [Span(today - timedelta(days=days), today) for days in SPANS_DAYS]
    for span in (*spans, Span()):
        answer = ask_span(scene, span)
        scene.sample.spans.append((span, answer))
        if not answer.complete:
            break
    if not scene.sample.studies and len(scene.sample.spans) > 1:
        _look_closer(scene)
    sample = scene.sample
    if not sample.studies:
        last = sample.spans[-1][1]
        fact = f"no study was returned (last status {last.status or 0:04X})"
        raise Unlearnt(fact, f"ask its administrator what {scene.finder.endpoint.calling_ae_title} may see")
    _character_sets(scene)
    scene.ok("C-FIND", f"{len(sample.studies):,} studies seen in {len(sample.spans)} queries")


def _look_closer(scene: Scene) -> None:
    """The first span with studies was refused: halve it until some come; the narrowest refusal stays last."""
    spans = scene.sample.spans
    (empty, _), (span, answer) = spans[-2:]
    if not answer.status or empty.first is None:
        return
    low, high = empty.first, span.first or EARLIEST
    for _ in range(MOST_HALVINGS):
        middle = high + (low - high) // 2
        closer = Span(middle, empty.last)
        answer = ask_span(scene, closer)
        if not answer.complete:
            high, spans[-1] = middle, (closer, answer)
            continue
        spans.insert(-1, (closer, answer))
        if answer.received:
            return
        low = middle


def ask_span(scene: Scene, span: Span) -> Answer:
    """One span of days; the studies that come join the sample. Raises as `Finder.ask`."""
    keys = {**dict.fromkeys((*KEYS, "SpecificCharacterSet"), ""), **span.keys}
    answer = scene.finder.ask(Question(level=Level.STUDY, keys=keys, most=scene.assessment.answers))
    _note(scene.sample, answer)
    return answer


def zone(scene: Scene) -> ZoneInfo:
    """The run's time zone."""
    try:
        return ZoneInfo(scene.config.run.timezone)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")  # the local checks have said so


def _note(sample: Sample, answer: Answer) -> None:
    for row in answer.rows:
        study = _seen(row)
        if not study.study_instance_uid or study.study_instance_uid in sample.studies:
            continue
        if len(sample.studies) < MOST_STUDIES:
            sample.studies[study.study_instance_uid] = study
        character_set = row.values.get("SpecificCharacterSet", "") or DEFAULT_CHARACTER_SET
        sample.character_sets[character_set] = sample.character_sets.get(character_set, 0) + 1
        sample.undecodable += bool(row.raw)


def _seen(row: Match) -> StudySeen:
    values = row.values
    return StudySeen(
        study_instance_uid=values.get("StudyInstanceUID", "").strip(),
        study_date=values.get("StudyDate"),
        study_time=values.get("StudyTime"),
        patient_id=values.get("PatientID"),
        accession_number=values.get("AccessionNumber"),
    )


def _character_sets(scene: Scene) -> None:
    counted = sorted(scene.sample.character_sets.items(), key=lambda one: -one[1])
    how = ", ".join(f"{name}: {count:,} studies" for name, count in counted)
    scene.learn("character_sets", [name for name, _ in counted], how)
    if scene.sample.undecodable:
        fact = f"{scene.sample.undecodable:,} studies have text that their character set cannot decode"
        scene.warn("character sets", fact, "their bytes are kept as they are; see the rule pack charset")
    else:
        scene.ok("character sets", how)
