"""A worker keeps no association to the destination that has nothing to say."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from migrate.destinations import open_destination
from migrate.engine.place import doorstep
from tests.engine.migration import migrations
from tests.engine.objects import many


@pytest.mark.parametrize(("receiving", "kept"), [(True, 0), (False, 1)], ids=["a worker", "whoever only asks"])
def test_the_destination_is_left_alone_between_the_questions_of(tmp_path: Path, receiving: bool, kept: int) -> None:
    with migrations(tmp_path) as start:
        run = start(many(2)).run
        destination = open_destination(doorstep(run.config, run.folder, 0, receiving=receiving))
        for recipe in many(2):
            destination.holds(recipe.study_instance_uid, ())
        ours = [one for one in psutil.Process().net_connections("tcp") if one.raddr]
        held = [one for one in ours if one.raddr.port == run.config.destination.port and one.status == "ESTABLISHED"]
        # Both ends are in this process; theirs has the port as its own address.
        assert len(held) == kept
        destination.close()
