"""A real run, watched from outside while it works: metrics, its pulse, its log, its note at the end."""

from __future__ import annotations

import json
import re
import sys
import urllib.request
from pathlib import Path

from migrate.engine.pulse import FILE
from migrate.journal.operators import runs
from tests.cli.test_watching import NOTE
from tests.engine.command import Command, migrate
from tests.engine.migration import Migrate
from tests.engine.objects import CANARY_ID, CANARY_NAME, StudyRecipe


def test_a_run_is_watched_while_it_works_and_says_when_it_ends(migration: Migrate, tmp_path: Path) -> None:
    one = migration([StudyRecipe(number=number) for number in range(12)])
    folder, notes = one.run.folder, tmp_path / "notes"
    notify = f'{sys.executable} -c "{NOTE}" {notes}'
    command = Command(folder, "run", "--by", "Ana", "--metrics-port", "0", "--notify", notify)
    assert command.wait_until((folder / FILE).exists)
    told = command.stdout()
    [address] = re.findall(r"http://127\.0\.0\.1:\d+/metrics", told)
    with urllib.request.urlopen(address, timeout=20) as answer:
        metrics = answer.read().decode()
    assert 'migrate_running{run="test",source="TEST"} 1' in metrics
    ended = command.end()
    assert ended.code == 0, ended.stderr
    kind, _, facts = notes.read_text().partition(" ")
    assert (kind, json.loads(facts)["states"]) == ("finish", {"VERIFIED": 12})
    assert not (folder / FILE).exists()
    [note] = runs(folder)
    assert (note.operator.name, note.packs) == ("Ana", "common")
    [log] = (folder / "logs").glob("run-*.jsonl")
    text = log.read_text()
    kinds = [json.loads(line)["message"] for line in text.splitlines()]
    assert kinds.count("Verified") == 12
    for secret in (CANARY_NAME, CANARY_ID):
        assert secret not in text + metrics + ended.stdout + ended.stderr
    assert migrate(folder, "--json", "status").json["running"] is False
