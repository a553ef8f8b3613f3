"""A window with its fate: asked, cut into pieces, closed or given up; and its row in the journal."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import date

from migrate.journal.windows import WindowRow
from migrate.stages.crawl.windows import Window


@dataclass(slots=True, eq=False)
class Node:
    """One window of a crawl.

    Args:
        ordinal: Its number, in the order of making.
        window: What it asks.
        parent: The node it was cut from.
        state: See `migrate.journal.windows.STATES`.
        proven: What its own answer held is all there is in it.
        pending: Pieces that are not decided.
        failures: Pieces that cannot be closed.
        missing: Studies of its own answer that no closed piece has returned (see `Seen.found`).
        own: For a suspect answer, all its studies: a piece that returns another one proves a cap.
        more: A piece returned a study that the suspect answer did not hold.
        named: For an answer with rows without a UID, the studies that it named.
        unnamed: How many rows had no UID.
        others: Studies that closed pieces returned and the answer did not name.
        suspect: The count must be proven by the pieces.
        below: Studies that closed pieces returned, repeats included.
        ignored: A piece showed that the peer does not honour the key by which it was cut.
        way: How its present pieces were cut.
        satisfied: The pieces so far are proof enough; another way is tried for more.
        held: For an answer that names the same studies again and again, those studies.
        gained: A piece of such a window returned another study.
        modal: Every study of its own answer came with its modalities.
    """

    ordinal: int
    window: Window
    parent: Node | None = None
    state: str = "open"
    status: int | None = None
    matches: int | None = None
    studies: int | None = None
    capped: bool = False
    proven: bool = False
    why: str = ""
    strategy: int = 0
    attempts: int = 0
    started_at: str | None = None
    finished_at: str | None = None
    pending: int = 0
    failures: int = 0
    missing: dict[int, bool] = field(default_factory=dict)
    own: frozenset[int] | None = None
    more: bool = False
    named: frozenset[int] = frozenset()
    unnamed: int = 0
    others: set[int] = field(default_factory=set)
    suspect: bool = False
    below: int = 0
    ignored: bool = False
    modal: bool = False
    way: str = ""
    satisfied: bool = False
    held: frozenset[int] | None = None
    gained: bool = False

    @property
    def closed(self) -> bool:
        """Nothing in this window can have been missed."""
        return self.state in ("leaf", "done")

    @property
    def decided(self) -> bool:
        """Nothing is to be done about it any more."""
        return self.state in ("leaf", "done", "failed")

    def forget(self) -> None:
        """Let go of the studies: nothing is held against this window any more."""
        self.missing, self.own, self.held, self.named, self.others = {}, None, None, frozenset(), set()

    def row(self) -> WindowRow:
        """The node as the journal keeps it."""
        return WindowRow(
            ordinal=self.ordinal,
            window_id=self.window.window_id,
            parent=self.window.parent_id,
            query=to_json(self.window),
            state=self.state,
            status=self.status,
            matches=self.matches,
            studies=self.studies,
            capped=self.capped,
            closed=self.closed,
            proven=self.proven,
            why=self.why,
            strategy=self.strategy,
            attempts=self.attempts,
            started_at=self.started_at,
            finished_at=self.finished_at,
        )


def from_row(row: WindowRow) -> Node:
    """A node as the journal kept it, without its parent."""
    return Node(
        ordinal=row.ordinal,
        window=from_json(row.query),
        state=row.state,
        status=row.status,
        matches=row.matches,
        studies=row.studies,
        capped=row.capped,
        proven=row.proven,
        why=row.why,
        strategy=row.strategy,
        attempts=row.attempts,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )


def to_json(window: Window) -> str:
    """A window as the journal keeps it."""
    days = [day.isoformat() if day else None for day in (window.first, window.last)]
    return json.dumps([window.axis, *days, window.minutes, window.extra, window.parent_id])


def from_json(text: str) -> Window:
    """A window as the journal kept it."""
    axis, first, last, minutes, extra, parent_id = json.loads(text)
    return Window(
        axis=axis,
        first=date.fromisoformat(first) if first else None,
        last=date.fromisoformat(last) if last else None,
        minutes=(minutes[0], minutes[1]) if minutes else None,
        extra=tuple((key, value) for key, value in extra),
        parent_id=parent_id,
    )
