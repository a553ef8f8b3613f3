"""Every figure of the page, counted again by DuckDB from the Parquet files alone.

Nothing of `migrate` is used to count: the SQL says what the figure means. States come from the
balance only where the books are meant; everything else is counted from the instance tables. What no
table holds (who decides an exception, when a crawl ended) is read from the journal's own rows. A figure
or table that nobody counts again makes a test fail.
"""

from __future__ import annotations

import contextlib
import csv
import json
import math
import re
import sqlite3
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
import xxhash

from migrate.checks.reconcile import reconcile
from migrate.journal.blocked import Cause, add_blocked
from migrate.journal.events import Assigned
from migrate.journal.operators import here, note_run
from migrate.journal.store import Journal
from migrate.journal.windows import finish_crawl, prepare, start_crawl
from migrate.manifest.place import Manifests
from migrate.manifest.write import write_part
from migrate.report.plain import shown
from migrate.report.write import ReportOptions, write_reports
from tests.report.conftest import Reported
from tests.report.example import BEGIN, NASTY, SOURCE, Study, build_run, tables
from tests.report.page import Page

TABLES = ("windows", "studies", "series", "instances", "evidence", "uploads", "verification", "changes")
VIEWS = """
CREATE VIEW study AS SELECT DISTINCT ON (study_instance_uid) * FROM studies
  ORDER BY study_instance_uid, crawl_id DESC;
CREATE VIEW received AS SELECT DISTINCT ON (study_instance_uid, sop_instance_uid) * FROM evidence
  ORDER BY study_instance_uid, sop_instance_uid, attempt DESC, received_at DESC;
CREATE VIEW checked AS SELECT DISTINCT ON (study_instance_uid, sop_instance_uid) * FROM verification
  ORDER BY study_instance_uid, sop_instance_uid, attempt DESC, verified_at DESC;
CREATE VIEW held AS SELECT study_instance_uid, sop_instance_uid,
    coalesce(i.series_instance_uid, r.series_instance_uid) AS series_instance_uid,
    coalesce(r.sop_class_uid, i.sop_class_uid) AS sop_class_uid, r.size_bytes
  FROM (SELECT DISTINCT study_instance_uid, sop_instance_uid, series_instance_uid, sop_class_uid FROM instances) i
  FULL JOIN received r USING (study_instance_uid, sop_instance_uid);
CREATE VIEW proven AS SELECT study_instance_uid, sop_instance_uid FROM checked
  WHERE method = 'content' AND outcome = 'match';
CREATE VIEW main AS SELECT DISTINCT ON (study_instance_uid) study_instance_uid, modality FROM (
  SELECT study_instance_uid, series.modality, count(*) AS n
  FROM held JOIN series USING (study_instance_uid, series_instance_uid) GROUP BY study_instance_uid, series.modality)
  ORDER BY study_instance_uid, n DESC, modality;
CREATE VIEW register AS SELECT study_instance_uid, s.exception_class, state, s.detail,
    CASE WHEN state = 'EXCLUDED' THEN 'excluded' ELSE coalesce(e.disposition, 'open') END AS disposition,
    coalesce(e.owner, '') AS owner, coalesce(e.due, '') AS due, coalesce(e.first_seen_at, s.updated_at) AS since
  FROM journal.studies s LEFT JOIN journal.exceptions e USING (study_instance_uid)
  WHERE state IN ('EXCLUDED', 'QUARANTINED');
CREATE VIEW crawl AS SELECT left(started_at, 19)::TIMESTAMP AS started_at,
    left(finished_at, 19)::TIMESTAMP AS finished_at, json_extract(result, '$.delta.round')::BIGINT AS round,
    json_extract(result, '$.closed')::BOOLEAN AS closed, json_extract(result, '$.delta.kinds') AS kinds,
    json_extract(result, '$.estimated_undiscovered.estimate')::BIGINT AS estimate FROM journal.crawls;
CREATE MACRO seen(kinds, kind) AS coalesce(json_extract(kinds, '$.' || kind)::BIGINT, 0);
CREATE VIEW exam AS SELECT study_instance_uid, patient_key, study_day,
  upper(trim(coalesce(study_description, ''))) AS what,
  list_filter(string_split(modalities_in_study, '\\'), lambda name: name NOT IN ('SR', 'PR', 'KO', 'OT', 'DOC', ''))[1]
  AS modality FROM study WHERE study_day IS NOT NULL;
"""
REPEATED = """SELECT k.study_instance_uid, k.modality FROM exam k
  JOIN exam b ON b.patient_key = k.patient_key AND b.modality = k.modality AND b.what = k.what
  AND (b.study_day, b.study_instance_uid) < (k.study_day, k.study_instance_uid)
  GROUP BY k.study_instance_uid, k.modality, k.study_day HAVING k.study_day - max(b.study_day) <= 30"""
