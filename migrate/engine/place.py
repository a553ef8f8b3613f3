"""One worker's place of work: landing area, receiver, both peers, rules, put together."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

from migrate.config import Config
from migrate.destinations import open_destination
from migrate.destinations.committing import into
from migrate.dicom.pixels import require_codecs
from migrate.engine.rulings import REPLACES_UIDS, phns_for, rules_of_run, uids_for
from migrate.errors import ConfigError, LocalError
from migrate.profiles import load_profile_of
from migrate.rules.ruleset import RuleSet
from migrate.sources import open_source
from migrate.stages.site import Site
from migrate.staging.area import LandingArea
from migrate.staging.doorstep import Doorstep
from migrate.staging.intake import ByCaller, Registry
from migrate.staging.pace import Pace
from migrate.wire.dimse.negotiation import Acceptance
from migrate.wire.dimse.scp import Receiver, ReceiverOptions
from migrate.wire.dimse.tls import TlsFiles, client_context, server_context

BIND_ATTEMPTS_S = 5.0
FOLLOWS_SENT_UIDS = frozenset({"dimse"})


def open_site(config: Config, run_folder: str, index: int, *, receive: bool = True) -> Site:
    """Open everything that the worker with this index needs.

    Raises:
        LocalError: The receiver's port is taken, or the staging disk refuses.
        ConfigError: A kind, a pack or a certificate is wrong, or a codec is not installed.
    """
    logging.getLogger("migrate").setLevel(os.environ.get("MIGRATE_LOG", "WARNING"))
    door = doorstep(config, Path(run_folder), index, receiving=receive)
    transcodes = config.destination.transcodes == "lossless"
    if transcodes:
        require_codecs()
    rules = rules_of_run(config, Path(run_folder))
    _refuse_unfollowed(config, rules)
    receiver = _receiver(door, index, Path(run_folder)) if receive else None
    source, destination = open_source(door), open_destination(door)

    def close() -> None:
        source.close()
        destination.close()
        if receiver:
            receiver.stop()
        door.area.close()
        door.pixels.close()

    return Site(
        config=config,
        source=source,
        destination=destination,
        area=door.area,
        rules=rules,
        uid_map=uids_for(rules, config, Path(run_folder)),
        crosswalk=phns_for(rules, Path(run_folder)),
        close=close,
        arrived=door.arrived,
        pixels=door.pixels if transcodes else None,
    )


def _refuse_unfollowed(config: Config, rules: RuleSet) -> None:
    """Objects may go out under other UIDs only to a destination that is asked and answers by those."""
    if config.destination.kind not in FOLLOWS_SENT_UIDS and any(bound.kind == REPLACES_UIDS for bound in rules):
        hint = f"leave the pack uids out; it works with: {', '.join(sorted(FOLLOWS_SENT_UIDS))}"
        raise ConfigError("this kind of destination cannot follow replaced UIDs", hint, kind=config.destination.kind)


def staging_folder(run_folder: Path, config: Config) -> Path:
    """The staging folder; a relative path is relative to the run folder."""
    return run_folder / config.staging.path


def doorstep(config: Config, run_folder: Path, index: int, *, receiving: bool) -> Doorstep:
    """Landing area, registry and profiles for one worker; its AE title is the one with its index."""
    titles = config.receiver.ae_titles
    source, destination = config.source, config.destination
    profile = load_profile_of(run_folder, "source", (source.ae_title, source.host, source.port))
    pace = Pace(config.limits.bandwidth_mb_per_s * 1e6 / len(titles))
    area = LandingArea(staging_folder(run_folder, config), int(config.staging.reserve_gb * 1024**3), pace)
    return Doorstep(
        config=config,
        ae_title=titles[index % len(titles)],
        area=area,
        registry=Registry(),
        receiving=receiving,
        tls=client_context(files) if (files := tls_files(config, run_folder)) else None,
        # C-MOVE stays a preference: where it fails one day, C-GET may still work.
        retrieve="c-get" if profile.retrieve == "c-get" else "auto",
        source_profile=profile,
        destination_profile=load_profile_of(
            run_folder, "destination", (destination.ae_title, destination.host, destination.port)
        ),
    )


def tls_files(config: Config, run_folder: Path) -> TlsFiles | None:
    """The certificate files of `[tls]`, relative to the run folder; None is plain."""
    if config.tls is None:
        return None
    block = config.tls
    return TlsFiles(certificate=run_folder / block.cert, key=run_folder / block.key, authorities=run_folder / block.ca)


def _receiver(door: Doorstep, index: int, run_folder: Path) -> Receiver:
    """Listen; a port that a dying worker still holds is waited for."""
    config = door.config
    titles = config.receiver.ae_titles
    if index >= len(titles):
        raise ConfigError(
            "more workers than receiver AE titles", "add AE titles to receiver.ae_titles", workers=index + 1
        )
    reading = {config.destination.ae_title: door.reading} if _told_apart(config) else {}
    options = ReceiverOptions(
        ae_title=door.ae_title,
        host=config.receiver.host,
        port=config.receiver.port + index,
        allow=frozenset(config.receiver.allow or [config.source.ae_title, config.destination.ae_title])
        | frozenset([config.destination.ae_title]),
        allow_hosts=frozenset(config.receiver.allow_hosts) or None,
        tls=server_context(files) if (files := tls_files(config, run_folder)) else None,
        acceptance=Acceptance(commitment=config.destination.commitment != "never"),
    )
    receiver = Receiver(options, ByCaller(door.landing, reading), into(door.mailbox))
    deadline = time.monotonic() + BIND_ATTEMPTS_S
    while True:
        try:
            receiver.start()
        except (OSError, LocalError) as error:
            if time.monotonic() > deadline:
                hint = "stop what listens there, or choose another receiver.port and tell the source's administrator"
                raise LocalError("the receiver's port is in use", hint, host=options.host, port=options.port) from error
            time.sleep(0.2)
        else:
            return receiver


def _told_apart(config: Config) -> bool:
    """Source and destination must call themselves differently for read-back by C-MOVE."""
    return config.source.ae_title != config.destination.ae_title
