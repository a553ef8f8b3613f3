"""`migrate report`: a self-contained HTML page and the tables behind it, into `reports/`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from migrate.cli.app import Session, app
from migrate.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from migrate.report.facts import Predicted

LANGUAGES = ("en", "fr")


@app.command()
def report(
    ctx: typer.Context,
    redact: Annotated[bool, typer.Option(help="Leave out everything that points to a single study.")] = False,
    language: Annotated[str, typer.Option(help="en or fr.")] = "en",
    viewer_url: Annotated[str, typer.Option(help="Address of the viewer with {study_instance_uid} in it.")] = "",
    pdf: Annotated[bool, typer.Option("--pdf", help="The acceptance certificate as PDF too.")] = False,
) -> None:
    """Write the reports that people read and sign."""
    from migrate.report.signing import sign, write_digests
    from migrate.report.write import ReportOptions, write_reports

    session: Session = ctx.obj
    if language not in LANGUAGES:
        raise UsageError(f"no such language: {language}", f"allowed: {', '.join(LANGUAGES)}")
    options = ReportOptions(
        redact=redact,
        language=language,  # type: ignore[arg-type]  # checked above
        viewer_url=viewer_url or None,
        forecast=_predicted(session),
    )
    paths = write_reports(session.folder(), options)
    if pdf:
        from migrate.report.pdf import print_pdf

        paths.append(print_pdf(paths[1]))
    session.exported(paths[0])
    digests = write_digests(session.folder())
    signer = session.config().acceptance.sign_with
    if signer:
        sign(digests, signer)
    session.result({"page": str(paths[0]), "files": [str(path) for path in (*paths, digests)], "signed": bool(signer)})
    session.tell(f"report: {paths[0]}")
    session.tell(f"tables: {len(paths) - 2} files beside it")
    session.tell(f"digests of the manifests: {digests}" + (", signed" if signer else ""))


def _predicted(session: Session) -> Predicted | None:
    """The forecast of what is left; None where there is nothing to forecast from (or no configuration)."""
    from datetime import UTC, datetime

    from migrate.engine.simulate import forecast
    from migrate.report.facts import Predicted

    try:
        found = forecast(session.folder(), session.config(), datetime.now(UTC))
    except (ConfigError, UsageError):
        return None
    return Predicted(
        ends=found.ends,
        work_hours=found.work_s["p50"] / 3600,
        studies=found.studies,
        learnt_from=found.learnt_from,
        open_hours_a_week=found.open_hours_a_week,
        source_associations=found.places.source,
        destination_associations=found.places.destination,
        bottleneck=found.bottleneck,
        busy=found.busy,
    )
