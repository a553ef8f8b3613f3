"""Which kinds of objects a crawl listed: SOP class and transfer syntax, with how many instances."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyarrow as pa

from migrate.manifest.read import arrow_batches

_COLUMNS = ["sop_class_uid", "available_transfer_syntax_uid"]


def kinds_of_objects(run_folder: Path) -> Counter[tuple[str | None, str | None]]:
    """(SOP class UID, transfer syntax UID) -> instances listed; None is what the source did not say.

    The table is read batch by batch: memory holds one batch and the kinds.

    Raises:
        FormatTooNew: A file was written by a newer version.
        ManifestDamaged: A file cannot be read; its name is in the facts.
    """
    kinds: Counter[tuple[str | None, str | None]] = Counter()
    for batch in arrow_batches(run_folder, "instances", _COLUMNS):
        counted = pa.table(batch).group_by(_COLUMNS).aggregate([([], "count_all")]).to_pydict()
        for sop_class, syntax, count in zip(*(counted[name] for name in (*_COLUMNS, "count_all")), strict=True):
            kinds[sop_class or None, syntax or None] += count
    return kinds
