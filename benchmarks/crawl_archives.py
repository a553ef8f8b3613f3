"""Thousands of random archives that misbehave: does a crawl ever say "closed" with a study missing?

Each group is an equal share of the archives: a result cap alone, each misbehaviour of C-FIND alone, a
random pair, a random handful, and all of them together; small archives over few days, times, patients
and accession numbers, so that they collide, and larger ones. Prints one JSON line: for each group
how many were tried, ended closed, ended not closed, and were wrong; exit code 1 when any was wrong.
The examples of Hypothesis are drawn anew with each seed; nothing is shrunk, every case counts.

    python -m benchmarks.crawl_archives --archives 2000 --seed 1
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from migrate.demo.misbehaviour import FindMisbehaviours
from migrate.demo.simulated import StudyFacts
from tests.random_archives import MISBEHAVIOURS, Capped, Said, archives, caps, judged, orders_of, some_orders

SIZES = (14, 14, 60)
# What makes every answer useless would hide what the others do; it is tried alone and in pairs.
USELESS = ("close_after_rows", "endless", "no_wildcards")


def groups(share: int) -> Iterator[tuple[str, int, st.SearchStrategy[FindMisbehaviours]]]:
    """Name, how many archives, and the orders of each group; `share` archives a group."""
    yield "cap alone", share, st.just(FindMisbehaviours())
    each = -(-share // len(MISBEHAVIOURS))
    for name in sorted(MISBEHAVIOURS):
        yield "each alone", each, orders_of(name)
    yield "pairs", share, some_orders(2, 2)
    yield "several", share, some_orders(3, 8)
    slow = share // 10
    yield "all together", share - slow, orders_of(*MISBEHAVIOURS)
    yield "all together", slow, orders_of(*(name for name in MISBEHAVIOURS if name not in USELESS))


def tried(count: int, orders: st.SearchStrategy[FindMisbehaviours], start: int) -> Counter[str]:
    """Crawl random archives; gives how many ended how. What is wrong is told on stderr."""
    ended: Counter[str] = Counter()

    @seed(start)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(st.sampled_from(SIZES).flatmap(archives), caps, orders)
    def one(studies: tuple[StudyFacts, ...], capped: Capped, ordered: FindMisbehaviours) -> None:
        said, why = judged(studies, capped, ordered)
        ended[said] += 1
        if said is Said.WRONG:
            sys.stderr.write(f"WRONG: {why}\n  {capped}\n  {ordered}\n  {[study.values for study in studies]}\n")

    one()
    return ended


def main() -> int:
    """Try, count, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--archives", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    found: dict[str, Counter[str]] = {}
    for number, (name, count, orders) in enumerate(groups(-(-asked.archives // 5))):
        found.setdefault(name, Counter()).update(tried(count, orders, asked.seed * 1000 + number))
        sys.stderr.write(f"{name}: {json.dumps(found[name])}\n")
    total = sum(found.values(), Counter())
    counted = {name: {"tried": each.total(), **each} for name, each in (*found.items(), ("total", total))}
    sys.stdout.write(json.dumps(counted) + "\n")
    return int(total[Said.WRONG] > 0)


if __name__ == "__main__":
    sys.exit(main())
