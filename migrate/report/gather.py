"""From a run folder to `Facts`: the books, the journal, the counts of the manifests."""

from __future__ import annotations

import importlib.metadata
import platform
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Any

from migrate.config import Config
from migrate.dicom.sop_classes import name_of
from migrate.journal import read as journal
from migrate.journal.blocked import Days, read_blocked
from migrate.journal.operators import runs
from migrate.manifest.place import sources_of
from migrate.manifest.read import batches
from migrate.report import proofs
from migrate.report.certificate import crawl_certificate
from migrate.report.counting import DAY, MINUTE, MOST_DIFFERING, SECOND, Counts, by_minute, count
from migrate.report.cutover import gather_cutover
from migrate.report.digests import digests
from migrate.report.facts import (
    Changed,
    Day,
    Differences,
    Entry,
    Exceptional,
    Facts,
    Fidelity,
    Flow,
    Held,
    Ran,
    Rate,
)
from migrate.report.overlap import overlap
from migrate.report.run import Run

PACKAGES = ("cdi-migrate", "pydicom", "pynetdicom", "pyarrow", "dask")
MOST_LINES = 50_000
MOST_FLOW_POINTS = 60
ONE_MINUTE_S, ONE_DAY_S = 60, 86_400
FLOW_STEPS_S = (
    *(1, 2, 5, 10, 15, 30),
    *(ONE_MINUTE_S * minutes for minutes in (1, 2, 5, 10, 15, 30, 60, 120, 240, 480, 720)),
    *(ONE_DAY_S * days for days in (1, 2, 7, 30)),
)
STATIONS = ("retrieve", "upload", "verify")
SETTLED_ASIDE = frozenset({"QUARANTINED", "EXCLUDED"})


def gather(run: Run, now: datetime) -> Facts:
    """Everything the report says about a run, as of `now`.

    Raises:
        FormatTooNew: A table or the journal was written by a newer version.
        ManifestDamaged: A table cannot be read.
        JournalError: The journal cannot be read.
    """
    config, counts = run.config(), count(run.path)
    stand = _standing(run)
    return Facts(
        cutover=gather_cutover(run),
        name=config.run.name if config else run.path.resolve().name,
        source=config.run.source if config else ", ".join(sources_of(run.path, "studies")),
        destination=_destination(config),
        generated_at=now.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        balance=_balance(run),
        states=stand.states,
        exceptions=_exceptions(run, stand.aside, now),
        held=_held(counts),
        syntaxes=_kinds(counts.syntaxes),
        sop_classes=_kinds(counts.sop_classes),
        crawl=crawl_certificate(run, counts.totals),
        fidelity=_fidelity(counts, run),
        changes=_changes(counts),
        differences=_differences(run),
        flow=_flow(counts),
        rates=_rates(counts),
        days=_days(counts, read_blocked(run.path) or {}),
        config=_settings(config),
        versions=_versions(),
        digests=digests(run),
        started_at=next((event["at"] for event in run.events()), None),
        ended_at=stand.ended_at,
        runs=_runs(run),
        four_eyes=bool(config and config.acceptance.four_eyes),
        overlap=overlap(run.path),
    )


@dataclass(slots=True)
class _Standing:
    """Where the studies stand; of those that are neither excluded nor in quarantine only the count is kept."""

    states: Counter[str] = field(default_factory=Counter)
    aside: list[dict[str, Any]] = field(default_factory=list)
    ended_at: str | None = None


def _standing(run: Run) -> _Standing:
    found = _Standing()
    for row in journal.study_states(run.path):
        found.states[row["state"]] += 1
        found.ended_at = max(found.ended_at or "", row["updated_at"])
        if row["state"] in SETTLED_ASIDE:
            found.aside.append(row)
    return found


def _destination(config: Config | None) -> str:
    if config is None:
        return "?"
    return config.destination.ae_title if config.destination.kind == "dimse" else config.destination.kind


