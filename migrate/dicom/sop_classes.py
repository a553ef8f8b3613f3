"""Storage SOP classes (PS3.4 B.5, PS3.6 A): their names, and which UIDs are storage at all."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from migrate.dicom.published import UIDS

_STORAGE_ROOT: Final = "1.2.840.10008.5.1.4.1.1."
_OTHER_SERVICES: Final = ("Storage Commitment", "Media Storage Directory")
_PRIVATE_ROOTS: Final = (
    "1.2.840.113619.4.",  # GE
    "1.3.12.2.1107.5.9.",  # Siemens
    "1.3.46.670589.",  # Philips
    "1.2.392.200036.9116.7.8.1.1.",  # Canon, Toshiba
    "1.2.276.0.48.5.1.4.1.1.7",  # iSite
)
"""Where vendors' private storage classes live, as met in archives."""


def _storage_classes() -> dict[str, str]:
    return {
        uid: name
        for uid, (name, kind, *_) in UIDS.items()
        if kind == "SOP Class" and "Storage" in name and not any(word in name for word in _OTHER_SERVICES)
    }


STORAGE_SOP_CLASSES: Final = MappingProxyType(_storage_classes())
"""UID -> name of every standard storage SOP class, retired ones included."""


def is_storage(uid: str) -> bool:
    """Whether the UID names a class of objects that can be stored.

    Private classes are known by their vendor's root, standard ones younger than the dictionary by the root
    of the Standard's storage classes.
    """
    if uid in UIDS:
        return uid in STORAGE_SOP_CLASSES
    return uid.startswith((_STORAGE_ROOT, *_PRIVATE_ROOTS))


def name_of(uid: str) -> str:
    """The name of any UID the dictionary knows, else the UID itself."""
    known = UIDS.get(uid)
    return known[0] if known else uid
