"""A migration between peers that behave."""

from __future__ import annotations

from migrate.journal import read
from tests.engine.inline import run_inline
from tests.engine.migration import Migrate
from tests.engine.objects import JPEG_2000, MR, SR, StudyRecipe

KINDS = [
    StudyRecipe(number=1),
    StudyRecipe(number=2, file=MR, instances=4),
    StudyRecipe(number=3, file=SR, instances=1),
    StudyRecipe(number=4, file=JPEG_2000, instances=2),
]


def test_every_instance_is_stored_once_with_its_content_and_the_staging_area_is_empty(migration: Migrate) -> None:
    one = migration(KINDS)
    assert run_inline(one.run) is None
    assert read.states(one.run.folder) == {"VERIFIED": 4}
    assert one.held() == one.expected()
    assert one.sent() == one.once()
    assert one.run.staged_files() == []
