"""The Standard's published tables (PS3.6) in pydicom's copy, read without importing pydicom itself.

`import pydicom` brings decoders, numpy and an HTTP client along, in every process that we start;
its generated tables are two files that need none of it.
"""

from __future__ import annotations

from importlib.machinery import ModuleSpec
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Final

Entry = tuple[str, str, str, str, str]
"""(VR, VM, name, "Retired" or nothing, keyword)"""


def _table(name: str) -> ModuleType:
    package = find_spec("pydicom")
    places = (package.submodule_search_locations if package else None) or ()
    spec = next((found for place in places if (found := _spec(name, Path(place)))), None)
    if spec is None or spec.loader is None:
        raise ImportError(f"pydicom has no {name}", name="pydicom")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _spec(name: str, folder: Path) -> ModuleSpec | None:
    return spec_from_file_location(f"migrate.dicom.published.{name}", folder / f"{name}.py")


_elements: Final = _table("_dicom_dict")

ELEMENTS: Final[dict[int, Entry]] = _elements.DicomDictionary
"""Tag -> entry, of every element but those of repeating groups."""

KEYWORDS: Final[dict[str, int]] = {entry[4]: tag for tag, entry in ELEMENTS.items()}
"""Keyword -> tag."""

UIDS: Final[dict[str, Entry]] = _table("_uid_dict").UID_dictionary
"""UID -> (name, type, information, "Retired" or nothing, keyword)"""

_REPEATING: Final[list[tuple[int, int, Entry]]] = [
    (int(mask.replace("x", "0"), 16), int("".join("0" if digit == "x" else "F" for digit in mask), 16), entry)
    for mask, entry in _elements.RepeatersDictionary.items()
]


def entry_of(tag: int) -> Entry | None:
    """The entry of a public tag, repeating groups included; None when the Standard has none."""
    known = ELEMENTS.get(tag)
    if known is not None or tag & 0x10000:
        return known
    return next((entry for wanted, mask, entry in _REPEATING if (tag ^ wanted) & mask == 0), None)
