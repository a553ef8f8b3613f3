"""How quickly the source answers, and how many associations it takes before it slows down."""

from __future__ import annotations

import statistics
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime

from migrate.errors import PeerError
from migrate.model import Level
from migrate.stages.assess.asking import Finder, Question
from migrate.stages.assess.check import Unlearnt
from migrate.stages.assess.sampling import zone
from migrate.stages.assess.scene import Scene

ASKED_EACH = 2
FIRST_ASKED = 3
NOISE_S = 0.05  # a doubling from 2 ms to 4 ms says more about this machine than about the peer


def latency(scene: Scene) -> None:
    """Median and 90th percentile of the small C-FINDs that the other probes asked."""
    seconds = scene.finder.small_s
    if not seconds:
        raise Unlearnt("no small query was answered", "see the line about C-FIND")
    median, late = statistics.median(seconds), _p90(seconds)
    how = f"{len(seconds)} C-FINDs with at most ten answers"
    scene.learn("find_latency_s", round(median, 4), f"median of {how}")
    scene.learn("find_latency_p90_s", round(late, 4), f"90th percentile of {how}")
    before = scene.before.get("find_latency_by_hour")
    hours = dict(before.value) if before and isinstance(before.value, dict) else {}
    hours[f"{datetime.now(zone(scene)):%H}"] = round(median, 4)
    scene.learn("find_latency_by_hour", dict(sorted(hours.items())), f"median of {how}; other hours from earlier times")
    scene.ok("latency", f"C-FIND median {median * 1000:.0f} ms, 90 % within {late * 1000:.0f} ms ({how})")


def associations(scene: Scene) -> None:
    """1, 2, 4, … associations up to twice the configured limit, each asking the same small question."""
    limit = scene.config.limits.source_associations
    scene.finder.close()
    baseline = _level(scene, 1)
    good, stop = 1, f"tried up to {2 * limit}, twice limits.source_associations"
    for count in _counts(2 * limit):
        if scene.finder.budget.left < count * ASKED_EACH:
            stop = f"the budget of queries ended before {count}"
            break
        try:
            median = _level(scene, count)
        except PeerError as error:
            stop = f"with {count}: {error.fact}"
            break
        if median > max(2 * baseline, baseline + NOISE_S):
            stop = f"with {count} the median rose from {baseline * 1000:.0f} to {median * 1000:.0f} ms"
            break
        good = count
    scene.learn("associations", good, stop)
    if good < limit:
        scene.warn("associations", f"{good} ({stop})", f"set limits.source_associations = {good}")
    else:
        scene.ok("associations", f"{good} ({stop})")


def _counts(most: int) -> list[int]:
    """2, 4, 8, … and `most` itself."""
    counts = [2]
    while counts[-1] * 2 <= most:
        counts.append(counts[-1] * 2)
    return counts if counts[-1] == most else [*counts, most]


def _level(scene: Scene, count: int) -> float:
    """Median seconds with so many associations asking at once. Raises PeerError when they cannot be had."""
    question = _question(scene)
    each = FIRST_ASKED if count == 1 else ASKED_EACH
    with ExitStack() as stack:
        finders = [Finder(scene.finder.endpoint, scene.finder.stack, scene.finder.budget) for _ in range(count)]
        for finder in finders:
            stack.callback(finder.close)
            finder.connected(question)
        with ThreadPoolExecutor(count) as pool:
            rounds = pool.map(lambda finder: [finder.ask(question).seconds for _ in range(each)], finders)
            return float(statistics.median(seconds for one in rounds for seconds in one))


def _question(scene: Scene) -> Question:
    uid = next(iter(scene.sample.studies), "")
    if not uid:
        raise Unlearnt("no study was seen", "see the line about C-FIND")
    return Question(level=Level.STUDY, keys={"StudyInstanceUID": uid, "StudyDate": "", "StudyTime": ""})


def _p90(seconds: list[float]) -> float:
    return sorted(seconds)[min(len(seconds) - 1, len(seconds) * 9 // 10)]
