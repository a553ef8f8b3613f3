"""Profiles: what `migrate assess` learnt about a peer, and what a person says instead."""

from __future__ import annotations

from migrate.profiles.file import (
    Learnt,
    ProfileFile,
    Side,
    load_profile,
    load_profile_of,
    peer_name,
    profile_path,
    read_profile,
    save_profile,
    to_text,
)
from migrate.profiles.products import Product, product_of, products
from migrate.profiles.profile import FACTS, UNKNOWN, Profile

__all__ = [
    "FACTS",
    "UNKNOWN",
    "Learnt",
    "Product",
    "Profile",
    "ProfileFile",
    "Side",
    "load_profile",
    "load_profile_of",
    "peer_name",
    "product_of",
    "products",
    "profile_path",
    "read_profile",
    "save_profile",
    "to_text",
]
