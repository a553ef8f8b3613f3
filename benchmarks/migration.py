"""Rows about whole migrations: `migrate run` against what a person with DCMTK's tools would do."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from benchmarks.archive import Held, Load, fill, orthanc, plan_run, write_config
from benchmarks.dcmtk import AS_INSTALLED, TUNED, Address, edit, movescu, storescp, storescu, together
from benchmarks.measure import Snapshot, Trial, Usage, command, interleaved
from benchmarks.profiles import hot_command
from benchmarks.rows import CPU_MS, SPEED_UP, WALL, Contest, Goal, Row, row_of
from benchmarks.setting import Setting, timed
from tests.peers.dcmtk import Storescp
from tests.peers.orthanc import Orthanc
from tests.peers.ports import free_port

MAIN = "from migrate.cli import main; main()"
PEERS = ("PEER0", "PEER1")


@dataclass(frozen=True, kw_only=True)
class Field:
    """Both Orthancs, what the source holds, and the receivers of DCMTK."""

    folder: Path
    source: Orthanc
    destination: Orthanc
    held: Held
    servers: Sequence[Storescp]
    nagle: bool
    python: str

    def address(self, peer: Orthanc) -> Address:
        """One of the two, as the tools call it."""
        return Address(peer.ae_title, peer.port, tcp_nodelay=not self.nagle)

    def snapshot(self) -> Snapshot:
        """CPU of both Orthancs so far."""
        return Snapshot.of(self.source.process.pid, self.destination.process.pid)

    def arrived(self) -> None:
        """Everything is at the destination."""
        held, wanted = self.destination.counts()["instances"], len(self.held.listed)
        assert held == wanted, f"the destination holds {held} of {wanted}"


@contextmanager
def _field(setting: Setting, loads: Sequence[Load], *, nagle: bool) -> Iterator[Field]:
    with ExitStack() as stack:
        source = stack.enter_context(orthanc(setting.folder, "LEGACY", nagle=nagle))
        destination = stack.enter_context(orthanc(setting.folder, "DIR", nagle=nagle))
        options = AS_INSTALLED if nagle else TUNED
        servers = [
            stack.enter_context(storescp(setting.folder / name, name, options, tcp_nodelay=not nagle)) for name in PEERS
        ]
        port = free_port()
        for title, at in (("MIGRATE", port), *((server.ae_title, server.port) for server in servers)):
            source.knows(title, at)
            destination.knows(title, at)
        field = Field(
            folder=setting.folder,
            source=source,
            destination=destination,
            held=fill(source, loads),
            servers=servers,
            nagle=nagle,
            python=setting.python,
        )
        for verify in ("auto", "c-find"):
            _plan(field, verify, port)
        yield field
    setting.clear()


def _plan(field: Field, verify: str, port: int) -> None:
    write_config(
        field.folder / f"planned-{verify}",
        {"source": {"ae_title": "LEGACY", "port": field.source.port}},
        {"destination": {"ae_title": "DIR", "port": field.destination.port, "verify": verify}},
        {"receiver": {"port": port}},
    )
    plan_run(field.folder / f"planned-{verify}", field.held.listed)


# ---- one migration


def _fresh(field: Field, verify: str) -> tuple[str, ...]:
    """An empty destination and a run folder in which everything is planned; the command to measure."""
    field.destination.delete_all()
    run = field.folder / "run"
    shutil.rmtree(run, ignore_errors=True)
    shutil.copytree(field.folder / f"planned-{verify}", run)
    return (field.python, "-c", MAIN, "--run", str(run), "-q", "run")


def _ours(field: Field, verify: str) -> Trial:
    arguments = _fresh(field, verify)
    peers = field.snapshot()
    used = command(arguments)
    trial = _trial(field, used, peers.since_s())
    field.arrived()
    return trial


def _trial(field: Field, used: Usage, peer_cpu_s: float) -> Trial:
    return Trial(
        wall_s=used.wall_s,
        cpu_s=used.cpu_s,
        amount=len(field.held.listed),
        peer_cpu_s=peer_cpu_s,
        peak_bytes=used.peak_bytes,
    )


def _serial(field: Field) -> Trial:
    """`movescu` to one `storescp`, study after study, then one `storescu`: nothing is edited or proven."""
    field.destination.delete_all()
    server, peers, mine = field.servers[0], field.snapshot(), Snapshot.of(field.servers[0].process.pid)
    came = [movescu(field.address(field.source), study, server.ae_title) for study in field.held.studies]
    used = together(*came, storescu(field.address(field.destination), server.received))
    trial = _trial(field, replace(used, cpu_s=used.cpu_s + mine.since_s()), peers.since_s())
    _emptied(server)
    field.arrived()
    return trial


def _parallel(field: Field) -> Trial:
    """Two lanes at once; each moves, hashes, edits and sends study after study."""
    field.destination.delete_all()
    peers, mine = field.snapshot(), Snapshot.of(*(server.process.pid for server in field.servers))
    studies, used = list(field.held.studies), list[Usage]()
    lanes = [
        threading.Thread(target=_lane, args=(field, server, studies[n :: len(PEERS)], used))
        for n, server in enumerate(field.servers)
    ]

    def together_() -> None:
        for lane in lanes:
            lane.start()
        for lane in lanes:
            lane.join()

    wall_s = timed(together_)
    total = together(*used)
    trial = _trial(field, replace(total, wall_s=wall_s, cpu_s=total.cpu_s + mine.since_s()), peers.since_s())
    field.arrived()
    return trial


def _lane(field: Field, server: Storescp, studies: Sequence[str], used: list[Usage]) -> None:
    for study in studies:
        used.append(movescu(field.address(field.source), study, server.ae_title))
        used.append(edit(server.received))
        used.append(storescu(field.address(field.destination), server.received, "-pdu", "131072"))
        _emptied(server)


def _emptied(server: Storescp) -> None:
    for path in server.received.iterdir():
        path.unlink()


def _explained(setting: Setting, row: Row, field: Field, verify: str) -> Row:
    if row.met or not setting.profiles:
        return row
    return replace(row, profile=hot_command(_fresh(field, verify)))


# ---- rows


def proof(setting: Setting) -> list[Row]:
    """A whole migration with content proof of every instance, both Orthancs as Debian installs them."""
    loads = [Load("ct", setting.count(2), 100), Load("mr", setting.count(2), 200)]
    with _field(setting, loads, nagle=True) as field:
        trials = interleaved(
            setting.rounds(3), {"ours": partial(_ours, field, "auto"), "theirs": partial(_serial, field)}
        )
        contest = Contest(
            what="whole migration, every instance proven, as installed",
            against="movescu + storescp + storescu as installed, 1 association each, nothing proven",
            goal=Goal(4, 8, at_most=False),
            notes=(f"{len(field.held.listed)} instances; start-up of our workers is counted",),
        )
        return [_explained(setting, row_of(contest, SPEED_UP, trials), field, "auto")]


def pipeline(setting: Setting) -> list[Row]:
    """Whole migrations with TCP_NODELAY everywhere: without proof against a well-driven DCMTK, then with."""
    loads = [Load("ct", setting.count(8, 2), 100), Load("mr", setting.count(4, 2), 300)]
    with _field(setting, loads, nagle=False) as field:
        sides = {
            "listed": partial(_ours, field, "c-find"),
            "theirs": partial(_parallel, field),
            "proven": partial(_ours, field, "auto"),
        }
        trials = interleaved(setting.rounds(5), sides)
        peers = "2 parallel: movescu + storescp, xxhsum, dcmodify, storescu"
        size = f"{len(field.held.listed)} instances, {field.held.gb:.2f} GB; start-up of our workers is counted"
        loose = (
            "ours asks the destination for its list of instances (verify = c-find), edits by rules, fsyncs, journals"
        )
        wall = Contest(
            what="whole migration without proof",
            against=peers,
            goal=Goal(1.0, 1.2, at_most=False),
            ours="listed",
            notes=(size, loose),
        )
        cpu = replace(wall, what="whole migration without proof, client CPU", goal=Goal(0.75, 0.6))
        cost = Contest(
            what="content proof of every instance",
            against="ourselves without",
            goal=Goal(1.6, 1.4),
            ours="proven",
            theirs="listed",
            notes=(size,),
        )
        rows = [row_of(wall, SPEED_UP, trials), row_of(cpu, CPU_MS, trials), row_of(cost, WALL, trials)]
        return [_explained(setting, row, field, "auto" if row.what == cost.what else "c-find") for row in rows]
