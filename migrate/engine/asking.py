"""What the destination says it holds now, study by study, asked over a few associations at once."""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from migrate.config import Config
from migrate.destinations import open_destination
from migrate.engine.place import doorstep
from migrate.manifest.uid_map import read_uid_map
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
    holds = _under_received_uids(destination, read_uid_map(run_folder))
    return _ahead(destination, holds, studies, config.limits.destination_associations), holds


def _under_received_uids(destination: Destination, uid_map: Mapping[str, str]) -> Callable[[str], AbstractSet[str]]:
    """Ask by the UIDs that were sent, answer with those that were received."""
    received = {new: old for old, new in uid_map.items()}

    def holds(study: str) -> AbstractSet[str]:
        held = destination.holds(study, ())
        if study in uid_map:  # objects that no rule may touch went out under the UID they came with
            held |= destination.holds(uid_map[study], ())
        return {received.get(uid, uid) for uid in held}

    return holds


def _ahead(
    destination: Destination, holds: Callable[[str], AbstractSet[str]], studies: Iterable[str], associations: int
) -> Iterator[tuple[str, AbstractSet[str]]]:
    waiting: collections.deque[tuple[str, Future[AbstractSet[str]]]] = collections.deque()
    with ThreadPoolExecutor(associations) as pool:
        try:
            for study in studies:
                waiting.append((study, pool.submit(holds, study)))
                if len(waiting) >= associations * AHEAD:
                    first, answer = waiting.popleft()
                    yield first, answer.result()
            for study, answer in waiting:
                yield study, answer.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            destination.close()
