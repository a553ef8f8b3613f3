"""Acceptance sampling: how many studies must be compared, which ones, and what that then proves.

Exact binomial throughout (Clopper-Pearson), no normal approximation: with no defect in 500 studies one
may claim less than 0.6 % at 95 % confidence, and nothing better. Strata are year x modality x
facility x transfer syntax; a sample takes from each in proportion, and from each at least one.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from migrate.dicom.digest import xxh3

BISECTIONS = 100
MOST_STUDIES = 1 << 40


class Stratum(NamedTuple):
    """Studies that are alike; None where nobody knows."""

    year: int | None
    modality: str | None
    facility: str | None
    transfer_syntax_uid: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Reached:
    """What the comparisons made so far prove.

    Args:
        studies: All of them.
        compared: Those whose every instance was compared by content.
        defective: Of those, the ones where an instance differs or is missing.
        confidence: One-sided.
        bound: With this confidence a smaller share of all studies is defective. Where all were compared
            it is the share itself.
    """

    studies: int
    compared: int
    defective: int
    confidence: float
    bound: float

    @property
    def whole(self) -> bool:
        """Nothing was left to chance."""
        return self.compared >= self.studies


def at_most(defects: int, checked: int, rate: float) -> float:
    """The chance of so many defects or fewer among `checked`, when the rate is `rate` (binomial)."""
    if rate <= 0 or defects >= checked:
        return 1.0
    if rate >= 1:
        return 0.0
    logs = [_log_probability(found, checked, rate) for found in range(defects + 1)]
    largest = max(logs)
    return min(1.0, math.exp(largest) * math.fsum(math.exp(log - largest) for log in logs))


def _log_probability(defects: int, checked: int, rate: float) -> float:
    ways = math.lgamma(checked + 1) - math.lgamma(defects + 1) - math.lgamma(checked - defects + 1)
    return ways + defects * math.log(rate) + (checked - defects) * math.log1p(-rate)


def sample_size(max_defect_rate: float, confidence: float, defects: int = 0) -> int:
    """The fewest studies that prove the rate, when no more than `defects` of them are defective."""
    low, high = defects, max(2 * defects, 1)
    while at_most(defects, high, max_defect_rate) > 1 - confidence and high < MOST_STUDIES:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if at_most(defects, middle, max_defect_rate) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def upper_bound(defects: int, checked: int, confidence: float) -> float:
    """The one-sided Clopper-Pearson bound of the defect rate; 1 when nothing was checked."""
    if defects >= checked:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        if at_most(defects, checked, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def allocation(strata: Mapping[Stratum, int], size: int) -> dict[Stratum, int]:
    """How many studies of each stratum: in proportion (largest remainders), at least one, never more than there are."""
    total = sum(strata.values())
    if size >= total:
        return dict(strata)
    shares = {stratum: count * size / total for stratum, count in strata.items()}
    taken = {stratum: max(1, math.floor(share)) for stratum, share in shares.items()}
    by_remainder = sorted(strata, key=lambda one: (math.floor(shares[one]) - shares[one], str(one)))
    for stratum in by_remainder:
        if sum(taken.values()) >= size:
            break
        taken[stratum] = min(strata[stratum], taken[stratum] + (shares[stratum] >= 1))
    return taken


def choose(studies: Iterable[tuple[str, Stratum]], wanted: Mapping[Stratum, int], seed: str) -> list[str]:
    """The studies with the lowest digests of each stratum: as good as drawn by lot, and the same ones again.

    Args:
        studies: (Study Instance UID, its stratum).
        wanted: How many of each.
        seed: Another one draws others; the name of the run.
    """
    kept: dict[Stratum, list[tuple[int, str]]] = defaultdict(list)
    for uid, stratum in studies:
        room = wanted.get(stratum, 0)
        entry = (-int(xxh3(f"{seed}\x1f{uid}".encode()), 16), uid)
        if len(kept[stratum]) < room:
            heapq.heappush(kept[stratum], entry)
        elif room and entry > kept[stratum][0]:
            heapq.heapreplace(kept[stratum], entry)
    return sorted(uid for entries in kept.values() for _, uid in entries)


def counted(studies: Iterable[tuple[str, Stratum]]) -> Counter[Stratum]:
    """Studies in each stratum."""
    return Counter(stratum for _, stratum in studies)


def reached(studies: int, compared: int, defective: int, confidence: float) -> Reached:
    """What has been proven about all studies."""
    bound = defective / studies if studies and compared >= studies else upper_bound(defective, compared, confidence)
    return Reached(studies=studies, compared=compared, defective=defective, confidence=confidence, bound=bound)
