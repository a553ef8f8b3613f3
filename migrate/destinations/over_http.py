"""Read-back over WADO-RS: the same inbox and the same comparison as over DIMSE."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from migrate.errors import PeerUnavailable
from migrate.model import InstanceRef
from migrate.staging.doorstep import Doorstep
from migrate.staging.intake import Inbox
from migrate.wire.wado import retrieve, server_of

MOST_FAILURES = 3


def fetch_over_http(door: Doorstep, study_instance_uid: str, refs: Sequence[InstanceRef], inbox: Inbox) -> None:
    """The whole study, then instance by instance what did not come.

    Raises:
        PeerError: Nothing came, and the server could not be asked; or it refuses.
        ConfigError: The address is none.
    """
    server, failures = server_of(door.config.destination, door.tls), list[PeerUnavailable]()
    for resource in _resources(f"/studies/{study_instance_uid}", refs, inbox):
        try:
            retrieve(server, resource, door.reading)
        except PeerUnavailable as error:
            failures.append(error)
            if not inbox.seen:
                raise
            if len(failures) == MOST_FAILURES:
                return


def _resources(study: str, refs: Sequence[InstanceRef], inbox: Inbox) -> Iterator[str]:
    yield study
    missing = inbox.missing()
    for ref in refs:
        if ref.sop_instance_uid in missing:
            yield f"{study}/series/{ref.series_instance_uid}/instances/{ref.sop_instance_uid}"
