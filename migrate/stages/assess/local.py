"""What this machine must be before anybody is asked: disks, ports, clock, rules, certificates, lease."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import ipaddress
import os
import shutil
import socket
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from migrate.errors import ConfigError, JournalLocked, LocalError, StagingFull
from migrate.manifest.read import batches
from migrate.rules import packs
from migrate.stages.assess.check import Check, ok, warn
from migrate.stages.assess.scene import Assessment
from migrate.wire.dimse.tls import client_context, server_context

GIB = 1024**3
# Measured over mixed archives; only until evidence says better.
MEAN_INSTANCE_BYTES = 600_000
_YEARS_AHEAD = 1


def staging_folder(assessment: Assessment) -> Iterator[Check]:
    """The staging folder can be made, written and renamed in."""
    root = assessment.run_folder / assessment.config.staging.path
    probe = root / "tmp" / f"assess-{os.getpid()}"
    try:
        probe.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with probe.open("wb") as file:
            file.write(b"migrate")
            file.flush()
            os.fsync(file.fileno())
        probe.rename(probe.with_suffix(".renamed"))
    except OSError as error:
        hint = "mount it writable, give this user the right to write there, or set staging.path to another folder"
        raise LocalError("the staging folder cannot be written", hint, staging=root, reason=error.strerror) from None
    finally:
        for path in (probe, probe.with_suffix(".renamed")):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
    yield ok("staging folder", f"can be written (staging={root})")


def disk_space(assessment: Assessment) -> Iterator[Check]:
    """Free space against the reserve, and against what may be in flight at once."""
    config = assessment.config
    root = _existing(assessment.run_folder / config.staging.path)
    free = shutil.disk_usage(root).free
    reserve = int(config.staging.reserve_gb * GIB)
    if free <= reserve:
        hint = "free space, set staging.path to a larger disk, or lower staging.reserve_gb"
        raise StagingFull("less than the reserve is free", hint, staging=root, free=_gib(free), reserve=_gib(reserve))
    largest = _largest_study(assessment)
    in_flight = (
        largest * MEAN_INSTANCE_BYTES * (config.limits.source_associations + config.limits.destination_associations)
    )
    fact = f"{_gib(free)} free, {_gib(reserve)} of it in reserve"
    if not largest:
        yield ok("disk space", f"{fact}; no crawl yet to say what the largest study needs")
        return
    fact += f"; about {_gib(in_flight)} in flight at most (largest study: {largest:,} instances)"
    if free - reserve < in_flight:
        yield warn("disk space", fact, "use a larger disk for staging.path, or fewer associations in [limits]")
    else:
        yield ok("disk space", fact)


def _largest_study(assessment: Assessment) -> int:
    columns = ("instance_count", "number_of_study_related_instances")
    found = 0
    for batch in batches(assessment.run_folder, "studies", columns):
        for name in columns:
            found = max(found, max((count for count in batch[name] if count is not None), default=0))
    return found


def _existing(folder: Path) -> Path:
    return next(one for one in (folder, *folder.parents) if one.exists())


def _gib(size_bytes: float) -> str:
    return f"{size_bytes / GIB:.1f} GiB"


def receiver_ports(assessment: Assessment) -> Iterator[Check]:
    """Each port can be listened on, at an address that the source can reach."""
    config = assessment.config
    for index, title in enumerate(config.receiver.ae_titles):
        _bind(config.receiver.host, config.receiver.port + index, title)
    first, last = config.receiver.port, config.receiver.port + len(config.receiver.ae_titles) - 1
    ports = str(first) if first == last else f"{first} to {last}"
    fact = f"{', '.join(config.receiver.ae_titles)} can listen on {config.receiver.host}, port {ports}"
    if _is_loopback(config.receiver.host) and not _is_loopback(config.source.host):
        hint = "set receiver.host to an address of this machine that the source can reach"
        yield warn("receiver ports", f"{fact}, but the source is another machine", hint)
    else:
        yield ok("receiver ports", fact)


def _bind(host: str, port: int, title: str) -> None:
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(1)
    except OSError as error:
        facts = {"ae_title": title, "address": f"{host}:{port}", "reason": error.strerror}
        if error.errno == errno.EADDRINUSE:
            hint = "stop what listens there (is a run on?), or change receiver.port and tell the source's administrator"
            raise LocalError("the receiver's port is in use", hint, **facts) from None
        hint = "receiver.host must be an address of this machine; ports below 1024 need a privilege"
        raise LocalError("the receiver cannot listen", hint, **facts) from None


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def clock(assessment: Assessment) -> Iterator[Check]:
    """The clock does not lie before what was written, and the time zone is known and current."""
    name = assessment.config.run.timezone
    try:
        zone = ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        hint = "a name of the time zone database, for example America/Vancouver"
        raise ConfigError("run.timezone: no such time zone", hint, timezone=name) from None
    here = datetime.now(zone)
    newest = max((path.stat().st_mtime for path in assessment.run_folder.iterdir()), default=0.0)
    fact = f"{here:%Y-%m-%d %H:%M:%S %Z} in {name}"
    if newest > here.timestamp() + 60:
        yield warn("clock", f"{fact}, which is before a file in the run folder", "set the clock; use NTP")
    elif stale := _stale_rules(name, zone):
        hint = "update the system's tzdata; until then start with PYTHONTZPATH= (empty) in the environment"
        yield warn("clock", f"{fact}; {stale}", hint)
    else:
        yield ok("clock", fact)


def _stale_rules(name: str, system: ZoneInfo) -> str:
    """The system's time zone table against the package's: an old one is an hour off for months."""
    try:
        with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
            packaged = ZoneInfo.from_file(file, key=name)
    except (ModuleNotFoundError, OSError):
        return ""
    year = datetime.now(UTC).year + _YEARS_AHEAD
    for month in (1, 7):
        moment = datetime(year, month, 1, tzinfo=UTC)
        theirs, ours = f"{moment.astimezone(system):%z}", f"{moment.astimezone(packaged):%z}"
        if theirs != ours:
            return f"the system's time zone table is old: it has {theirs} on {moment:%Y-%m-%d}, newer ones {ours}"
    return ""


def rule_packs(assessment: Assessment) -> Iterator[Check]:
    """Every pack loads; rules that wait for a value of the site are named."""
    block = assessment.config.normalize
    rules = packs.load(block.packs, block.values, assessment.run_folder)
    fact = f"{len(rules.rules)} rules of {', '.join(pack.name for pack in rules.packs) or 'no pack'}"
    if rules.inactive:
        names = ", ".join(one.name for one in rules.inactive)
        hint = "give their values in [normalize.values]; see what they ask for with: migrate normalize --what-if"
        yield warn("rule packs", f"{fact}; without a value, so they do nothing: {names}", hint)
    else:
        yield ok("rule packs", fact)


def tls(assessment: Assessment) -> Iterator[Check]:
    """The certificate files can be used on both sides, and the key is ours alone to read."""
    tls_files = assessment.tls
    if tls_files is None:
        yield ok("TLS", "off: names and images travel in the clear")
        return
    client_context(tls_files)
    server_context(tls_files)
    if tls_files.key.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield warn("TLS", f"others may read the private key (key={tls_files.key})", f"chmod 600 {tls_files.key}")
    else:
        yield ok("TLS", f"certificate, key and authorities can be used (cert={tls_files.certificate})")


def journal_lease(assessment: Assessment) -> Iterator[Check]:
    """No engine works on this run folder: it would need the receiver's ports."""
    path = assessment.run_folder / "journal.lock"
    if path.exists():
        with path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                hint = "wait until it ends, or stop it with Ctrl-C, then assess again"
                raise JournalLocked("another engine works on this run folder", hint, lock=path) from None
    yield ok("journal", "no engine works on this run folder")
