"""A network that fails: connections to source, destination and receiver spoilt at random bytes."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.torture.outcome import Budget, Outcome
from benchmarks.torture.stand import Order, Ports, Stand, standing
from migrate.journal import read
from tests.engine.command import migrate
from tests.peers.proxy import Fault, FaultProxy, Kind

SIDES = ("source", "receiver", "destination")
#: Ends at once or goes on slowly; the others wait for a time limit of one of the two ends.
QUICK_KINDS: tuple[Kind, ...] = ("cut", "reset", "half_close", "drip")
LARGEST_BYTES = 120_000
RUN_TIMEOUT_S = 900.0
Proxies = Mapping[str, FaultProxy]


@dataclass(frozen=True, slots=True)
class Weather:
    """Where connections can be spoilt, and in which ways they are."""

    proxies: Proxies
    kinds: Sequence[Kind] = QUICK_KINDS


@contextmanager
def standing_behind_proxies(folder: Path, order: Order | None = None) -> Iterator[tuple[Stand, Proxies]]:
    """A stand whose three connections go through proxies."""
    with ExitStack() as stack:
        proxies = {side: stack.enter_context(FaultProxy()) for side in SIDES}

        def ready(ports: Ports) -> None:
            proxies["source"].target = ports.source
            proxies["receiver"].target = ports.receiver
            proxies["destination"].target = ports.destination

        order = order or Order()
        seen = {side: {"port": proxies[side].port} for side in ("source", "destination")}
        settings = {**order.settings, **seen}
        behind = replace(order, settings=settings, receiver_seen=proxies["receiver"].port, ready=ready)
        yield stack.enter_context(standing(folder, behind)), proxies


def spoil(stand: Stand, weather: Weather, budget: Budget, chance: random.Random) -> Outcome:
    """Migrations over a network that fails often at first, until the budget is spent."""
    proxies, kinds = weather.proxies, weather.kinds
    outcome = Outcome("network", f"{', '.join(kinds)} at a random byte of a random connection")
    fired: Counter[str] = Counter()
    longest_s = slowest_s = 0.0
    while not budget.spent(outcome):
        run = stand.begin()
        left = budget.most - outcome.tried
        for proxy in proxies.values():
            proxy.fired.clear()
            proxy.orders.extend(_orders(chance, min(10, left), kinds))
        began = time.monotonic()
        ended = migrate(run, "run", timeout_s=RUN_TIMEOUT_S)
        slowest_s = max(slowest_s, time.monotonic() - began)
        here = Counter(f"{side} {fault.kind}" for side, proxy in proxies.items() for fault in proxy.fired)
        for proxy in proxies.values():
            proxy.orders.clear()
        fired += here
        outcome.tried += here.total()
        if ended.code not in {0, 41} or "Traceback" in ended.stderr:
            outcome.note(f"exit {ended.code} after {dict(here)}: {ended.stderr[-1500:]}")
        _no_false_alarm(outcome, run)
        outcome.add(str(dict(here)), stand.verdict(run))
        longest_s = max(longest_s, *(proxy.longest_s for proxy in proxies.values()))
    outcome.facts |= dict(sorted(fired.items()))
    outcome.facts["longest a spoilt connection lived, s"] = round(longest_s, 1)
    outcome.facts["slowest run, s"] = round(slowest_s, 1)
    return outcome


def _orders(chance: random.Random, count: int, kinds: Sequence[Kind]) -> Iterator[Fault]:
    """Half of the connections are spoilt; small offsets (negotiation) are as likely as large ones."""
    for _ in range(count):
        offset = int(LARGEST_BYTES ** chance.random())
        yield Fault(kind=chance.choice(kinds), after_bytes=offset, to_server=chance.random() < 0.7)
        if chance.random() < 0.5:
            yield Fault(kind="cut", after_bytes=10**9)


def _no_false_alarm(outcome: Outcome, run: Path) -> None:
    """What could not be read differs from nothing: no exception of content may stand in the register."""
    classes = {row["exception_class"] for row in read.exceptions(run)}
    if wrong := classes & {"CONTENT_MISMATCH", "DEST_COERCED", "COUNT_MISMATCH", "CORRUPT", "ILLEGAL_DICOM"}:
        outcome.differing += 1
        outcome.note(f"called {sorted(wrong)}, though only the network failed")
