"""How a window that is not proven whole is cut: which ways there are, and the pieces of each.

A way is tried after the one before it has failed to bring back what the window itself returned, or
when the peer turned out to ignore its key. Dates first, then the time of one day, then text keys.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from migrate.stages.crawl.knowledge import Knowledge
from migrate.stages.crawl.nodes import Node
from migrate.stages.crawl.windows import (
    ACCESSION,
    DATE,
    LAST_MINUTE,
    MODALITY_KEYWORD,
    PATIENT,
    PREFIX_KEYWORDS,
    Window,
    can_lengthen,
    children,
    cut_days,
    cut_minutes,
    date_roots,
    prefix_children,
    prefix_of,
    with_key,
)

DAYS, TIME = "days", "time"
# The order in which text keys are added to a window; a key is lengthened until it is whole.
TEXT_WAYS = {
    DATE: ("PatientID", "AccessionNumber", MODALITY_KEYWORD),
    PATIENT: ("PatientID", "AccessionNumber", MODALITY_KEYWORD),
    ACCESSION: ("AccessionNumber", "PatientID", MODALITY_KEYWORD),
}
_CROWD = 8
_SURE = 1.3
_MONTH = 31
_YEAR = 366
_FILL = 0.85


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """One piece: `open` to be asked, `rest` to be cut on the way, `split` to be cut without asking."""

    window: Window
    state: str = "open"


def ways(node: Node) -> tuple[str, ...]:
    """The ways to cut a node's window, in order."""
    window = node.window
    if window.days > 1:
        return (DAYS,)
    texts = tuple(key for key in TEXT_WAYS[window.axis] if _usable(node, key))
    if window.days == 1:
        return (TIME, *texts) if _worth_cutting_by_time(node) else texts
    return _ways_without_date(node, texts)


def _ways_without_date(node: Node, texts: tuple[str, ...]) -> tuple[str, ...]:
    window = node.window
    low, high = window.minutes or (0, LAST_MINUTE)
    if window.extra:
        keyword = window.extra[-1][0]
        if can_lengthen(window, keyword):
            return (keyword,)
        return (DAYS, TIME, *texts) if low < high else texts
    if window.minutes:
        return (TIME, *texts) if low < high else texts
    if window.axis == ACCESSION:
        return (PREFIX_KEYWORDS[ACCESSION], TIME)
    # The question without any key, not known to be cut, is proven by either key.
    return texts if node.suspect else (PREFIX_KEYWORDS[window.axis],)


def _worth_cutting_by_time(node: Node) -> bool:
    low, high = node.window.minutes or (0, LAST_MINUTE)
    if low == high or (node.window.axis == DATE and node.window.extra):
        return False
    untimed = sum(node.missing.values()) if node.window.axis == DATE else 0
    return untimed == 0 if node.suspect else 2 * untimed <= len(node.missing)


def _usable(node: Node, keyword: str) -> bool:
    used = [key for key, _ in node.window.extra]
    order = TEXT_WAYS[node.window.axis]
    if any(key in used for key in order[order.index(keyword) + 1 :]):
        return False
    if keyword == MODALITY_KEYWORD:
        # No query says "any other modality": this way may miss one, so it never proves a whole answer.
        return keyword not in used and node.modal and not node.suspect
    return can_lengthen(node.window, keyword)


def has_key(window: Window, way: str) -> bool:
    """Whether a window selects by the key of a way already: then the pieces of that way are all of it."""
    if way == DAYS:
        return window.days > 0
    if way == TIME:
        return window.minutes is not None
    return way in dict(window.extra)


def pieces(node: Node, way: str, known: Knowledge, span: tuple[date, date]) -> list[Piece]:
    """The pieces of a node's window by one way. `span` is the range that the crawl was asked for."""
    window = node.window
    if way == DAYS:
        return _by_days(window, span)
    if way == TIME:
        low, high = window.minutes or (0, LAST_MINUTE)
        return [Piece(window=replace(window, minutes=(low, high), parent_id=window.window_id), state="rest")]
    if way == MODALITY_KEYWORD:
        return [Piece(window=with_key(window, way, code)) for code in sorted(known.modalities)]
    return _by_prefix(window, way, known)


def _by_days(window: Window, span: tuple[date, date]) -> list[Piece]:
    if window.days == 0:
        roots = date_roots(*span)
        parent = window.window_id
        return [Piece(window=replace(window, first=root.first, last=root.last, parent_id=parent)) for root in roots]
    if window.days > _YEAR:
        return [Piece(window=child) for child in children(window)]
    return [Piece(window=replace(window, parent_id=window.window_id), state="rest")]


