"""What the destination says it holds now, study by study, asked over a few associations at once."""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from migrate.config import Config
from migrate.destinations import open_destination
from migrate.engine.place import doorstep
from migrate.peers import Destination

AHEAD = 4


def ask_destination(
    run_folder: Path, config: Config, studies: Iterable[str]
) -> tuple[Iterator[tuple[str, AbstractSet[str]]], Callable[[str], AbstractSet[str]]]:
    """(study, SOP Instance UIDs held) in the order given, and a function that asks again about one.

    Raises (from the iterator):
        PeerError: The destination cannot be asked; nothing is concluded.
    """
    destination = open_destination(doorstep(config, run_folder, 0, receiving=False))
    return _ahead(destination, studies, config.limits.destination_associations), _again(destination)


def _again(destination: Destination) -> Callable[[str], AbstractSet[str]]:
    return lambda study: destination.holds(study, ())


def _ahead(
    destination: Destination, studies: Iterable[str], associations: int
) -> Iterator[tuple[str, AbstractSet[str]]]:
    waiting: collections.deque[tuple[str, Future[set[str]]]] = collections.deque()
    with ThreadPoolExecutor(associations) as pool:
        try:
            for study in studies:
                waiting.append((study, pool.submit(destination.holds, study, ())))
                if len(waiting) >= associations * AHEAD:
                    first, answer = waiting.popleft()
                    yield first, answer.result()
            for study, answer in waiting:
                yield study, answer.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            destination.close()
