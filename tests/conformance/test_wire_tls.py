"""DIMSE over TLS: both sides by certificate, and nobody waits for a peer that says nothing."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from migrate.errors import ConfigError, PeerError, PeerUnavailable
from migrate.wire.dimse.endpoint import Context, Endpoint
from migrate.wire.dimse.pynetdicom_stack import PynetdicomAssociation
from migrate.wire.dimse.scp import Receiver, ReceiverOptions
from migrate.wire.dimse.scu import Association
from migrate.wire.dimse.tls import TlsFiles, client_context, server_context
from tests.conformance.wire_kit import BASIC, QUICK, VERIFICATION, MemorySink, contexts_for, endpoint, same, stored


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def files(folder: Path, authority: trustme.CA, *names: str, trusted: trustme.CA | None = None) -> TlsFiles:
    """A key pair for `names`, vouched for by `authority`; `trusted` vouches for the peer."""
    issued = authority.issue_cert(*names)
    certificate, key, authorities = folder / "cert.pem", folder / "key.pem", folder / "ca.pem"
    issued.cert_chain_pems[0].write_to_path(certificate)
    issued.private_key_pem.write_to_path(key)
    (trusted or authority).cert_pem.write_to_path(authorities)
    return TlsFiles(certificate=certificate, key=key, authorities=authorities)


@pytest.fixture
def ours(tmp_path: Path, authority: trustme.CA) -> TlsFiles:
    return files(tmp_path, authority, "127.0.0.1", "localhost")


@pytest.fixture
def receiver(ours: TlsFiles, sink: MemorySink) -> Iterator[Receiver]:
    options = ReceiverOptions(ae_title="MIGRATE", host="127.0.0.1", port=0, limits=QUICK, tls=server_context(ours))
    with Receiver(options, sink) as running:
        yield running


def secured(receiver: Receiver, context: ssl.SSLContext | None) -> Endpoint:
    return dataclasses.replace(endpoint(receiver.port, "MIGRATE"), tls=context)


def echoes(there: Endpoint, stack: type[Association] = Association) -> bool:
    with stack.open(there, [Context(VERIFICATION, BASIC)]) as association:
        return association.echo() == 0


@pytest.mark.parametrize("stack", [Association, PynetdicomAssociation], ids=["own", "pynetdicom"])
def test_objects_pass_byte_for_byte(
    receiver: Receiver, sink: MemorySink, ours: TlsFiles, plain_objects: list[Path], stack: type[Association]
) -> None:
    objects = [stored(path) for path in plain_objects]
    with stack.open(secured(receiver, client_context(ours)), contexts_for(objects)) as association:
        assert {association.store(one.outgoing()).status for one in objects} == {0}
    assert same(objects, sink)


@pytest.mark.dcmtk
def test_storescu_speaks_tls_with_us(
    receiver: Receiver, sink: MemorySink, ours: TlsFiles, plain_objects: list[Path], dcmtk: Callable[..., str]
) -> None:
    security = ("+tls", ours.key, ours.certificate, "+cf", ours.authorities)
    dcmtk("storescu", *security, "-aec", "MIGRATE", "127.0.0.1", receiver.port, *plain_objects[:5])
    assert len(sink.objects) == 5


def test_a_silent_client_holds_up_nobody(receiver: Receiver, ours: TlsFiles) -> None:
    with contextlib.ExitStack() as silent:
        for _ in range(5):
            silent.enter_context(socket.create_connection(("127.0.0.1", receiver.port)))
        began = time.monotonic()
        assert echoes(secured(receiver, client_context(ours)))
        assert time.monotonic() - began < 1


def test_a_client_that_never_shakes_hands_is_cut(ours: TlsFiles, sink: MemorySink) -> None:
    options = ReceiverOptions(
        ae_title="MIGRATE",
        host="127.0.0.1",
        port=0,
        limits=dataclasses.replace(QUICK, connect_s=0.3),
        tls=server_context(ours),
    )
    with Receiver(options, sink) as receiver, socket.create_connection(("127.0.0.1", receiver.port)) as sock:
        sock.settimeout(5)
        assert sock.recv(1) == b""


def test_a_server_that_never_shakes_hands_is_unavailable(ours: TlsFiles) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        there = endpoint(listener.getsockname()[1], "SILENT", dataclasses.replace(QUICK, connect_s=0.3))
        with pytest.raises(PeerUnavailable, match="TLS handshake failed"):
            echoes(dataclasses.replace(there, tls=client_context(ours)))


def test_plain_dicom_to_a_tls_port_fails(receiver: Receiver) -> None:
    with pytest.raises(PeerError):
        echoes(secured(receiver, None))


def test_tls_to_a_plain_port_fails_with_a_hint(ours: TlsFiles, sink: MemorySink) -> None:
    options = ReceiverOptions(ae_title="MIGRATE", host="127.0.0.1", port=0, limits=QUICK)
    with Receiver(options, sink) as receiver, pytest.raises(PeerUnavailable) as failed:
        echoes(secured(receiver, client_context(ours)))
    assert "does the port speak TLS" in failed.value.hint


def test_a_client_without_a_certificate_is_refused(receiver: Receiver, ours: TlsFiles) -> None:
    context = ssl.create_default_context(cafile=str(ours.authorities))
    with pytest.raises(PeerError):
        echoes(secured(receiver, context))


def test_a_server_of_another_authority_is_refused(receiver: Receiver, tmp_path: Path, authority: trustme.CA) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    strangers = files(folder, authority, "127.0.0.1", trusted=trustme.CA())
    with pytest.raises(PeerUnavailable, match="TLS handshake failed") as failed:
        echoes(secured(receiver, client_context(strangers)))
    assert "certificate" in str(failed.value)


def test_a_server_with_another_name_is_refused_unless_told_otherwise(
    tmp_path: Path, authority: trustme.CA, sink: MemorySink
) -> None:
    named = files(tmp_path, authority, "elsewhere.example")
    options = ReceiverOptions(ae_title="MIGRATE", host="127.0.0.1", port=0, limits=QUICK, tls=server_context(named))
    with Receiver(options, sink) as receiver:
        with pytest.raises(PeerUnavailable, match="TLS handshake failed"):
            echoes(secured(receiver, client_context(named)))
        assert echoes(secured(receiver, client_context(dataclasses.replace(named, check_host_name=False))))


@pytest.mark.parametrize("broken", ["certificate", "key", "authorities"])
@pytest.mark.parametrize("make", [client_context, server_context])
def test_a_file_that_is_no_pem_file_is_a_configuration_error(
    ours: TlsFiles, broken: str, make: Callable[[TlsFiles], ssl.SSLContext]
) -> None:
    path: Path = getattr(ours, broken)
    path.write_text("nothing")
    with pytest.raises(ConfigError, match="a TLS file cannot be used"):
        make(ours)
    path.unlink()
    with pytest.raises(ConfigError, match="a TLS file cannot be used"):
        make(ours)


def test_old_tls_versions_are_not_spoken(ours: TlsFiles) -> None:
    assert client_context(ours).minimum_version >= ssl.TLSVersion.TLSv1_2
    assert server_context(ours).minimum_version >= ssl.TLSVersion.TLSv1_2
    assert server_context(ours).verify_mode is ssl.CERT_REQUIRED
