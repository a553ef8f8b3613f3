"""`migrate demo`: an embedded legacy PACS and DI-r, the whole migration, the report."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import socket
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

from migrate.cli.app import Session, app
from migrate.errors import UsageError

STUDIES = 64
CAP = 20
# Three studies end in quarantine on purpose, so reconcile says 3 as well; 4 would be a finding.
EXPECTED = frozenset({0, 3})


@app.command()
def demo(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="Where to put it.")] = Path("migrate-demo"),
    studies: Annotated[int, typer.Option(help="How many studies the legacy PACS holds.", min=20)] = STUDIES,
) -> None:
    """Migrate a small archive between two embedded peers: no configuration, no other server."""
    session: Session = ctx.obj
    began = time.monotonic()
    folder = folder.resolve()
    _fresh(folder)
    facts = _archive(session, folder, studies)
    with ExitStack() as stack:
        _start_peers(stack, session, folder, facts)
        session.run = folder / "run"
        told: dict[str, Any] = {}
        for name in ("crawl", "plan", "run", "reconcile", "report"):
            code = _step(session, name, told)
            if code not in EXPECTED:
                raise typer.Exit(code)
    session.result(told)
    session.tell(
        f"took {time.monotonic() - began:.0f} s; open the report: {folder / 'run' / 'reports' / 'report.html'}"
    )


def _fresh(folder: Path) -> None:
    """A new demo folder; an older demo is replaced, anything else is left alone."""
    if folder.exists() and any(folder.iterdir()) and not (folder / ".migrate-demo").exists():
        raise UsageError("the folder is not empty and is no demo", "choose another DIR", folder=folder)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / ".migrate-demo").touch()


def _archive(session: Session, folder: Path, studies: int) -> Any:
    from migrate.demo.samples import make_legacy_archive

    facts = make_legacy_archive(folder / "legacy", studies)
    session.tell(
        f"legacy PACS: {facts.studies} studies, {facts.instances} instances, {len(facts.modalities)} modalities, "
        f"{len(facts.transfer_syntax_uids)} transfer syntaxes"
    )
    return facts


def _start_peers(stack: ExitStack, session: Session, folder: Path, facts: Any) -> None:
    """Both peers as processes, and a run folder that knows them."""
    from migrate.cli.init import write_config
    from migrate.demo.pacs import PeerOptions
    from migrate.demo.process import started_peer

    receiver = _free_port()
    legacy, dir_ = _misbehaviours(facts)
    here = {"MIGRATE": ("127.0.0.1", receiver)}
    source = stack.enter_context(
        started_peer(PeerOptions(ae_title="LEGACY", folder=folder / "legacy", destinations=here, misbehaviours=legacy))
    )
    destination = stack.enter_context(
        started_peer(PeerOptions(ae_title="DIR", folder=folder / "di-r", destinations=here, misbehaviours=dir_))
    )
    path = write_config(folder / "run", sample=True)
    text = path.read_text(encoding="utf-8")
    ports = {"port = 14242 # source": source.port, "port = 14243 # destination": destination.port}
    for before, port in ports.items():
        text = text.replace(before, f"port = {port}")
    text = text.replace("port = 11112", f"port = {receiver}").replace("backoff_s = 2.0", "backoff_s = 0.2")
    text = text.replace("# issuer_of", "issuer_of").replace("MYSITE", "DEMO")
    text = text.replace("# result_cap = 500 ", f"result_cap = {CAP} ").replace(
        "[receiver]", "quiet_s = 0.5\n\n[receiver]", 1
    )
    path.write_text(text, encoding="utf-8")
    session.tell(f"source LEGACY 127.0.0.1:{source.port}, destination DIR 127.0.0.1:{destination.port}")


def _misbehaviours(facts: Any) -> tuple[Any, Any]:
    """What the demo orders: a silent cap, instances lost in a move, a busy and coercing destination."""
    from migrate.demo.misbehaviour import (
        FindMisbehaviours,
        Misbehaviours,
        MoveMisbehaviours,
        StoreMisbehaviours,
    )

    legacy = Misbehaviours(
        find=FindMisbehaviours(result_cap=CAP, cap_signal="silent"),
        move=MoveMisbehaviours(
            lose_every=37,
            lose_only_first_time=True,
            success_nothing_sent_for=tuple(sorted(facts.undated_study_instance_uids)[:1]),
        ),
    )
    dir_ = Misbehaviours(store=StoreMisbehaviours(out_of_resources_first_n=3, flip_bit_every=101))
    return legacy, dir_


def _step(session: Session, name: str, told: dict[str, Any]) -> int:
    """One command of the ordinary tool, with its own bars; its exit code. With --json its object is kept."""
    root = typer.main.get_command(app)
    words = ["--run", str(session.folder()), *(["--json"] if session.as_json else [])]
    session.tell(f"\n$ migrate --run {session.folder()} {name}")
    if not session.as_json:
        return int(root.main([*words, name], prog_name="migrate", standalone_mode=False) or 0)
    with contextlib.redirect_stdout(io.StringIO()) as out:
        code = int(root.main([*words, name], prog_name="migrate", standalone_mode=False) or 0)
    told[name] = json.loads(out.getvalue())
    return code


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