FIGURES = {
    "exceptions.open": "SELECT sum(failed)::BIGINT FROM balance WHERE level = 'STUDY'",
    "exceptions.undecided": "SELECT count(*) FROM register WHERE disposition = 'open'",
    "exceptions.unowned": "SELECT count(*) FROM register WHERE disposition = 'open' AND owner = ''",
    "exceptions.overdue": "SELECT count(*) FROM register WHERE disposition = 'open' AND due BETWEEN '2' AND '2027'",
    "delta.rounds": "SELECT count(*) FROM crawl WHERE round > 0",
    "delta.changes": """SELECT list_sum(list_transform(json_keys(kinds), lambda kind: seen(kinds, kind)))::BIGINT
        FROM crawl ORDER BY started_at DESC LIMIT 1""",
    "crawl.undiscovered": "SELECT estimate FROM crawl ORDER BY started_at DESC LIMIT 1",
    "overlap.repeated": f"SELECT count(*) FROM ({REPEATED})",
    "overlap.shared": """SELECT count(*) FROM (
        SELECT study_instance_uid FROM studies GROUP BY ALL HAVING count(DISTINCT source) > 1)""",
    "STUDY.source": "SELECT count(*) FROM study",
    "STUDY.migrated": """SELECT count(*) FROM study WHERE study_instance_uid NOT IN (
        SELECT study_instance_uid FROM held ANTI JOIN proven USING (study_instance_uid, sop_instance_uid))""",
    "IMAGE.migrated": "SELECT count(*) FROM proven",
    "BYTES.migrated": "SELECT sum(size_bytes) FROM received JOIN proven USING (study_instance_uid, sop_instance_uid)",
    "crawl.studies": "SELECT count(*) FROM study",
    "crawl.series": "SELECT count(DISTINCT (study_instance_uid, series_instance_uid)) FROM series",
    "crawl.instances": "SELECT count(DISTINCT (study_instance_uid, sop_instance_uid)) FROM instances",
    "crawl.undated": "SELECT count(*) FROM study WHERE study_day IS NULL",
    "crawl.windows": "SELECT count(*) FROM windows",
    "crawl.capped": "SELECT count(*) FROM windows WHERE capped",
    "fidelity.content": "SELECT count(*) FROM proven",
    "fidelity.differs": "SELECT count(*) FROM checked WHERE outcome = 'differs'",
    "fidelity.unverifiable": "SELECT count(*) FROM checked WHERE outcome = 'unverifiable'",
}
ROWS = {
    "states": "SELECT state, count(*) FROM journal.studies GROUP BY ALL",
    "accepted": "SELECT exception_class, disposition, count(*) FROM register GROUP BY ALL",
    "exceptions": """SELECT exception_class, study_instance_uid, trim(coalesce(institution_name, '')), disposition,
        owner, due, date_sub('day', left(since, 19)::TIMESTAMP, TIMESTAMP '2027-01-01 12:00:00'), left(since, 10),
        detail FROM register JOIN study USING (study_instance_uid)""",
    "open_windows": 'SELECT axis, "from", "to", why, matches FROM windows WHERE NOT closed',
    "facilities": """SELECT coalesce(facility, 'Unknown'), sum(source), sum(migrated), sum(excluded), sum(failed),
        sum(pending) FROM balance WHERE level = 'STUDY' GROUP BY ALL""",
    "shared": """SELECT names, count(*) FROM (SELECT string_agg(DISTINCT source, ' + ' ORDER BY source) AS names
        FROM studies GROUP BY study_instance_uid HAVING count(DISTINCT source) > 1) GROUP BY ALL""",
    "repeats": """SELECT k.study_instance_uid, arg_max(b.study_instance_uid, (b.study_day, b.study_instance_uid)),
        k.modality, k.study_day - max(b.study_day) AS days FROM exam k
        JOIN exam b ON b.patient_key = k.patient_key AND b.modality = k.modality AND b.what = k.what
        AND (b.study_day, b.study_instance_uid) < (k.study_day, k.study_instance_uid)
        GROUP BY k.study_instance_uid, k.modality, k.study_day HAVING days <= 30""",
    "census": """SELECT kind, sum(source), sum(destination), greatest(0, sum(source) - sum(destination)) FROM (
        SELECT DISTINCT ON (study_instance_uid, kind) * FROM census
        ORDER BY study_instance_uid, kind, attempt DESC) GROUP BY ALL""",
    "lookalikes": "SELECT kind, policy, count(*) FROM forensics GROUP BY ALL",
    "rejections": "SELECT code, policy, count(*) FROM rejections GROUP BY ALL",
    "rounds": """SELECT round, strftime(started_at, '%Y-%m-%d %H:%M'),
        ceil(date_diff('second', started_at, finished_at) / 60)::BIGINT,
        CASE WHEN closed THEN 'yes' ELSE 'no' END, seen(kinds, 'NEW'), seen(kinds, 'GROWN'), seen(kinds, 'SHRUNK'),
        seen(kinds, 'HEADER_CHANGED'), seen(kinds, 'PATIENT_CHANGED'), seen(kinds, 'GONE') FROM crawl""",
    "repeated": f"SELECT modality, count(*) FROM ({REPEATED}) GROUP BY ALL",
    "held": """SELECT modality, count(DISTINCT s.study_instance_uid), count(DISTINCT s.series_instance_uid),
        count(sop_instance_uid), sum(size_bytes) FROM series s
        LEFT JOIN held h USING (study_instance_uid, series_instance_uid) GROUP BY ALL""",
    "sop_classes": "SELECT sop_class_uid, count(*), sum(size_bytes) FROM held GROUP BY ALL",
    "syntaxes": "SELECT transfer_syntax_uid, count(*), sum(size_bytes) FROM received GROUP BY ALL",
    "proofs": "SELECT method, outcome, count(*) FROM checked GROUP BY ALL",
    "differing": """SELECT sop_instance_uid, outcome, array_to_string(differs, ' ')
        FROM checked WHERE outcome <> 'match'""",
    "days": """SELECT day, coalesce(r, 0), coalesce(b, 0), coalesce(u, 0), coalesce(v, 0) FROM (
        SELECT left(received_at, 10) AS day, count(*) AS r, sum(size_bytes) AS b FROM received GROUP BY ALL)
        FULL JOIN (SELECT left(sent_at, 10) AS day, count(*) AS u FROM uploads
          WHERE status IN ('0000', 'B000', 'B006', 'B007') GROUP BY ALL) USING (day)
        FULL JOIN (SELECT left(verified_at, 10) AS day, count(*) AS v FROM checked
          WHERE outcome = 'match' GROUP BY ALL) USING (day)""",
    "changes": """SELECT rule, pack, pack_version, keyword, CASE WHEN identifying THEN 'yes' ELSE 'no' END,
        count(DISTINCT sop_instance_uid) FROM changes GROUP BY ALL""",
    "axes": """SELECT axis, count(*), sum(closed::int), sum(capped::int),
        sum(matches) FILTER (state <> 'split') FROM windows GROUP BY ALL""",
    "rates": """SELECT 'retrieve', count(*), sum(size_bytes), count(DISTINCT left(received_at, 16)),
        count(*) // count(DISTINCT left(received_at, 16)) FROM received
        UNION ALL SELECT 'upload', count(*), NULL, count(DISTINCT left(sent_at, 16)),
        count(*) // count(DISTINCT left(sent_at, 16)) FROM uploads WHERE status IN ('0000', 'B000', 'B006', 'B007')
        UNION ALL SELECT 'verify', count(*), NULL, count(DISTINCT left(verified_at, 16)),
        count(*) // count(DISTINCT left(verified_at, 16)) FROM checked WHERE outcome = 'match'""",
}
# They have a column `source`, which DuckDB would take from the name of the folder.
OWN_SOURCE = {"balance", "census", "forensics"}
# What a table shows besides: names of UIDs and codes, shares of what is counted.
SHOWN: dict[str, Callable[[list[Any]], Any]] = {
    "sop_classes": lambda row: row[1:],
    "syntaxes": lambda row: row[1:],
    "facilities": lambda row: row[:-1],
    "days": lambda row: row[:-2],  # what held the runs up is told below
    "rejections": lambda row: [row[0], *row[2:]],
}
SOURCE_OF_THE_BALANCE = """
SELECT year, modality, facility, level, sum(amount)::BIGINT, sum(proven)::BIGINT FROM (
  SELECT CASE WHEN coalesce(study_date, '') = '' THEN 'Undated' ELSE left(study_date, 4) END AS year,
    main.modality, trim(institution_name) AS facility, unnest(['STUDY', 'IMAGE', 'BYTES']) AS level,
    unnest([1, coalesce(n, 0), coalesce(size_bytes, 0)]) AS amount,
    unnest([NULL, coalesce(m, 0), coalesce(proven_bytes, 0)]) AS proven
  FROM study LEFT JOIN main USING (study_instance_uid) LEFT JOIN (
    SELECT study_instance_uid, count(*) AS n, sum(size_bytes) AS size_bytes,
      count(p.sop_instance_uid) AS m, sum(size_bytes) FILTER (p.sop_instance_uid IS NOT NULL) AS proven_bytes
    FROM held LEFT JOIN proven p USING (study_instance_uid, sop_instance_uid) GROUP BY ALL)
  USING (study_instance_uid)) GROUP BY ALL
"""


