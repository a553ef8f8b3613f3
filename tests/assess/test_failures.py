"""Each failure has its exit code and its remedy, and takes nothing with it that could still run."""

from __future__ import annotations

import fcntl
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme

from migrate.errors import MigrateError
from migrate.manifest.place import Manifests
from migrate.manifest.write import write_part
from migrate.stages.assess import LOCAL_CHECKS
from migrate.stages.assess.check import fail
from tests.assess.conftest import Stand
from tests.assess.kit import Blocks, Found, assessed, assessment_of, at, made_run_folder
from tests.peers.ports import free_port

Start = Callable[..., Stand]


def test_a_closed_port_fails_the_source_alone(stand: Start) -> None:
    here = stand(None, at("source", "LEGACY", free_port()))
    found = assessed(here.folder)
    assert found.failures() == {"source C-ECHO": 41}
    assert found.assessed.exit_code == 41
    assert "firewall" in found.line("source C-ECHO").hint
    assert found.line("destination C-ECHO").result == "ok"
    assert found.source.peer is None or found.source.peer == ""


def test_a_wrong_called_ae_title_is_refused_with_its_remedy(stand: Start) -> None:
    here = stand()
    made_run_folder(
        here.folder,
        at("source", "NOBODY", here.legacy.port),
        at("destination", "DIR", here.dir.port),
        {"receiver": {"port": here.receiver_port}},
    )
    line = assessed(here.folder).line("source C-ECHO")
    assert (line.result, line.exit_code) == ("fail", 42)
    assert "compare ae_title NOBODY" in line.hint


def test_an_ae_title_that_the_source_does_not_know_is_named_with_its_remedy(stand: Start) -> None:
    found = assessed(stand(allow=("SOMEBODY",)).folder)
    assert found.failures() == {"source C-ECHO": 42}
    assert "does not know our AE title MIGRATE; ask its administrator to add it" in found.line("source C-ECHO").hint


@pytest.mark.parametrize(("retrieve", "result", "code"), [("auto", "warn", 0), ("c-move", "fail", 42)])
def test_an_unregistered_move_destination_is_named_with_host_and_port(
    stand: Start, retrieve: str, result: str, code: int
) -> None:
    here = stand(None, {"source": {"retrieve": retrieve}}, registered=False)
    found = assessed(here.folder)
    line = found.line("source C-MOVE to MIGRATE")
    assert (line.result, found.assessed.exit_code) == (result, code)
    assert "status=A801" in line.fact
    assert f"ask its administrator to add MIGRATE 127.0.0.1:{here.receiver_port}" in line.hint
    assert found.source.retrieve == "c-get"


def test_a_move_that_arrives_elsewhere_is_told_apart(stand: Start) -> None:
    here = stand({"move": {"refuse_get": True}})
    here.legacy.add_destination("MIGRATE", "127.0.0.1", here.dir.port)  # which answers to DIR alone
    line = assessed(here.folder).line("source C-MOVE to MIGRATE")
    assert (line.result, line.exit_code) == ("fail", 42)
    assert f"MIGRATE 127.0.0.1:{here.receiver_port}" in line.hint


def test_a_source_that_says_success_and_sends_nothing_is_told_apart(stand: Start) -> None:
    line = assessed(stand({"move": {"success_nothing_sent": True}}).folder).line("source C-MOVE to MIGRATE")
    assert (line.result, line.exit_code) == ("fail", 40)
    assert "firewall" in line.hint


def test_a_source_that_the_receiver_would_reject_is_told_apart(stand: Start) -> None:
    found = assessed(stand(None, {"receiver": {"allow": ["SOMEBODY"]}}).folder)
    line = found.line("source C-MOVE to MIGRATE")
    assert (line.result, line.exit_code) == ("fail", 20)
    assert line.hint == "add LEGACY to receiver.allow"


def test_each_of_our_ae_titles_is_tried_on_its_own_port(stand: Start) -> None:
    here = stand(None, {"receiver": {"ae_titles": ["MIGRATE", "MIGRATE2"]}})
    second = here.receiver_port + 1
    here.legacy.add_destination("MIGRATE2", "127.0.0.1", second)
    found = assessed(here.folder)
    assert found.source.move_destinations == {"MIGRATE": "arrived", "MIGRATE2": "arrived"}
    assert found.source.c_move is True


def test_a_receiver_port_in_use_fails_with_its_remedy_and_the_rest_goes_on(stand: Start) -> None:
    here = stand()
    with socket.create_server(("127.0.0.1", here.receiver_port)):
        found = assessed(here.folder)
    assert found.failures() == {"receiver ports": 50}
    assert "change receiver.port" in found.line("receiver ports").hint
    assert found.source.c_get is True
    assert found.source.retrieve == "c-get"


def test_a_commitment_that_is_wanted_and_not_offered_is_a_failure(stand: Start) -> None:
    here = stand(None, {"destination": {"commitment": "always"}}, dir_={"commitment": {"refuse": True}})
    assert assessed(here.folder).failures() == {"destination storage commitment": 20}


