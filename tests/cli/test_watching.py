"""Watching a run: one screen, metrics, the page for the project manager, notes, and the log file."""

from __future__ import annotations

import http.client
import json
import logging
import os
import re
import shutil
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from migrate.cli.app import Session
from migrate.cli.dashboard import site
from migrate.cli.logs import JsonLines, RunLog
from migrate.cli.metrics import NAMES, page, served
from migrate.cli.notify import Alarm, Notifier
from migrate.cli.pages import Page, Pages, Site
from migrate.cli.standing import standing
from migrate.config import load
from migrate.engine.pulse import FILE, Pulse, read_pulse
from migrate.engine.request import Progress
from migrate.errors import LocalError, UsageError
from migrate.journal import events as e
from migrate.journal.blocked import Cause, add_blocked, read_blocked
from migrate.report.phrases import PHRASES
from migrate.report.texts import Words
from migrate.report.watching import watching_page
from tests.cli.inline import say
from tests.engine.events import MAKERS
from tests.report.example import build_run

BEAT: dict[str, Any] = {
    "in_flight": {"retrieve": 2, "upload": 1},
    "throttle": {"allowed": 1, "most": 2, "latency_s": 0.31, "baseline_s": 0.02},
    "open": True,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    build_run(folder := tmp_path_factory.mktemp("watch") / "run", count=30)
    return folder


def found(folder: Path) -> dict[str, Any]:
    return standing(folder, load(folder / "migration.toml"))


def test_one_screen_says_what_a_night_shift_asks(folder: Path) -> None:
    with Pulse(folder, lambda: BEAT):
        said = say(folder, "status").stdout
    assert "engine     2 retrieve, 1 upload; 2 studies wait; at most 1 of 2 retrieves at once" in said
    assert "source answers in 0.31 s (at its best 0.02 s)" in said
    assert "hours      always open" in said
    assert re.search(r"disk +[\d,.]+ GB free, 5\.4 GB stay free", said)
    assert re.search(r"last +\S+ C\w+_MISMATCH", said)


def test_a_run_that_has_ended_is_not_running(folder: Path) -> None:
    with Pulse(folder, lambda: BEAT):
        assert found(folder)["running"] is True
    assert found(folder)["running"] is False
    assert "not running; 2 studies wait" in say(folder, "status").stdout


def test_a_pulse_that_has_gone_stale_is_no_pulse(folder: Path) -> None:
    path = folder / FILE
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"at": "2020-01-01T00:00:00+00:00", **BEAT}))
    assert read_pulse(folder) is None
    for broken in ("", "{", "[]", '{"at": 1}'):
        path.write_text(broken)
        assert read_pulse(folder) is None
    path.unlink()


SLOW = {"allowed": 1, "most": 2}
QUICK = {"allowed": 2, "most": 2}


@pytest.mark.parametrize(
    ("opened", "throttle", "cause"),
    [(True, QUICK, None), (True, SLOW, "throttle"), (False, QUICK, "calendar"), (False, SLOW, "calendar")],
)
def test_a_run_that_is_held_up_says_by_what_and_how_long(
    opened: bool, throttle: dict[str, int], cause: str | None, tmp_path: Path
) -> None:
    beats = iter(range(20))
    ended = threading.Event()

    def beat() -> dict[str, Any]:
        if next(beats, None) is None:
            ended.set()
        return {**BEAT, "open": opened, "throttle": {**BEAT["throttle"], **throttle}}

    with Pulse(tmp_path, beat, every_s=0.001):
        assert ended.wait(20)
    days = read_blocked(tmp_path)
    assert (days is None) is (cause is None)
    for causes in (days or {}).values():
        assert [name for name, seconds in causes.items() if seconds > 0] == [cause]


def test_days_are_added_up_and_a_damaged_file_begins_anew(tmp_path: Path) -> None:
    first, second = datetime(2026, 3, 1, 23, 59, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)
    causes: tuple[tuple[datetime, Cause], ...] = ((first, "calendar"), (second, "calendar"), (second, "calendar"))
    for moment, cause in (*causes, (second, "throttle")):
        add_blocked(tmp_path, cause, 2.0, moment)
    assert read_blocked(tmp_path) == {"2026-03-01": {"calendar": 2.0}, "2026-03-02": {"calendar": 4.0, "throttle": 2.0}}
    for spoilt in ("", "[]", '{"2026-03-01": 3}'):
        (tmp_path / "logs" / "blocked.json").write_text(spoilt, encoding="utf-8")
        assert read_blocked(tmp_path) is None
    add_blocked(tmp_path, "calendar", 1.0, first)
    assert read_blocked(tmp_path) == {"2026-03-01": {"calendar": 1.0}}