NOW = datetime(2027, 1, 1, 12, 0, tzinfo=UTC)
# What the program says about itself and its settings: nothing to count.
NOT_COUNTED = {"versions", "config", "runs"}
# Counted by a test of their own below.
TOLD_APART = {
    *("balance", "totals", "certificate_totals", "findings", "finding_counts", "flow", "by_year"),
    *("digests", "certificate_digests"),
}


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Reported:
    """The example, with everything that a report can count: two sources, rejections, look-alikes, delta rounds."""
    folder = tmp_path_factory.mktemp("recount")
    found = build_run(folder, count=60, nasty=True)
    for source, table, rows in _more(found):
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        write_part(Manifests(folder, source), table, "more", columns)
    reconcile(folder, SOURCE)
    _tell(folder, found[3].uid)
    files = write_reports(folder, ReportOptions(now=NOW))
    return Reported(folder, found, files, Page(files[0].read_text(encoding="utf-8")))


def _more(found: list[Study]) -> Iterator[tuple[str, str, list[dict[str, Any]]]]:
    yield "OTHER", "studies", tables(found)["studies"][:7]
    window = {"window_id": "accession:0", "axis": "accession", "from": "A", "to": "B", "why": "no answer", "matches": 5}
    yield SOURCE, "windows", [window | {"capped": False, "closed": False, "crawl_id": "c2", "state": "leaf"}]
    kinds = ("structured_report", "presentation_state")
    yield (
        SOURCE,
        "census",
        [
            {
                "study_instance_uid": one.uid,
                "kind": kinds[n % 2],
                "source": n,
                "destination": n - n % 3,
                "attempt": try_,
            }
            for n, one in enumerate(found[:9], 3)
            for try_ in (1, 2)
        ],
    )
    yield (
        SOURCE,
        "rejections",
        [
            {"study_instance_uid": one.uid, "sop_instance_uid": one.sops[0][0], "code": "113001", "policy": "migrate"}
            for one in found[10:13]
        ],
    )
    yield (
        SOURCE,
        "forensics",
        [
            {"kind": kind, "study_instance_uid": one.uid, "policy": f"what is done about {kind}"}
            for one, kind in zip(found, ("identical", "identical", "same_pixels", "same_pixels"), strict=False)
        ],
    )


