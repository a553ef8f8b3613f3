"""Asks the windows of a sweep, several at a time, each worker on its own association."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from typing import Protocol

from migrate.errors import Interrupted, PeerError, PeerRefused, PeerUnavailable
from migrate.model import Level
from migrate.peers import FindEnd
from migrate.stages.crawl.answers import (
    REQUIRED_STUDY_KEYS,
    STUDY_KEYS,
    Asked,
    Collector,
    Columns,
    EndlessAnswer,
    Limits,
    Seen,
)
from migrate.stages.crawl.close import HOPELESS, OUT_OF_RESOURCES
from migrate.stages.crawl.nodes import Node
from migrate.stages.crawl.recorder import CrawlRecorder
from migrate.stages.crawl.request import CrawlRequest, Finder, Progress
from migrate.stages.crawl.sweep import Answer, Sweep
from migrate.stages.crawl.windows import shown_id

_MOST_SILENT_WINDOWS = 20
_PAUSES_S = (0.5, 2.0, 5.0, 15.0)


class Rows(Protocol):
    """Where the rows of an answer go."""

    def add(self, columns: Columns) -> None:
        """Rows of one answer."""
        ...


class Asker:
    """One association that asks windows, repeating what fails for a reason that may pass.

    Args:
        request: How often to repeat, when to give up.
        finder: The association.
        recorder: Takes the rows.
    """

    def __init__(self, request: CrawlRequest, finder: Finder, recorder: Rows) -> None:
        self._request, self._finder, self._recorder = request, finder, recorder
        self._keys: Mapping[str, str] = STUDY_KEYS
        self._tried_fewer = False

    def ask(self, node: Node) -> Answer:
        """Ask one window until it has a final answer, or often enough.

        Raises:
            PeerRefused: The peer does not answer such queries at all.
            LocalError: Of the source.
        """
        started_at, seen, end, endless = self._request.clock(), Seen(), None, False
        sins: Counter[str] = Counter()
        for attempt in range(1, self._request.attempts + 1):
            end, seen, endless = self._ask_once(node)
            sins += seen.sins
            if endless or not self._worth_repeating(end):
                break
            if attempt < self._request.attempts:
                self._request.pause(_PAUSES_S[min(attempt, len(_PAUSES_S)) - 1])
        status, seen.sins = end.status if end else None, sins
        return Answer(status=status, seen=seen, attempts=attempt, endless=endless, started_at=started_at)

    def _ask_once(self, node: Node) -> tuple[FindEnd | None, Seen, bool]:
        asked = Asked(window=node.window, ordinal=node.ordinal, at=self._request.clock())
        limits = Limits(answers=self._request.answer_limit, stale=self._request.stale_answers)
        collector = Collector(asked, self._recorder.add, limits)
        end, endless = None, False
        try:
            end = self._finder.find(Level.STUDY, {**self._keys, **node.window.keys}, collector.take)
        except PeerRefused:
            raise
        except EndlessAnswer:
            endless = True
        except PeerUnavailable:
            collector.seen.sins["closed in mid-answer" if collector.seen.matches else "no answer"] += 1
        except PeerError:
            endless = True
        collector.release()
        if end is not None and end.status in HOPELESS:
            raise _refused(end)
        return end, collector.seen, endless

    def _worth_repeating(self, end: FindEnd | None) -> bool:
        if end is None or end.status == OUT_OF_RESOURCES:
            return True
        if end.status >> 12 == 0xC and not self._tried_fewer and "large" not in end.error_comment.lower():
            # Some archives fail on optional keys (standards.md 1.4): once, ask for the required ones only.
            self._tried_fewer = True
            self._keys = REQUIRED_STUDY_KEYS
            return True
        if end.status >> 12 == 0xC:
            self._keys = STUDY_KEYS
        return False


def _refused(end: FindEnd) -> PeerRefused:
    hint = "check the information model, the level and the permissions of our AE title at the source"
    return PeerRefused("C-FIND refused", hint, status=f"{end.status:04X}")


class Driver:
    """Runs a sweep until nothing is left to ask.

    Args:
        request: Associations, bounds, who is told.
        sweep: The windows.
        recorder: What makes them durable.
        lock: The one that `recorder` uses.
    """

    def __init__(self, request: CrawlRequest, sweep: Sweep, recorder: CrawlRecorder, lock: threading.RLock) -> None:
        self._request, self._sweep, self._recorder = request, sweep, recorder
        self._changed = threading.Condition(lock)
        self._asking = 0
        self._silent = 0
        self._answered = False
        self._error: BaseException | None = None
        self._askers: list[Asker] = []
        self._finders: list[Finder] = []
        self.sins: Counter[str] = Counter()

    def close(self) -> None:
        """Release all associations."""
        for finder in self._finders:
            finder.close()

    def asker(self, number: int = 0) -> Asker:
        """The asker of one worker; its association is opened when it is first wanted."""
        while len(self._askers) <= number:
            finder = self._request.open_finder()
            self._finders.append(finder)
            self._askers.append(Asker(self._request, finder, self._recorder))
        return self._askers[number]

    def finder(self) -> Finder:
        """The first worker's association, for questions that are no windows."""
        self.asker()
        return self._finders[0]

    def note(self, answer: Answer) -> None:
        """Count what was wrong with an answer that `run` did not ask for."""
        self.sins.update(answer.seen.sins)
        self._answered = self._answered or answer.status is not None

    def run(self) -> None:
        """Ask until no window is open, then make everything durable.

        Raises:
            Interrupted: Somebody asked to stop; what was found is durable.
            PeerUnavailable: The peer has stopped answering; the same crawl goes on later.
            PeerRefused: The peer does not answer such queries at all.
            LocalError: The disk is full, or of the source.
        """
        askers = [self.asker(number) for number in range(self._request.associations)]
        workers = [threading.Thread(target=self._work, args=(asker,), daemon=True) for asker in askers[1:]]
        for worker in workers:
            worker.start()
        self._work(askers[0])
        for worker in workers:
            worker.join()
        self._recorder.flush()
        if self._error is not None:
            raise self._error

    def _work(self, asker: Asker) -> None:
        try:
            while (node := self._next()) is not None:
                answer = asker.ask(node)
                with self._changed:
                    self._take(node, answer)
                self._recorder.flush_if_due()
        except BaseException as error:  # noqa: BLE001 - raised again by `run`, in the caller's thread
            with self._changed:
                self._error = self._error or error
                self._changed.notify_all()

    def _next(self) -> Node | None:
        with self._changed:
            while self._error is None:
                if self._request.stopping():
                    self._error = Interrupted("the crawl was stopped", "run the same command again")
                    break
                node = self._sweep.take()
                if node is not None:
                    self._asking += 1
                    return node
                if not self._asking:
                    break
                self._changed.wait()
            self._changed.notify_all()
            return None

    def _take(self, node: Node, answer: Answer) -> None:
        self._asking -= 1
        self.sins.update(answer.seen.sins)
        self._notice_silence(answer)
        self._sweep.record(node, answer)
        if self._sweep.windows.made > self._request.most_windows:
            self._sweep.abandon(f"the crawl has come to its limit of {self._request.most_windows} windows")
        self._changed.notify_all()
        where = shown_id(node.window)
        self._request.progress(
            Progress(
                phase="windows",
                windows=self._sweep.decided,
                open_windows=len(self._sweep.windows),
                answers=self._recorder.answers,
                where=where,
            )
        )

    def _notice_silence(self, answer: Answer) -> None:
        if answer.status is not None or answer.endless:
            self._silent, self._answered = 0, True
            return
        self._silent += 1
        if self._silent < _MOST_SILENT_WINDOWS:
            return
        if self._answered or not self._recorder.answers:
            raise PeerUnavailable("the source has stopped answering", "run the same command again when it answers")
        self._sweep.abandon("the source breaks off every answer")
