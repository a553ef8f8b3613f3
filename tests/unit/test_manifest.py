"""Tables are written whole or not at all, read back as they were, and damage is named."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from migrate.errors import FormatTooNew, LocalError, ManifestDamaged, UsageError
from migrate.manifest.latest import keep_latest
from migrate.manifest.leftovers import forget_leftovers, unfinished_folder
from migrate.manifest.place import Manifests
from migrate.manifest.read import batches, count_rows, parts_of, read_table, rows_of_studies, scan
from migrate.manifest.schema import FORMAT_KEY, TABLES, schema_of
from migrate.manifest.swap import exchange_folder, recover_folder
from migrate.manifest.write import TableWriter, replace_table, write_part


@pytest.fixture
def place(tmp_path: Path) -> Manifests:
    return Manifests(tmp_path, "FRASER")


@pytest.mark.parametrize("table", sorted(TABLES))
def test_every_column_says_what_it_means(table: str) -> None:
    assert all((column.metadata or {}).get(b"doc") for column in TABLES[table])


@pytest.mark.parametrize("table", sorted(TABLES))
def test_a_table_nobody_wrote_is_empty_with_its_columns(table: str, place: Manifests) -> None:
    rows = read_table(place.run_folder, table)
    assert rows.num_rows == 0
    assert rows.schema.names[: len(TABLES[table].names)] == TABLES[table].names


@pytest.mark.parametrize("table", sorted(TABLES))
def test_an_empty_part_of_every_table_can_be_written_and_read(table: str, place: Manifests) -> None:
    write_part(place, table, "0", {})
    assert count_rows(place.run_folder, table) == 0


def test_what_was_written_is_read_back_with_the_name_of_the_source(place: Manifests) -> None:
    write_part(place, "studies", "1", {"study_instance_uid": ["1.2"], "number_of_study_related_series": [None]})
    rows = read_table(place.run_folder, "studies", ["study_instance_uid", "number_of_study_related_series", "source"])
    assert rows.to_pylist() == [
        {"study_instance_uid": "1.2", "number_of_study_related_series": None, "source": "FRASER"}
    ]


def test_the_balance_keeps_its_own_column_named_source(place: Manifests) -> None:
    write_part(place, "balance", "1", {"level": ["STUDY"], "source": [7]})
    assert read_table(place.run_folder, "balance")["source"].to_pylist() == [7]


def test_a_part_written_again_replaces_itself(place: Manifests) -> None:
    write_part(place, "evidence", "7", {"sop_instance_uid": ["1"]})
    write_part(place, "evidence", "7", {"sop_instance_uid": ["1", "2"]})
    assert count_rows(place.run_folder, "evidence") == 2


def test_an_interrupted_part_leaves_nothing(place: Manifests) -> None:
    def write_and_fail() -> None:
        with TableWriter(place, "evidence", "7") as writer:
            writer.write({"sop_instance_uid": ["1"]})
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_and_fail()
    assert parts_of(place, "evidence") == []
    assert list(place.work_folder.iterdir()) == []


def test_files_and_folders_are_for_the_owner_alone(place: Manifests) -> None:
    part = write_part(place, "identities", "1", {"patient_id": ["1"]})
    assert stat.S_IMODE(part.stat().st_mode) == 0o600
    folders = [part.parent, part.parent.parent, place.work_folder]
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}


def test_uid_and_digest_columns_are_stored_as_differences(place: Manifests) -> None:
    part = write_part(place, "evidence", "1", {"sop_instance_uid": ["1.2"], "wire_xxh3": ["ab"]})
    group = pq.read_metadata(part).row_group(0)
    encodings = {group.column(i).path_in_schema: group.column(i).encodings for i in range(group.num_columns)}
    assert "DELTA_BYTE_ARRAY" in encodings["sop_instance_uid"]
    assert "DELTA_BYTE_ARRAY" in encodings["wire_xxh3"]


def test_a_newer_format_is_refused(place: Manifests) -> None:
    schema = schema_of("studies")
    part = place.part_path("studies", "1")
    part.parent.mkdir(parents=True)
    pq.write_table(schema.with_metadata({FORMAT_KEY: b"99"}).empty_table(), part)
    with pytest.raises(FormatTooNew, match="newer"):
        scan(place.run_folder, "studies")


@pytest.mark.parametrize("damage", ["cut", "empty", "flip"])
def test_a_damaged_file_is_named(damage: str, place: Manifests) -> None:
    uids = [f"1.2.{i * 7919}" for i in range(5000)]
    write_part(place, "studies", "1", {"study_instance_uid": uids})
    part = write_part(place, "studies", "2", {"study_instance_uid": uids})
    content = bytearray(part.read_bytes())
    content[300] ^= 0x10
    part.write_bytes({"cut": bytes(content[:-50]), "empty": b"", "flip": bytes(content)}[damage])
    with pytest.raises(ManifestDamaged, match=r"part-2\.parquet") as caught:
        read_table(place.run_folder, "studies")
    assert "restore" in caught.value.hint


def test_a_folder_that_cannot_be_written_is_a_local_error(place: Manifests) -> None:
    (place.run_folder / "manifests").write_text("a file where a folder must be")
    with pytest.raises(LocalError, match="cannot write"):
        write_part(place, "studies", "1", {})


@pytest.mark.parametrize("part_id", ["", "../x", "a/b", ".hidden"])
def test_a_part_id_cannot_leave_the_folder(part_id: str, place: Manifests) -> None:
    with pytest.raises(UsageError):
        write_part(place, "studies", part_id, {})


def test_an_unknown_table_is_a_usage_error(place: Manifests) -> None:
    with pytest.raises(UsageError, match="no such table"):
        write_part(place, "patients", "1", {})


@pytest.mark.parametrize("columns", [{"patient": ["x"]}, {"patient_key": ["a"], "study_date": ["b", "c"]}])
def test_columns_that_do_not_fit_are_a_bug(columns: dict[str, list[str]], place: Manifests) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        write_part(place, "studies", "1", columns)


def test_a_table_is_replaced_as_a_whole(place: Manifests) -> None:
    write_part(place, "studies", "old", {"study_instance_uid": ["1", "2"]})
    rows = replace_table(place, "studies", ({"study_instance_uid": [str(i)]} for i in range(5, 8)))
    assert rows == 3
    assert read_table(place.run_folder, "studies")["study_instance_uid"].to_pylist() == ["5", "6", "7"]
    assert list(place.work_folder.iterdir()) == []


def test_a_table_whose_new_content_fails_stays(place: Manifests) -> None:
    write_part(place, "studies", "old", {"study_instance_uid": ["1"]})
    with pytest.raises(ValueError, match="do not fit"):
        replace_table(place, "studies", [{"nonsense": [1]}])
    assert count_rows(place.run_folder, "studies") == 1


def test_a_kill_between_two_renames_is_healed(tmp_path: Path) -> None:
    work, target = tmp_path / ".work", tmp_path / "studies" / "source=A"
    waiting = work / "studies-source=A.old"
    waiting.mkdir(parents=True)
    (waiting / "part-1.parquet").touch()
    target.parent.mkdir()
    recover_folder(work, target)
    assert (target / "part-1.parquet").exists()


def test_a_folder_takes_the_place_of_another(tmp_path: Path) -> None:
    fresh, target = tmp_path / ".work" / "fresh", tmp_path / "studies" / "source=A"
    for folder, name in ((fresh, "new"), (target, "old")):
        folder.mkdir(parents=True)
        (folder / name).touch()
    exchange_folder(fresh, target)
    assert [path.name for path in target.iterdir()] == ["new"]
    assert not fresh.exists()


def test_only_the_latest_attempt_counts(place: Manifests) -> None:
    columns: dict[str, list[Any]] = {
        "study_instance_uid": ["S", "S", "S", "T"],
        "sop_instance_uid": ["1", "2", "1", "1"],
        "attempt": [2, 1, 1, 1],
        "status": ["0000", "A700", "A900", "B000"],
        "sent_at": ["b", "a", "c", "a"],
    }
    write_part(place, "uploads", "1", columns)
    rows = keep_latest(read_table(place.run_folder, "uploads"), "sent_at").to_pylist()
    assert {(row["study_instance_uid"], row["sop_instance_uid"], row["status"]) for row in rows} == {
        ("S", "1", "0000"),
        ("S", "2", "A700"),
        ("T", "1", "B000"),
    }
    assert len(rows) == 3


def test_the_rows_of_some_studies_come_as_plain_columns(place: Manifests) -> None:
    write_part(place, "series", "1", {"study_instance_uid": ["A", "B"], "modality": ["CT", "MR"]})
    assert rows_of_studies(place.run_folder, "series", ["B"], ["modality"]) == {"modality": ["MR"]}


text = st.none() | st.text(max_size=20)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(text, text, st.none() | st.integers(-(2**62), 2**62), st.lists(st.text(max_size=4)))),
    step=st.integers(1, 5),
)
def test_any_values_come_back_in_order(
    rows: list[tuple[str | None, str | None, int | None, list[str]]], step: int, place: Manifests
) -> None:
    with TableWriter(place, "verification", "x") as writer:
        for start in range(0, len(rows), step):
            uids, details, attempts, differs = zip(*rows[start : start + step], strict=True)
            columns = {"sop_instance_uid": uids, "detail": details, "attempt": attempts, "differs": differs}
            writer.write(columns)
    names = ["sop_instance_uid", "detail", "attempt", "differs"]
    read = [row for b in batches(place.run_folder, "verification", names) for row in zip(*b.values(), strict=True)]
    assert read == [tuple(row) for row in rows]


_ENDLESS = """
import sys, pathlib
from migrate.manifest.leftovers import forget_leftovers, unfinished_folder
from migrate.manifest.place import Manifests
from migrate.manifest.write import replace_table
place = Manifests(pathlib.Path(sys.argv[1]), "FRASER")
print("ready", flush=True)
for n in range(10**9):
    replace_table(place, "studies", ({"study_instance_uid": [str(n)] * 50} for _ in range(3)))
    print(n, flush=True)
