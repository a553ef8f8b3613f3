"""Answers that come on another connection than their question, and maybe late, or twice, or never."""

from __future__ import annotations

import threading
import time
from typing import Any

MOST_EXPECTED = 10_000


class Mailbox:
    """Answers by the key of their question. Only what is expected is taken; the first answer counts."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._answers: dict[str, Any] = {}

    def expect(self, key: str) -> None:
        """An answer to `key` may come from now on; with too many open the oldest is forgotten."""
        with self._changed:
            self._answers.setdefault(key, None)
            while len(self._answers) > MOST_EXPECTED:
                del self._answers[next(iter(self._answers))]

    def deliver(self, key: str, answer: Any) -> None:
        """An answer has come.

        Raises:
            KeyError: Nobody asked that.
        """
        with self._changed:
            if self._answers[key] is None:
                self._answers[key] = answer
            self._changed.notify_all()

    def has(self, key: str) -> bool:
        """Whether the answer is here."""
        return self._answers.get(key) is not None

    def wait(self, key: str, timeout_s: float) -> bool:
        """Wait for the answer; whether it is here."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while not self.has(key) and (left_s := deadline - time.monotonic()) > 0:
                self._changed.wait(left_s)
        return self.has(key)

    def take(self, key: str) -> Any:
        """The answer, once; None when none has come: then it stays expected."""
        with self._changed:
            answer = self._answers.get(key)
            if answer is not None:
                del self._answers[key]
            return answer
