"""The address of an HTTP service as it is configured, and connections to it."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPSConnection
from typing import Self
from urllib.parse import urlsplit

from migrate.errors import ConfigError


@dataclass(frozen=True, slots=True)
class WebAddress:
    """Where to connect, and the path that every request begins with."""

    secure: bool
    host: str
    port: int | None
    base: str

    @classmethod
    def of(cls, url: str, key: str, example: str) -> Self:
        """The address in `url`.

        Args:
            url: As configured.
            key: The configuration key, for the error.
            example: What an address looks like, for the hint.

        Raises:
            ConfigError: It is none.
        """
        try:
            parts = urlsplit(url)
            port, host = parts.port, parts.hostname
        except ValueError:  # a port that is no number, or brackets that hold no address
            port = host = None
        if not host or parts.scheme not in {"http", "https"}:
            raise ConfigError(f"{key} is not an address", f"for example: {example}")
        return cls(parts.scheme == "https", host, port, parts.path.rstrip("/"))

    @property
    def place(self) -> str:
        """Host and port, for messages."""
        return self.host if self.port is None else f"{self.host}:{self.port}"

    def connection(self, timeout_s: float, tls: ssl.SSLContext | None = None) -> HTTPConnection:
        """A connection that opens with its first request; without `tls` the system's authorities are trusted."""
        if not self.secure:
            return HTTPConnection(self.host, self.port, timeout=timeout_s)
        return HTTPSConnection(self.host, self.port, timeout=timeout_s, context=tls or ssl.create_default_context())


def bearer(token: str) -> dict[str, str]:
    """The header that carries a token, if there is one."""
    return {"Authorization": f"Bearer {token}"} if token else {}
