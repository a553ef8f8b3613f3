"""The windows of a crawl that are made and wait: to be asked, to be cut, or for the letters of a key."""

from __future__ import annotations

from collections.abc import Iterable

from migrate.stages.crawl.knowledge import Knowledge
from migrate.stages.crawl.nodes import Node
from migrate.stages.crawl.strategy import cut
from migrate.stages.crawl.windows import Window

Place = tuple[str, int]


class Waiting:
    """Makes the nodes of a crawl, and gives out those that are to be asked.

    `changed` are the nodes that the journal does not have yet as they are.
    """

    def __init__(self) -> None:
        self.changed: dict[int, Node] = {}
        self._waiting: list[Node] = []
        self._next = 1
        self._roots: dict[str, Node] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def made(self) -> int:
        """Windows made so far."""
        return self._next - 1

    def root(self, axis: str) -> Node | None:
        """The root of an axis that has only one."""
        return self._roots.get(axis)

    def touch(self, node: Node) -> None:
        """The node has changed."""
        self.changed[node.ordinal] = node

    def make(self, window: Window, parent: Node | None, state: str) -> Node:
        """A new node; it does not wait yet."""
        node = Node(ordinal=self._next, window=window, parent=parent, state=state)
        self._next += 1
        self._hang(node, parent)
        self.touch(node)
        return node

    def _hang(self, node: Node, parent: Node | None) -> None:
        node.parent = parent
        if parent is not None:
            parent.pending += 1
        elif node.window.days == 0 and not node.window.extra:
            self._roots[node.window.axis] = node

    def put(self, node: Node) -> None:
        """The node waits to be asked; the last that came is the first that goes."""
        self._waiting.append(node)

    def take_out(self, node: Node) -> None:
        """The node waits no more."""
        self._waiting.remove(node)

    def take(self, known: Knowledge) -> Node | None:
        """The next node to ask, or None; of what is to be cut on the way, a piece that fits one answer."""
        if not self._waiting:
            return None
        node = self._waiting.pop()
        return self._piece_of(node, known) if node.state == "rest" else node

    def _piece_of(self, node: Node, known: Knowledge) -> Node:
        piece, rest = cut(node.window, node.parent, known)
        self.touch(node)
        if rest is None:
            node.state = "open"
            return node
        node.window = rest
        taken = self.make(piece, node.parent, "open")
        self.put(node)
        return taken

    def pop(self) -> Node:
        """The next node as it is, uncut."""
        return self._waiting.pop()

    def restore(self, nodes: Iterable[Node], next_ordinal: int) -> list[Node]:
        """Take in the undecided nodes of an interrupted crawl; gives those whose pieces are all decided."""
        self._next = max(self._next, next_ordinal)
        by_id: dict[str, Node] = {}
        for node in nodes:
            self._hang(node, by_id.get(node.window.parent_id or ""))
            if node.state == "split":
                by_id[node.window.window_id] = node
            else:
                self.put(node)
        return [node for node in by_id.values() if node.pending == 0]


class Places:
    """Nodes that wait until the letters not seen at a place of their key were asked for by themselves."""

    def __init__(self) -> None:
        self._waiting: dict[Place, list[Node]] = {}
        self._asked: dict[int, Place] = {}

    def join(self, place: Place, node: Node) -> bool:
        """The node waits for the place; whether it is the first, so that the place has to be asked."""
        self._waiting.setdefault(place, []).append(node)
        return len(self._waiting[place]) == 1

    def asking(self, place: Place, node: Node) -> None:
        """This node stands for the place."""
        self._asked[node.ordinal] = place

    def end(self, node: Node) -> tuple[Place | None, list[Node]]:
        """A node without a parent is decided: the place that it stood for, and who waited for it."""
        place = self._asked.pop(node.ordinal, None)
        return place, self._waiting.pop(place) if place is not None else []