def _tell(folder: Path, quarantined: str) -> None:
    """An owner and a due date for one line of the register, a whole crawl and two delta rounds after it."""
    held_up: tuple[tuple[Cause, float], ...] = (("calendar", 3_600.0), ("throttle", 119.0), ("calendar", 1_800.0))
    for cause, seconds in held_up:
        add_blocked(folder, cause, seconds, BEGIN)
    with Journal(folder) as journal:
        note_run(journal, here("Ada"), ["retrieve", "upload"], "common 1")
        line = {"uid": quarantined, "exception_class": "COUNT_MISMATCH", "owner": "Ada", "due": "2026-12-24"}
        journal.append([Assigned(study_instance_uid=quarantined, by="Ada", **line)])
        prepare(journal.db)
        for number in range(3):
            kinds = {"NEW": 5 - number, "GROWN": number, "SHRUNK": 2, "HEADER_CHANGED": 1, "GONE": 4}
            told: dict[str, Any] = {"closed": number != 1, "delta": {"round": number, "kinds": kinds if number else {}}}
            told["estimated_undiscovered"] = {"estimate": 2, "low": 0, "high": 5}
            start_crawl(journal.db, f"d{number}", "[]", f"2026-03-0{number + 2}T00:00:00+00:00")
            finish_crawl(journal.db, f"d{number}", json.dumps(told), f"2026-03-0{number + 2}T00:4{number}:30+00:00")


