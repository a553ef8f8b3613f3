"""`migrate dashboard`: a page that shows a run to somebody who has no shell, for reading alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from migrate.cli.app import Session, app
from migrate.errors import UsageError

if TYPE_CHECKING:
    from migrate.cli.pages import Site

LANGUAGES = ("en", "fr")


@app.command()
def dashboard(
    ctx: typer.Context,
    port: Annotated[int, typer.Option(help="Where to listen; 0 = any free port.", min=0, max=65535)] = 8480,
    host: Annotated[
        str, typer.Option(help="The address to listen on; anything but loopback is not encrypted.")
    ] = "127.0.0.1",
    token: Annotated[str, typer.Option(envvar="MIGRATE_DASHBOARD_TOKEN", help="Left out: a new one.")] = "",
    language: Annotated[str, typer.Option(help="en or fr.")] = "en",
) -> None:
    """Show the run in a browser, updated live; whoever has the token may read, nobody may change anything."""
    import secrets

    from migrate.cli.pages import Pages

    session: Session = ctx.obj
    if language not in LANGUAGES:
        raise UsageError(f"no such language: {language}", f"allowed: {', '.join(LANGUAGES)}")
    secret = token or secrets.token_urlsafe(24)
    with Pages(site(session, secret, language), host, port) as pages:
        address = f"http://{pages.host}:{pages.port}/?token={secret}"
        session.result({"address": address})
        session.tell(f"dashboard: {address}")
        session.tell("for reading alone; stop it with Ctrl-C")
        pages.wait()


def site(session: Session, token: str, language: str) -> Site:
    """The page and its data. Raises ConfigError when there is no run folder."""
    from migrate.cli.pages import Page, Site
    from migrate.cli.standing import watcher
    from migrate.report.texts import Words
    from migrate.report.watching import watching_page

    config = session.config()
    look = watcher(session.folder(), config)

    def page() -> Page:
        text, policy = watching_page(config.run.name, Words(language))  # type: ignore[arg-type]  # checked above
        return Page(content=text, kind="text/html; charset=utf-8", headers={"Content-Security-Policy": policy})

    def data() -> Page:
        return Page(content=json.dumps(look()), kind="application/json")

    return Site(routes={"/": page, "/status.json": data}, token=token)
