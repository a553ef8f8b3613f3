"""What is known to stay behind before a study is asked for, from the table of rejections."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from migrate.config import PlanBlock
from migrate.manifest.rejections import rejected_codes
from migrate.model import DELETED
from migrate.stages.rejected import EXCLUDE, policy_of


def hidden_instances(run_folder: Path, studies: Iterable[str], block: PlanBlock) -> dict[str, frozenset[str]]:
    """Study -> instances that are known to stay behind: they are not asked for.

    Raises:
        ManifestDamaged: The table of rejections cannot be read.
    """
    found = rejected_codes(run_folder, studies)
    return {
        study: frozenset(sop for sop, codes in rejected.items() if any(_excludes(block, code) for code in codes))
        for study, rejected in found.items()
    }


def _excludes(block: PlanBlock, code: str) -> bool:
    return code == DELETED or policy_of(block, code) == EXCLUDE
