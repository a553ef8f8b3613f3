"""Products that are known to keep annotations where no DICOM object has them: `manifests/products.csv`.

A product is told by how it names its implementation when it accepts an association (PS3.7 D.3.3.2),
since the objects name the modalities that made them. A line says that somebody should ask, not that
something is lost; a product without a line is one of which nobody here knows.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from fnmatch import fnmatchcase

from migrate.resources import manifests_folder

FILE = "products.csv"
SEPARATOR = ";"


@dataclass(frozen=True, kw_only=True, slots=True)
class Product:
    """One line: globs of implementation class UIDs and version names, what is kept outside, how that is known."""

    product: str
    implementation: str
    keeps: str
    known_from: str

    def is_named(self, names: tuple[str, ...]) -> bool:
        """Whether one of the names that a peer gives its implementation fits; capitals do not count."""
        globs = [one.strip().upper() for one in self.implementation.split(SEPARATOR)]
        return any(fnmatchcase(name.upper(), glob) for name in names if name for glob in globs)


def products() -> tuple[Product, ...]:
    """Every line of the table.

    Raises:
        FileNotFoundError: The installation is not whole.
    """
    with (manifests_folder() / FILE).open(newline="", encoding="utf-8") as lines:
        return tuple(Product(**row) for row in csv.DictReader(lines))


def product_of(*names: str) -> Product | None:
    """The product whose implementation has this class UID or version name, or that has this name itself."""
    for one in products():
        if one.product in names or one.is_named(names):
            return one
    return None
