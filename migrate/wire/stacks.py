"""Two implementations of the same protocol: our own, and pynetdicom's as a fallback."""

from __future__ import annotations

from typing import Final

from migrate.wire.dimse.pynetdicom_stack import PynetdicomAssociation
from migrate.wire.dimse.scu import Association

STACKS: Final[dict[str, type[Association]]] = {"own": Association, "pynetdicom": PynetdicomAssociation}
