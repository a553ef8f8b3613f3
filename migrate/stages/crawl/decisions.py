"""What becomes of a window that is not whole: cut, closed by its pieces, or given up.

A window is closed by its own answer when that is whole, or by its pieces when all of them are
closed and brought back every study that the window itself had returned. Deciding about one window
may decide about those around it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date

from migrate.stages.crawl import proofs
from migrate.stages.crawl.close import SUCCESS
from migrate.stages.crawl.futile import Futility
from migrate.stages.crawl.knowledge import Knowledge
from migrate.stages.crawl.nodes import Node
from migrate.stages.crawl.strategy import DAYS, TIME, Piece, pieces, place_pieces, wanted_place, ways
from migrate.stages.crawl.waiting import Places, Waiting
from migrate.stages.crawl.windows import DATE, Window


class Decisions:
    """Cuts, closes and gives up the windows of one crawl.

    Args:
        known: What has been learnt.
        span: First and last day that the crawl was asked for.
        clock: The time for people.
    """

    def __init__(self, known: Knowledge, span: tuple[date, date], clock: Callable[[], str]) -> None:
        self.known, self.windows, self.futile = known, Waiting(), Futility()
        self.small_archive = 10_000
        self.universal: Node | None = None
        self.decided = 0
        self.given_up = 0
        self._span, self._clock = span, clock
        self._dates_are_cut = False
        self._later: list[Node] = []
        self._places = Places()

    def add(self, window: Window, parent: Node | None = None, state: str = "open") -> Node:
        """A new window; `split` cuts it at once, without asking."""
        node = self.windows.make(window, parent, state)
        if state == "split":
            node.why = "cut without asking: more is known to be there than one answer holds"
            self.cut_further(node)
        elif state in ("open", "rest"):
            self.windows.put(node)
        return node

    def cut_by_text(self) -> None:
        """Dates are cut as far as they can be: `take` goes on with the text keys of what is left."""
        self._dates_are_cut = True

    def take(self) -> Node | None:
        """The next window to ask, or None.

        Windows that waited for text keys are cut one after the other: what one teaches spares the next.
        """
        while not self.windows and self._dates_are_cut and self._later:
            self.cut_further(self._later.pop())
        return self.windows.take(self.known)

    def abandon(self, why: str) -> None:
        """Give up everything that waits."""
        while self.windows or self._later:
            self.fail(self.windows.pop() if self.windows else self._later.pop(), why)

    # --- cutting ----------------------------------------------------------------------------------

    def cut_further(self, node: Node) -> None:
        """Cut by the next way that gives pieces; give the window up when there is none."""
        node.failures, node.ignored = 0, False
        futile = "" if node.satisfied else self.futile.why(node)
        if futile:
            self.fail(node, f"{node.why}; {futile}")
            return
        found = ways(node)
        while node.strategy < len(found):
            way = found[node.strategy]
            if self._must_wait(node, way):
                return
            node.strategy += 1
            node.way = way
            made = pieces(node, way, self.known, self._span)
            if made:
                node.state = "split"
                self.windows.touch(node)
                self._add_pieces(node, made)
                return
        if node.satisfied:
            self._close_by_pieces(node)
        else:
            self._give_up(node)

    def _must_wait(self, node: Node, way: str) -> bool:
        """Whether a window is cut later: after the dates, and after the letters of its place."""
        if way not in (DAYS, TIME) and node.window.axis == DATE and not self._dates_are_cut:
            self._later.append(node)
            return True
        place = wanted_place(node, way, self.known)
        if place is None:
            return False
        if self._places.join(place, node):
            self._ask_place(place)
        return True

    def _ask_place(self, place: tuple[str, int]) -> None:
        window, made = place_pieces(*place, self.known)
        node = self.windows.make(window, None, "split")
        node.strategy, node.why = 1, "letters that were not seen at this place of the key"
        self._places.asking(place, node)
        self._add_pieces(node, made)

    def _add_pieces(self, node: Node, made: list[Piece]) -> None:
        node.pending += 1  # held open until the last piece is added: a piece may be decided at once
        for piece in reversed(made):
            self.add(piece.window, node, piece.state)
        node.pending -= 1
        if node.pending == 0:
            self.decide(node)

    # --- deciding ---------------------------------------------------------------------------------

    def decide(self, node: Node) -> None:
        """All pieces are decided: is the window closed by them?"""
        if node.suspect and node.more:
            proofs.unmask(node, self.known.caps)
        if node.failures and not node.ignored:
            node.why = f"{node.why}; {node.failures} of its pieces are open"
            self._give_up(node)
            return
        node.satisfied = not (node.failures or proofs.unexplained(node) or proofs.brought_nothing(node))
        if node.satisfied and not self._wants_more(node):
            self._close_by_pieces(node)
        else:
            self.cut_further(node)

    def _wants_more(self, node: Node) -> bool:
        universal = node is self.universal
        return proofs.wants_more(node, self.known, universal=universal, small_archive=self.small_archive)

    def _give_up(self, node: Node) -> None:
        alone = proofs.stands_alone(node, self.known.caps)
        if alone and node.own is not None:
            node.why = f"{node.why}; {alone}"
            self.close_leaf(node, dict.fromkeys(node.own, False))
            return
        self.futile.given_up(node)
        self.fail(node, f"{node.why}; it cannot be cut any further")

    def _close_by_pieces(self, node: Node) -> None:
        node.proven = node.suspect and not node.missing and not node.unnamed and node.status == SUCCESS
        node.why = f"{node.why}; {proofs.proof_of(node)}"
        self._finish(node, "done")

    def close_leaf(self, node: Node, found: dict[int, bool]) -> None:
        """Close a window by its own answer, and hold that against the windows around it."""
        for ancestor in self.ancestors(node):
            ancestor.below += len(found)
            proofs.held_against(ancestor, found)
        node.proven = True
        self._finish(node, "leaf")

    def fail(self, node: Node, why: str) -> None:
        """Give a window up: it stays open, for this reason."""
        node.why = why
        self.given_up += 1
        self._finish(node, "failed")

    def _finish(self, node: Node, state: str) -> None:
        node.state, node.finished_at = state, self._clock()
        node.forget()
        self.decided += 1
        self.windows.touch(node)
        parent = node.parent
        if parent is None:
            self._end_place(node)
            return
        parent.pending -= 1
        parent.failures += state == "failed"
        if parent.pending == 0:
            self.decide(parent)

    def _end_place(self, node: Node) -> None:
        place, waiting = self._places.end(node)
        if place is not None:
            self.known.placed.add(place)
        for each in waiting:
            self.cut_further(each)

    def ancestors(self, node: Node) -> Iterator[Node]:
        """The windows around one; the answer that `Sweep.hold` keeps is around the whole date axis."""
        parent = node.parent
        while parent is not None:
            yield parent
            parent = parent.parent
        if node.window.axis == DATE and self.universal is not None and not self.universal.decided:
            yield self.universal
