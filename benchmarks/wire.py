"""Rows about one direction of the wire: receive, send, upload and retrieve."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks import ours
from benchmarks.archive import Held, Load, fill, orthanc, write_config, write_files
from benchmarks.dcmtk import AS_INSTALLED, TUNED, Address, movescu, storescp, storescu, together
from benchmarks.measure import Side, Snapshot, Trial, interleaved
from benchmarks.rows import CPU_PER_GB, FASTER, GB_PER_S, Contest, Figure, Goal, Row, row_of
from benchmarks.setting import Setting, timed
from benchmarks.worker import Worker
from tests.peers.dcmtk import Storescp
from tests.peers.orthanc import Orthanc
from tests.peers.ports import free_port

# ---- receive


@dataclass(frozen=True, kw_only=True)
class Moves:
    """C-MOVE of every study out of an Orthanc, over one or two associations at once."""

    source: Orthanc
    held: Held
    tcp_nodelay: bool

    def run(self, destinations: Sequence[str]) -> float:
        """Each study once, in turn to each of the destinations; wall seconds."""
        peer = Address("LEGACY", self.source.port, self.tcp_nodelay)
        studies = list(self.held.studies)
        lanes = [
            threading.Thread(target=_each, args=(peer, studies[n :: len(destinations)], destination))
            for n, destination in enumerate(destinations)
        ]

        def together_() -> None:
            for lane in lanes:
                lane.start()
            for lane in lanes:
                lane.join()

        return timed(together_)


def _each(peer: Address, studies: Sequence[str], destination: str) -> None:
    for study in studies:
        movescu(peer, study, destination)


def receive(setting: Setting) -> list[Row]:
    """CPU of the receiving process: ours digests, checks the structure, fsyncs and renames; storescp writes."""
    rows: list[Row] = []
    for tuned in (False, True):
        with _receivers(setting, tuned=tuned) as (moves, servers, worker, bare):
            for lanes in (1, 2):
                mine = partial(_our_receiver, worker, moves, lanes)
                sides: dict[str, Side] = {"ours": mine, "theirs": partial(_their_receiver, servers[:lanes], moves)}
                if lanes == 1:
                    sides["bare"] = partial(_bare_receiver, bare, moves, setting.folder / "bare")
                contest = Contest(
                    what=f"receive CT, {lanes} association{'s' * (lanes > 1)}",
                    against="storescp +B, 128 KiB PDU, TCP_NODELAY=1" if tuned else "storescp as installed",
                    goal=Goal(1.2, 1.0) if tuned else Goal(1.0, 0.9),
                    notes=("one storescp process for each association",) if lanes > 1 else (),
                )
                trials = interleaved(setting.rounds(5), sides)
                rows.append(setting.explained(row_of(contest, CPU_PER_GB, trials), worker.pid, mine))
                if "bare" in trials:
                    least = Contest(what="receive CT, a bare loop", against=contest.against, goal=Goal(), ours="bare")
                    rows.append(row_of(least, CPU_PER_GB, trials))
    return rows


@contextmanager
def _receivers(setting: Setting, *, tuned: bool) -> Iterator[tuple[Moves, list[Storescp], Worker, Worker]]:
    with ExitStack() as stack:
        source = stack.enter_context(orthanc(setting.folder, "LEGACY", nagle=not tuned))
        held = fill(source, [Load("ct", setting.count(4, 2), 100)])
        options = TUNED if tuned else AS_INSTALLED
        servers = [
            stack.enter_context(storescp(setting.folder / name, name, options, tcp_nodelay=tuned))
            for name in ("PEER0", "PEER1")
        ]
        worker, bare = (stack.enter_context(Worker()) for _ in range(2))
        port, bare_port = free_port(), free_port()
        worker.do(ours.start_receiver, setting.folder / "landing", port)
        bare.do(ours.start_bare, setting.folder / "bare", bare_port)
        source.knows("MIGRATE", port)
        source.knows("BARE", bare_port)
        for server in servers:
            source.knows(server.ae_title, server.port)
        yield Moves(source=source, held=held, tcp_nodelay=tuned), servers, worker, bare


def _our_receiver(worker: Worker, moves: Moves, lanes: int) -> Trial:
    studies = {uid: [one.sop_instance_uid for one in held] for uid, held in moves.held.studies.items()}
    worker.reset_peak()
    source, mine = Snapshot.of(moves.source.process.pid), Snapshot.of(worker.pid)
    worker.do(ours.expect, studies)
    wall_s = moves.run(["MIGRATE"] * lanes)
    worker.do(ours.arrived)
    spent = mine.since_s(), source.since_s()
    peak = worker.peak_bytes
    worker.do(ours.forget)
    return Trial(wall_s=wall_s, cpu_s=spent[0], amount=moves.held.gb, peer_cpu_s=spent[1], peak_bytes=peak)


def _bare_receiver(worker: Worker, moves: Moves, folder: Path) -> Trial:
    source, mine = Snapshot.of(moves.source.process.pid), Snapshot.of(worker.pid)
    wall_s = moves.run(["BARE"])
    spent = mine.since_s(), source.since_s()
    return Trial(wall_s=wall_s, cpu_s=spent[0], amount=_took_all(folder.iterdir(), moves.held), peer_cpu_s=spent[1])


def _took_all(files: Iterable[Path], held: Held) -> float:
    """Forget the files; how many GB they were. Fewer than were moved end the bench."""
    paths = list(files)
    assert len(paths) == len(held.listed), "a receiver did not get everything"
    for path in paths:
        path.unlink()
    return held.gb


def _their_receiver(servers: Sequence[Storescp], moves: Moves) -> Trial:
    source = Snapshot.of(moves.source.process.pid)
    mine = Snapshot.of(*(server.process.pid for server in servers))
    wall_s = moves.run([server.ae_title for server in servers])
    spent = mine.since_s(), source.since_s()
    files = (path for server in servers for path in server.received.iterdir())
    return Trial(wall_s=wall_s, cpu_s=spent[0], amount=_took_all(files, moves.held), peer_cpu_s=spent[1])


# ---- send and upload


@dataclass(frozen=True, kw_only=True)
class Sends:
    """Files to be sent to an Orthanc that is emptied before each trial."""

    destination: Orthanc
    worker: Worker
    folder: Path
    paths: Sequence[Path]
    held: Held
    start_up_s: float

    def ours(self) -> Trial:
        """Our destination's `store`, in a process that is running already."""
        self.destination.delete_all()
        self.worker.reset_peak()
        peer, mine = Snapshot.of(self.destination.process.pid), Snapshot.of(self.worker.pid)
        wall_s = self.worker.do(ours.store, 0, len(self.held.listed))
        return Trial(
            wall_s=wall_s,
            cpu_s=mine.since_s(),
            amount=self.held.gb,
            peer_cpu_s=peer.since_s(),
            peak_bytes=self.worker.peak_bytes,
        )

    def bare(self) -> Trial:
        """A loop that promises nothing, in the same process as ours."""
        self.destination.delete_all()
        peer, mine = Snapshot.of(self.destination.process.pid), Snapshot.of(self.worker.pid)
        wall_s = self.worker.do(ours.send_bare, "DIR", self.destination.port, self.paths)
        assert self.destination.counts()["instances"] == len(self.held.listed), "not everything was sent"
        return Trial(wall_s=wall_s, cpu_s=mine.since_s(), amount=self.held.gb, peer_cpu_s=peer.since_s())

    def theirs(self) -> Trial:
        """`storescu` over the folder, without what it needs to start."""
        self.destination.delete_all()
        peer = Snapshot.of(self.destination.process.pid)
        used = storescu(Address("DIR", self.destination.port), self.folder)
        assert self.destination.counts()["instances"] == len(self.held.listed), "storescu did not send everything"
        return Trial(
            wall_s=used.wall_s, cpu_s=used.cpu_s - self.start_up_s, amount=self.held.gb, peer_cpu_s=peer.since_s()
        )


