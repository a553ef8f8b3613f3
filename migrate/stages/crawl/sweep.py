"""The windows of one crawl and what is decided about them.

Pure bookkeeping: takes answers, gives windows to ask, knows no peer, file or clock. A window is
closed by its own answer when that is whole, or by its pieces when all of them are closed and
brought back every study that the window itself had returned. Not for several threads at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from migrate.stages.crawl.answers import Seen
from migrate.stages.crawl.close import CANCEL, SUCCESS, Verdict, judge
from migrate.stages.crawl.knowledge import Knowledge
from migrate.stages.crawl.nodes import Node
from migrate.stages.crawl.strategy import DAYS, TIME, Piece, cut, has_key, pieces, place_pieces, wanted_place, ways
from migrate.stages.crawl.windows import DATE, MODALITY_KEYWORD, Window

_MOST_ENDLESS = 3
_MOST_GIVEN_UP = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """How one window's query ended. `status` None: no final answer in spite of repeats."""

    status: int | None
    seen: Seen
    attempts: int
    endless: bool = False
    started_at: str = ""


class Sweep:
    """The open windows of a crawl, and the decisions.

    Args:
        known: What has been learnt.
        span: First and last day that the crawl was asked for.
        clock: The time for people.
    """

    small_archive = 10_000

    def __init__(self, known: Knowledge, span: tuple[date, date], clock: Callable[[], str]) -> None:
        self.known = known
        self.changed: dict[int, Node] = {}
        self.decided = 0
        self.given_up = 0
        self._span, self._clock = span, clock
        self._waiting: list[Node] = []
        self._next = 1
        self._roots: dict[str, Node] = {}
        self._universal: Node | None = None
        self._dates_are_cut = False
        self._later: list[Node] = []
        self._places: dict[tuple[str, int], list[Node]] = {}
        self._place_of: dict[int, tuple[str, int]] = {}

    @property
    def made(self) -> int:
        """Windows made so far."""
        return self._next - 1

    @property
    def waiting(self) -> int:
        """Windows known to be left."""
        return len(self._waiting)

    def root(self, axis: str) -> Node | None:
        """The root of an axis that has only one."""
        return self._roots.get(axis)

    def add(self, window: Window, parent: Node | None = None, state: str = "open") -> Node:
        """A new window; `split` cuts it at once, without asking."""
        node = Node(ordinal=self._next, window=window, parent=parent, state=state)
        self._next += 1
        if parent is not None:
            parent.pending += 1
        elif window.days == 0 and not window.extra:
            self._roots[window.axis] = node
        self._touch(node)
        if state == "split":
            node.why = "cut without asking: more is known to be there than one answer holds"
            self._cut_further(node)
        elif state in ("open", "rest"):
            self._waiting.append(node)
        return node

    def restore(self, nodes: Iterable[Node], next_ordinal: int) -> None:
        """Go on with the undecided windows of a crawl that was interrupted."""
        self._next = max(self._next, next_ordinal)
        by_id: dict[str, Node] = {}
        for node in nodes:
            node.parent = by_id.get(node.window.parent_id or "")
            if node.parent is not None:
                node.parent.pending += 1
            elif node.window.days == 0 and not node.window.extra:
                self._roots[node.window.axis] = node
            if node.state == "split":
                by_id[node.window.window_id] = node
            else:
                self._waiting.append(node)
        for node in by_id.values():
            if node.pending == 0:
                self._decide(node)

    def take_out(self, node: Node) -> None:
        """A window that is asked out of turn."""
        self._waiting.remove(node)

    def hold(self, node: Node, answer: Answer) -> None:
        """Keep the answer to the window without any key until the date axis is decided.

        Every study that the date axis finds is one more proof, for or against that answer.
        """
        self.known.caps.observe(answer.status, answer.seen.matches)
        if answer.status == SUCCESS:
            node.own, node.missing = frozenset(answer.seen.found), dict(answer.seen.found)
            _remember_unnamed(node, answer.seen)
            self._universal = node

    def take(self) -> Node | None:
        """The next window to ask, or None; the latest first, so that little is open at a time."""
        if not self._waiting:
            return None
        node = self._waiting.pop()
        if node.state == "rest":
            return self._take_piece(node)
        return node

    def _take_piece(self, node: Node) -> Node:
        piece, rest = cut(node.window, node.parent, self.known)
        self._touch(node)
        if rest is None:
            node.state = "open"
            return node
        node.window = rest
        taken = self.add(piece, node.parent)
        self._waiting[-1] = node
        return taken

    def compare(self, found: dict[int, bool]) -> None:
        """Studies that the date axis found before a kill, held against the answer that `hold` keeps."""
        if self._universal is not None:
            _held_against(self._universal, found)

    def abandon(self, why: str) -> None:
        """Ask nothing more: the peer does not answer any more."""
        while self._waiting:
            self._fail(self._waiting.pop(), why)

    def record(self, node: Node, answer: Answer) -> None:
        """Decide about a window that was asked."""
        seen = answer.seen
        node.attempts += answer.attempts
        node.status, node.matches, node.studies = answer.status, seen.matches, len(seen.found)
        node.started_at = node.started_at or answer.started_at
        self.known.caps.observe(answer.status, seen.matches)
        verdict, why = judge(answer.status, seen, self.known.caps)
        self.known.observe(node.window, seen, whole=verdict is Verdict.WHOLE)
        self.known.endless += answer.endless
        node.why = why
        if verdict is Verdict.WHOLE:
            self._close_leaf(node, seen.found)
        elif node.parent is not None and 2 * seen.outside >= seen.matches > 0:
            node.parent.ignored = True
            self._fail(node, "the peer does not honour the keys of this window")
        elif self._hopeless(verdict, answer):
            self._fail(node, why)
        else:
            self._prepare(node, seen, verdict)
            self._cut_further(node)

    def _hopeless(self, verdict: Verdict, answer: Answer) -> bool:
        """Whether cutting cannot help: nothing in it is a study, or the crawl is open for good.

        Once many windows have been given up, nothing is cut any more only to prove a count.
        """
        seen = answer.seen
        if verdict is Verdict.UNNAMED and (self.known.junk or not seen.found):
            self.known.junk = True
        only_to_prove = verdict is not Verdict.CAPPED and self.given_up > _MOST_GIVEN_UP
        nothing = seen.matches > 0 and not seen.found
        return nothing or self.known.junk or only_to_prove or (answer.endless and self.known.endless > _MOST_ENDLESS)

    def _prepare(self, node: Node, seen: Seen, verdict: Verdict) -> None:
        node.missing = node.missing if node is self._universal else dict(seen.found)
        _remember_unnamed(node, seen)
        node.modal = 0 < len(seen.found) == seen.with_modality
        node.capped = verdict is Verdict.CAPPED
        node.suspect = not node.capped
        node.own = frozenset(seen.found) if verdict is Verdict.SUSPECT else None
        node.more = node.more and node.own is not None

    def _cut_further(self, node: Node) -> None:
        """Cut by the next way that gives pieces; give the window up when there is none."""
        node.failures, node.ignored = 0, False
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
                self._touch(node)
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
        self._places.setdefault(place, []).append(node)
        if len(self._places[place]) == 1:
            self._ask_place(place)
        return True

    def _ask_place(self, place: tuple[str, int]) -> None:
        window, made = place_pieces(*place, self.known)
        node = Node(ordinal=self._next, window=window, state="split", strategy=1)
        node.why = "letters that were not seen at this place of the key"
        self._next += 1
        self._place_of[node.ordinal] = place
        self._touch(node)
        self._add_pieces(node, made)

    def cut_by_text(self) -> None:
        """Dates are cut as far as they can be: go on with the text keys of what is left."""
        self._dates_are_cut = True
        later, self._later = self._later, []
        for node in later:
            self._cut_further(node)

    def _add_pieces(self, node: Node, made: list[Piece]) -> None:
        node.pending += 1  # held open until the last piece is added: a piece may be decided at once
        for piece in reversed(made):
            self.add(piece.window, node, piece.state)
        node.pending -= 1
        if node.pending == 0:
            self._decide(node)

    def _give_up(self, node: Node) -> None:
        caps = self.known.caps
        trusted = caps.known is not None and caps.largest <= caps.known
        if node.suspect and not node.more and node.own is not None and (node.matches == 1 or trusted):
            held = (
                "one answer, and no cap is so low" if node.matches == 1 else f"fewer than the result cap {caps.known}"
            )
            node.why = f"{node.why}; {held}"
            self._close_leaf(node, dict.fromkeys(node.own, False))
        else:
            self._fail(node, f"{node.why}; it cannot be cut any further")

    def _close_leaf(self, node: Node, found: dict[int, bool]) -> None:
        for ancestor in self._ancestors(node):
            ancestor.below += len(found)
            _held_against(ancestor, found)
        node.proven = True
        self._finish(node, "leaf")

    def _fail(self, node: Node, why: str) -> None:
        node.why = why
        self.given_up += 1
        self._finish(node, "failed")

    def _finish(self, node: Node, state: str) -> None:
        node.state, node.finished_at = state, self._clock()
        node.missing, node.own, node.named, node.others = {}, None, frozenset(), set()
        self.decided += 1
        self._touch(node)
        parent = node.parent
        if parent is None:
            self._end_place(node)
            return
        parent.pending -= 1
        parent.failures += state == "failed"
        if parent.pending == 0:
            self._decide(parent)

    def _end_place(self, node: Node) -> None:
        place = self._place_of.pop(node.ordinal, None)
        if place is not None:
            self.known.placed.add(place)
            for waiting in self._places.pop(place):
                self._cut_further(waiting)

    def _decide(self, node: Node) -> None:
        """All pieces are decided: is the window closed by them?"""
        if node.suspect and node.more:
            self._unmask(node)
        if node.failures and not node.ignored:
            node.why = f"{node.why}; {node.failures} of its pieces are open"
            self._give_up(node)
            return
        node.satisfied = not (node.failures or _unexplained(node) or _brought_nothing(node))
        if node.satisfied and not self._more_ways(node):
            self._close_by_pieces(node)
        else:
            self._cut_further(node)

    def _close_by_pieces(self, node: Node) -> None:
        node.proven = node.suspect and not node.missing and not node.unnamed and node.status == SUCCESS
        node.why = f"{node.why}; {_proof(node)}"
        self._finish(node, "done")

    def _unmask(self, node: Node) -> None:
        """A suspect answer was cut without a signal: its pieces returned more than it held."""
        caps = self.known.caps
        node.capped, node.suspect, node.own = True, False, None
        node.why = f"{node.matches} answers, cut without a signal"
        if node.matches == caps.largest:
            caps.silent = node.matches

    def _more_ways(self, node: Node) -> bool:
        """Whether these pieces are not proof enough, and there are others.

        Studies without a value of the key are in none of the pieces. Where such studies exist, or the
        archive is small, the window is cut by the next key as well. A window that has the key already
        holds no such study; the window that it was cut from is cut by the next key.
        """
        if has_key(node.window, node.way):
            return False
        if not set(ways(node)[node.strategy :]) - {MODALITY_KEYWORD} or (
            node.window.axis == DATE and node.way in ("", DAYS, TIME)
        ):
            return False
        if node.suspect and node is not self._universal and not node.missing:
            return False
        if self.known.studies <= self.small_archive:
            return True
        at_root = not node.window.extra and node.window.days == 0
        return self.known.prefixes["PatientID"].empty > 0 and not at_root

    def _ancestors(self, node: Node) -> Iterator[Node]:
        parent = node.parent
        while parent is not None:
            yield parent
            parent = parent.parent
        if node.window.axis == DATE and self._universal is not None and not self._universal.decided:
            yield self._universal

    def _touch(self, node: Node) -> None:
        self.changed[node.ordinal] = node


def _unexplained(node: Node) -> bool:
    """Whether the window returned something that its pieces must bring back and did not.

    What the keys of the axis cannot select (`Seen.found`) is left to the other axis. For each row
    without a UID the pieces must have brought a study that the window did not name.
    """
    return len(node.others) < node.unnamed or not all(node.missing.values())


def _brought_nothing(node: Node) -> bool:
    signalled = node.status is not None and node.status not in (SUCCESS, CANCEL)
    return node.capped and signalled and node.below == 0


def _remember_unnamed(node: Node, seen: Seen) -> None:
    if seen.without_uid and not node.unnamed:
        node.named, node.unnamed = frozenset(seen.found), seen.without_uid


def _held_against(node: Node, found: dict[int, bool]) -> None:
    for study in found:
        node.missing.pop(study, None)
    if node.unnamed:
        node.others.update(study for study in found if study not in node.named)
    if node.own is not None and not node.more:
        node.more = any(study not in node.own for study in found)


def _proof(node: Node) -> str:
    if node.proven:
        return "its pieces are closed and returned the same studies"
    left = f", {len(node.missing)} that they cannot select are left to another axis" if node.missing else ""
    return f"its pieces are closed and returned {node.below} studies{left}"