def test_closed_hours_are_told_with_the_next_opening(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "run")
    today = time.strftime("%a", time.gmtime(time.time() + 3 * 86_400))
    (copy / "migration.toml").write_text(
        (copy / "migration.toml").read_text() + f'[limits]\nhours = ["{today} 10:00-10:30"]\n'
    )
    assert re.search(r"hours +closed until \d{4}-\d\d-\d\dT10:00", say(copy, "status").stdout)


def test_the_contract_of_status_json_is_kept(folder: Path) -> None:
    told = say(folder, "--json", "status").json
    assert {"run", "source", "states", "instances", "bytes", "exceptions", "rates", "eta"} <= set(told)
    assert sum(told["states"].values()) == 30


LINE = re.compile(r'(migrate_\w+)\{([a-z_]+="[^"]*"(,[a-z_]+="(\\.|[^"\\])*")*)\} -?[0-9.e+]+')


def test_metrics_are_in_the_text_format_of_prometheus(folder: Path) -> None:
    with Pulse(folder, lambda: BEAT):
        text = page(found(folder)).content
    lines = text.splitlines()
    assert text.endswith("\n")
    for name in NAMES:
        assert f"# TYPE {name} gauge" in lines
    samples = [line for line in lines if not line.startswith("#")]
    assert all(LINE.fullmatch(line) for line in samples)
    assert 'migrate_studies{run="sample-2026",source="SAMPLE",state="PLANNED"} 2' in samples
    assert 'migrate_in_flight{run="sample-2026",source="SAMPLE",stage="retrieve"} 2' in samples
    assert 'migrate_source_latency_seconds{run="sample-2026",source="SAMPLE",which="now"} 0.31' in samples


def test_a_name_with_quotes_is_escaped_in_metrics(folder: Path) -> None:
    told = {**found(folder), "run": 'a "b"\\\nc'}
    assert 'run="a \\"b\\"\\\\\\nc"' in page(told).content


