"""The receiver: accepts associations and serves each in a thread of its own.

TLS handshakes and waiting for the A-ASSOCIATE-RQ happen in that thread, so silent peers hold up
nobody. Connections that are no association yet are counted apart, and the oldest of them gives
way when there are too many.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from migrate.errors import LocalError, MigrateError
from migrate.wire.dimse.reception import OnCommitment, Reception
from migrate.wire.dimse.session import Connection, ReceiverOptions, Session
from migrate.wire.dimse.sinks import StoreSink

__all__ = ["Receiver", "ReceiverOptions"]

_log: Final = logging.getLogger(__name__)
_BACKLOG: Final = 128


class Receiver:
    """A C-STORE SCP. `start` and `stop`, or use as a context manager.

    Args:
        options: Where and whom to serve.
        sink: Takes objects, from several threads at once; None refuses them.
        on_commitment: Takes storage commitment results (PS3.4 J.3.3); None refuses them.
    """

    def __init__(
        self, options: ReceiverOptions, sink: StoreSink | None, on_commitment: OnCommitment | None = None
    ) -> None:
        self.options = options
        self._sink = sink
        self._on_commitment = on_commitment
        self._lock = threading.Lock()
        self._half_open: dict[Connection, None] = {}
        self._established: dict[Connection, None] = {}
        self._threads: set[threading.Thread] = set()
        self._listener: socket.socket | None = None
        self._stopping = False

    @property
    def port(self) -> int:
        """The port that is listened on."""
        if self._listener is None:
            raise LocalError("the receiver is not started", ae_title=self.options.ae_title)
        return int(self._listener.getsockname()[1])

    @property
    def associations(self) -> int:
        """How many are established now."""
        return len(self._established)

    def start(self) -> None:
        """Listen and serve in threads of their own.

        Raises:
            LocalError: The address cannot be bound.
        """
        self._stopping = False
        self._listener = _listen(self.options)
        self._spawn(lambda: self._accept(self._listener))

    def stop(self, wait_s: float = 5.0) -> None:
        """Take no more associations; end idle ones, let a running message end for `wait_s`."""
        self._stopping = True
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
        self._cut(self._half_open)
        deadline = time.monotonic() + wait_s
        while self._established and time.monotonic() < deadline:
            time.sleep(0.005)
        self._cut(self._established)
        for thread in list(self._threads):
            thread.join(timeout=5.0)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop(0.0 if kind else 5.0)

    # ---- for the threads that serve

    def establish(self, connection: Connection) -> bool:
        """Count `connection` as an association; False when there are too many."""
        with self._lock:
            if len(self._established) >= self.options.max_associations or self._stopping:
                return False
            self._half_open.pop(connection, None)
            self._established[connection] = None
            return True

    # ---- inside

    def _accept(self, listener: socket.socket | None) -> None:
        while not self._stopping and listener is not None:
            try:
                sock, address = listener.accept()
            except OSError as error:
                if self._stopping:
                    return
                # Out of descriptors, or the peer went away in the queue: the next may work.
                _log.warning("accept failed: errno %s", error.errno)
                time.sleep(0.05)
                continue
            hosts = self.options.allow_hosts
            if hosts is not None and address[0] not in hosts:
                _log.warning("connection from %s refused: not in allow_hosts", address[0])
                sock.close()
                continue
            self._admit(Connection(sock, address[0]))

    def _admit(self, connection: Connection) -> None:
        with self._lock:
            self._half_open[connection] = None
            oldest = next(iter(self._half_open)) if len(self._half_open) > self.options.max_half_open else None
        if oldest is not None:
            oldest.shut()
        self._spawn(lambda: self._serve(connection))

    def _serve(self, connection: Connection) -> None:
        session = Session(self.options, Reception(self.options.limits, "", self._sink, self._on_commitment))
        try:
            session.run(connection, self.establish, lambda: self._stopping)
        except MigrateError as error:
            _log.warning("association from %s ended: %s", connection.host, error)
        except Exception as error:  # noqa: BLE001  a bug in one association must not end the receiver
            # Without the text of the error, which may hold what stood in an object.
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{place.filename}:{place.lineno}"
            _log.error("association from %s ended by %s at %s", connection.host, type(error).__name__, where)
        finally:
            connection.close()
            with self._lock:
                self._half_open.pop(connection, None)
                self._established.pop(connection, None)

    def _cut(self, connections: dict[Connection, None]) -> None:
        with self._lock:
            doomed = list(connections)
        for connection in doomed:
            connection.shut()

    def _spawn(self, target: Callable[[], None]) -> None:
        def run() -> None:
            try:
                target()
            finally:
                self._threads.discard(threading.current_thread())

        thread = threading.Thread(target=run, daemon=True, name=f"receiver-{self.options.ae_title}")
        self._threads.add(thread)
        thread.start()


def _listen(options: ReceiverOptions) -> socket.socket:
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if options.reuse_port:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((options.host, options.port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        hint = "is another process using the port? choose another one in [receiver]"
        raise LocalError(
            "the receiver cannot listen", hint, address=f"{options.host}:{options.port}", cause=error.strerror
        ) from None
    return listener
