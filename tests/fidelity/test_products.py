"""Source products that keep annotations outside their DICOM objects: told by assess, and beside the census."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pynetdicom import AE
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from migrate.profiles import Product, product_of, products
from tests.assess.kit import assessed, at, made_run_folder
from tests.cli.inline import say
from tests.peers.ports import free_port
from tests.report.example import build_run


@contextmanager
def answering_as(version_name: str, port: int) -> Iterator[None]:
    """A peer that answers C-ECHO alone, and names its implementation."""
    entity = AE(ae_title="LEGACY")
    entity.implementation_version_name = version_name
    entity.add_supported_context(Verification)
    server = entity.start_server(("127.0.0.1", port), block=False)
    assert server is not None
    try:
        yield
    finally:
        server.shutdown()


@contextmanager
def source_named(folder: Path, version_name: str) -> Iterator[None]:
    """A run folder whose source names its implementation so."""
    port = free_port()
    peers = at("source", "LEGACY", port), at("destination", "DIR", free_port())
    made_run_folder(folder, *peers, {"receiver": {"port": free_port()}})
    with answering_as(version_name, port):
        yield


@pytest.mark.parametrize("one", products(), ids=lambda one: one.product)
def test_a_product_is_told_by_each_of_its_names_and_by_no_other_line(one: Product) -> None:
    for glob in one.implementation.split(";"):
        assert product_of(glob.replace("*", "4")) == one
        assert product_of(glob.replace("*", "4").lower()) == one
    assert product_of(one.product) == one
    assert all((one.keeps, one.known_from))


@pytest.mark.parametrize("name", ["", "OFFIS_DCMTK_367", "ORTHANC", "PYNETDICOM_304", "1.2.276.0.7230010.3.0.3.6.7"])
def test_others_are_in_no_line(name: str) -> None:
    assert product_of(name) is None


def test_assess_warns_of_a_product_that_keeps_marks_elsewhere(tmp_path: Path) -> None:
    with source_named(tmp_path, "ISITE_4_4"):
        found = assessed(tmp_path)
    line = found.line("source product")
    assert (line.result, "annotations and key images in its database" in line.fact) == ("warn", True)
    assert "export" in line.hint
    assert found.source.product == "Philips iSite and IntelliSpace PACS"
    assert "ISITE_4_4" in (found.source.implementation or "")


def test_a_product_without_a_line_is_said_to_be_unknown_and_a_person_can_name_it(tmp_path: Path) -> None:
    profile = tmp_path / "profiles" / "source.toml"
    with source_named(tmp_path, "SOMETHING_1"):
        found = assessed(tmp_path)
        assert (found.line("source product").result, found.source.kept_outside_dicom) == ("ok", None)
        named = profile.read_text("utf-8").replace("[product]\n", '[product]\noverride = "Fujifilm Synapse"\n')
        profile.write_text(named, encoding="utf-8")
        again = assessed(tmp_path)
    assert (again.line("source product").result, again.source.product) == ("warn", "Fujifilm Synapse")
    assert "database" in (again.source.kept_outside_dicom or "")


KEPT = """\
[product]
value = "Fujifilm <Synapse>"
[kept_outside_dicom]
value = "annotations in its database"
"""


def test_the_report_warns_beside_the_census(tmp_path: Path) -> None:
    build_run(tmp_path)
    page = tmp_path / "reports" / "report.html"
    for profile, said in (("", False), (KEPT, True)):
        (tmp_path / "profiles").mkdir(exist_ok=True)
        (tmp_path / "profiles" / "source.toml").write_text(profile, encoding="utf-8")
        assert say(tmp_path, "report").code == 0
        assert ("Fujifilm &lt;Synapse&gt; is known to keep" in page.read_text(encoding="utf-8")) is said