@pytest.fixture(scope="module")
def db(reported: Reported) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        for table in (*TABLES, "findings", "balance", "census", "rejections", "forensics", "acceptance"):
            files = (reported.folder / "manifests" / table).as_posix()
            own = ", hive_partitioning = false" if table in OWN_SOURCE else ""
            connection.execute(f"CREATE VIEW {table} AS SELECT * FROM read_parquet('{files}/*/*.parquet'{own})")
        _copy_journal(reported.folder / "journal.sqlite", connection)
        connection.execute(VIEWS)
        yield connection


def _copy_journal(path: Path, into: duckdb.DuckDBPyConnection) -> None:
    """Its rows as they stand, under the schema `journal`."""
    into.execute("CREATE SCHEMA journal")
    with contextlib.closing(sqlite3.connect(path)) as journal:
        for table in ("studies", "exceptions", "crawls", "events"):
            rows = journal.execute(f"SELECT * FROM {table}")
            names = [f'"{column[0]}" VARCHAR' for column in rows.description]
            into.execute(f"CREATE TABLE journal.{table} ({', '.join(names)})")
            if found := rows.fetchall():
                into.executemany(f"INSERT INTO journal.{table} VALUES ({', '.join('?' * len(names))})", found)


def _rows(db: duckdb.DuckDBPyConnection, query: str) -> set[tuple[Any, ...]]:
    return {tuple(int(v) if isinstance(v, float) else v for v in row) for row in db.sql(query).fetchall()}


def test_every_figure_and_table_of_the_page_is_counted_again(reported: Reported) -> None:
    assert {*reported.page.figures} - {*FIGURES} == {"crawl.closed", "delta.fixed_point", "delta.freeze"}
    assert {*reported.page.tables} == {*ROWS, *TOLD_APART, *NOT_COUNTED}
    assert not [key for key, rows in reported.page.tables.items() if len(rows[0]) < 2]  # a sentence instead of rows


