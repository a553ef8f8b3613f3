"""When cutting has shown itself to be in vain: a crawl that cannot be closed ends sooner, and says so.

Two lessons, both from answers that name the same studies again and again, so that their counts say
nothing. Where many of them came on an axis and no answer with a study in it was ever whole, nothing
on that axis can be proven. And where windows of one kind were cut to the end and no piece showed a
study that the window had not, those of that kind that follow are not cut any more. Neither closes
anything: what is given up is open, and named with the reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from migrate.stages.crawl.answers import Seen
from migrate.stages.crawl.nodes import Node
from migrate.stages.crawl.windows import Window

NEVER_WHOLE = "answers repeat themselves, and none with a study in it was ever whole"
IN_VAIN = "windows like it were cut to the end in vain"
_MOST_NEVER_WHOLE = 100
_MOST_IN_VAIN = 5

Kind = tuple[object, ...]


class Futility:
    """What cutting has brought so far, by axis and by kind of window."""

    def __init__(self) -> None:
        self._whole: set[str] = set()
        self._spoilt: Counter[str] = Counter()
        self._in_vain: Counter[Kind] = Counter()
        self._gained: Counter[Kind] = Counter()

    def observe(self, node: Node, seen: Seen, *, whole: bool) -> None:
        """Take one answer into account."""
        if whole and seen.found:
            self._whole.add(node.window.axis)
        elif not whole and _repeats(seen):
            self._spoilt[node.window.axis] += 1
            node.held = frozenset(seen.found)

    def shown(self, ancestors: Iterable[Node], found: dict[int, bool]) -> None:
        """A piece returned these studies: did that bring any window around it something new?"""
        for node in ancestors:
            if node.held is not None and not node.gained and not node.held.issuperset(found):
                node.gained = True
                self._gained[_kind(node.window, len(node.held))] += 1

    def given_up(self, node: Node) -> None:
        """A window was cut by every way there is, and cannot be closed."""
        if node.held is not None and not node.gained:
            self._in_vain[_kind(node.window, len(node.held))] += 1

    def hopeless(self, axis: str) -> bool:
        """Whether nothing on this axis can be proven."""
        return axis not in self._whole and self._spoilt[axis] >= _MOST_NEVER_WHOLE

    def why(self, node: Node) -> str:
        """Why a window is not to be cut any further; "" where cutting may help."""
        if self.hopeless(node.window.axis):
            return NEVER_WHOLE
        return IN_VAIN if node.held is not None and self._is_in_vain(_kind(node.window, len(node.held))) else ""

    def _is_in_vain(self, kind: Kind) -> bool:
        """Whether windows of this kind have been cut to the end often enough, and hardly ever brought anything."""
        return self._in_vain[kind] >= max(_MOST_IN_VAIN, 10 * self._gained[kind])


def _repeats(seen: Seen) -> bool:
    return 0 < 2 * len(seen.found) <= seen.matches


def _kind(window: Window, studies: int) -> Kind:
    """Windows are alike that are about as wide, select by as much of the same keys, and show as many studies."""
    low, high = window.minutes or (0, 0)
    span = (high - low + 1).bit_length() if window.minutes else None
    keys = tuple((key, len(value), value.endswith("*")) for key, value in window.extra)
    return window.axis, window.days.bit_length(), span, keys, studies
