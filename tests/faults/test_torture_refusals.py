"""A system call says no: the exit code tells what failed, in a sentence, and the same command goes on later."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.torture.refusals import REFUSALS, refuse_in_a_row
from benchmarks.torture.stand import standing

pytestmark = [pytest.mark.slow, pytest.mark.root, pytest.mark.xdist_group("torture"), pytest.mark.timeout(600)]
KNOWN = {str(one): one for one in REFUSALS}
ROW = [
    ("engine pwrite64 ENOSPC", 12),
    ("worker fsync EIO", 2),
    ("worker rename ENOSPC", 1),
    ("worker sendmsg ECONNRESET", 4),
    ("worker recvfrom ECONNRESET", 9),
    ("engine fdatasync EIO", 6),
    ("engine fsync ENOSPC", 3),
]


def test_a_migration_refused_by_the_system_again_and_again_says_what_and_ends_as_if_undisturbed(
    tmp_path: Path,
) -> None:
    with standing(tmp_path) as stand:
        outcome = refuse_in_a_row(stand, [(KNOWN[name], number) for name, number in ROW])
    assert outcome.clean, outcome
    assert outcome.tried >= len(ROW) - 2, "the calls were not reached"
