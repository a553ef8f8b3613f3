"""Two implementations of the same protocol: our own, and pynetdicom's as a fallback."""

from __future__ import annotations

from migrate.wire.dimse.scu import Association


def stack_of(name: str) -> type[Association]:
    """The implementation with this name. pynetdicom is loaded when it is asked for: few need it.

    Raises:
        KeyError: No such implementation.
    """
    if name == "own":
        return Association
    if name == "pynetdicom":
        from migrate.wire.dimse.pynetdicom_stack import PynetdicomAssociation  # noqa: PLC0415 - costs a tenth of a second

        return PynetdicomAssociation
    raise KeyError(name)
