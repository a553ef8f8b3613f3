"""The files that travel with the program: rule packs, schemas, samples and the example configuration."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def manifests_folder() -> Path:
    """The `manifests/` folder: inside an installed wheel, else beside the package in a checkout.

    Raises:
        FileNotFoundError: The installation is not whole.
    """
    for candidate in (_PACKAGE / "_manifests", _PACKAGE.parent / "manifests"):
        if candidate.is_dir():
            return candidate
    message = f"no manifests folder beside {_PACKAGE}: install the program again"
    raise FileNotFoundError(message)