# ---- this machine


@pytest.mark.parametrize(
    ("check", "blocks", "code", "remedy"),
    [
        ("staging folder", {"staging": {"path": "migration.toml/staging"}}, 50, "staging.path"),
        ("disk space", {"staging": {"reserve_gb": 100_000_000}}, 51, "staging.reserve_gb"),
        ("receiver ports", {"receiver": {"host": "192.0.2.1"}}, 50, "address of this machine"),
        ("clock", {"run": {"timezone": "America/Surrey"}}, 20, "America/Vancouver"),
        ("rule packs", {"normalize": {"packs": ["nonesuch"]}}, 20, "common"),
        ("TLS", {"tls": {"cert": "a.pem", "key": "b.pem", "ca": "c.pem"}}, 20, "PEM"),
    ],
)
def test_each_local_fault_has_its_code_and_its_remedy(
    tmp_path: Path, check: str, blocks: Blocks, code: int, remedy: str
) -> None:
    folder = made_run_folder(tmp_path / "run", {"receiver": {"port": free_port()}}, blocks)
    with pytest.raises(MigrateError) as caught:
        list(LOCAL_CHECKS[check](assessment_of(folder)))
    line = fail(check, caught.value)
    assert line.exit_code == code
    assert remedy in line.hint


@pytest.mark.parametrize(
    ("check", "blocks", "hint"),
    [
        ("receiver ports", {"source": {"host": "192.0.2.7"}}, "receiver.host"),
        ("rule packs", {"normalize": {"packs": ["common"]}}, "normalize.values"),
    ],
)
def test_what_will_hurt_later_is_a_warning(tmp_path: Path, check: str, blocks: Blocks, hint: str) -> None:
    folder = made_run_folder(tmp_path / "run", {"receiver": {"port": free_port()}}, blocks)
    (line,) = LOCAL_CHECKS[check](assessment_of(folder))
    assert line.result == "warn"
    assert hint in line.hint


def test_a_disk_too_small_for_the_largest_studies_is_a_warning(tmp_path: Path) -> None:
    folder = made_run_folder(tmp_path / "run")
    counts: dict[str, list[Any]] = {"study_instance_uid": ["1.2", "1.3"], "instance_count": [7, 900_000_000]}
    write_part(Manifests(folder, "TEST"), "studies", "1", counts)
    (line,) = LOCAL_CHECKS["disk space"](assessment_of(folder))
    assert line.result == "warn"
    assert "900,000,000 instances" in line.fact


@pytest.mark.parametrize(("mode", "result"), [(0o600, "ok"), (0o644, "warn")])
def test_certificates_are_tried_and_a_key_that_others_may_read_is_named(tmp_path: Path, mode: int, result: str) -> None:
    folder = made_run_folder(tmp_path / "run", {"tls": {"cert": "cert.pem", "key": "key.pem", "ca": "ca.pem"}})
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    issued.private_key_pem.write_to_path(folder / "key.pem")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    (folder / "key.pem").chmod(mode)
    (line,) = LOCAL_CHECKS["TLS"](assessment_of(folder))
    assert line.result == result


@pytest.mark.parametrize("check", list(LOCAL_CHECKS))
def test_a_fit_machine_passes_and_nothing_is_left_behind(tmp_path: Path, check: str) -> None:
    folder = made_run_folder(tmp_path / "run", {"receiver": {"port": free_port()}})
    assert [one.result for one in LOCAL_CHECKS[check](assessment_of(folder))] == ["ok"]
    assert [path for path in folder.rglob("*") if path.is_file()] == [folder / "migration.toml"]


@pytest.fixture
def unreachable(tmp_path: Path) -> Path:
    """A run folder whose peers are not there: the local checks run all the same."""
    port = free_port()
    return made_run_folder(
        tmp_path / "run", at("source", "A", port), at("destination", "B", port), {"receiver": {"port": free_port()}}
    )


def test_a_run_folder_in_use_is_said_first_and_the_rest_still_runs(unreachable: Path) -> None:
    with (unreachable / "journal.lock").open("w") as lease:
        fcntl.flock(lease, fcntl.LOCK_EX)
        found = assessed(unreachable)
    assert list(found.failures()) == ["journal", "source C-ECHO", "destination C-ECHO"]
    assert found.assessed.exit_code == 31


def test_without_usable_certificates_no_peer_is_asked(unreachable: Path) -> None:
    made_run_folder(unreachable, {"tls": {"cert": "a.pem", "key": "b.pem", "ca": "c.pem"}})
    found = assessed(unreachable)
    assert found.failures().keys() == {"TLS"} | ({"receiver ports"} & found.failures().keys())
    assert {one.name for one in found.assessed.checks if "not asked" in one.fact} == {
        "source profile",
        "destination profile",
    }


def test_a_profile_that_cannot_be_written_is_a_failure(stand: Start) -> None:
    here = stand()
    (here.folder / "profiles").write_text("in the way")
    found: Found = assessed(here.folder)
    assert set(found.failures()) == {"source profile", "destination profile"}
