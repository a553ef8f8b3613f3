"""migration.toml: every key of the contract is taken, every other one is named with what would be allowed."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from migrate.config import Config, find_run_folder, load
from migrate.errors import ConfigError
from migrate.resources import manifests_folder

MINIMAL = '[run]\nname = "n"\nsource = "S"\n'

WHOLE_CONTRACT = """
[run]
name = "fraser-2026"
source = "FRASER"
timezone = "America/Vancouver"
[source]
kind = "dimse"
ae_title = "LEGACY"
host = "127.0.0.1"
port = 4242
retrieve = "auto"
[receiver]
ae_titles = ["MIGRATE"]
host = "127.0.0.1"
port = 11112
allow = ["LEGACY"]
[destination]
kind = "dimse"
ae_title = "DIR"
host = "127.0.0.1"
port = 4243
verify = "auto"
commitment = "auto"
[crawl]
from = "1980-01-01"
level = "IMAGE"
[plan]
order = ["newest"]
exclude = []
[limits]
source_associations = 2
destination_associations = 4
bandwidth_mb_per_s = 0
hours = ["Mon-Fri 19:00-06:00", "Sat-Sun 00:00-24:00"]
latency_factor = 3.0
[staging]
path = "staging"
reserve_gb = 5
[normalize]
packs = ["common"]
[acceptance]
max_defect_rate = 0.001
confidence = 0.95
[tls]
cert = "cert.pem"
key = "key.pem"
ca = "ca.pem"
"""

BAD: dict[str, tuple[str, str, int, str]] = {
    "unknown table": (MINIMAL + "[sources]\n", "sources", 4, "allowed here: run, source, receiver"),
    "unknown key": (MINIMAL + '[source]\nhost = "h"\nae = "X"\n', "source.ae", 6, "allowed here: kind, ae_title"),
    "unknown key in crawl": (
        MINIMAL + '[crawl]\nfrom_day = "x"\n',
        "crawl.from_day",
        5,
        "allowed here: from, to, level",
    ),
    "unknown key in tls": (
        MINIMAL + '[tls]\ncert = "c"\nkey = "k"\nca = "a"\nverify = false\n',
        "tls.verify",
        8,
        "allowed here: cert, key, ca",
    ),
    "port too high": (MINIMAL + "[source]\nport = 70000\n", "source.port", 5, ""),
    "port is text": (MINIMAL + '[source]\nport = "many"\n', "source.port", 5, ""),
    "AE title too long": (MINIMAL + '[destination]\nae_title = "SEVENTEENLETTERSX"\n', "destination.ae_title", 5, ""),
    "no receiver": (MINIMAL + "[receiver]\nae_titles = []\n", "receiver.ae_titles", 5, ""),
    "bad AE title in a list": (MINIMAL + '[receiver]\nae_titles = ["A\\\\B"]\n', "receiver.ae_titles", 5, ""),
    "unknown choice": (MINIMAL + '[source]\nretrieve = "rsync"\n', "source.retrieve", 5, ""),
    "negative reserve": (MINIMAL + "[staging]\nreserve_gb = -1\n", "staging.reserve_gb", 5, ""),
    "confidence of one": (MINIMAL + "[acceptance]\nconfidence = 1\n", "acceptance.confidence", 5, ""),
    "no associations": (MINIMAL + "[limits]\nsource_associations = 0\n", "limits.source_associations", 5, ""),
    "source with a slash": ('[run]\nname = "n"\nsource = "a/b"\n', "run.source", 3, ""),
    "no name": ('[run]\nsource = "S"\n', "run.name", 1, ""),
    "no run at all": ("", "run", 1, ""),
    "a coercion that is no tag": (
        MINIMAL + '[destination]\ncoercions = ["PatientName"]\n',
        "destination.coercions",
        5,
        "",
    ),
    "a date that is none": (MINIMAL + '[crawl]\nfrom = "soon"\n', "crawl.from", 5, ""),
}


def written(folder: Path, text: str) -> Path:
    path = folder / "migration.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(("text", "key", "line", "hint"), BAD.values(), ids=BAD)
def test_a_wrong_key_is_named_with_its_file_and_line(tmp_path: Path, text: str, key: str, line: int, hint: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert key in caught.value.fact
    assert caught.value.facts["file"] == f"{path}:{line}"
    assert hint in caught.value.hint


def test_an_error_of_syntax_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not TOML"):
        load(written(tmp_path, "[run\n"))


@pytest.mark.parametrize("content", [b"\xff\xfe", None], ids=["not UTF-8", "absent"])
def test_a_file_that_cannot_be_read_is_a_configuration_error(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "migration.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match="cannot be read"):
        load(path)


def test_every_key_of_the_contract_is_taken(tmp_path: Path) -> None:
    assert load(written(tmp_path, WHOLE_CONTRACT)).run.name == "fraser-2026"


def test_the_shipped_example_shows_the_defaults() -> None:
    shown = tomllib.loads((manifests_folder() / "migration.example.toml").read_text(encoding="utf-8"))
    bare = Config.model_validate({"run": shown["run"]}).model_dump(by_alias=True)
    assert _differences(shown, bare) == {}


def test_the_shipped_example_shows_every_key() -> None:
    text = (manifests_folder() / "migration.example.toml").read_text(encoding="utf-8")
    uncommented = text.replace("# [tls]", "[tls]").replace("\n# ", "\n")
    shown = tomllib.loads(uncommented)
    for name, block in Config.model_validate({"run": shown["run"]}).model_dump(by_alias=True).items():
        missing = set(block or {}) - set(shown[name]) - INTERNAL.get(name, set())
        assert missing == set(), name


#: Keys for tests and rare peers; the example would only confuse with them.
INTERNAL: dict[str, set[str]] = {"source": {"quiet_s", "idle_timeout_s"}, "crawl": {"to"}, "normalize": {"values"}}


def test_the_nearest_run_folder_upwards_is_found(tmp_path: Path) -> None:
    written(tmp_path, MINIMAL)
    below = tmp_path / "manifests" / "studies"
    below.mkdir(parents=True)
    assert find_run_folder(below) == tmp_path


def test_without_a_run_folder_the_hint_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        find_run_folder(tmp_path)
    assert "migrate init" in caught.value.hint


def _differences(shown: dict[str, Any], bare: dict[str, Any]) -> dict[str, Any]:
    return {
        f"{table}.{key}": (value, bare[table][key])
        for table, keys in shown.items()
        for key, value in keys.items()
        if bare[table][key] != value
    }
