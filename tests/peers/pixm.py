"""A PIXm server (IHE ITI-83) on a free port: says what FHIR says, or misbehaves to order."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

SOURCE_SYSTEM, TARGET_SYSTEM = (
    "urn:oid:1.2.3.4",
    "https://fhir.infoway-inforoute.ca/NamingSystem/ca-bc-patient-healthcare-id",
)


@dataclass
class Pixm:
    """What it knows, and what it was asked.

    `numbers`: local number -> numbers in the target domain. `orders`: local number -> how to misbehave:
    a status code, `slow`, `html`, `closes` or `elsewhere` (answers with another domain).
    """

    numbers: Mapping[str, tuple[str, ...]]
    orders: Mapping[str, str] = field(default_factory=dict)
    token: str = ""
    asked: list[str] = field(default_factory=list)
    url: str = ""
    released: threading.Event = field(default_factory=threading.Event)

    def answer(self, query: Mapping[str, list[str]]) -> tuple[int, Any]:
        """Status and body for one question (ITI TF-2, 3.83.4.2)."""
        system, _, number = query["sourceIdentifier"][0].partition("|")
        self.asked.append(number)
        order = self.orders.get(number, "")
        if order.isdigit():
            return int(order), _outcome("ordered")
        if system != SOURCE_SYSTEM:
            return 400, _outcome("sourceIdentifier Assigning Authority not found")
        if query["targetSystem"][0] != TARGET_SYSTEM:
            return 403, _outcome("targetSystem not found")
        if number not in self.numbers:
            return 404, _outcome("sourceIdentifier Patient Identifier not found")
        named = "urn:oid:9.9" if order == "elsewhere" else TARGET_SYSTEM
        found = [
            {"name": "targetIdentifier", "valueIdentifier": {"system": named, "value": value}}
            for value in self.numbers[number]
        ]
        reference = {"name": "targetId", "valueReference": {"reference": "Patient/1"}}
        return 200, {"resourceType": "Parameters", "parameter": [*found, reference]}


def _outcome(text: str) -> dict[str, Any]:
    issue = {"severity": "error", "code": "not-found", "diagnostics": text}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


@contextmanager
def pixm_running(pixm: Pixm) -> Iterator[Pixm]:
    """Serve until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = parse_qs(parts.query)
            number = query.get("sourceIdentifier", [""])[0].partition("|")[2]
            order = pixm.orders.get(number, "")
            if order == "slow":
                pixm.released.wait(20)
            if order == "closes":
                self.close_connection = True
                return
            if parts.path != "/fhir/Patient/$ihe-pix":
                status, body = 404, "{}"
            elif pixm.token and self.headers.get("Authorization") != f"Bearer {pixm.token}":
                status, body = 401, "{}"
            else:
                status, said = pixm.answer(query)
                body = "<html>it works</html>" if order == "html" else json.dumps(said)
            self.send_response(status)
            self.send_header("Content-Type", "application/fhir+json")
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the name is the library's
            """Questions hold numbers of patients."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    pixm.url = f"http://127.0.0.1:{server.server_address[1]}/fhir"
    try:
        yield pixm
    finally:
        pixm.released.set()
        server.shutdown()
        thread.join()
        server.server_close()
        time.sleep(0)
