"""A rule that says no."""

from __future__ import annotations


class RuleRefused(Exception):
    """This rule cannot do its work on this object without guessing: the object stays as it was.

    The message names tags, never values. It never leaves `rules/`.
    """
