"""What the tests of the wire share: a receiver of ours, what it got, and objects to send."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from migrate.wire.dimse.scp import Receiver, ReceiverOptions
from tests.conformance.wire_kit import QUICK, MemorySink, Stored, stored


@pytest.fixture
def sink() -> MemorySink:
    return MemorySink()


@pytest.fixture
def receiver(sink: MemorySink) -> Iterator[Receiver]:
    options = ReceiverOptions(ae_title="MIGRATE", host="127.0.0.1", port=0, limits=QUICK)
    with Receiver(options, sink) as running:
        yield running


@pytest.fixture
def objects(plain_objects: list[Path]) -> list[Stored]:
    return [stored(path) for path in plain_objects]