def asked(port: int, path: str, *, method: str = "GET", host: str = "") -> tuple[int, dict[str, str], str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request(method, path, headers={"Host": host or f"127.0.0.1:{port}"})
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, dict(answer.getheaders()), body


@pytest.fixture(scope="module")
def dashboard(folder: Path) -> Iterator[Pages]:
    with Pages(site(Session(run=folder), "s3cret", "en")) as pages:
        yield pages


def test_the_dashboard_shows_the_standing_to_who_has_the_token(dashboard: Pages) -> None:
    status, headers, body = asked(dashboard.port, "/?token=s3cret")
    assert status == 200
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "s3cret" not in body
    assert "http" not in re.sub(r"https?://www\.w3\.org\S*", "", body)
    status, _, body = asked(dashboard.port, "/status.json?token=s3cret")
    assert status == 200
    assert json.loads(body)["states"]["PLANNED"] == 2


REFUSED = [
    ("/", "GET", "", 403),
    ("/?token=", "GET", "", 403),
    ("/?token=s3cre", "GET", "", 403),
    ("/status.json?token=%C3%A9", "GET", "", 403),
    ("/../journal.sqlite?token=s3cret", "GET", "", 404),
    ("/migration.toml?token=s3cret", "GET", "", 404),
    ("/?token=s3cret", "POST", "", 501),
    ("/?token=s3cret", "DELETE", "", 501),
    ("/?token=s3cret", "GET", "evil.example:80", 421),
    ("/?token=s3cret", "GET", "evil.example", 421),
]


@pytest.mark.parametrize(("path", "method", "host", "status"), REFUSED)
def test_the_dashboard_refuses_everything_else(
    dashboard: Pages, path: str, method: str, host: str, status: int
) -> None:
    assert asked(dashboard.port, path, method=method, host=host)[0] == status


def test_every_phrase_of_the_page_is_used_by_its_script() -> None:
    text, _ = watching_page("n", Words("fr"))
    script = text.rpartition("<script")[2]
    for key in (key.removeprefix("watch.") for key in PHRASES if key.startswith("watch.") and key != "watch.title"):
        assert f"words.{key}" in script or f'"{key}"' in script, key


def test_a_browser_that_goes_away_before_its_answer_leaves_no_trace(capfd: pytest.CaptureFixture[str]) -> None:
    asked_, gone = threading.Event(), threading.Event()

    def slow() -> Page:
        asked_.set()
        gone.wait(20)
        return Page(content="x" * 10_000_000)

    with Pages(Site(routes={"/": slow, "/again": lambda: Page(content="well")})) as pages:
        with socket.create_connection(("127.0.0.1", pages.port), timeout=20) as browser:
            browser.sendall(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{pages.port}\r\n\r\n".encode())
            assert asked_.wait(20)
            browser.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closed by a reset
        gone.set()
        assert asked(pages.port, "/again")[2] == "well"
    assert "Traceback" not in capfd.readouterr().err


def test_a_port_that_is_taken_is_named(dashboard: Pages, folder: Path) -> None:
    with pytest.raises(LocalError, match="cannot be listened on"):
        served(folder, load(folder / "migration.toml"), dashboard.port)


NOTE = "import json,os,sys; open(sys.argv[1],'a').write(os.environ['MIGRATE_EVENT']+' '+sys.stdin.read()+chr(10))"


def notes(path: Path, count: int, timeout_s: float = 20) -> list[tuple[str, dict[str, Any]]]:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        lines = path.read_text().splitlines() if path.exists() else []
        if len(lines) >= count:
            return [(line.split(" ", 1)[0], json.loads(line.split(" ", 1)[1])) for line in lines]
        time.sleep(0.05)
    raise AssertionError(f"{count} notes did not come")


def command(path: Path) -> str:
    return f'{sys.executable} -c "{NOTE}" {path}'


def test_the_command_is_told_of_the_end(tmp_path: Path) -> None:
    with Notifier(command(tmp_path / "notes"), "r", Alarm()) as notifier:
        notifier.finish({"exit_code": 3})
    assert notes(tmp_path / "notes", 1) == [("finish", {"event": "finish", "run": "r", "exit_code": 3})]


def test_the_command_is_told_once_when_many_studies_fail(tmp_path: Path) -> None:
    with Notifier(command(tmp_path / "notes"), "r", Alarm()) as notifier:
        for number in range(40):
            notifier.saw("Quarantined" if number % 5 == 0 else "Verified")
        [(kind, told)] = notes(tmp_path / "notes", 1)
    assert (kind, told["rate"]) == ("quarantine", 0.2)


def test_few_failures_are_no_alarm(tmp_path: Path) -> None:
    with Notifier(command(tmp_path / "notes"), "r", Alarm()) as notifier:
        for number in range(200):
            notifier.saw("Quarantined" if number % 50 == 49 else "Verified")
        time.sleep(0.2)
    assert not (tmp_path / "notes").exists()


def test_the_command_is_told_when_nothing_moves_in_open_hours_alone(tmp_path: Path) -> None:
    open_ = [False]
    alarm = Alarm(stall_s=0.2, every_s=0.05, is_open=lambda: open_[0])
    with Notifier(command(tmp_path / "notes"), "r", alarm):
        time.sleep(0.5)
        assert not (tmp_path / "notes").exists()
        open_[0] = True
        assert notes(tmp_path / "notes", 1)[0][0] == "stall"


@pytest.mark.parametrize("words", ["/no/such/command", "false"])
def test_a_command_that_fails_harms_nobody(words: str, caplog: pytest.LogCaptureFixture) -> None:
    with Notifier(words, "r", Alarm()) as notifier:
        notifier.finish({})
    assert "the command of --notify failed (finish)" in caplog.text


def test_a_command_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        Notifier("echo 'x", "r", Alarm())


def test_a_run_leaves_its_events_and_warnings_as_lines_of_json(tmp_path: Path) -> None:
    with RunLog(tmp_path) as log:
        for kind in (e.Retrieved, e.Verified, e.Quarantined):
            log.event(Progress(stage="retrieve", study_instance_uid="1.2.3", event=MAKERS[kind]("1.2.3")))
        logging.getLogger("migrate.engine").warning("slow: %d", 3)
    lines = [json.loads(line) for line in log.path.read_text().splitlines()]
    assert [line["message"] for line in lines] == ["Retrieved", "Verified", "Quarantined", "slow: 3"]
    assert lines[0]["evidence"] == 2
    assert lines[2]["defects"] == ["CORRUPT STUDY 1.2.3: broken"]
    assert [line["level"] for line in lines] == ["INFO"] * 3 + ["WARNING"]
    assert oct(log.path.parent.stat().st_mode)[-3:] == "700"


def test_without_a_place_for_the_log_the_run_goes_on(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file")
    with RunLog(tmp_path) as log:
        log.event(Progress(stage="verify", study_instance_uid="1.2.3", event=MAKERS[e.Verified]("1.2.3")))


def test_a_traceback_is_told_by_its_name_alone() -> None:
    error = ValueError("CANARY^NAME")
    record = logging.LogRecord("migrate", logging.ERROR, "", 0, "it broke", None, (ValueError, error, None))
    line = JsonLines().format(record)
    assert json.loads(line)["error"] == "ValueError"
    assert "CANARY" not in line


def test_log_lines_on_stderr_are_json_when_asked_for(folder: Path) -> None:
    handlers = logging.getLogger().handlers[:]
    formatters = [handler.formatter for handler in handlers]
    try:
        assert say(folder, "--log-json", "status").code == 0
        assert all(isinstance(handler.formatter, JsonLines) for handler in logging.getLogger().handlers)
    finally:
        for handler, formatter in zip(handlers, formatters, strict=True):
            handler.setFormatter(formatter)
    assert os.environ.get("MIGRATE_EVENT") is None