@contextmanager
def _sends(setting: Setting, load: Load, *, nagle: bool) -> Iterator[Sends]:
    folder = setting.folder / f"send-{load.kind}"
    with ExitStack() as stack:
        destination = stack.enter_context(orthanc(setting.folder, "DIR", nagle=nagle))
        worker = stack.enter_context(Worker())
        paths, held = write_files(folder / "files", [load])
        write_config(folder / "run", {"destination": {"ae_title": "DIR", "port": destination.port}})
        worker.do(ours.prepare, folder / "run", paths)
        worker.do(ours.store, 0, 1)
        tiny, _ = write_files(folder / "tiny", [Load("tiny", 1, 1)])
        starts = [storescu(Address("DIR", destination.port), tiny[0].parent).cpu_s for _ in range(5)]
        yield Sends(
            destination=destination,
            worker=worker,
            folder=folder / "files",
            paths=paths,
            held=held,
            start_up_s=sorted(starts)[2],
        )
    setting.clear()


def _send_row(setting: Setting, sends: Sends, contest: Contest, figure: Figure) -> Row:
    trials = interleaved(setting.rounds(5), {"ours": sends.ours, "theirs": sends.theirs})
    return setting.explained(row_of(contest, figure, trials), sends.worker.pid, sends.ours)