def _balance(run: Run) -> list[Entry]:
    return [
        Entry(
            year=f"{row['year']:04}" if row["year"] else "",
            modality=row["modality"] or "",
            facility=row["facility"] or "",
            **{name: row[name] for name in ("level", "source", "migrated", "excluded", "failed", "pending")},
        )
        for row in run.table("balance").to_pylist()
    ]


def _exceptions(run: Run, rows: Sequence[dict[str, Any]], now: datetime) -> list[Exceptional]:
    """Studies aside, the oldest first; a register line that is still open keeps its study open."""
    facilities = _facilities(run, {row["study_instance_uid"] for row in rows})
    register: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in journal.exceptions(run.path):
        register[line["study_instance_uid"]].append(line)
    found = [_exceptional(row, register[row["study_instance_uid"]], facilities, now) for row in rows]
    return sorted(found, key=lambda line: (line.since, line.study_instance_uid))


def _exceptional(
    row: dict[str, Any], lines: Sequence[dict[str, Any]], facilities: dict[str, str], now: datetime
) -> Exceptional:
    uid, excluded = row["study_instance_uid"], row["state"] == "EXCLUDED"
    since = min([line["first_seen_at"] for line in lines], default=row["updated_at"])
    dispositions = {line["disposition"] for line in lines}
    disposition = "open" if "open" in dispositions or not dispositions else max(dispositions)
    return Exceptional(
        exception_class=row["exception_class"] or "",
        study_instance_uid=uid,
        state=row["state"],
        facility=facilities.get(uid, ""),
        detail=row["detail"] or next((line["detail"] for line in lines), ""),
        since=since,
        age_days=max(0, (now - datetime.fromisoformat(since)).days),
        disposition="excluded" if excluded else disposition,
        owner=", ".join(dict.fromkeys(line["owner"] for line in lines if line["owner"])),
        due=(due := min((line["due"] for line in lines if line["due"]), default="")),
        overdue=disposition == "open" and not excluded and bool(due) and due < now.date().isoformat(),
    )


