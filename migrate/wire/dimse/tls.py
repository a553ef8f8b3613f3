"""TLS contexts for associations (PS3.15 B): TLS 1.2 or newer, both sides known by certificate."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from migrate.errors import ConfigError


@dataclass(frozen=True, kw_only=True, slots=True)
class TlsFiles:
    """Where the PEM files lie.

    Attributes:
        certificate: Our certificate chain.
        key: Its private key.
        authorities: Certificates that vouch for the peer.
        key_password: Of the key, if it has one.
        check_host_name: Whether a peer we call must carry the host name we called it by; off for
            peers whose certificates name something else.
    """

    certificate: Path
    key: Path
    authorities: Path
    key_password: str | None = None
    check_host_name: bool = True


def client_context(files: TlsFiles) -> ssl.SSLContext:
    """For associations we open.

    Raises:
        ConfigError: A file is missing or is no PEM file of its kind.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = files.check_host_name
    return _loaded(context, files)


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """For the receiver: a peer without a certificate of ours is refused.

    Raises:
        ConfigError: As `client_context`.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    return _loaded(context, files)


def _loaded(context: ssl.SSLContext, files: TlsFiles) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        context.load_cert_chain(files.certificate, files.key, password=files.key_password or "")
        context.load_verify_locations(files.authorities)
    except (OSError, ValueError) as error:
        raise ConfigError(
            "a TLS file cannot be used",
            "[tls] needs cert, key and ca as PEM files that this user can read",
            certificate=files.certificate,
            key=files.key,
            ca=files.authorities,
            cause=getattr(error, "reason", None) or getattr(error, "strerror", None) or type(error).__name__,
        ) from None
    return context
