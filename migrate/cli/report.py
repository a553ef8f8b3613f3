"""`migrate report`: a self-contained HTML page and the tables behind it, into `reports/`."""

from __future__ import annotations

from typing import Annotated

import typer

from migrate.cli.app import Session, app
from migrate.errors import UsageError

LANGUAGES = ("en", "fr")


@app.command()
def report(
    ctx: typer.Context,
    redact: Annotated[bool, typer.Option(help="Leave out everything that points to a single study.")] = False,
    language: Annotated[str, typer.Option(help="en or fr.")] = "en",
    viewer_url: Annotated[str, typer.Option(help="Address of the viewer with {study_instance_uid} in it.")] = "",
) -> None:
    """Write the reports that people read and sign."""
    from migrate.report.signing import sign, write_digests
    from migrate.report.write import ReportOptions, write_reports

    session: Session = ctx.obj
    if language not in LANGUAGES:
        raise UsageError(f"no such language: {language}", f"allowed: {', '.join(LANGUAGES)}")
    options = ReportOptions(redact=redact, language=language, viewer_url=viewer_url or None)  # type: ignore[arg-type]
    paths = write_reports(session.folder(), options)
    session.exported(paths[0])
    digests = write_digests(session.folder())
    signer = session.config().acceptance.sign_with
    if signer:
        sign(digests, signer)
    session.result({"page": str(paths[0]), "files": [str(path) for path in (*paths, digests)], "signed": bool(signer)})
    session.tell(f"report: {paths[0]}")
    session.tell(f"tables: {len(paths) - 1} files beside it")
    session.tell(f"digests of the manifests: {digests}" + (", signed" if signer else ""))