def send(setting: Setting) -> list[Row]:
    """CPU of the sending process: ours digests what the file held and what is sent."""
    with _sends(setting, Load("ct", setting.count(4), 100), nagle=False) as sends:
        contest = Contest(
            what="send CT",
            against="storescu",
            goal=Goal(0.5, 0.4),
            notes=(f"start-up of storescu ({sends.start_up_s * 1000:.0f} ms CPU) is not counted, nor is ours",),
        )
        trials = interleaved(setting.rounds(5), {"ours": sends.ours, "theirs": sends.theirs, "bare": sends.bare})
        row = setting.explained(row_of(contest, CPU_PER_GB, trials), sends.worker.pid, sends.ours)
        least = Contest(what="send CT, a bare loop", against="storescu", goal=Goal(), ours="bare")
        return [row, row_of(least, CPU_PER_GB, trials)]


def upload(setting: Setting) -> list[Row]:
    """Wall clock to a destination as Debian installs it."""
    rows = []
    for kind, count in (("ct", 60), ("mr", 60)):
        with _sends(setting, Load(kind, 1, setting.count(count, 30)), nagle=True) as sends:
            contest = Contest(
                what=f"upload {kind.upper()} to Orthanc with Nagle on",
                against="storescu as installed",
                goal=Goal(8, 12, at_most=False),
            )
            rows.append(_send_row(setting, sends, contest, GB_PER_S))
    return rows


# ---- retrieve


def retrieve(setting: Setting) -> list[Row]:
    """Wall clock from a source as Debian installs it: the retrieve stage, durable and with evidence."""
    with ExitStack() as stack:
        source = stack.enter_context(orthanc(setting.folder, "LEGACY", nagle=True))
        held = fill(source, [Load("mr", 1, setting.count(300, 100))])
        server = stack.enter_context(storescp(setting.folder / "PEER0", "PEER0", AS_INSTALLED, tcp_nodelay=False))
        worker = stack.enter_context(Worker())
        port = free_port()
        write_config(
            setting.folder / "run",
            {"source": {"ae_title": "LEGACY", "port": source.port}, "receiver": {"port": port}},
        )
        source.knows("MIGRATE", port)
        source.knows("PEER0", server.port)
        worker.do(ours.start_site, setting.folder / "run")
        mine = partial(_our_retrieve, worker, source, held)
        trials = interleaved(
            setting.rounds(5), {"ours": mine, "theirs": partial(_their_retrieve, server, source, held)}
        )
        contest = Contest(
            what="retrieve MR from Orthanc with Nagle on",
            against="movescu + storescp as installed",
            goal=Goal(5, 10, at_most=False),
        )
        return [setting.explained(row_of(contest, FASTER, trials), worker.pid, mine)]


def _our_retrieve(worker: Worker, source: Orthanc, held: Held) -> Trial:
    worker.reset_peak()
    peer, mine = Snapshot.of(source.process.pid), Snapshot.of(worker.pid)
    wall_s = worker.do(ours.retrieve, held.listed)
    return Trial(
        wall_s=wall_s,
        cpu_s=mine.since_s(),
        amount=len(held.listed),
        peer_cpu_s=peer.since_s(),
        peak_bytes=worker.peak_bytes,
    )


def _their_retrieve(server: Storescp, source: Orthanc, held: Held) -> Trial:
    peer, mine = Snapshot.of(source.process.pid), Snapshot.of(server.process.pid)
    used = together(*(movescu(Address("LEGACY", source.port), study, server.ae_title) for study in held.studies))
    files = list(server.received.iterdir())
    assert len(files) == len(held.listed), "storescp did not receive everything"
    for path in files:
        path.unlink()
    return Trial(
        wall_s=used.wall_s, cpu_s=used.cpu_s + mine.since_s(), amount=len(held.listed), peer_cpu_s=peer.since_s()
    )
