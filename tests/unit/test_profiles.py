"""Profiles are written whole or not at all, read back as they were, and a person's word stands above them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from migrate.config import Config
from migrate.destinations import open_destination
from migrate.engine.place import doorstep
from migrate.errors import ConfigError, FormatTooNew, LocalError, MigrateError
from migrate.profiles import (
    FACTS,
    Learnt,
    Profile,
    ProfileFile,
    load_profile,
    load_profile_of,
    profile_path,
    read_profile,
    save_profile,
)
from migrate.sources import open_source

OLDER = "[result_cap]\nvalue = 500\noverride = 200\n[wildcard]\nvalue = true\n"
PEER = ("LEGACY", "127.0.0.1", 104)


def learnt(**values: Any) -> ProfileFile:
    facts = {name: Learnt(value=value, how=f"{name} was asked", when="2026-11-24") for name, value in values.items()}
    return ProfileFile(side="source", peer="LEGACY@127.0.0.1:104", assessed_at="2026-11-24", learnt=facts)


def write(folder: Path, text: str) -> None:
    path = profile_path(folder, "source")
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


def test_nobody_assessed_means_nothing_is_known(tmp_path: Path) -> None:
    assert load_profile(tmp_path, "source") == Profile(peer="", assessed_at="")


def test_what_was_learnt_is_read_back(tmp_path: Path) -> None:
    facts: dict[str, Any] = {
        "result_cap": 500,
        "cap_signal": "FE00",
        "wildcard": False,
        "find_latency_s": 0.25,
        "character_sets": ["ISO_IR 100", "\\ISO 2022 IR 87"],
        "optional_keys": {"STUDY.ModalitiesInStudy": "filled"},
        "contexts": {"1.2.840.10008.5.1.4.1.1.2": ["1.2.840.10008.1.2.1"]},
        "relational_queries": None,
    }
    save_profile(tmp_path, learnt(**facts))
    profile = load_profile(tmp_path, "source")
    assert profile.result_cap == 500
    assert profile.wildcard is False
    assert profile.find_latency_s == 0.25
    assert profile.character_sets == ("ISO_IR 100", "\\ISO 2022 IR 87")
    assert profile.contexts == {"1.2.840.10008.5.1.4.1.1.2": ("1.2.840.10008.1.2.1",)}
    assert profile.relational_queries is None
    assert read_profile(tmp_path, "source") == learnt(**facts)


@pytest.mark.parametrize(
    ("fact", "override", "expected"),
    [
        ("result_cap", "200", 200),
        ("wildcard", "true", True),
        ("retrieve", '"c-get"', "c-get"),
        ("character_sets", '["ISO_IR 192"]', ("ISO_IR 192",)),
    ],
)
def test_an_override_counts_instead_of_the_value(tmp_path: Path, fact: str, override: str, expected: object) -> None:
    write(tmp_path, f"[{fact}]\noverride = {override}\n")
    assert getattr(load_profile(tmp_path, "source"), fact) == expected


def test_an_override_stays_when_the_peer_is_assessed_again(tmp_path: Path) -> None:
    write(
        tmp_path, 'peer = "LEGACY@127.0.0.1:104"\n[result_cap]\nvalue = 500\noverride = 200\n[wildcard]\nvalue = true\n'
    )
    merged = learnt(result_cap=1000).merged(read_profile(tmp_path, "source"))
    assert merged.learnt["result_cap"].value == 1000
    assert merged.to_profile().result_cap == 200
    assert merged.to_profile().wildcard is True


def test_facts_about_another_peer_are_dropped(tmp_path: Path) -> None:
    write(
        tmp_path, 'peer = "OTHER@127.0.0.1:104"\n[result_cap]\nvalue = 500\noverride = 200\n[wildcard]\nvalue = true\n'
    )
    assert learnt(result_cap=None).merged(read_profile(tmp_path, "source")) == learnt(result_cap=None)


@pytest.mark.parametrize(
    ("peer", "cap"), [('peer = "LEGACY@127.0.0.1:104"\n', 500), ("", 500), ('peer = "LEGACY@10.0.0.1:104"\n', None)]
)
def test_a_profile_holds_for_the_peer_it_names(tmp_path: Path, peer: str, cap: int | None) -> None:
    write(tmp_path, f"{peer}[result_cap]\nvalue = 500\n")
    assert load_profile_of(tmp_path, "source", PEER).result_cap == cap


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("[result_cap\n", ConfigError, "cannot be read"),
        ("[result_kap]\noverride = 1\n", ConfigError, "unknown key result_kap"),
        ("[result_cap]\noverwrite = 1\n", ConfigError, "unknown key result_cap.overwrite"),
        ("result_cap = 1\n", ConfigError, "result_cap is not a table"),
        ('[result_cap]\noverride = "many"\n', ConfigError, "result_cap"),
        ('[retrieve]\noverride = "by post"\n', ConfigError, "retrieve"),
        ("format = 2\n", FormatTooNew, "newer version"),
        ("\xff", ConfigError, "cannot be read"),
    ],
)
def test_what_cannot_be_a_profile_is_refused_by_name(
    tmp_path: Path, text: str, kind: type[MigrateError], said: str
) -> None:
    write(tmp_path, "")
    profile_path(tmp_path, "source").write_bytes(text.encode("latin-1"))
    with pytest.raises(kind) as caught:
        load_profile(tmp_path, "source")
    assert said in str(caught.value)
    assert caught.value.hint


def test_a_profile_that_cannot_be_written_leaves_the_one_before(tmp_path: Path) -> None:
    save_profile(tmp_path, learnt(result_cap=500))
    (tmp_path / "profiles" / "source.tmp").mkdir()
    with pytest.raises(LocalError):
        save_profile(tmp_path, learnt(result_cap=1))
    assert load_profile(tmp_path, "source").result_cap == 500


def test_a_profile_is_ours_alone_to_read(tmp_path: Path) -> None:
    path = save_profile(tmp_path, learnt(result_cap=500))
    assert list(path.parent.iterdir()) == [path]
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0


def test_every_fact_is_explained_in_the_docstring() -> None:
    assert [name for name in FACTS if f"        {name}: " not in (Profile.__doc__ or "")] == []


def test_sources_and_destinations_know_what_was_learnt(tmp_path: Path) -> None:
    save_profile(tmp_path, learnt(result_cap=500, c_get=False, c_move=True, relational_queries=True, retrieve="c-move"))
    there = {"storage_commitment": Learnt(value=True, how="", when="")}
    save_profile(tmp_path, ProfileFile(side="destination", peer="DIR@127.0.0.1:104", learnt=there))
    config = Config.model_validate({"run": {"name": "x", "source": "X"}})
    door = doorstep(config, tmp_path, 0, receiving=True)
    features = open_source(door).features
    assert (features.result_cap, features.c_get, features.c_move) == (500, False, True)
    assert features.relational_queries is True
    assert open_destination(door).features.storage_commitment is True
    door.area.close()
