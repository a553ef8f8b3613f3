"""`migrate run` and the single stages: retrieve, checksum, normalize, upload, verify."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from migrate.cli.app import Session, app
from migrate.cli.bars import Bars
from migrate.cli.logs import RunLog
from migrate.cli.notify import Alarm, Notifier
from migrate.errors import MigrateError, UsageError

QUARANTINED = 3

Only = Annotated[str, typer.Option(help="Study Instance UIDs, joined by commas.")]
Limit = Annotated[int | None, typer.Option(help="At most so many studies begin.", min=1)]
By = Annotated[str, typer.Option(help="Who runs it, for the books; left out: the account.")]
Scheduler = Annotated[str | None, typer.Option(help="tcp://host:port of a running Dask cluster.")]


@dataclass
class Watch:
    """Counts events for the bars and for the result."""

    bars: Bars
    log: Callable[[Any], None] = lambda _: None
    saw: Callable[[str], None] = lambda _: None
    done: dict[str, int] = field(default_factory=dict)
    size_bytes: int = 0
    instances: int = 0
    began: float = field(default_factory=time.monotonic)

    def __call__(self, progress: Any) -> None:
        """One event of the engine."""
        kind = type(progress.event).__name__
        self.done[kind] = self.done.get(kind, 0) + 1
        self.log(progress)
        self.saw(kind)
        if kind == "Retrieved":
            self.instances += len(progress.event.evidence)
            self.size_bytes += sum(e.size_bytes for e in progress.event.evidence)
            self.bars.step("retrieved")
        elif kind in {"Verified", "Quarantined"}:
            self.bars.step("ended", note=self._note())

    def _note(self) -> str:
        seconds = max(time.monotonic() - self.began, 0.001)
        text = f"{self.instances / seconds:.0f} inst/s, {self.size_bytes / seconds / 1e6:.1f} MB/s"
        return f"{text}, {held} in quarantine" if (held := self.done.get("Quarantined", 0)) else text


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a run is asked for beside its stages; `metrics_port` and `notify` are for those who watch."""

    only: str = ""
    limit: int | None = None
    scheduler: str | None = None
    take_over: bool = False
    by: str = ""
    metrics_port: int | None = None
    notify: str = ""


def execute(session: Session, stages: tuple[str, ...], wanted: Wanted) -> None:
    """Run stages over whatever is ready, show progress, tell the result; exit 3 with quarantined studies."""
    from migrate.cli.interrupts import stop_on_signals
    from migrate.engine.request import Request
    from migrate.engine.run import run
    from migrate.journal.read import states

    folder, config = session.folder(), session.config()
    request = Request(
        run_folder=folder,
        config=config,
        stages=stages,
        only=frozenset(uid.strip() for uid in wanted.only.split(",") if uid.strip()),
        limit=wanted.limit,
        scheduler=wanted.scheduler,
        take_over=wanted.take_over,
        by=wanted.by,
    )
    before = states(folder)
    _resuming(session, before)
    stopped: MigrateError | None = None
    with Bars(quiet=session.quiet) as bars, stop_on_signals() as stopping, watched(session, wanted) as (log, notifier):
        watch = Watch(bars, log.event, notifier.saw)
        _bars(bars, before, len(request.only) or wanted.limit)
        try:
            run(request, watch, stopping)
        except MigrateError as error:
            stopped = error
        after = states(folder)
        notifier.finish({"exit_code": _exit_code(stopped, after), "states": after})
    session.result({"states": after, "instances": watch.instances, "bytes": watch.size_bytes, "events": watch.done})
    session.tell("studies: " + (", ".join(f"{n:,} {state}" for state, n in sorted(after.items())) or "none planned"))
    if stopped:
        raise stopped
    if after.get("QUARANTINED"):
        session.tell("look at them with: migrate exceptions list")
        raise typer.Exit(QUARANTINED)


@contextmanager
def watched(session: Session, wanted: Wanted) -> Iterator[tuple[RunLog, Notifier]]:
    """The run's log file, its metrics if a port was given, and the operator's command if there is one."""
    from migrate.engine.hours import Hours

    config = session.config()
    hours = Hours(config.limits.hours, config.run.timezone)
    with ExitStack() as stack:
        log = stack.enter_context(RunLog(session.folder()))
        notifier = Notifier(wanted.notify, config.run.name, Alarm(is_open=hours.open_now))
        if wanted.metrics_port is not None:
            from migrate.cli.metrics import served

            pages = stack.enter_context(served(session.folder(), config, wanted.metrics_port))
            session.tell(f"metrics: http://{pages.host}:{pages.port}/metrics")
        yield log, stack.enter_context(notifier)