def _facilities(run: Run, uids: set[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in batches(run.path, "studies", ["study_instance_uid", "institution_name"]) if uids else ():
        pairs = zip(part["study_instance_uid"], part["institution_name"], strict=True)
        found.update({uid: (name or "").strip() for uid, name in pairs if uid in uids})
    return found


def _changes(counts: Counts) -> list[Changed]:
    return [
        Changed(rule=rule, pack=pack, pack_version=version, keyword=keyword, identifying=bool(identifying), instances=n)
        for (rule, pack, version, keyword, identifying), n in sorted(counts.changes.items())
    ]


def _held(counts: Counts) -> list[Held]:
    held = [
        Held(
            key=modality,
            name=modality,
            studies=counts.by_modality[modality, "studies"],
            series=counts.by_modality[modality, "series"],
            instances=counts.by_modality[modality, "instances"],
            size_bytes=counts.by_modality[modality, "bytes"],
        )
        for modality in {modality for modality, _ in counts.by_modality}
    ]
    return sorted(held, key=lambda line: (-(line.instances or 0), line.key))


def _kinds(found: Counter[tuple[str, str]]) -> list[Held]:
    uids = sorted({uid for uid, _ in found}, key=lambda uid: (-found[uid, "instances"], uid))
    return [
        Held(key=uid, name=name_of(uid), instances=found[uid, "instances"], size_bytes=found[uid, "bytes"])
        for uid in uids
    ]


def _fidelity(counts: Counts, run: Run) -> Fidelity:
    wrong = sum(n for (_, outcome), n in counts.proofs.items() if outcome != "match")
    more = max(0, wrong - MOST_DIFFERING)
    return Fidelity(
        proofs=counts.proofs,
        differing=sorted(counts.differing),
        more_differing=more,
        acceptance=proofs.acceptance(run),
        census=proofs.census(run),
        lookalikes=proofs.lookalikes(run),
        keeps_outside=proofs.keeps_outside(run),
    )


def _differences(run: Run) -> Differences:
    counts: Counter[tuple[str, str]] = Counter()
    lines: list[tuple[str, str, str, str, str]] = []
    names = ("level", "uid", "outcome", "exception_class", "detail")
    for part in batches(run.path, "findings", names):
        counts.update(zip(part["level"], part["outcome"], strict=True))
        rows = zip(*([value or "" for value in part[name]] for name in names), strict=True)
        lines.extend(row for row, _ in zip(rows, range(MOST_LINES - len(lines)), strict=False))
    return Differences(counts=counts, lines=lines, more_lines=max(0, sum(counts.values()) - len(lines)))


def _rates(counts: Counts) -> list[Rate]:
    received = sum(n for (_, what), n in counts.syntaxes.items() if what == "bytes")
    return [
        Rate(
            stage=stage,
            instances=times.total(),
            size_bytes=received if stage == "retrieve" else None,
            active_minutes=len(by_minute(times)),
        )
        for stage, times in counts.times.items()
        if times
    ]


def _flow(counts: Counts) -> list[Flow]:
    """Cumulative counts at no more than MOST_FLOW_POINTS times, evenly apart, in UTC."""
    times = sorted({at for found in counts.times.values() for at in found if len(at) >= MINUTE})
    if not times:
        return []
    first, last = datetime.fromisoformat(times[0]), datetime.fromisoformat(times[-1])
    span_s = (last - first) // timedelta(seconds=1) + 1
    step_s = next((step for step in FLOW_STEPS_S if span_s / step < MOST_FLOW_POINTS - 1), FLOW_STEPS_S[-1])
    points = [first + timedelta(seconds=step_s * place) for place in range(-(-span_s // step_s) + 1)]
    form = "%H:%M:%S" if step_s < ONE_MINUTE_S else "%m-%d %H:%M"
    sums = [_until(counts.found, points)]
    sums += [_until(counts.times.get(stage, Counter()), points) for stage in STATIONS]
    return [
        Flow(at=at.strftime(form), found=found, received=received, uploaded=uploaded, verified=verified)
        for at, found, received, uploaded, verified in zip(points, *sums, strict=True)
    ]


def _days(counts: Counts, blocked: Days) -> list[Day]:
    """Every day on which something was moved or a run was held up, the newest first."""
    moved: dict[str, Counter[str]] = defaultdict(Counter, {day: Counter() for day in blocked})
    for stage in STATIONS:
        for at, n in counts.times.get(stage, Counter()).items():
            moved[at[:DAY]][stage] += n
    return [
        Day(
            day=day,
            received=found["retrieve"],
            size_bytes=counts.received[day],
            uploaded=found["upload"],
            verified=found["verify"],
            closed_s=blocked.get(day, {}).get("calendar", 0.0),
            slowed_s=blocked.get(day, {}).get("throttle", 0.0),
        )
        for day, found in sorted(moved.items(), reverse=True)
        if day
    ]


def _until(times: Counter[str], points: Sequence[datetime]) -> list[int]:
    """How many instances had a time before each point."""
    keys = sorted(times)
    sums = [0, *accumulate(times[key] for key in keys)]
    return [sums[bisect_left(keys, point.isoformat()[:SECOND])] for point in points]


def _settings(config: Config | None) -> list[tuple[str, str]]:
    """Every setting as `block.key`; paths of TLS keys are no secrets, but nobody needs them here."""
    if config is None:
        return []
    blocks = config.model_dump(mode="json", exclude={"tls"}, by_alias=True)
    settings = [(f"{block}.{key}", _said(value)) for block, keys in blocks.items() for key, value in keys.items()]
    return [*settings, ("tls", "on" if config.tls else "off")]


def _said(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} = {_said(part)}" for key, part in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def _runs(run: Run) -> list[Ran]:
    return [
        Ran(
            at=one.at,
            operator=one.operator.name or one.operator.os_user,
            os_user=one.operator.os_user,
            stages=one.stages,
            version=one.version,
            packs=one.packs,
        )
        for one in runs(run.path)
    ]


def _versions() -> list[tuple[str, str]]:
    found = []
    for package in PACKAGES:
        try:
            found.append((package, importlib.metadata.version(package)))
        except importlib.metadata.PackageNotFoundError:
            found.append((package, "?"))
    return [*found, ("Python", platform.python_version()), ("System", platform.system())]
