"""What every test can ask for: the corpus of real objects, real peers, and folders that nobody else can read."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import hypothesis
import pydicom
import pytest

from tests.corpus import CorpusObject, read_index
from tests.peers import tools
from tests.peers.dcmtk import Dcmqrscp, DcmqrscpSettings, Storescp, StorescpSettings, dcmqrscp_running, storescp_running
from tests.peers.orthanc import Orthanc, OrthancSettings, orthanc_running
from tests.peers.process import RUNNING

CHECKOUT = Path(__file__).resolve().parent.parent
LOG_LINES_SHOWN = 60


def pytest_configure() -> None:
    """Whatever a test or its child writes is ours alone to read: it may hold patient data."""
    os.umask(0o077)
    # No test is timed: a loaded machine would fail what is right.
    hypothesis.settings.register_profile("untimed", deadline=None)
    hypothesis.settings.load_profile("untimed")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the last log lines of the peers that run while a test fails."""
    report = yield
    if report.failed:
        for peer in RUNNING:
            lines = peer.log().splitlines()
            report.sections.append((f"log of {peer.name}", "\n".join(lines[-LOG_LINES_SHOWN:])))
    return report


@pytest.fixture(scope="session", autouse=True)
def private_scratch_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What libraries leave in `$TMPDIR` after a kill goes away with the test run's folders."""
    folder = tmp_path_factory.mktemp("scratch")
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
    return folder


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real DICOM objects with its INDEX.csv: `MIGRATE_CORPUS`, else `../shared/corpus`."""
    folder = Path(os.environ.get("MIGRATE_CORPUS") or CHECKOUT.parent / "shared" / "corpus")
    if not (folder / "INDEX.csv").exists():
        pytest.skip("needs the corpus of real objects: set MIGRATE_CORPUS to its folder")
    return folder


@pytest.fixture(scope="session")
def corpus_index(corpus: Path) -> list[CorpusObject]:
    """Every object of the corpus with what is known about it."""
    return read_index(corpus)


@pytest.fixture(scope="session")
def plain_objects() -> list[Path]:
    """Well-behaved objects that pydicom ships: 81 small instances, 7 studies of CT, MR and CR, no UID twice."""
    folder = Path(pydicom.__file__).parent / "data" / "test_files" / "dicomdirtests"
    named_otherwise = ("DICOMDIR", "README")
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(named_otherwise))


@pytest.fixture
def orthanc(tmp_path: Path) -> Iterator[Callable[..., Orthanc]]:
    """A function that starts an Orthanc; its keywords are those of `OrthancSettings`."""
    with ExitStack() as running:

        def start(**settings: Any) -> Orthanc:
            wanted = OrthancSettings(**settings)
            return running.enter_context(orthanc_running(wanted, tmp_path / f"orthanc-{wanted.ae_title}"))

        yield start


@pytest.fixture
def dcmqrscp(tmp_path: Path) -> Iterator[Callable[..., Dcmqrscp]]:
    """A function that starts a dcmqrscp; its keywords are those of `DcmqrscpSettings`."""
    with ExitStack() as running:

        def start(**settings: Any) -> Dcmqrscp:
            wanted = DcmqrscpSettings(**settings)
            return running.enter_context(dcmqrscp_running(wanted, tmp_path / f"dcmqrscp-{wanted.ae_title}"))

        yield start


@pytest.fixture
def storescp(tmp_path: Path) -> Iterator[Callable[..., Storescp]]:
    """A function that starts a storescp; its keywords are those of `StorescpSettings`."""
    with ExitStack() as running:

        def start(**settings: Any) -> Storescp:
            wanted = StorescpSettings(**settings)
            return running.enter_context(storescp_running(wanted, tmp_path / f"storescp-{wanted.ae_title}"))

        yield start


@pytest.fixture
def dcmtk() -> Callable[..., str]:
    """A function that runs one DCMTK tool to its end: `dcmtk("echoscu", "127.0.0.1", port)`."""

    def run(name: str, *arguments: object) -> str:
        return tools.run([name, *map(str, arguments)])

    return run