def _exit_code(stopped: MigrateError | None, after: dict[str, int]) -> int:
    if stopped:
        return stopped.exit_code
    return QUARANTINED if after.get("QUARANTINED") else 0


def _resuming(session: Session, before: dict[str, int]) -> None:
    ended = before.get("VERIFIED", 0) + before.get("QUARANTINED", 0)
    if ended:
        total = sum(before.values()) - before.get("EXCLUDED", 0)
        session.tell(f"resuming: {ended:,} of {total:,} studies have ended")


def _bars(bars: Bars, before: dict[str, int], most: int | None) -> None:
    ended = before.get("VERIFIED", 0) + before.get("QUARANTINED", 0)
    total = sum(before.values()) - before.get("EXCLUDED", 0) - before.get("FOUND", 0)
    waiting = before.get("PLANNED", 0)
    if most:
        ended, total, waiting = 0, most, most
    bars.add("retrieved", total, done=total - waiting)
    bars.add("ended", total, done=ended)


@app.command(name="run")
def run_command(
    ctx: typer.Context,
    only: Only = "",
    limit: Limit = None,
    scheduler: Scheduler = None,
    take_over: Annotated[
        bool, typer.Option("--take-over", help="From an engine that hangs; what it still writes is refused.")
    ] = False,
    by: By = "",
    metrics_port: Annotated[
        int | None, typer.Option(help="Prometheus metrics on this port of loopback; 0 = any.", min=0, max=65535)
    ] = None,
    notify: Annotated[
        str, typer.Option(metavar="COMMAND", help="Started at the end, when many fail, and when nothing moves.")
    ] = "",
) -> None:
    """Retrieve, checksum, normalize, upload, verify: one pipeline over the planned studies."""
    from migrate.stages import STAGES

    wanted = Wanted(
        only=only,
        limit=limit,
        scheduler=scheduler,
        take_over=take_over,
        by=by,
        metrics_port=metrics_port,
        notify=notify,
    )
    execute(ctx.obj, tuple(STAGES), wanted)


def _stage(name: str, text: str) -> Callable[..., None]:
    @app.command(name=name, help=text)
    def command(ctx: typer.Context, only: Only = "", limit: Limit = None, scheduler: Scheduler = None) -> None:
        execute(ctx.obj, (name,), Wanted(only=only, limit=limit, scheduler=scheduler))

    return command


retrieve = _stage("retrieve", "Bring planned studies into the staging area.")
checksum = _stage("checksum", "Prove that the staged files are what was received.")


@app.command()
def normalize(
    ctx: typer.Context,
    only: Only = "",
    limit: Limit = None,
    scheduler: Scheduler = None,
    what_if: Annotated[bool, typer.Option(help="Say what the rules would do; move nothing.")] = False,
    diff: Annotated[str, typer.Option(metavar="UID", help="With --what-if: one staged object, side by side.")] = "",
    file: Annotated[Path | None, typer.Option(help="With --what-if: this DICOM file, side by side.")] = None,
    identifying: Annotated[bool, typer.Option(help="With --diff: show the patient's data too.")] = False,
    undo: Annotated[bool, typer.Option("--undo-check", help="Rebuild originals from the ledger.")] = False,
    sample: Annotated[int, typer.Option(help="With --undo-check: how many objects.", min=1)] = 100,
) -> None:
    """Work out every change the rules declare."""
    if undo:
        from migrate.cli.again import undo_check

        undo_check(ctx.obj, sample)
        return
    if what_if and (diff or file):
        from migrate.cli.side_by_side import show as show_diff

        show_diff(ctx.obj, diff, file, identifying=identifying)
        return
    if diff or file or identifying:
        raise UsageError("--diff, --file and --identifying belong to --what-if", "add --what-if")
    if what_if:
        from migrate.cli.what_if import show

        show(ctx.obj)
        return
    execute(ctx.obj, ("normalize",), Wanted(only=only, limit=limit, scheduler=scheduler))


upload = _stage("upload", "Send normalized studies to the destination.")


@app.command()
def verify(
    ctx: typer.Context,
    only: Only = "",
    limit: Limit = None,
    scheduler: Scheduler = None,
    again: Annotated[
        bool, typer.Option(help="Studies that are verified already: are they still what they were?")
    ] = False,
    sample: Annotated[bool, typer.Option(help="As --again, for the sample that [acceptance] asks for.")] = False,
) -> None:
    """Read back what was sent and compare its content."""
    if not again and not sample:
        execute(ctx.obj, ("verify",), Wanted(only=only, limit=limit, scheduler=scheduler))
        return
    if scheduler:
        hint = "leave --scheduler out: one process looks again, over destination_associations at once"
        raise UsageError("a second look uses no workers", hint)
    from migrate.cli.again import verify_chosen

    verify_chosen(ctx.obj, only, limit, sample=sample)