"""


@pytest.mark.parametrize("rounds", [1, 2, 5, 11])
def test_a_writer_killed_anywhere_leaves_a_whole_table(rounds: int, place: Manifests) -> None:
    command = [sys.executable, "-c", _ENDLESS, str(place.run_folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(rounds + 1):
            process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
    values = read_table(place.run_folder, "studies")["study_instance_uid"].to_pylist()
    assert len(values) == 150
    assert len(set(values)) == 1


def test_polars_and_duckdb_read_a_table_as_it_lies(place: Manifests) -> None:
    polars = pytest.importorskip("polars")
    duckdb = pytest.importorskip("duckdb")
    write_part(place, "studies", "1", {"study_instance_uid": ["1.2"], "study_date": ["20040312"]})
    glob = str(place.run_folder / "manifests" / "studies" / "*" / "*.parquet")
    assert polars.read_parquet(glob)["study_date"].to_list() == ["20040312"]
    assert duckdb.sql(f"select source, study_date from '{glob}'").fetchall() == [("FRASER", "20040312")]
    assert isinstance(scan(place.run_folder, "studies").to_table(), pa.Table)


def test_polars_and_duckdb_read_the_balance_with_its_own_source_column(place: Manifests) -> None:
    polars = pytest.importorskip("polars")
    duckdb = pytest.importorskip("duckdb")
    write_part(place, "balance", "1", {"level": ["STUDY"], "source": [7]})
    glob = str(place.run_folder / "manifests" / "balance" / "*" / "*.parquet")
    assert polars.read_parquet(glob, hive_partitioning=False)["source"].to_list() == [7]
    assert duckdb.sql(f"select source from read_parquet('{glob}', hive_partitioning=false)").fetchall() == [(7,)]


def test_the_rows_of_no_study_are_none(place: Manifests) -> None:
    write_part(place, "studies", "1", {"study_instance_uid": ["1.2"]})
    assert rows_of_studies(place.run_folder, "studies", [], ["study_instance_uid"]) == {"study_instance_uid": []}
    assert rows_of_studies(place.run_folder, "studies", iter(["1.2"]), ["study_instance_uid"]) == {
        "study_instance_uid": ["1.2"]
    }


def test_what_a_killed_writer_left_goes_and_what_somebody_writes_stays(place: Manifests) -> None:
    with TableWriter(place, "evidence", "7") as writer, unfinished_folder(place.work_folder / f"studies-{'0' * 32}"):
        writer.write({"sop_instance_uid": ["1"]})
        (place.work_folder / "killed.tmp").touch()
        (place.work_folder / f"studies-{'1' * 32}").mkdir()
        (place.work_folder / f"studies-{'1' * 32}" / "part-000000.parquet").touch()
        before = {path.name for path in place.work_folder.iterdir()}
        forget_leftovers(place)
        gone = before - {path.name for path in place.work_folder.iterdir()}
    assert gone == {"killed.tmp", f"studies-{'1' * 32}"}
    assert count_rows(place.run_folder, "evidence") == 1