def wanted_place(node: Node, way: str, known: Knowledge) -> tuple[str, int] | None:
    """The place (keyword, number) whose unseen letters are to be asked for before this node is cut.

    A letter that no value of the whole archive has at a place needs no piece in any window. To ask
    for it once, `???X*`, makes the source look at every study; to ask for it in each window does
    not. So it is done where there are many windows to cut at that place, or few studies to look at.
    """
    if way not in known.prefixes:
        return None
    prefix = prefix_of(node.window, way)
    place = len(prefix)
    if (way, place) in known.placed or (place and not known.question_mark):
        return None
    sweeping = node.window.axis != DATE and PREFIX_KEYWORDS[node.window.axis] == way and len(node.window.extra) < 2
    many = sweeping and known.prefixes[way].crowded(place, known.room() or 1) > _CROWD
    return (way, place) if known.few or (many and place) else None


def place_pieces(keyword: str, place: int, known: Knowledge) -> tuple[Window, list[Piece]]:
    """The window that stands for a place, and one piece for each letter not yet seen there.

    One more piece for the values that end there, if none has been seen to.
    """
    axis = PATIENT if keyword == PREFIX_KEYWORDS[PATIENT] else ACCESSION
    root = Window(axis=axis, extra=((keyword, f"{'?' * place}*"),))
    seen = known.prefixes[keyword].letters_at(place)
    unseen = [letter for letter in known.alphabet if letter not in seen and (place or letter != " ")]
    patterns = [f"{'?' * place}{letter}*" for letter in unseen]
    if place and not known.prefixes[keyword].lengths[place]:
        patterns.append("?" * place)
    return root, [Piece(window=with_key(root, keyword, pattern)) for pattern in patterns]


def _by_prefix(window: Window, keyword: str, known: Knowledge) -> list[Piece]:
    prefix, prefixes = prefix_of(window, keyword), known.prefixes[keyword]
    place = len(prefix)
    seen, room = prefixes.letters_at(place), known.room() or 1
    unseen = () if (keyword, place) in known.placed else [letter for letter in known.alphabet if letter not in seen]
    letters = [letter for letter in sorted([*seen, *unseen]) if place or letter != " "]
    found: list[Piece] = []
    children_here = prefix_children(window, keyword, letters)
    if place and (keyword, place) in known.placed and not prefixes.lengths[place]:
        children_here = children_here[1:]  # no value of the archive ends here
    for child in children_here:
        crowded = window.axis != DATE and prefixes.expected(prefix_of(child, keyword)) > _SURE * room
        sure = crowded and dict(child.extra)[keyword].endswith("*")
        found.append(Piece(window=child, state="split" if sure else "open"))
    return found


def cut(window: Window, parent: Node | None, known: Knowledge) -> tuple[Window, Window | None]:
    """The next piece of a `rest` window and what is left, so that the piece fits one answer."""
    if window.days > 1:
        return cut_days(window, _days(window, parent, known))
    if window.minutes is None:
        return window, None
    return cut_minutes(window, _minutes(window, parent, known))


def _days(window: Window, parent: Node | None, known: Knowledge) -> int:
    first, last, room = window.first or date.min, window.last or date.max, known.room()
    whole = parent is not None and parent.window.first == first and parent.window.last == last
    most = max(1, window.days // 2) if whole else window.days
    fitting = known.rates.days_for(first, last, room) if room else None
    if fitting is None:
        fitting = window.days // 4 if window.days <= _MONTH else _MONTH
    return max(1, min(fitting, most))


def _minutes(window: Window, parent: Node | None, known: Knowledge) -> int:
    low, high = window.minutes or (0, LAST_MINUTE)
    start, end = (parent.window.minutes if parent else None) or (0, LAST_MINUTE)
    room = known.room() or 1
    profile = known.hours
    if parent is not None and parent.below and low > start:
        done, left = profile.weight(start, low - 1), profile.weight(low, high)
        expected = parent.below * left / done
    else:
        expected = max(1.4 * room, float(parent.matches or 0) if parent else 0.0)
    share = min(1.0, _FILL * room / expected) if expected else 1.0
    most = (end - start + 1) // 2 if low == start else high - low + 1
    return max(1, min(profile.minutes_for(low, high, share), most))
