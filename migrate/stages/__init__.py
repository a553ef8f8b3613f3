"""The stages, in order. A stage is a plain function: site and study in, one frozen event out.

`STAGES` tells the engine what each is called, which studies are ready for it, what bounds it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from migrate.journal.states import State
from migrate.stages.checksum import checksum
from migrate.stages.normalize import normalize
from migrate.stages.retrieve import retrieve
from migrate.stages.upload import upload
from migrate.stages.verify import verify


@dataclass(frozen=True, slots=True)
class Stage:
    """One line of the table: the state it starts from and the Dask resource that bounds it."""

    run: Callable[..., Any]
    begins_at: State
    resource: str


STAGES: dict[str, Stage] = {
    "retrieve": Stage(retrieve, State.PLANNED, "source"),
    "checksum": Stage(checksum, State.RETRIEVED, "cpu"),
    "normalize": Stage(normalize, State.CHECKSUMMED, "cpu"),
    "upload": Stage(upload, State.NORMALIZED, "destination"),
    "verify": Stage(verify, State.UPLOADED, "destination"),
}