@pytest.mark.parametrize("key", FIGURES)
def test_a_figure_of_the_page_equals_the_count_in_the_parquet_files(
    key: str, reported: Reported, db: duckdb.DuckDBPyConnection
) -> None:
    (expected,) = db.sql(FIGURES[key]).fetchall()[0]
    assert int(reported.page.figures[key]) == expected


@pytest.mark.parametrize("key", ROWS)
def test_a_table_of_the_page_equals_the_count_in_the_parquet_files(
    key: str, reported: Reported, db: duckdb.DuckDBPyConnection
) -> None:
    page = {tuple(_number(value) for value in SHOWN.get(key, tuple)(row)) for row in reported.page.tables[key]}
    expected = _rows(db, ROWS[key])
    assert page == {tuple(_number(shown(v) if isinstance(v, str) else v) for v in row) for row in expected}
    assert page


def test_the_balance_equals_the_count_in_the_parquet_files(reported: Reported, db: duckdb.DuckDBPyConnection) -> None:
    expected = {}
    for year, modality, facility, level, amount, proven in _rows(db, SOURCE_OF_THE_BALANCE):
        expected[year, modality, facility or "Unknown", level] = (amount, proven)
    page = {tuple(row[:4]): (row[4], row[5]) for row in _balance(reported) if row[3] != "SERIES"}
    assert {key: amount for key, (amount, _) in page.items()} == {key: amount for key, (amount, _) in expected.items()}
    proven = {key: value for key, (_, value) in expected.items() if key[3] != "STUDY"}
    assert {key: value for key, (_, value) in page.items() if key[3] != "STUDY"} == proven


def test_every_line_of_the_balance_adds_up(reported: Reported) -> None:
    for row in _balance(reported):
        assert row[4] == sum(row[5:9]), row


def test_the_totals_are_the_sums_of_the_lines(reported: Reported) -> None:
    for total in (*reported.page.tables["totals"], *reported.page.tables["certificate_totals"]):
        lines = [row for row in _balance(reported) if row[3] == total[0]]
        assert [int(value) for value in total[1:6]] == [sum(row[place] for row in lines) for place in range(4, 9)]


def test_the_run_sheet_says_how_long_the_calendar_and_the_source_held_runs_up(reported: Reported) -> None:
    assert [row[5:] for row in reported.page.tables["days"]] == [[str(90), str(2)]]


def test_every_share_is_what_was_migrated_of_what_the_source_holds(reported: Reported) -> None:
    for key in ("totals", "certificate_totals", "facilities"):
        for _, source, migrated, *_, share in reported.page.tables[key]:
            assert float(share) == int(migrated) / int(source), key


def test_the_findings_are_those_of_the_table(reported: Reported, db: duckdb.DuckDBPyConnection) -> None:
    expected = _rows(db, "SELECT level, uid, outcome, coalesce(exception_class, ''), detail FROM findings")
    assert {tuple(row) for row in reported.page.tables["findings"]} == expected
    counted = _rows(db, "SELECT level, outcome, count(*) FROM findings GROUP BY ALL")
    assert {tuple(row) for row in reported.page.tables["finding_counts"]} == counted


def test_the_flow_ends_with_what_was_found_received_sent_and_verified(
    reported: Reported, db: duckdb.DuckDBPyConnection
) -> None:
    found = "SELECT sum(instance_count)::BIGINT FROM study"
    stored = "SELECT count(*) FROM uploads WHERE status IN ('0000', 'B000', 'B006', 'B007')"
    queries = (found, "SELECT count(*) FROM received", stored, "SELECT count(*) FROM checked WHERE outcome = 'match'")
    expected = [db.sql(query).fetchall()[0][0] for query in queries]
    assert [int(value) for value in reported.page.tables["flow"][-1][1:]] == expected


