"""A small read-only web server for one run folder: GET alone, loopback unless told otherwise.

Requests whose Host is not ours are refused, so that no foreign page reaches it through a name of its
own; where a token is asked for, it is compared in constant time.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from migrate.errors import LocalError, MigrateError

LOOPBACK = "127.0.0.1"
ANY = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - only compared with, never bound by itself


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """What one path answers."""

    content: str
    kind: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """Paths and who may see them; an empty token lets everybody who reaches the port."""

    routes: Mapping[str, Callable[[], Page]]
    token: str = ""


class Pages:
    """Serves a site in a thread of its own until the end of the block.

    Raises:
        LocalError: The address cannot be listened on.
    """

    def __init__(self, site: Site, host: str = LOOPBACK, port: int = 0) -> None:
        try:
            self._server = ThreadingHTTPServer((host, port), _handler(site, host))
        except OSError as error:
            hint = "choose another port, or an address of this machine"
            raise LocalError(
                "the port cannot be listened on", hint, host=host, port=port, reason=error.strerror
            ) from None
        self._server.daemon_threads = True
        self.host, self.port = host, int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, name="pages", daemon=True)

    def __enter__(self) -> Self:
        """Begin to serve."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()

    def wait(self) -> None:
        """Serve until the process is interrupted."""
        self._thread.join()


def _handler(site: Site, host: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        server_version = "migrate"
        sys_version = ""
        timeout = 30

        def handle(self) -> None:
            """One connection; a browser that has gone meanwhile is nobody's fault."""
            with contextlib.suppress(ConnectionError):
                super().handle()

        def do_GET(self) -> None:
            self._answer(body=True)

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def log_message(self, *_: Any) -> None:
            """The address holds the token: nothing is logged."""

        def _answer(self, *, body: bool) -> None:
            status, page = answered(site, self.path) if _is_ours(self.headers.get("Host", ""), host) else _FOREIGN
            content = page.content.encode()
            self.send_response(status)
            for name, value in {**_HEADERS, "Content-Type": page.kind, **page.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if body:
                self.wfile.write(content)

    return Handler


def answered(site: Site, path: str) -> tuple[HTTPStatus, Page]:
    """What a path with its query is answered; an error of ours is a sentence, not the end of the server."""
    asked = urlsplit(path)
    given = parse_qs(asked.query).get("token", [""])[0]
    if site.token and not secrets.compare_digest(given.encode(), site.token.encode()):
        return _said(HTTPStatus.FORBIDDEN)
    if asked.path not in site.routes:
        return _said(HTTPStatus.NOT_FOUND)
    try:
        return HTTPStatus.OK, site.routes[asked.path]()
    except MigrateError as error:
        return HTTPStatus.SERVICE_UNAVAILABLE, Page(content=f"{error}\n")


_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def _said(status: HTTPStatus) -> tuple[HTTPStatus, Page]:
    return status, Page(content=f"{status.phrase}\n")


_FOREIGN = _said(HTTPStatus.MISDIRECTED_REQUEST)


def _is_ours(named: str, host: str) -> bool:
    """Whether a Host header names this server; one that listens on every address cannot know its names."""
    return host in ANY or named.rpartition(":")[0].strip("[]") in {host, LOOPBACK, "localhost"}
