"""A process of ours that keeps its state between tasks, so that its CPU and memory can be told apart."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

from benchmarks import ours
from benchmarks.measure import memory_bytes, reset_peak

P = ParamSpec("P")
R = TypeVar("R")


class Worker:
    """One process. Functions of `benchmarks.ours` run in it, one after another."""

    def __init__(self) -> None:
        self._pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
        self.pid: int = self._pool.submit(ours.process_id).result()

    def begin(self, task: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Start a task."""
        return self._pool.submit(task, *args, **kwargs)

    def do(self, task: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a task to its end."""
        return self.begin(task, *args, **kwargs).result()

    def reset_peak(self) -> None:
        """Count the peak of resident memory from now."""
        reset_peak(self.pid)

    @property
    def peak_bytes(self) -> int:
        """Peak of resident memory since `reset_peak`."""
        return memory_bytes(self.pid)

    @property
    def resident_bytes(self) -> int:
        """Resident memory now."""
        return memory_bytes(self.pid, "VmRSS:")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._gone():
            self._pool.submit(ours.close).result()
        self._pool.shutdown()

    def _gone(self) -> bool:
        return bool(getattr(self._pool, "_broken", False))


AnyTask = Callable[..., Any]
