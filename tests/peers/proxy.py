"""A TCP proxy that spoils connections to order: cut, reset, stall, swallow, half close, drip.

    with FaultProxy() as proxy:
        proxy.target = server.port
        proxy.orders.append(Fault(kind="cut", after_bytes=1_000))
        connect(proxy.port)

Each new connection takes the next order; without one it passes everything on.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Any, Literal, Self

from tests.peers.ports import free_port

Kind = Literal["cut", "reset", "stall", "swallow", "half_close", "drip"]
KINDS: tuple[Kind, ...] = ("cut", "reset", "stall", "swallow", "half_close", "drip")
BLOCK_BYTES = 65_536
DRIP_BYTES, DRIP_S = 400, 0.02
GIVEN_UP_S = 300.0  # a spoilt connection that nobody closes is closed then, and `longest_s` shows it


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """What happens to one connection once `after_bytes` have passed in one direction.

    Args:
        kind: `cut` closes both ends, `reset` too but with RST, `stall` passes on nothing more either way,
            `swallow` drops one direction, `half_close` ends one direction, `drip` makes it slow.
        after_bytes: Bytes of that direction that still pass.
        to_server: The direction.
    """

    kind: Kind
    after_bytes: int
    to_server: bool = True


class FaultProxy:
    """Listens on a loopback port of its own and passes on to `target`, in a thread of its own."""

    def __init__(self) -> None:
        self.port = free_port()
        self.target = 0
        self.orders: deque[Fault] = deque()
        self.fired: list[Fault] = []
        self.lasted_s: list[float] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        serving = asyncio.start_server(self._serve, "127.0.0.1", self.port, limit=BLOCK_BYTES)
        self._server = asyncio.run_coroutine_threadsafe(serving, self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    @property
    def longest_s(self) -> float:
        """How long a spoilt connection stayed open at most, until one of its ends gave up."""
        return max(self.lasted_s, default=0.0)

    async def _end(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target, limit=BLOCK_BYTES)
        except OSError:
            writer.close()
            return
        connection = _Connection(self, self.orders.popleft() if self.orders else None)
        ends = (writer, far_writer)
        try:
            await connection.run((reader, far_writer), (far_reader, writer))
        finally:
            for end in ends:
                if connection.reset:
                    linger = struct.pack("ii", 1, 0)  # close with RST
                    end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                end.close()


Way = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Connection:
    """Two directions; the end of one leaves the other open, a fault may end both."""

    def __init__(self, proxy: FaultProxy, fault: Fault | None) -> None:
        self.proxy = proxy
        self.fault = fault
        self.reset = False
        self.over = asyncio.Event()
        self.stalled = asyncio.Event()
        self._fired_at: float | None = None

    async def run(self, to_server: Way, to_client: Way) -> None:
        """Until both directions have ended or a fault has ended them."""
        ways = [asyncio.ensure_future(self._pass(way, to_server=way is to_server)) for way in (to_server, to_client)]
        over = asyncio.ensure_future(self.over.wait())
        both = asyncio.gather(*ways, return_exceptions=True)
        ends: list[asyncio.Future[Any]] = [both, over]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED, timeout=None)
        for task in (*ways, over):
            task.cancel()
        await asyncio.gather(*ways, over, return_exceptions=True)
        if self._fired_at is not None:
            self.proxy.lasted_s.append(time.monotonic() - self._fired_at)

    async def _pass(self, way: Way, *, to_server: bool) -> None:
        reader, writer = way
        fault = self.fault if self.fault and self.fault.to_server == to_server else None
        passed = 0
        with contextlib.suppress(OSError):
            while block := await reader.read(BLOCK_BYTES):
                if self.stalled.is_set():
                    continue
                if fault and passed + len(block) > fault.after_bytes:
                    writer.write(block[: fault.after_bytes - passed])
                    await self._spoil(fault, way, block[fault.after_bytes - passed :])
                    return
                writer.write(block)
                passed += len(block)
                await writer.drain()
            if not self.stalled.is_set():
                writer.write_eof()
                return
        self.over.set()  # one end has gone, or gave a stalled connection up

    async def _spoil(self, fault: Fault, way: Way, rest: bytes) -> None:
        reader, writer = way
        self._fired_at = time.monotonic()
        self.proxy.fired.append(fault)
        if fault.kind in {"cut", "reset"}:
            self.reset = fault.kind == "reset"
            self.over.set()
        elif fault.kind == "drip":
            await _drip(reader, writer, rest)
        else:
            if fault.kind == "half_close":
                writer.write_eof()
            if fault.kind == "stall":
                self.stalled.set()
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(GIVEN_UP_S):
                    while await reader.read(BLOCK_BYTES):
                        continue
            self.over.set()


async def _drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, rest: bytes) -> None:
    while rest:
        for start in range(0, len(rest), DRIP_BYTES):
            writer.write(rest[start : start + DRIP_BYTES])
            await writer.drain()
            await asyncio.sleep(DRIP_S)
        rest = await reader.read(BLOCK_BYTES)
    writer.write_eof()
