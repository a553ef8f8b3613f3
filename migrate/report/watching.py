"""The page of `migrate dashboard`: one file that asks its own server for `status.json` every few seconds."""

from __future__ import annotations

import json
import secrets

from markupsafe import Markup

from migrate.report.html import template
from migrate.report.phrases import PHRASES
from migrate.report.texts import Words

PREFIX = "watch."
PLACES = ("name", "at", "low", "high", "s")


def watching_page(name: str, words: Words) -> tuple[str, str]:
    """The page and its Content-Security-Policy; it holds no token (the script takes that from its own address)."""
    nonce = secrets.token_urlsafe(16)
    kept = {place: f"{{{place}}}" for place in PLACES}
    said = {key.removeprefix(PREFIX): words(key, **kept) for key in PHRASES if key.startswith(PREFIX)}
    text = template("watching.html.j2").render(
        name=name,
        title=words("watch.title", name=name),
        language=words.language,
        nonce=nonce,
        words=Markup(json.dumps(said, ensure_ascii=True).replace("<", "\\u003c")),  # noqa: S704 - our own catalogue
    )
    policy = (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return text, policy
