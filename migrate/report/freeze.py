"""How long the source will have to stand still at cut-over, from the delta crawls so far.

Between the start of one delta crawl and the freeze, studies go on changing. In the steady state a
delta crawl of D hours is followed by M hours of moving; what changes in D + M at r studies an hour is
moved at v an hour, so M = r D / (v - r). While nothing may change: the crawl that finds the rest (D),
moving it (M), and the crawl that proves that nothing is left (D). Where the source changes faster
than it is moved, no freeze is short enough, and the answer is that there is none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

HOUR_S = 3600.0
ROUNDS_CONSIDERED = 3
MOVES_NOTHING = "GONE"


@dataclass(frozen=True, kw_only=True, slots=True)
class Round:
    """One finished crawl; `round` is 0 for a whole one. Times are ISO 8601 with an offset."""

    round: int
    started_at: str
    finished_at: str
    closed: bool = True
    kinds: Mapping[str, int] = field(default_factory=dict)

    @property
    def duration_s(self) -> float:
        """How long it took."""
        return max(0.0, _seconds(self.started_at, self.finished_at))

    @property
    def changes(self) -> int:
        """Changes that it saw."""
        return sum(self.kinds.values())

    @property
    def to_move(self) -> int:
        """Changes after which something is to be moved."""
        return self.changes - self.kinds.get(MOVES_NOTHING, 0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Freeze:
    """The prediction. `total_s` is None while the source changes faster than studies are moved.

    Args:
        crawl_s: One delta crawl.
        move_s: Moving what is left; None as `total_s`.
        changes_per_hour: Studies that change in an hour.
        moved_per_hour: Studies that are moved in an hour.
    """

    crawl_s: float
    move_s: float | None
    total_s: float | None
    changes_per_hour: float
    moved_per_hour: float


def predict_freeze(rounds: Sequence[Round], moved_per_hour: float | None) -> Freeze | None:
    """Predict from the crawls so far, oldest first.

    Returns:
        None without a delta crawl that has one before it, or before anything was moved.
    """
    if len(rounds) < 2 or not rounds[-1].round or not moved_per_hour:
        return None
    recent = [one for one in rounds[-ROUNDS_CONSIDERED:] if one.round]
    before = rounds[-len(recent) - 1] if len(rounds) > len(recent) else None
    if before is None:
        return None
    hours = _seconds(before.started_at, recent[-1].started_at) / HOUR_S
    rate = sum(one.to_move for one in recent) / hours if hours > 0 else 0.0
    crawl_s = recent[-1].duration_s
    move_s = crawl_s * rate / (moved_per_hour - rate) if moved_per_hour > rate else None
    return Freeze(
        crawl_s=crawl_s,
        move_s=move_s,
        total_s=None if move_s is None else 2 * crawl_s + move_s,
        changes_per_hour=rate,
        moved_per_hour=moved_per_hour,
    )


def _seconds(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


@dataclass(frozen=True, kw_only=True, slots=True)
class Cutover:
    """Crawls, oldest first; (code, policy) -> instances that the source has rejected or hidden."""

    rounds: Sequence[Round] = ()
    moved_per_hour: float | None = None
    rejections: Sequence[tuple[str, str, int]] = field(default_factory=tuple)

    @property
    def freeze(self) -> Freeze | None:
        """The prediction, where there is one."""
        return predict_freeze(self.rounds, self.moved_per_hour)
