"""What a migration does, as audit messages: one study, one message; never more identity than is asked for."""

from __future__ import annotations

import getpass
import os
import socket
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from migrate.audit import codes
from migrate.audit.messages import Message, Participant, Subject, to_xml
from migrate.audit.subjects import Subjects
from migrate.audit.syslog import Collector, Sender
from migrate.audit.trail import Trail
from migrate.config import Config
from migrate.errors import ConfigError
from migrate.model import now

PERSON, SYSTEM_OBJECT = "1", "2"
PATIENT, REPORT = "1", "3"
MIGRATE = "migrate"


@dataclass(frozen=True, kw_only=True, slots=True)
class Leg:
    """One way that studies go: from a peer to us, or from us to a peer."""

    source: Participant
    destination: Participant


@dataclass
class Recorder:
    """Writes the trail of one command. Use as a context manager: it says when it starts and stops.

    Raises (everywhere):
        LocalError: The trail cannot be written.
    """

    run_folder: Path
    config: Config
    trail: Trail = field(init=False)
    subjects: Subjects = field(init=False)
    sender: Sender | None = None

    def __post_init__(self) -> None:
        self.trail = Trail(self.run_folder)
        self.subjects = Subjects(self.run_folder, identify=self.config.audit.identify)

    def __enter__(self) -> Self:
        if collector := collector_of(self.config, self.run_folder):
            self.sender = Sender(self.run_folder, collector)
        self._write(codes.START, self._people())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        outcome = codes.SERIOUS_FAILURE if kind else codes.SUCCESS
        text = kind.__name__ if kind else ""
        try:
            self._write(codes.STOP, self._people(), outcome=outcome, outcome_text=text)
            self.trail.sync()
        finally:
            if self.sender:
                self.sender.stop()

    # ---- what happens to studies

    def begun(self, leg: Leg, study_instance_uid: str, sop_classes: Iterable[str]) -> None:
        """Objects of a study begin to move."""
        subjects = self._study(study_instance_uid, Counter(sop_classes))
        self._write(codes.BEGIN_TRANSFER, (leg.source, leg.destination), subjects)

    def transferred(self, leg: Leg, study_instance_uid: str, arrived: Sequence[str], failed: Sequence[str]) -> None:
        """Objects have moved: their SOP classes, and those of objects that have not. Mixed results are two messages."""
        people = (leg.source, leg.destination)
        if arrived or not failed:
            self._write(codes.TRANSFERRED, people, self._study(study_instance_uid, Counter(arrived)))
        if failed:
            outcome = codes.MINOR_FAILURE if arrived else codes.SERIOUS_FAILURE
            subjects = self._study(study_instance_uid, Counter(failed))
            text = "not all objects of the study are proven"
            self._write(codes.TRANSFERRED, people, subjects, outcome=outcome, outcome_text=text)

    def deleted(self, study_instance_uids: Iterable[str]) -> None:
        """Staged copies of studies are gone from our disk."""
        for uid in study_instance_uids:
            self._write(codes.STUDY_DELETED, self._people()[:1], self._study(uid, Counter()))

    # ---- questions and copies

    def queried(self, sop_class_uid: str, transfer_syntax_uid: str, query: bytes, leg: Leg | None = None) -> None:
        """We asked the source, or whoever `leg` comes from.

        The encoded identifier has no value that identifies, unless that is configured.
        """
        leg = leg or self.inbound
        subject = Subject(
            id=sop_class_uid,
            id_type=codes.SOP_CLASS_ID,
            type=SYSTEM_OBJECT,
            role=REPORT,
            query=query,
            details={"TransferSyntax": transfer_syntax_uid},
        )
        asked = Participant(
            user_id=leg.source.user_id,
            role=codes.DESTINATION,
            ae_titles=leg.source.ae_titles,
            host=leg.source.host,
        )
        us = Participant(
            user_id=_process(), role=codes.SOURCE, requestor=True, ae_titles=leg.destination.ae_titles, host=_host()
        )
        self._write(codes.QUERY, (us, asked), (subject,))

    def exported(self, path: Path) -> None:
        """A file with data of the migration was written for people."""
        media = Participant(user_id=path.as_uri(), role=codes.DESTINATION_MEDIA, media=codes.URI_MEDIA)
        subject = Subject(id=path.as_uri(), id_type=codes.URI, type=SYSTEM_OBJECT, role=REPORT, name=path.name)
        patient = Subject(id="several", id_type=codes.PATIENT_NUMBER, type=PERSON, role=PATIENT)
        us = Participant(user_id=_user(), role=codes.SOURCE, requestor=True, host=_host())
        self._write(codes.EXPORT, (us, media), (subject, patient))

    # ---- the two ways

    @property
    def inbound(self) -> Leg:
        """From the source to us."""
        block = self.config.source
        source = Participant(user_id=block.ae_title, role=codes.SOURCE, ae_titles=(block.ae_title,), host=block.host)
        return Leg(source=source, destination=self._us(codes.DESTINATION))

    @property
    def booked(self) -> Leg:
        """From the worklist to us."""
        block = self.config.plan.worklist
        if block is None:
            raise ConfigError("no worklist is configured", "give [plan.worklist] its ae_title, host and port")
        ris = Participant(user_id=block.ae_title, role=codes.SOURCE, ae_titles=(block.ae_title,), host=block.host)
        us = replace(self._us(codes.DESTINATION), ae_titles=(block.calling_ae_title or self.config.calling_ae_title,))
        return Leg(source=ris, destination=us)

    @property
    def outbound(self) -> Leg:
        """From us to the destination."""
        block = self.config.destination
        destination = Participant(
            user_id=block.ae_title, role=codes.DESTINATION, ae_titles=(block.ae_title,), host=block.host
        )
        return Leg(source=self._us(codes.SOURCE), destination=destination)

    # ---- inside

    def _us(self, role: codes.Code) -> Participant:
        titles = tuple(self.config.receiver.ae_titles)
        return Participant(user_id=_process(), role=role, requestor=True, ae_titles=titles, host=_host())

    def _people(self) -> tuple[Participant, Participant]:
        return (
            Participant(user_id=_process(), role=codes.APPLICATION_ROLE, host=_host()),
            Participant(user_id=_user(), role=codes.LAUNCHER, requestor=True),
        )

    def _study(self, study_instance_uid: str, sop_classes: Counter[str]) -> tuple[Subject, Subject]:
        known = self.subjects.of(study_instance_uid)
        study = Subject(
            id=study_instance_uid,
            id_type=codes.STUDY_ID,
            type=SYSTEM_OBJECT,
            role=REPORT,
            accession=known.accession_number,
            sop_classes=sop_classes,
        )
        patient = Subject(
            id=known.patient, id_type=codes.PATIENT_NUMBER, type=PERSON, role=PATIENT, name=known.patient_name
        )
        return study, patient

    def _write(
        self,
        kind: codes.EventKind,
        participants: Sequence[Participant],
        subjects: Sequence[Subject] = (),
        **outcome: str,
    ) -> None:
        message = Message(
            kind=kind,
            at=now(),
            source_id=f"{MIGRATE} {self.config.run.name}",
            participants=participants,
            subjects=subjects,
            **outcome,
        )
        self.trail.append([to_xml(message)])


def collector_of(config: Config, run_folder: Path) -> Collector | None:
    """Where `[audit] syslog` points; None when nothing is configured.

    Raises:
        ConfigError: It is not host:port.
    """
    block = config.audit
    if not block.syslog:
        return None
    host, _, port = block.syslog.rpartition(":")
    if not host or not port.isdigit():
        raise ConfigError("audit.syslog is not host:port", 'for example syslog = "audit.example.org:6514"')
    tls = config.tls
    return Collector(
        host=host.strip("[]"),
        port=int(port),
        ca=run_folder / block.ca if block.ca else None,
        certificate=run_folder / tls.cert if tls else None,
        key=run_folder / tls.key if tls else None,
    )


def _process() -> str:
    return f"{MIGRATE}/{os.getpid()}"


def _user() -> str:
    with suppress(KeyError, OSError):
        return getpass.getuser()
    return str(os.getuid())


def _host() -> str:
    return socket.gethostname()
