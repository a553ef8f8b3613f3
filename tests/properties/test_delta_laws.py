"""Whatever happens to an archive between two crawls, the delta crawl says what it was, and nothing else."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from migrate.demo.listed import InstanceFacts, ListArchive, SeriesFacts, StudyFacts
from migrate.demo.misbehaviour import FindMisbehaviours
from migrate.demo.simulated import SimulatedSource
from migrate.manifest.read import read_table
from migrate.stages.crawl import CrawlResult, crawl
from migrate.stages.crawl.request import DeltaTerms
from tests.crawling import journal
from tests.delta import delta_request

TODAY = date(2020, 3, 31)
OLD_DAY, RECENT_DAY = "20200105", "20200330"
HEADERS = {"StudyDescription": "study_description", "AccessionNumber": "accession_number", "StudyDate": "study_date"}
PATIENT = {"PatientID": "patient_id", "PatientName": "patient_name"}


@dataclass(frozen=True)
class Held:
    """One study of the archive."""

    values: Mapping[str, str]
    instances: frozenset[tuple[int, int]]

    def facts(self, uid: str) -> StudyFacts:
        series = sorted({number for number, _ in self.instances})
        return StudyFacts(
            values={**self.values, "StudyInstanceUID": uid},
            series=tuple(
                SeriesFacts(
                    values={"SeriesInstanceUID": f"{uid}.{number}", "Modality": "CT"},
                    instances=tuple(
                        InstanceFacts(values={"SOPInstanceUID": f"{uid}.{number}.{n}", "InstanceNumber": str(n)})
                        for of, n in sorted(self.instances)
                        if of == number
                    ),
                )
                for number in series
            ),
        )


studies = st.builds(
    Held,
    st.fixed_dictionaries(
        {
            "StudyDate": st.sampled_from([OLD_DAY, RECENT_DAY]),
            "StudyTime": st.just("101500"),
            "AccessionNumber": st.sampled_from(["A1", "A2"]),
            "StudyDescription": st.sampled_from(["HEAD", "CHEST"]),
            "PatientID": st.sampled_from(["P1", "P2", "P3"]),
            "PatientName": st.sampled_from(["NAME^ONE", "NAME^TWO"]),
        }
    ),
    st.frozensets(st.tuples(st.integers(1, 2), st.integers(1, 3)), min_size=1, max_size=4),
)
archives = st.dictionaries(st.integers(1, 9).map(lambda n: f"1.2.{n}"), studies, max_size=7)


def truth(before: dict[str, Held], after: dict[str, Held], gone: set[str]) -> set[tuple[str, str]]:
    """(study, kind) of everything that happened. `gone` had gone before."""
    found = {(uid, "GONE") for uid in before.keys() - after.keys() - gone}
    found |= {(uid, "NEW") for uid in after if uid not in before or uid in gone}
    for uid in (before.keys() & after.keys()) - gone:
        old, new = before[uid], after[uid]
        found |= {(uid, "GROWN")} if new.instances - old.instances else set()
        found |= {(uid, "SHRUNK")} if old.instances - new.instances else set()
        for kind, keys in (("HEADER_CHANGED", HEADERS), ("PATIENT_CHANGED", PATIENT)):
            found |= {(uid, kind)} if any(old.values[key] != new.values[key] for key in keys) else set()
    return found


def crawl_now(folder: Path, held: dict[str, Held], terms: DeltaTerms | None, **orders: Any) -> CrawlResult:
    archive = ListArchive([each.facts(uid) for uid, each in held.items()])
    source = SimulatedSource(archive, FindMisbehaviours(**orders))
    with journal(folder) as db:
        return crawl(replace(delta_request(folder, db, lambda: source), delta=terms))


def seen(folder: Path, crawl_id: str) -> set[tuple[str, str]]:
    rows = [row for row in read_table(folder, "deltas").to_pylist() if row["crawl_id"] == crawl_id]
    found = {(row["study_instance_uid"], row["kind"]) for row in rows}
    assert len(found) == len(rows)
    return found


def listed(folder: Path) -> set[tuple[str, str]]:
    rows = read_table(folder, "instances").to_pylist()
    return {(row["study_instance_uid"], row["sop_instance_uid"]) for row in rows}


def in_archive(held: dict[str, Held]) -> set[tuple[str, str]]:
    return {(uid, f"{uid}.{series}.{n}") for uid, each in held.items() for series, n in each.instances}


FIRST = Held(
    {
        "StudyDate": OLD_DAY,
        "StudyTime": "101500",
        "AccessionNumber": "A1",
        "StudyDescription": "HEAD",
        "PatientID": "P1",
        "PatientName": "NAME^ONE",
    },
    frozenset({(1, 1)}),
)


def swapped_unseen(old: Held, new: Held) -> bool:
    """An old study whose instances were exchanged for as many others: no count and no attribute tells."""
    sizes = [(len(each.instances), len({series for series, _ in each.instances})) for each in (old, new)]
    return old.values == new.values and sizes[0] == sizes[1] and new.values["StudyDate"] == OLD_DAY


few = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))


@few
@given(st.lists(archives, min_size=2, max_size=4), st.booleans())
def test_every_change_is_seen_with_its_kind_and_nothing_else(steps: list[dict[str, Held]], thorough: bool) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        folder = Path(name)
        known, gone = steps[0] or {"1.2.1": FIRST}, set[str]()
        crawl_now(folder, known, None)
        for round_, there in enumerate([*steps[1:], steps[-1]], start=1):
            after = dict(there)
            for uid in () if thorough else known.keys() & after.keys() - gone:
                after[uid] = known[uid] if swapped_unseen(known[uid], after[uid]) else after[uid]
            expected = truth(known, after, gone)
            result = crawl_now(folder, there, DeltaTerms(today=TODAY, thorough=thorough))
            assert seen(folder, result.crawl_id) == expected
            assert result.delta is not None
            assert (result.delta.round, result.delta.fixed_point) == (round_, not expected)
            gone = (gone | (known.keys() - after.keys())) - after.keys()
            known = {**known, **after}
            assert listed(folder) == in_archive(known)


@few
@given(archives, archives)
def test_a_source_that_counts_nothing_is_listed_as_a_whole_and_no_growth_goes_unseen(
    before: dict[str, Held], after: dict[str, Held]
) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        folder, before = Path(name), before or {"1.2.1": FIRST}
        crawl_now(folder, before, None, no_optional_keys=True)
        result = crawl_now(folder, after, DeltaTerms(today=TODAY, days=0), no_optional_keys=True)
        assert result.delta is not None
        assert result.delta.listed_again == len(after)
        sizes = {pair for pair in truth(before, after, set()) if pair[1] in {"NEW", "GONE", "GROWN", "SHRUNK"}}
        assert sizes <= seen(folder, result.crawl_id) <= truth(before, after, set())
