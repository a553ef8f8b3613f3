"""The windows of one crawl: answers in, windows to ask out.

Pure bookkeeping: knows no peer, file or clock. Not for several threads at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date

from migrate.stages.crawl import proofs
from migrate.stages.crawl.answers import Seen
from migrate.stages.crawl.close import SUCCESS, Verdict, judge
from migrate.stages.crawl.decisions import Decisions
from migrate.stages.crawl.futile import NEVER_WHOLE
from migrate.stages.crawl.knowledge import Knowledge
from migrate.stages.crawl.nodes import Node
from migrate.stages.crawl.windows import Window

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

    def __init__(self, known: Knowledge, span: tuple[date, date], clock: Callable[[], str]) -> None:
        self.known = known
        self._decisions = Decisions(known, span, clock)
        self.windows = self._decisions.windows

    @property
    def decided(self) -> int:
        """Windows that are closed or given up."""
        return self._decisions.decided

    def of_small_archive(self, studies: int) -> None:
        """Up to so many studies every further way to cut is tried."""
        self._decisions.small_archive = studies

    def add(self, window: Window, state: str = "open") -> Node:
        """A new window that lies in no other; `split` cuts it at once, without asking."""
        return self._decisions.add(window, None, state)

    def cut_by_text(self) -> None:
        """Dates are cut as far as they can be: go on with the text keys of what is left."""
        self._decisions.cut_by_text()

    def restore(self, nodes: Iterable[Node], next_ordinal: int) -> None:
        """Go on with the undecided windows of a crawl that was interrupted."""
        for node in self.windows.restore(nodes, next_ordinal):
            self._decisions.decide(node)

    def take(self) -> Node | None:
        """The next window to ask, or None; the latest first, so that little is open at a time."""
        return self._decisions.take()

    def hold(self, node: Node, answer: Answer) -> None:
        """Keep the answer to the window without any key until the date axis is decided.

        Every study that the date axis finds is one more proof, for or against that answer.
        """
        self.known.caps.observe(answer.status, answer.seen.matches)
        if answer.status == SUCCESS:
            node.own, node.missing = frozenset(answer.seen.found), dict(answer.seen.found)
            proofs.remember_unnamed(node, answer.seen)
            self._decisions.universal = node

    def compare(self, found: dict[int, bool]) -> None:
        """Studies that the date axis found before a kill, held against the answer that `hold` keeps."""
        if self._decisions.universal is not None:
            proofs.held_against(self._decisions.universal, found)

    def abandon(self, why: str) -> None:
        """Ask nothing more of what waits: it cannot be proven, or the peer does not answer any more."""
        self._decisions.abandon(why)

    def record(self, node: Node, answer: Answer) -> None:
        """Decide about a window that was asked."""
        seen, futile, decisions = answer.seen, self._decisions.futile, self._decisions
        node.attempts += answer.attempts
        node.status, node.matches, node.studies = answer.status, seen.matches, len(seen.found)
        node.started_at = node.started_at or answer.started_at
        self.known.caps.observe(answer.status, seen.matches)
        verdict, node.why = judge(answer.status, seen, self.known.caps)
        self.known.observe(node.window, seen, whole=verdict is Verdict.WHOLE)
        self.known.endless += answer.endless
        futile.observe(node, seen, whole=verdict is Verdict.WHOLE)
        futile.shown(decisions.ancestors(node), seen.found)
        if verdict is Verdict.WHOLE:
            decisions.close_leaf(node, seen.found)
        elif node.parent is not None and 2 * seen.outside >= seen.matches > 0:
            node.parent.ignored = True
            decisions.fail(node, "the peer does not honour the keys of this window")
        elif self._hopeless(verdict, answer):
            decisions.fail(node, node.why)
        else:
            self._prepare(node, seen, verdict)
            decisions.cut_further(node)
        if futile.hopeless(node.window.axis):
            self.abandon(NEVER_WHOLE)

    def _hopeless(self, verdict: Verdict, answer: Answer) -> bool:
        """Whether cutting cannot help: nothing in it is a study, or the crawl is open for good.

        Once many windows have been given up, nothing is cut any more only to prove a count.
        """
        seen = answer.seen
        if verdict is Verdict.UNNAMED and (self.known.junk or not seen.found):
            self.known.junk = True
        only_to_prove = verdict is not Verdict.CAPPED and self._decisions.given_up > _MOST_GIVEN_UP
        nothing = seen.matches > 0 and not seen.found
        return nothing or self.known.junk or only_to_prove or (answer.endless and self.known.endless > _MOST_ENDLESS)

    def _prepare(self, node: Node, seen: Seen, verdict: Verdict) -> None:
        node.missing = node.missing if node is self._decisions.universal else dict(seen.found)
        proofs.remember_unnamed(node, seen)
        node.modal = 0 < len(seen.found) == seen.with_modality
        node.capped = verdict is Verdict.CAPPED
        node.suspect = not node.capped
        node.own = frozenset(seen.found) if verdict is Verdict.SUSPECT else None
        node.more = node.more and node.own is not None
