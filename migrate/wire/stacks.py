"""Two implementations of the same protocol: our own, and pynetdicom's as a fallback."""

from __future__ import annotations

from typing import Any

from migrate.wire.dimse.scu import Association

STACKS: dict[str, type[Any]] = {"own": Association}
