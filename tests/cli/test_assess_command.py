"""`migrate assess` as an operator starts it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from migrate.demo.misbehaviour import Misbehaviours
from migrate.demo.pacs import EmbeddedPeer, PeerOptions
from migrate.demo.samples import make_legacy_archive
from migrate.profiles import load_profile
from tests.assess.kit import Blocks, at, made_run_folder
from tests.engine.command import migrate
from tests.peers.ports import free_port


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_legacy_archive(tmp_path_factory.mktemp("assess-cli") / "legacy", studies=20).folder


@pytest.fixture
def start(tmp_path: Path, archive: Path) -> Iterator[Callable[..., tuple[Path, EmbeddedPeer]]]:
    """A function: orders for the source and whether it knows our receiver; the run folder and the source."""
    with ExitStack() as running:

        def peers(orders: dict[str, object] | None = None, registered: bool = True) -> tuple[Path, EmbeddedPeer]:
            port = free_port()
            options = PeerOptions(
                ae_title="LEGACY",
                folder=archive,
                destinations={"MIGRATE": ("127.0.0.1", port)} if registered else {},
                misbehaviours=Misbehaviours.from_mapping({"find": orders or {}}),
            )
            legacy = running.enter_context(EmbeddedPeer(options))
            there = running.enter_context(EmbeddedPeer(PeerOptions(ae_title="DIR", folder=tmp_path / "dir")))
            where = at("source", "LEGACY", legacy.port), at("destination", "DIR", there.port)
            settings: Blocks = {"receiver": {"port": port}, "source": {"retrieve": "c-move"}}
            return made_run_folder(tmp_path / "run", *where, settings), legacy

        yield peers


Start = Callable[..., tuple[Path, EmbeddedPeer]]


def test_it_says_the_budget_first_then_its_lines_and_again_as_json_with_what_a_person_overruled(start: Start) -> None:
    folder, _ = start({"result_cap": 5})
    ended = migrate(folder, "assess")
    lines = ended.stdout.splitlines()
    assert ended.code == 0, ended.stdout
    assert "at most 60 C-FINDs" in lines[0]
    assert all(line[:4] in {"ok  ", "warn", "fail"} or line.startswith("      hint: ") for line in lines[1:])
    path = folder / "profiles" / "source.toml"
    path.write_text(path.read_text().replace("[result_cap]\n", "[result_cap]\noverride = 7\n"))

    again = migrate(folder, "--json", "assess", "--queries", "50")
    assert again.code == 0, again.stderr
    found = again.json
    assert set(found) == {"checks", "profiles"}
    assert {frozenset(one) for one in found["checks"]} == {frozenset({"name", "result", "fact", "hint"})}
    assert {one["result"] for one in found["checks"]} <= {"ok", "warn", "fail"}
    assert found["profiles"]["destination"]["finds_images"]["value"] is True
    cap = found["profiles"]["source"]["result_cap"]
    assert (cap["value"], cap["override"], set(cap)) == (5, 7, {"value", "how", "when", "override"})
    named = [one["fact"] for one in found["checks"] if one["name"] == "source override"]
    assert named == ["result_cap = 7 by a person, learnt: 5"]
    assert load_profile(folder, "source").result_cap == 7


def test_the_exit_code_is_that_of_the_first_failure(start: Start) -> None:
    folder, _ = start(registered=False)
    ended = migrate(folder, "assess")
    assert ended.code == 42
    assert "fail  source C-MOVE to MIGRATE: C-MOVE refused" in ended.stdout
    assert "ok    destination profile" in ended.stdout


def test_no_identity_is_printed_or_written(start: Start) -> None:
    folder, legacy = start({"undecodable_every": 3})
    ended = migrate(folder, "-v", "-v", "--json", "assess")
    text = ended.stdout + ended.stderr + "".join(path.read_text() for path in (folder / "profiles").iterdir())
    rows = [each.row.values for each in legacy.archive.objects()]
    identity = {row.get(key, "") for row in rows for key in ("PatientID", "PatientName", "PatientBirthDate")}
    secrets = {value for value in identity if len(value) > 3}
    assert len(secrets) > 20
    assert [value for value in secrets if value in text] == []
