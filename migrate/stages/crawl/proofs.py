"""What the pieces of a window prove about it, study by study. Pure looks at nodes; decides nothing."""

from __future__ import annotations

from migrate.stages.crawl.answers import Seen
from migrate.stages.crawl.close import CANCEL, SUCCESS, Caps
from migrate.stages.crawl.knowledge import Knowledge
from migrate.stages.crawl.nodes import Node
from migrate.stages.crawl.strategy import DAYS, TIME, has_key, ways
from migrate.stages.crawl.windows import DATE, MODALITY_KEYWORD


def unexplained(node: Node) -> bool:
    """Whether the window returned something that its pieces must bring back and did not.

    What the keys of the axis cannot select (`Seen.found`) is left to the other axis. For each row
    without a UID the pieces must have brought a study that the window did not name.
    """
    return len(node.others) < node.unnamed or not all(node.missing.values())


def brought_nothing(node: Node) -> bool:
    """Whether an answer that was cut with a signal has pieces without any study."""
    signalled = node.status is not None and node.status not in (SUCCESS, CANCEL)
    return node.capped and signalled and node.below == 0


def remember_unnamed(node: Node, seen: Seen) -> None:
    """Keep what an answer with rows without a UID did name."""
    if seen.without_uid and not node.unnamed:
        node.named, node.unnamed = frozenset(seen.found), seen.without_uid


def held_against(node: Node, found: dict[int, bool]) -> None:
    """A closed piece returned these studies."""
    for study in found:
        node.missing.pop(study, None)
    if node.unnamed:
        node.others.update(study for study in found if study not in node.named)
    if node.own is not None and not node.more:
        node.more = any(study not in node.own for study in found)


def unmask(node: Node, caps: Caps) -> None:
    """A suspect answer was cut without a signal: its pieces returned more than it held."""
    node.capped, node.suspect, node.own = True, False, None
    node.why = f"{node.matches} answers, cut without a signal"
    if node.matches == caps.largest:
        caps.silent = node.matches


def stands_alone(node: Node, caps: Caps) -> str:
    """Why a suspect answer is whole although its pieces could not prove it; "" where it is not."""
    trusted = caps.known is not None and caps.largest <= caps.known
    if not node.suspect or node.more or node.own is None or not (node.matches == 1 or trusted):
        return ""
    return "one answer, and no cap is so low" if node.matches == 1 else f"fewer than the result cap {caps.known}"


def proof_of(node: Node) -> str:
    """The sentence for a window that is closed by its pieces."""
    if node.proven:
        return "its pieces are closed and returned the same studies"
    left = f", {len(node.missing)} that they cannot select are left to another axis" if node.missing else ""
    return f"its pieces are closed and returned {node.below} studies{left}"


def wants_more(node: Node, known: Knowledge, *, universal: bool, small_archive: int) -> bool:
    """Whether the pieces so far are not proof enough, and there is another way to cut.

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
    if node.suspect and not universal and not node.missing:
        return False
    if known.studies <= small_archive:
        return True
    at_root = not node.window.extra and node.window.days == 0
    return known.prefixes["PatientID"].empty > 0 and not at_root
