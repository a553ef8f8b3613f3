"""How large studies are, learnt from what has arrived, and what that says about the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from migrate.manifest.read import arrow_batches, batches

KEY = "study_instance_uid"
COUNTS = ("instance_count", "number_of_study_related_instances")
MOST_ROWS = 1_000_000
# They come with other images and say nothing about how large a study is.
ASIDE = frozenset({"SR", "PR", "KO", "OT", "DOC", ""})


def main_modality(modalities_in_study: object) -> str:
    r"""The first modality that makes the size of a study, from `CT\SR`; "" when none is known."""
    names = [name.strip() for name in str(modalities_in_study or "").split("\\")]
    return next((name for name in names if name not in ASIDE), names[0])


@dataclass(frozen=True, slots=True)
class Sizes:
    """What has been learnt: sums by modality, and by "*" over all."""

    studies: Mapping[str, int] = field(default_factory=dict)
    instances: Mapping[str, int] = field(default_factory=dict)
    size_bytes: Mapping[str, int] = field(default_factory=dict)

    def bytes_per_instance(self) -> dict[str, float]:
        """Modality -> mean size of an instance in bytes."""
        return {name: self.size_bytes[name] / count for name, count in sorted(self.instances.items()) if count}

    def expected(self, study: Mapping[str, Any]) -> tuple[float | None, float | None]:
        """(instances, bytes) that a row of `studies` will bring; None where nothing says so."""
        modality = main_modality(study.get("modalities_in_study"))
        name = modality if self.instances.get(modality) else "*"
        if not self.instances.get(name):
            return _stated(study), None
        stated = _stated(study)
        instances = self.instances[name] / self.studies[name] if stated is None else stated
        return instances, instances * self.size_bytes[name] / self.instances[name]


def learnt_sizes(run_folder: Path, most_rows: int = MOST_ROWS) -> Sizes:
    """Means over the first million instances that arrived; memory holds a count for each of their studies.

    Raises:
        ManifestDamaged: A table cannot be read.
    """
    counts: Counter[str] = Counter()
    weights: Counter[str] = Counter()
    for batch in arrow_batches(run_folder, "evidence", [KEY, "size_bytes"]):
        for uid, size in zip(batch[KEY].to_pylist(), batch["size_bytes"].to_pylist(), strict=True):
            counts[uid] += 1
            weights[uid] += size or 0
        if counts.total() >= most_rows:
            break
    return _by_modality(run_folder, counts, weights)


def _by_modality(run_folder: Path, counts: Counter[str], weights: Counter[str]) -> Sizes:
    sums: tuple[Counter[str], Counter[str], Counter[str]] = (Counter(), Counter(), Counter())
    for part in batches(run_folder, "studies", [KEY, "modalities_in_study"]) if counts else ():
        for uid, modalities in zip(*part.values(), strict=True):
            # a study that several crawls saw counts once
            count = counts.pop(uid, 0)
            for name in (main_modality(modalities), "*") if count else ():
                for into, amount in zip(sums, (1, count, weights[uid]), strict=True):
                    into[name] += amount
    return Sizes(*sums)


def _stated(study: Mapping[str, Any]) -> float | None:
    return next((float(study[name]) for name in COUNTS if study.get(name) is not None), None)
