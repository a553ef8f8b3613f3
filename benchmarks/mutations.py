"""The mutation experiment: one byte changed in every element of every object of the corpus, one at a time.

    python -m benchmarks.mutations [--corpus DIR] [--out benchmarks/mutations.md]

A change is told when a digest is another one or the object is refused; `tests/conformance/mutations.py` says
how, and what is exempt.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path

from migrate.errors import IllegalDicom
from tests.conformance.mutations import Mutated, mutate
from tests.corpus import read_index

PAGE = """# Mutations: tried, told, missed

Made by `python -m benchmarks.mutations`: in {objects} real objects, one byte was changed in every element at
every level, one element at a time ({refused} other files of the corpus are refused as they are). Told: a digest
is another one, or the object is refused. {in_a_part:,} elements of the {large} objects with 1,000 elements or
more were changed in the object cut down to what the element is read with, {in_both:,} elements both there and
in the whole object, the others in the whole object. {seconds:.0f} s.

| elements | nested | exempt | tried | told by `dataset` | told by `bulk` | refused | missed |
|---|---|---|---|---|---|---|---|
| {elements:,} | {nested:,} | {exempt:,} | {tried:,} | {dataset:,} | {bulk:,} | {broken:,} | {missed:,} |

| exempt, as `manifests/DIGESTS.md` says | elements |
|---|---|
{exemptions}
"""


def main() -> int:
    """Change everything, write the page, say what was missed."""
    arguments = _parser().parse_args()
    found = Mutated()
    objects = refused = large = 0
    began = time.monotonic()
    for number, each in enumerate(read_index(arguments.corpus)):
        before = found.in_a_part
        try:
            mutate(each.path, random.Random(number), found)  # noqa: S311 - no secret
        except IllegalDicom:
            refused += 1
            continue
        objects += 1
        large += found.in_a_part > before
    facts = {"objects": objects, "refused": refused, "large": large, "seconds": time.monotonic() - began}
    arguments.out.write_text(_page(found, facts), encoding="utf-8")
    for name, tag in found.missed:
        sys.stderr.write(f"missed: {tag} of {name}\n")
    return 1 if found.missed else 0


def _page(found: Mutated, facts: dict[str, float]) -> str:
    counts = {name: getattr(found, name) for name in ("elements", "nested", "in_a_part", "in_both", "tried")}
    return PAGE.format(
        **facts,
        **counts,
        exempt=found.exempt.total(),
        dataset=found.told_by["dataset"],
        bulk=found.told_by["bulk"],
        broken=found.told_by["refused"],
        missed=len(found.missed),
        exemptions="\n".join(f"| {reason} | {count:,} |" for reason, count in found.exempt.most_common()),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, default=Path(__file__).parents[2] / "shared" / "corpus")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("mutations.md"))
    return parser


if __name__ == "__main__":
    sys.exit(main())
