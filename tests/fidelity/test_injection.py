"""Differences injected into what a destination holds: all of them found, no false one."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.fidelity import (
    COERCES,
    GONE,
    ROUTES,
    EmbeddedHeld,
    Figures,
    OrthancHeld,
    coerced,
    experiment,
    legacy_of,
)
from benchmarks.injection import INJECTIONS, victim
from migrate.dicom.digest import digest_of
from migrate.dicom.part10 import read_meta
from tests.corpus import CorpusObject
from tests.engine.migration import Migrate
from tests.engine.objects import TestObject, many, read
from tests.engine.seeded import between, seeded
from tests.peers.orthanc import Orthanc
from tests.peers.ports import free_port

SMALL_BYTES = 60_000
ONE_ATTEMPT = {"limits": {"attempts": 1}}


def digests(content: bytes) -> tuple[str | None, str]:
    meta = read_meta(content)
    found = digest_of(content[meta.dataset_offset :], meta.transfer_syntax_uid).digests
    return found.bulk, found.dataset


@pytest.mark.parametrize("kind", INJECTIONS)
def test_every_kind_of_injection_changes_a_digest_wherever_it_can_be_made(
    kind: str, corpus_index: list[CorpusObject]
) -> None:
    made = 0
    for one in corpus_index[::3]:
        content = one.path.read_bytes() if one.path.stat().st_size < SMALL_BYTES else b""
        found = victim(content, one.path.name) if content else None
        altered = INJECTIONS[kind](found) if found else None
        if altered is not None:
            made += 1
            assert digests(altered) != digests(content), one.path
    assert made > 10


def test_the_embedded_di_r_hides_nothing(migration: Migrate) -> None:
    one = migration(many(6, instances=3), ONE_ATTEMPT)
    figures = experiment(one.run, EmbeddedHeld(one.embedded_dir), "embedded")
    assert (figures.proven, figures.injected, figures.found, figures.classed, figures.false) == (18, 9, 9, 9, 0)
    assert figures.kinds.keys() >= {GONE, "text value", "pixel bit", "element removed", "element added"}


def test_a_declared_coercion_hides_nothing_else(migration: Migrate) -> None:
    declared = {"destination": {"coercions": ["00080080"]}}
    one = migration(many(6, instances=3), ONE_ATTEMPT, declared, dir_=COERCES)
    figures = experiment(one.run, EmbeddedHeld(one.embedded_dir), "embedded")
    assert (figures.proven, figures.injected, figures.found, figures.classed, figures.false) == (18, 9, 9, 9, 0)


def test_an_undeclared_coercion_is_found_in_every_object_and_named(migration: Migrate) -> None:
    one = migration(many(3), ONE_ATTEMPT, dir_=COERCES)
    figures = coerced(one.run, "00080080")
    assert (figures.injected, figures.found, figures.classed, figures.proven) == (9, 9, 9, 0)


@pytest.mark.orthanc
def test_orthanc_hides_nothing_of_real_objects(
    corpus_index: list[CorpusObject], orthanc: Callable[..., Orthanc], tmp_path: Path
) -> None:
    objects = _some(corpus_index, tmp_path / "legacy")
    receiver = free_port()
    peer = orthanc(ae_title="DIR", modalities={"MIGRATE": receiver})
    with legacy_of(tmp_path / "legacy", receiver) as legacy:
        run = seeded(tmp_path / "run", objects, between(legacy.port, peer.port, receiver), ONE_ATTEMPT)
        figures: Figures = experiment(run, OrthancHeld(peer), "Orthanc")
    assert figures.proven > 15
    assert (figures.found, figures.classed, figures.false) == (figures.injected, figures.injected, 0)
    assert figures.injected >= figures.proven // 2 - 1


def test_the_figures_of_the_readme_are_those_of_the_page() -> None:
    root = Path(__file__).parents[2]
    said = " ".join((root / "README.md").read_text(encoding="utf-8").split())
    page = (root / "benchmarks" / "fidelity.md").read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page if line.startswith("|")]
    routes = {row[0]: dict(zip(rows[0], row, strict=True)) for row in rows[2:6]}
    assert len(routes) == len(ROUTES)
    for route, row in routes.items():
        assert row["injected"] == row["found"] == row["classed"], route
        assert f"{row['injected']}, {row['found']}" in said, route
        assert (row["false"], row["not comparable"]) == ("0", "0"), route
        assert f"over {row['objects']} real objects" in said


def test_the_mutations_of_the_readme_are_those_of_the_page() -> None:
    root = Path(__file__).parents[2]
    page = (root / "benchmarks" / "mutations.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines() if line.startswith("|")]
    row = dict(zip(rows[0], rows[2], strict=True))
    objects = page.split("in ", 1)[1].split(" real objects")[0]
    said = f"Of {row['tried']} elements of {objects} real objects, each changed by a bit, the digests missed 0"
    assert row["missed"] == "0"
    assert said in (root / "README.md").read_text(encoding="utf-8")


def _some(corpus_index: list[CorpusObject], folder: Path) -> list[TestObject]:
    folder.mkdir()
    small = [one for one in corpus_index if one.plain and one.path.stat().st_size < SMALL_BYTES][::5]
    for number, one in enumerate(small):
        shutil.copyfile(one.path, folder / f"{number:03d}.dcm")
    return [read(path) for path in sorted(folder.iterdir())]
