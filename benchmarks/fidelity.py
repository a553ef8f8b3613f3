"""The injection experiment: N differences injected at the destination, how many are found, how many are false.

    python -m benchmarks.fidelity [--corpus DIR] [--out benchmarks/fidelity.md]

Every object of the corpus is migrated, through Orthanc and through the embedded DI-r; before anything is
injected, every difference that is reported is a false one. Then every second object gets one
difference, or is deleted, and the same second look as that of `verify --again` goes over all of them. The
same is done with an embedded DI-r that coerces attributes as it has declared; at last one coerces without
having declared it. A difference is classed when the register would give it the class that fits its kind.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from benchmarks.injection import INJECTIONS, victim
from migrate.demo.archive import StoredObject, read_object
from migrate.demo.misbehaviour import Misbehaviours
from migrate.demo.pacs import EmbeddedPeer, PeerOptions
from migrate.engine.again import look_again
from migrate.journal import read
from migrate.model import Checked, ExceptionClass, Outcome
from migrate.stages.verify import defect_of
from tests.engine.inline import run_inline
from tests.engine.objects import TestObject
from tests.engine.seeded import SeededRun, between, seeded
from tests.peers.orthanc import OrthancSettings, orthanc_running
from tests.peers.ports import free_port

GONE = "object gone"
FOUND = frozenset({Outcome.DIFFERS, Outcome.MISSING})
CLASSES = {GONE: ExceptionClass.COUNT_MISMATCH, "pixel bit": ExceptionClass.CONTENT_MISMATCH}  # the rest: DEST_COERCED
INSTITUTION_NAME = "00080080"
COERCES = {"store": {"coerce": {"InstitutionName": "DI-R"}}}
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "limits": {"attempts": 1, "latency_factor": 1000},
    "source": {"quiet_s": 1.0, "idle_timeout_s": 30},
    "normalize": {"packs": ["common"]},
    "normalize.values": {"issuer_of_patient_id": "FHA", "issuer_of_accession_number": "FHA_RIS"},
}


class Held(Protocol):
    """What a destination holds, behind its back."""

    port: int

    def files(self) -> dict[str, bytes]:
        """SOP Instance UID -> file."""
        ...

    def put(self, sop_instance_uid: str, content: bytes | None, before: bytes) -> bool:
        """Put another file in the place of one, or nothing (None); where it is refused, the one before again."""
        ...


class EmbeddedHeld:
    """The embedded DI-r."""

    def __init__(self, peer: EmbeddedPeer) -> None:
        self._peer = peer
        self.port = peer.port

    def files(self) -> dict[str, bytes]:
        """SOP Instance UID -> file."""
        return {one.sop_instance_uid: one.path.read_bytes() for one in self._peer.archive.objects()}

    def put(self, sop_instance_uid: str, content: bytes | None, before: bytes) -> bool:
        """As the protocol says."""
        stored = next(one for one in self._peer.archive.objects() if one.sop_instance_uid == sop_instance_uid)
        self._peer.archive.remove(stored)
        if content is None:
            return True
        for one in (content, before):
            stored.path.write_bytes(one)
            changed = read_object(stored.path)
            if changed is not None and changed.sop_instance_uid == sop_instance_uid:
                self._peer.archive.add(changed)
                return one is content
        raise AssertionError(f"the archive does not take back what it held: {sop_instance_uid}")


class OrthancHeld:
    """Orthanc, over REST."""

    def __init__(self, orthanc: Any) -> None:
        self._orthanc = orthanc
        self.port: int = orthanc.port
        self._ids: dict[str, str] = {}

    def files(self) -> dict[str, bytes]:
        """SOP Instance UID -> file."""
        self._ids = self._orthanc.instances()
        return {uid: self._orthanc.file_of_id(one) for uid, one in self._ids.items()}

    def put(self, sop_instance_uid: str, content: bytes | None, before: bytes) -> bool:
        """As the protocol says; Orthanc refuses some objects."""
        self._orthanc.request("DELETE", f"/instances/{self._ids[sop_instance_uid]}")
        if content is None or self._orthanc.upload_bytes(content) == "Success":
            return True
        self._orthanc.upload_bytes(before)
        return False


@dataclass
class Figures:
    """One row of the table. `kinds`: kind -> (injected, found)."""

    route: str
    objects: int = 0
    proven: int = 0
    false: int = 0
    classed: int = 0
    kinds: dict[str, list[int]] = field(default_factory=dict)
    unverifiable: int = 0

    @property
    def injected(self) -> int:
        """Differences that are there."""
        return sum(injected for injected, _ in self.kinds.values())

    @property
    def found(self) -> int:
        """Those of them that were reported."""
        return sum(found for _, found in self.kinds.values())


def whole_files(corpus: Path, folder: Path) -> list[TestObject]:
    """Corpus objects that an archive can hold, each UID once, copied to the legacy PACS."""
    folder.mkdir(parents=True)
    found: dict[str, TestObject] = {}
    for number, path in enumerate(sorted(corpus.rglob("*"))):
        stored = read_object(path) if path.is_file() and path.suffix not in {".md", ".csv"} else None
        if stored is None or not all((stored.study_instance_uid, stored.series_instance_uid, stored.sop_class_uid)):
            continue
        if stored.sop_instance_uid and stored.sop_instance_uid not in found:
            copy = folder / f"{number:05d}.dcm"
            shutil.copyfile(path, copy)
            found[stored.sop_instance_uid] = listed(stored, copy)
    return list(found.values())


def listed(stored: StoredObject, path: Path) -> TestObject:
    """An object as a crawl would list it."""
    return TestObject(
        path=path,
        study_instance_uid=stored.study_instance_uid,
        series_instance_uid=stored.series_instance_uid,
        sop_instance_uid=stored.sop_instance_uid,
        sop_class_uid=stored.sop_class_uid,
        transfer_syntax_uid="",
        study_date="",
        modality="",
    )


def experiment(run: SeededRun, held: Held, route: str) -> Figures:
    """Migrate, count what is false, inject, look again, count what is found."""
    error = run_inline(run)
    if error is not None:
        raise error
    figures = Figures(route, objects=run.count("instances"))
    proofs = {row["sop_instance_uid"]: row["outcome"] for row in run.rows("verification", *PROOF)}
    figures.proven = sum(outcome == Outcome.MATCH for outcome in proofs.values())
    figures.false = sum(outcome in FOUND for outcome in proofs.values())
    proven = {uid for uid, outcome in proofs.items() if outcome == Outcome.MATCH}
    injected = inject(held, proven)
    figures.kinds = {kind: [count, 0] for kind, count in sorted(Counter(injected.values()).items())}
    studies = sorted({row["study_instance_uid"] for row in run.rows("evidence", "study_instance_uid")})
    for looked in look_again(run.folder, run.config, studies):
        for one in looked.checked:
            kind = injected.get(one.sop_instance_uid)
            if one.outcome in FOUND and kind:
                figures.kinds[kind][1] += 1
                figures.classed += _class_of(one) is CLASSES.get(kind, ExceptionClass.DEST_COERCED)
            elif one.outcome in FOUND and one.sop_instance_uid in proven:
                figures.false += 1
            figures.unverifiable += one.outcome is Outcome.UNVERIFIABLE
    return figures


def _class_of(checked: Checked) -> ExceptionClass | None:
    defect = defect_of(checked)
    return defect.exception_class if defect else None


PROOF = ("sop_instance_uid", "outcome")


def inject(held: Held, proven: Iterable[str]) -> dict[str, str]:
    """One difference in every second object. SOP Instance UID -> kind."""
    files, done = held.files(), dict[str, str]()
    kinds = [*INJECTIONS, GONE]
    for number, uid in enumerate(sorted(set(proven) & files.keys())):
        if number % 2:
            continue
        one = victim(files[uid], uid)
        for turn in range(len(kinds)):
            kind = kinds[(number // 2 + turn) % len(kinds)]
            content = None if kind == GONE or one is None else INJECTIONS[kind](one)
            if kind == GONE or content is not None:
                if held.put(uid, content, files[uid]):
                    done[uid] = kind
                break
    return done


def coerced(run: SeededRun, keyword_path: str) -> Figures:
    """A DI-r that coerces without having declared it: every object that it changes must be found, by name."""
    error = run_inline(run)
    if error is not None:
        raise error
    rows = run.rows("verification", *PROOF, "differs")
    found = [row for row in rows if row["outcome"] == Outcome.DIFFERS]
    named = sum(row["differs"] == [keyword_path] for row in found)
    figures = Figures("embedded DI-r that coerces undeclared", objects=run.count("instances"))
    figures.proven = sum(row["outcome"] == Outcome.MATCH for row in rows)
    figures.kinds = {"coerced attribute": [len(found), named]}
    figures.classed = sum(
        row["exception_class"] == ExceptionClass.DEST_COERCED
        for row in read.exceptions(run.folder)
        if row["level"] == "IMAGE"
    )
    return figures


@contextmanager
def legacy_of(objects: Path, receiver: int) -> Iterator[EmbeddedPeer]:
    """The legacy PACS that holds the corpus."""
    options = PeerOptions(ae_title="LEGACY", folder=objects, destinations={"MIGRATE": ("127.0.0.1", receiver)})
    with EmbeddedPeer(options) as peer:
        yield peer


@contextmanager
def embedded_route(folder: Path, receiver: int, orders: Mapping[str, Mapping[str, Any]]) -> Iterator[EmbeddedPeer]:
    """An embedded DI-r."""
    destinations = {"MIGRATE": ("127.0.0.1", receiver)}
    orders_read = Misbehaviours.from_mapping(orders)
    options = PeerOptions(ae_title="DIR", folder=folder, destinations=destinations, misbehaviours=orders_read)
    with EmbeddedPeer(options) as peer:
        yield peer


def through_embedded(folder: Path, objects: Sequence[TestObject], files: Path) -> Figures:
    """The embedded DI-r, injected."""
    receiver = free_port()
    with legacy_of(files, receiver) as legacy, embedded_route(folder / "dir", receiver, {}) as peer:
        run = seeded(folder / "run", objects, between(legacy.port, peer.port, receiver), SETTINGS)
        return experiment(run, EmbeddedHeld(peer), "embedded DI-r")


def through_declared_coercion(folder: Path, objects: Sequence[TestObject], files: Path) -> Figures:
    """The embedded DI-r with a coercion ordered and declared, injected: the coercion is none, the rest is found."""
    receiver, declared = free_port(), {"destination": {"coercions": [INSTITUTION_NAME]}}
    with legacy_of(files, receiver) as legacy, embedded_route(folder / "dir", receiver, COERCES) as peer:
        ends = between(legacy.port, peer.port, receiver)
        run = seeded(folder / "run", objects, ends, SETTINGS, declared)
        return experiment(run, EmbeddedHeld(peer), "embedded DI-r that coerces as declared")


def through_orthanc(folder: Path, objects: Sequence[TestObject], files: Path) -> Figures:
    """Orthanc, injected."""
    receiver = free_port()
    settings = OrthancSettings(ae_title="DIR", modalities={"MIGRATE": receiver})
    with legacy_of(files, receiver) as legacy, orthanc_running(settings, folder / "orthanc") as peer:
        run = seeded(folder / "run", objects, between(legacy.port, peer.port, receiver), SETTINGS)
        return experiment(run, OrthancHeld(peer), f"Orthanc {peer.get('/system')['Version']}")


def through_coercion(folder: Path, objects: Sequence[TestObject], files: Path) -> Figures:
    """The embedded DI-r with a coercion ordered and not declared."""
    receiver = free_port()
    with legacy_of(files, receiver) as legacy, embedded_route(folder / "dir", receiver, COERCES) as peer:
        run = seeded(folder / "run", objects, between(legacy.port, peer.port, receiver), SETTINGS)
        return coerced(run, INSTITUTION_NAME)


ROUTES = (through_orthanc, through_embedded, through_declared_coercion, through_coercion)


def table(results: Sequence[Figures], corpus: int) -> str:
    """The page."""
    lines = [
        "# Fidelity: injected, found, false",
        "",
        f"Made by `python -m benchmarks.fidelity` over {corpus:,} real objects (each SOP Instance UID once).",
        "Proven: read back and equal. False: reported and not injected, before or after the injection. What a",
        "destination refuses to store is no difference: it is in the register with the reason. Classed: found,",
        "and under the class that fits its kind (gone COUNT_MISMATCH, pixels CONTENT_MISMATCH, else DEST_COERCED).",
        "",
        "| route | objects | proven | injected | found | classed | false | not comparable |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in results:
        counts = (one.objects, one.proven, one.injected, one.found, one.classed, one.false, one.unverifiable)
        lines.append(f"| {one.route} | " + " | ".join(f"{count:,}" for count in counts) + " |")
    lines += ["", "| kind of difference | " + " | ".join(one.route for one in results) + " |"]
    lines.append("|---|" + "---|" * len(results))
    for kind in sorted({kind for one in results for kind in one.kinds}):
        cells = [f"{found} of {n}" if n else "" for n, found in (one.kinds.get(kind, [0, 0]) for one in results)]
        lines.append(f"| {kind} | " + " | ".join(cells) + " |")
    return "\n".join((*lines, ""))


def main() -> int:
    """Run all routes; 1 when something was missed or false."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, default=Path(__file__).parents[2] / "shared" / "corpus")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "fidelity.md")
    asked = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory(prefix="migrate-fidelity-") as scratch:
        objects = whole_files(asked.corpus, Path(scratch) / "corpus")
        for route in ROUTES:
            results.append(route(Path(scratch) / route.__name__, objects, Path(scratch) / "corpus"))
            print(results[-1], flush=True)  # noqa: T201 - the only output of a script
        asked.out.write_text(table(results, len(objects)), encoding="utf-8")
    return int(any(not one.injected == one.found == one.classed or one.false for one in results))


if __name__ == "__main__":
    sys.exit(main())
