"""Content read back over WADO-RS: from an Orthanc, and from servers that break off, refuse or say something else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pydicom import dcmread

from migrate.config import load
from migrate.errors import ConfigError, PeerRefused, PeerUnavailable
from migrate.journal import read
from migrate.staging.intake import ReadingSink, Registry
from migrate.wire.wado import WadoServer, retrieve
from migrate.wire.web import WebAddress
from tests.assess.kit import assessed
from tests.engine.inline import run_inline
from tests.engine.migration import Migrate
from tests.engine.objects import JPEG_2000, MR, StudyRecipe, make_studies, many
from tests.engine.seeded import SeededRun, between, seeded, write_config
from tests.peers.orthanc import Orthanc
from tests.peers.ports import free_port

ONE_ATTEMPT = {"limits": {"attempts": 1}}
RECIPES = [
    StudyRecipe(number=1),
    StudyRecipe(number=2, file=MR),
    StudyRecipe(number=3, file=JPEG_2000, instances=1),
]


def over_http(port: int) -> dict[str, dict[str, str]]:
    return {
        "destination": {"verify": "wado-rs"},
        "destination.dicomweb": {"url": f"http://127.0.0.1:{port}/dicom-web"},
    }


def outcomes(run: SeededRun) -> list[tuple[str, str]]:
    return sorted((row["method"], row["outcome"]) for row in run.rows("verification"))


@pytest.mark.orthanc
def test_what_an_orthanc_gives_back_over_http_is_compared_and_what_it_lost_or_changed_is_found(
    tmp_path: Path, orthanc: Callable[..., Orthanc], migration: Migrate
) -> None:
    receiver = free_port()
    peer = orthanc(ae_title="DIR", modalities={"MIGRATE": receiver}, dicomweb=True)
    one = migration(RECIPES)
    ends = between(one.run.config.source.port, peer.port, one.run.config.receiver.port)
    run = seeded(tmp_path / "http", one.objects, ends, ONE_ATTEMPT, over_http(peer.http_port))
    assert run_inline(run, stages=("retrieve", "checksum", "normalize", "upload")) is None
    ids = peer.instances()
    gone, changed = one.objects[0], one.objects[3]
    peer.request("DELETE", f"/instances/{ids[gone.sop_instance_uid]}")
    dataset = dcmread(changed.path)
    dataset.StudyDescription = "SOMETHING ELSE"
    dataset.save_as(tmp_path / "changed.dcm")
    peer.request("DELETE", f"/instances/{ids[changed.sop_instance_uid]}")
    peer.upload([tmp_path / "changed.dcm"])
    assert run_inline(run, stages=("verify",)) is None
    assert outcomes(run) == [("content", "differs"), *[("content", "match")] * 5, ("uid", "missing")]
    (row,) = [row for row in run.rows("verification") if row["outcome"] == "differs"]
    assert (row["sop_instance_uid"], row["differs"]) == (changed.sop_instance_uid, ["00081030"])
    assert read.states(run.folder) == {"QUARANTINED": 2, "VERIFIED": 1}


Answer = Callable[[BaseHTTPRequestHandler], None]


def status(code: int) -> Answer:
    return lambda request: request.send_error(code)


def page(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Type", "text/html")
    request.end_headers()
    request.wfile.write(b"<html>")


def multipart(*pieces: bytes) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Type", 'multipart/related; type="application/dicom"; boundary=cut')
        request.end_headers()
        for piece in pieces:
            request.wfile.write(piece)
            request.wfile.flush()

    return answer


@contextmanager
def answering(answer: Answer) -> Iterator[str]:
    """A DICOMweb service that gives the same answer whatever is asked; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *_: object) -> None:
            """Nothing on stderr."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/dicom-web/"
        finally:
            server.shutdown()


def server_at(url: str) -> WadoServer:
    return WadoServer(address=WebAddress.of(url, "url", ""), timeout_s=5)


def asked(url: str) -> int:
    return retrieve(server_at(url), "/studies/1.2.3", ReadingSink(Registry()))


REFUSALS = {"not a part": page, "401": status(401), "403": status(403), "406": status(406)}
FAILURES = {
    "500": status(500),
    "503": status(503),
    "hangs up": lambda request: request.connection.close(),
    "no boundary": multipart(b"something"),
    "ends in the headers of a part": multipart(b"--cut\r\nContent-Type: application/dicom\r\n"),
    "ends in an object": multipart(b"--cut\r\n\r\n", b"\0" * 128 + b"DICM"),
    "endless headers": multipart(b"--cut\r\n", b"x" * 70_000, b"\r\n\r\n--cut--"),
}


@pytest.mark.parametrize("answer", REFUSALS.values(), ids=REFUSALS)
def test_a_server_that_refuses_is_told_with_what_to_do(answer: Answer) -> None:
    with answering(answer) as url, pytest.raises(PeerRefused) as caught:
        asked(url)
    assert caught.value.hint


@pytest.mark.parametrize("answer", FAILURES.values(), ids=FAILURES)
def test_a_server_that_fails_is_unavailable_and_proves_nothing(answer: Answer) -> None:
    with answering(answer) as url, pytest.raises(PeerUnavailable):
        asked(url)


@pytest.mark.parametrize("answer", [status(404), multipart(b"--cut--"), multipart(b"--cut\r\n\r\njunk\r\n--cut--")])
def test_nothing_is_no_error(answer: Answer) -> None:
    with answering(answer) as url:
        assert asked(url) == 0


def test_an_object_cut_anywhere_into_pieces_is_the_same_object(tmp_path: Path) -> None:
    (one,) = make_studies(tmp_path, many(1, instances=1))
    content = one.path.read_bytes()
    body = b"preamble\r\n--cut\r\nA: b\r\n\r\n" + content + b"\r\n--cut\r\n\r\n" + content + b"\r\n--cut--"
    for size in (7, 1_000, len(content) + 3):
        registry = Registry()
        inbox = registry.open(one.study_instance_uid, [one.sop_instance_uid], lambda arrival: arrival.digests)
        pieces = [body[start : start + size] for start in range(0, len(body), size)]
        with answering(multipart(*pieces)) as url:
            assert retrieve(server_at(url), "/studies/x", ReadingSink(registry)) == 2
        assert len(inbox.kept) == 2
        assert inbox.kept[0] == inbox.kept[1]
        assert inbox.rejected == []


def test_a_server_that_is_away_leaves_the_study_unproven_and_nothing_is_sent_twice(migration: Migrate) -> None:
    one = migration(many(1), ONE_ATTEMPT, over_http(free_port()))
    assert run_inline(one.run) is not None or read.states(one.run.folder) != {"VERIFIED": 1}
    assert "differs" not in {row["outcome"] for row in one.run.rows("verification")}
    assert one.sent() == one.once()


@pytest.mark.parametrize(("answer", "result"), [(status(404), "ok"), (status(401), "fail"), (page, "fail")])
def test_assess_asks_whether_it_can_be_read_back_over_http(migration: Migrate, answer: Answer, result: str) -> None:
    with answering(answer) as url:
        settings = {"destination": {"verify": "wado-rs"}, "destination.dicomweb": {"url": url}}
        one = migration(many(1), settings)
        lines = assessed(one.run.folder).assessed.checks
    assert [line.result for line in lines if line.name == "destination reading back"] == [result]


def test_who_relies_on_commitment_is_not_told_that_nothing_can_be_read_back(migration: Migrate) -> None:
    one = migration(many(1), {"destination": {"verify": "commitment", "commitment": "always"}})
    assert assessed(one.run.folder).line("destination reading back").result == "ok"


def test_an_address_is_needed_and_must_be_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="wado-rs"):
        write_config(tmp_path, {"destination": {"verify": "wado-rs"}})
    with pytest.raises(ConfigError, match="not an address"):
        asked("dir.example/dicom-web")
    assert load(write_and_path(tmp_path)).destination.dicomweb is not None


def write_and_path(folder: Path) -> Path:
    write_config(folder, over_http(80))
    return folder / "migration.toml"
