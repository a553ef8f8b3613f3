"""The digests of the final tables in one file, handed to whoever signs it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from migrate.dicom.digest import xxh3
from migrate.errors import ConfigError, LocalError
from migrate.manifest.place import Manifests
from migrate.manifest.write import write_part
from migrate.report.signing import sign, write_digests
from tests.cli.inline import say
from tests.engine.seeded import write_config
from tests.report.example import build_run

SIGNER = """import pathlib, sys
path = pathlib.Path(sys.argv[1])
path.with_suffix(".sig").write_text(f"signed {len(path.read_text())}")
"""


def signer(folder: Path) -> str:
    (folder / "signer.py").write_text(SIGNER, encoding="utf-8")
    return f"{sys.executable} {folder / 'signer.py'}"


def test_the_file_has_a_line_for_each_table_and_one_for_all(tmp_path: Path) -> None:
    build_run(tmp_path, count=3)
    text = write_digests(tmp_path).read_text(encoding="utf-8")
    *tables, last = text.splitlines(keepends=True)
    written = {path.name for path in (tmp_path / "manifests").iterdir() if not path.name.startswith(".")}
    assert {line.split()[1] for line in tables} == written
    assert last == f"{xxh3(''.join(tables).encode())}  all of the above\n"


WORDS = "README.md RELIABILITY.md manifests/README.md manifests/DIGESTS.md manifests/migration.example.toml".split()


@pytest.mark.parametrize("page", [*WORDS, "migrate/report/texts.py", "migrate/dicom/digest.py"])
def test_every_page_that_speaks_of_digests_says_that_they_find_accidents_and_no_forger(page: str) -> None:
    text = (Path(__file__).parents[2] / page).read_text(encoding="utf-8").lower()
    assert "xxh" in text
    assert "accident" in text
    assert "forge" in text


def test_another_row_makes_another_digest(tmp_path: Path) -> None:
    build_run(tmp_path, count=3)
    first = write_digests(tmp_path).read_text(encoding="utf-8")
    write_part(Manifests(tmp_path, "A"), "uid_map", "1", {"old_uid": ["1.02"], "new_uid": ["2.25.1"]})
    assert write_digests(tmp_path).read_text(encoding="utf-8") != first


def test_report_lets_the_signer_sign(tmp_path: Path) -> None:
    build_run(tmp_path, count=3)
    write_config(tmp_path, {"acceptance": {"sign_with": signer(tmp_path)}})
    said = say(tmp_path, "--json", "report")
    assert (said.code, said.json["signed"]) == (0, True), said.stderr
    assert (tmp_path / "reports" / "digests.sig").read_text(encoding="utf-8").startswith("signed ")


@pytest.mark.parametrize("command", ["no-such-program-anywhere", "'unfinished"])
def test_a_signer_that_cannot_be_started_is_a_configuration_error(command: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be started"):
        sign(tmp_path / "digests.txt", command)


def test_a_signer_that_fails_ends_the_command(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="signer failed"):
        sign(tmp_path / "digests.txt", f"{sys.executable} -c 'raise SystemExit(3)'")
