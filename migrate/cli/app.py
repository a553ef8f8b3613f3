"""The root command: global options, the order of the commands, and how errors reach people.

Only Typer is imported here; each command imports what it needs when it runs, so `--help` and
completion stay quick.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from migrate.errors import Interrupted, MigrateError

EXIT_CODES = (
    "Exit codes: 0 done; 1 a bug; 2 wrong usage; 3 done, some studies quarantined; 4 done, the two sides differ; "
    "5 done, the crawl is not closed; 20 configuration; 30 journal (31 locked, 32 illegal event, 33 format too new); "
    "40 peer (41 unavailable, 42 refused); 50 local (51 staging full); 130 interrupted, run the same command again. "
    "Unknown codes mean failure."
)


@dataclass
class Session:
    """What every command knows: the run folder asked for and how to speak."""

    run: Path | None = None
    as_json: bool = False
    verbosity: int = 0

    @property
    def quiet(self) -> bool:
        """No bars and no chatter."""
        return self.as_json or self.verbosity < 0

    def folder(self) -> Path:
        """The run folder. Raises ConfigError when there is none."""
        from migrate.config import find_run_folder

        return self.run.resolve() if self.run else find_run_folder(Path.cwd())

    def config(self) -> Any:
        """The run folder's configuration. Raises ConfigError."""
        from migrate.config import FILE_NAME, load

        return load(self.folder() / FILE_NAME)

    def exported(self, path: Path) -> None:
        """A file for people was written: the audit trail says so. Raises LocalError, ConfigError."""
        from migrate.audit.recorder import Recorder

        recorder = Recorder(self.folder(), self.config())
        recorder.exported(path.resolve())
        recorder.trail.sync()

    def tell(self, text: str) -> None:
        """A line for people on stdout; silent with --json."""
        if not self.as_json:
            typer.echo(text)

    def result(self, values: dict[str, Any]) -> None:
        """The one JSON object of --json."""
        if self.as_json:
            typer.echo(json.dumps(values, ensure_ascii=False))


class Root(TyperGroup):
    """Turns our errors into `error: fact (facts)` and `hint: …`, with the right exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except MigrateError as error:
            _show(error, as_json=bool(ctx.obj and ctx.obj.as_json))
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            _show(Interrupted("interrupted", "run the same command again to go on"), as_json=False)
            raise typer.Exit(Interrupted.exit_code) from None
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(1) from None


app = typer.Typer(
    cls=Root,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Move a hospital's imaging archive and prove it.",
    epilog=EXIT_CODES,
)


@app.callback()
def root(
    ctx: typer.Context,
    run: Annotated[Path | None, typer.Option(help="Run folder; default: the nearest migration.toml upwards.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout, nothing else.")] = False,
    verbose: Annotated[int, typer.Option("-v", count=True, help="Say more, on stderr.")] = 0,
    quiet: Annotated[bool, typer.Option("-q", help="No progress bars.")] = False,
    log_json: Annotated[bool, typer.Option("--log-json", help="Log lines on stderr as JSON, one a line.")] = False,
) -> None:
    """Move a hospital's imaging archive and prove it."""
    ctx.obj = Session(run=run, as_json=as_json, verbosity=-1 if quiet else verbose)
    level = {0: logging.WARNING, 1: logging.INFO}.get(verbose, logging.DEBUG)
    logging.basicConfig(
        stream=sys.stderr, level=logging.ERROR, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("migrate").setLevel(logging.ERROR if quiet else level)
    if log_json:
        from migrate.cli.logs import JsonLines

        for handler in logging.getLogger().handlers:
            handler.setFormatter(JsonLines())
    os.umask(0o077)


def _show(error: MigrateError, *, as_json: bool) -> None:
    if as_json:
        facts = {name: str(value) for name, value in error.facts.items()}
        typer.echo(json.dumps({"error": error.fact, "facts": facts, "hint": error.hint, "exit_code": error.exit_code}))
    typer.echo(f"error: {error}", err=True)
    if error.hint:
        typer.echo(f"hint: {error.hint}", err=True)


def main() -> None:
    """The console script. A bug shows its traceback and exits 1."""
    from migrate.cli import commands  # noqa: F401  registers every command, in flow order

    app(prog_name="migrate")