def test_every_point_of_the_flow_is_what_had_happened_by_then(
    reported: Reported, db: duckdb.DuckDBPyConnection
) -> None:
    stored = "SELECT sent_at FROM uploads WHERE status IN ('0000', 'B000', 'B006', 'B007')"
    checked = "SELECT verified_at FROM checked WHERE outcome = 'match'"
    times = [
        sorted(at[:19] for (at,) in db.sql(query).fetchall())
        for query in ("SELECT received_at FROM received", stored, checked)
    ]
    for at, _, *counts in reported.page.tables["flow"]:
        moment = f"2026-{at.replace(' ', 'T')}:00"
        assert counts == [bisect_left(stage, moment) for stage in times], at


def test_the_years_of_the_inventory_hold_every_dated_study(reported: Reported, db: duckdb.DuckDBPyConnection) -> None:
    query = """SELECT year(study_day)::VARCHAR AS year, main.modality, count(*) FROM study
        JOIN main USING (study_instance_uid) WHERE study_day IS NOT NULL GROUP BY ALL"""
    expected: dict[str, Counter[int]] = defaultdict(Counter)
    for year, _, count in db.sql(query).fetchall():
        expected[year][count] += 1
    page = {
        str(year): Counter(n for n in counts if n) for year, *counts in reported.page.tables["by_year"] if any(counts)
    }
    assert page == expected


def test_the_matrix_of_the_balance_has_every_year_and_modality(
    reported: Reported, db: duckdb.DuckDBPyConnection
) -> None:
    query = """SELECT coalesce(lpad(year::VARCHAR, 4, '0'), 'Undated'), modality, sum(migrated)::BIGINT,
        sum(source)::BIGINT FROM balance WHERE level = 'STUDY' GROUP BY ALL"""
    expected = {(year, modality): f"{done}/{of}" for year, modality, done, of in db.sql(query).fetchall()}
    assert _matrix(reported.page.text) == expected


def _matrix(text: str) -> dict[tuple[str, str], str]:
    (table,) = re.findall(r'<table class="matrix".*?</table>', text, re.DOTALL)
    heads = re.findall(r'<th scope="col">(.*?)</th>', table)[1:]
    found: dict[tuple[str, str], str] = {}
    for year, cells in re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', table, re.DOTALL):
        notes = [re.findall(r'class="note">(.*?)<', cell) for cell in re.findall(r"<td.*?</td>", cells, re.DOTALL)]
        found |= {(year, head): note[0] for head, note in zip(heads, notes, strict=True) if note}
    return found


BARS = {
    "books": """SELECT CASE level WHEN 'STUDY' THEN 'Studies' WHEN 'SERIES' THEN 'Series' ELSE 'Instances' END,
        format('{:,}', sum(source)::BIGINT) FROM balance WHERE level <> 'BYTES' GROUP BY level""",
    "classes": "SELECT exception_class, count(*)::VARCHAR FROM register GROUP BY ALL",
}


@pytest.mark.parametrize("key", BARS)
def test_the_bars_say_what_the_files_say(key: str, reported: Reported, db: duckdb.DuckDBPyConnection) -> None:
    (bars,) = re.findall(rf'<figure class="bars" data-chart="{key}".*?</figure>', reported.page.text, re.DOTALL)
    found = dict(re.findall(r'class="label">(.*?)</span>.*?class="value">(.*?)</span>', bars, re.DOTALL))
    found.pop("Bytes", None)
    assert found == dict(db.sql(BARS[key]).fetchall())


