"""PIXm: one patient's number in one domain for the number in another (IHE ITI-83, FHIR R4 `$ihe-pix`).

An answer that is not exactly one number is no answer: nothing is guessed, nothing is tried twice
with other words. Numbers of patients stand in requests and answers alone, never in an error.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import quote

from migrate.wire.web import WebAddress, bearer

MOST_BYTES = 1 << 20


class PixmOutcome(StrEnum):
    """What the server said (ITI TF-2, 3.83.4.2)."""

    FOUND = "found"
    UNKNOWN = "unknown"  # 404: the id is not known; or known, with no number in the target domain
    AMBIGUOUS = "ambiguous"  # two numbers in the target domain
    REFUSED = "refused"  # 400, 403: a domain is not known there; 401: no access
    UNAVAILABLE = "unavailable"  # slow, down, 5xx, or an answer that is not FHIR


@dataclass(frozen=True, slots=True)
class PixmAnswer:
    """The outcome, the one number where it is `found`, and why for people (no numbers of patients)."""

    outcome: PixmOutcome
    value: str | None = None
    why: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class PixmServer:
    """Where to ask. `url` is the FHIR base; `token` goes out as a bearer token."""

    url: str
    target_system: str
    timeout_s: float = 10.0
    token: str = ""


class PixmClient:
    """Asks one server over one connection, which is opened again when the server has closed it.

    Raises:
        ConfigError: The address is none.
    """

    def __init__(self, server: PixmServer) -> None:
        self._server = server
        self._address = WebAddress.of(server.url, "identity.pixm_url", "https://pix.example/fhir")
        self._connection: HTTPConnection | None = None

    def close(self) -> None:
        """Give the connection back; may be called twice."""
        if self._connection:
            self._connection.close()
        self._connection = None

    def lookup(self, system: str, value: str) -> PixmAnswer:
        """The number in the target domain of who has `value` in the domain `system`. Never raises for an answer."""
        query = f"sourceIdentifier={quote(f'{system}|{value}', safe='')}"
        target = (
            f"{self._address.base}/Patient/$ihe-pix?{query}&targetSystem={quote(self._server.target_system, safe='')}"
        )
        for fresh in (self._connection is None, True):
            try:
                status, body = self._get(target)
            except (OSError, HTTPException) as error:
                self.close()
                if fresh or isinstance(error, TimeoutError):
                    return PixmAnswer(PixmOutcome.UNAVAILABLE, why=type(error).__name__)
            else:
                return self._answer(status, body)
        raise AssertionError("a fresh connection answers or fails")

    def _get(self, target: str) -> tuple[int, bytes]:
        headers = {"Accept": "application/fhir+json"} | bearer(self._server.token)
        if self._connection is None:
            self._connection = self._address.connection(self._server.timeout_s)
        self._connection.request("GET", target, headers=headers)
        response = self._connection.getresponse()
        body = response.read(MOST_BYTES + 1)
        if len(body) > MOST_BYTES or response.will_close:
            self.close()
        return response.status, body

    def _answer(self, status: int, body: bytes) -> PixmAnswer:
        if status == 404:
            return PixmAnswer(PixmOutcome.UNKNOWN, why="HTTP 404")
        if 400 <= status < 500:
            return PixmAnswer(PixmOutcome.REFUSED, why=f"HTTP {status}")
        if status != 200:
            return PixmAnswer(PixmOutcome.UNAVAILABLE, why=f"HTTP {status}")
        numbers = None
        with suppress(ValueError, AttributeError, TypeError):
            numbers = numbers_in(json.loads(body), self._server.target_system)
        if numbers is None:
            return PixmAnswer(PixmOutcome.UNAVAILABLE, why="the answer is no FHIR Parameters")
        if len(numbers) > 1:
            return PixmAnswer(PixmOutcome.AMBIGUOUS, why=f"{len(numbers)} numbers")
        return PixmAnswer(PixmOutcome.FOUND, numbers.pop()) if numbers else PixmAnswer(PixmOutcome.UNKNOWN, why="none")


def numbers_in(resource: Any, target_system: str) -> set[str] | None:
    """The numbers of the target domain in a FHIR `Parameters`; None when it is another resource.

    Raises:
        AttributeError, TypeError: It is not what FHIR says.
    """
    if resource.get("resourceType") != "Parameters":
        return None
    found = (
        one.get("valueIdentifier") for one in resource.get("parameter", []) if one.get("name") == "targetIdentifier"
    )
    return {one["value"].strip() for one in found if one and one.get("system") == target_system and one.get("value")}
