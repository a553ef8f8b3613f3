"""Every figure of the page, counted again by DuckDB from the Parquet files alone.

Nothing of `migrate` is used to count: the SQL says what the figure means. States come from the
balance only where the books are meant; everything else is counted from the instance tables.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
import xxhash

from migrate.report.plain import shown
from tests.report.conftest import Reported
from tests.report.example import NASTY

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
# `sop_classes` and `syntaxes` show a name in front of the UID.
FROM_COLUMN = {"sop_classes": 1, "syntaxes": 1}
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


@pytest.fixture(scope="module")
def db(reported: Reported) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        for table in (*TABLES, "findings"):
            files = (reported.folder / "manifests" / table).as_posix()
            connection.execute(f"CREATE VIEW {table} AS SELECT * FROM read_parquet('{files}/*/*.parquet')")
        connection.execute(VIEWS)
        yield connection


def _rows(db: duckdb.DuckDBPyConnection, query: str) -> set[tuple[Any, ...]]:
    return {tuple(int(v) if isinstance(v, float) else v for v in row) for row in db.sql(query).fetchall()}


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
    page = {tuple(_number(value) for value in row[FROM_COLUMN.get(key, 0) :]) for row in reported.page.tables[key]}
    assert page == {tuple(_number(value) for value in row) for row in _rows(db, ROWS[key])}


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
    for total in reported.page.tables["totals"]:
        lines = [row for row in _balance(reported) if row[3] == total[0]]
        assert [int(value) for value in total[1:6]] == [sum(row[place] for row in lines) for place in range(4, 9)]


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


def test_the_digest_of_a_table_can_be_computed_from_its_files(reported: Reported) -> None:
    manifests = reported.folder / "manifests"
    page = {row[0]: row[3] for row in reported.page.tables["digests"]}
    for table in TABLES:
        files = sorted((manifests / table).rglob("*.parquet"))
        lines = [f"{xxhash.xxh3_128_hexdigest(f.read_bytes())}  {f.relative_to(manifests).as_posix()}\n" for f in files]
        assert page[table] == xxhash.xxh3_128_hexdigest("".join(lines).encode())


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
    return int(value) if isinstance(value, str) and value.isdigit() else value or ""