def test_what_content_comparisons_prove_is_counted_study_by_study(
    reported: Reported, db: duckdb.DuckDBPyConnection
) -> None:
    query = """SELECT count(*), count(*) FILTER (bad OR good), count(*) FILTER (bad) FROM (
        SELECT study_instance_uid, bool_or(outcome = 'differs') AS bad, bool_and(method = 'content') AS good
        FROM received JOIN checked USING (study_instance_uid, sop_instance_uid) GROUP BY ALL)
        JOIN journal.studies USING (study_instance_uid) WHERE bad OR state = 'VERIFIED'"""
    ((studies, compared, defective),) = db.sql(query).fetchall()
    assert compared == studies > defective > 0
    assert f"Compared by content: all {studies} studies; {defective} differ." in reported.page.text
    said = db.sql("SELECT studies, compared, defective FROM acceptance WHERE scope = 'all'").fetchall()
    assert said == [(studies, compared, defective)]


def test_what_is_said_of_the_crawl_and_of_the_last_round_follows_from_them(
    reported: Reported, db: duckdb.DuckDBPyConnection
) -> None:
    query = "SELECT closed, list_sum(list_transform(json_keys(kinds), lambda kind: seen(kinds, kind))) FROM crawl"
    closed, changes = db.sql(f"{query} ORDER BY started_at DESC LIMIT 1").fetchall()[0]
    assert reported.page.figures["crawl.closed"] == ("yes" if closed else "no")
    assert reported.page.figures["delta.fixed_point"] == ("yes" if closed and not changes else "no")


def test_the_minutes_of_the_freeze_follow_from_the_rounds_and_the_pace(
    reported: Reported, db: duckdb.DuckDBPyConnection
) -> None:
    changes = """SELECT list_sum(list_transform(json_keys(kinds), lambda kind: seen(kinds, kind)))
        - seen(kinds, 'GONE'), date_diff('second', started_at, finished_at), started_at
        FROM crawl ORDER BY started_at"""
    (_, _, first), *rounds = db.sql(changes).fetchall()
    per_hour = float(sum(n for n, _, _ in rounds)) / ((rounds[-1][2] - first).total_seconds() / 3600)
    pace = """SELECT count(*) / count(DISTINCT left("at", 16)) * 60 FROM journal.events WHERE kind = 'Verified'"""
    moved, crawl_s = db.sql(pace).fetchall()[0][0], rounds[-1][1]
    freeze_s = 2 * crawl_s + crawl_s * per_hour / (moved - per_hour)
    assert int(reported.page.figures["delta.freeze"]) == math.ceil(freeze_s / 60)


@pytest.mark.parametrize("key", ["digests", "certificate_digests"])
def test_the_digest_of_a_table_can_be_computed_from_its_files(
    key: str, reported: Reported, db: duckdb.DuckDBPyConnection
) -> None:
    manifests = reported.folder / "manifests"
    page = {row[0]: [str(value) for value in row[1:]] for row in reported.page.tables[key]}
    assert {*page} == {folder.name for folder in manifests.iterdir() if folder.name != ".work"}
    for table, told in page.items():
        files = sorted((manifests / table).rglob("*.parquet"))
        rows = db.sql(f"SELECT count(*) FROM read_parquet('{manifests}/{table}/*/*.parquet')").fetchall()[0][0]
        lines = [f"{xxhash.xxh3_128_hexdigest(f.read_bytes())}  {f.relative_to(manifests).as_posix()}\n" for f in files]
        assert told == [str(len(files)), str(rows), xxhash.xxh3_128_hexdigest("".join(lines).encode())]


def test_the_csv_files_hold_the_rows_of_the_page(reported: Reported) -> None:
    for key in ("balance", "exceptions", "held"):
        path: Path = reported.folder / "reports" / f"{key}.csv"
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file))[1:]
        page = [[str(value) for value in row] for row in reported.page.tables[key]]
        assert [[cell.removeprefix("'") for cell in row] for row in rows] == page


def _balance(reported: Reported) -> list[list[Any]]:
    """The lines, with the hostile facility name as it stands in the files."""
    rows = reported.page.tables["balance"]
    return [[*row[:2], NASTY if row[2] == shown(NASTY) else row[2], *row[3:]] for row in rows]


def _number(value: object) -> object:
    if isinstance(value, str) and value.isdigit():
        return int(value)
    return "" if value is None else value
