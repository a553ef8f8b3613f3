"""One audit message as XML, in the order that the schema of PS3.15 A.5.1.1 demands."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from xml.etree import ElementTree as ET

from migrate.audit.codes import SUCCESS, Code, EventKind

APPLICATION_SERVER = "4"
# XML 1.0 section 2.2: what cannot stand in a document even when escaped.
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, kw_only=True, slots=True)
class Participant:
    """Somebody or something that took part. `media` is what an export was written to."""

    user_id: str
    role: Code
    requestor: bool = False
    ae_titles: Sequence[str] = ()
    host: str = ""
    media: Code | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """What it was done with: a study, a patient, a query, a file.

    `type` and `role` are those of PS3.15 A.5.1.2.2; `query` stands in the place of the name.
    """

    id: str
    id_type: Code
    type: str
    role: str
    name: str = ""
    query: bytes | None = None
    details: Mapping[str, str] = field(default_factory=dict)
    accession: str = ""
    sop_classes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One event. `source_id` says which installation reports it."""

    kind: EventKind
    at: str
    source_id: str
    participants: Sequence[Participant]
    subjects: Sequence[Subject] = ()
    outcome: str = SUCCESS
    outcome_text: str = ""


def to_xml(message: Message) -> str:
    """The message as one line of XML; whatever stands in a value cannot become markup."""
    root = ET.Element("AuditMessage")
    _event(root, message)
    for participant in message.participants:
        _participant(root, participant)
    origin = _add(root, "AuditSourceIdentification", AuditSourceID=message.source_id)
    _add(origin, "AuditSourceTypeCode", **{"csd-code": APPLICATION_SERVER})
    for subject in message.subjects:
        _subject(root, subject)
    return ET.tostring(root, encoding="unicode").replace("\n", " ")


def _event(root: ET.Element, message: Message) -> None:
    event = _add(
        root,
        "EventIdentification",
        EventActionCode=message.kind.action,
        EventDateTime=message.at,
        EventOutcomeIndicator=message.outcome,
    )
    _code(event, "EventID", message.kind.code)
    if message.kind.type:
        _code(event, "EventTypeCode", message.kind.type)
    if message.outcome_text:
        _add(event, "EventOutcomeDescription").text = _legal(message.outcome_text)


def _participant(root: ET.Element, one: Participant) -> None:
    # PS3.15 A.5.2.2: AE titles stand in AlternativeUserID, after AETITLES=.
    titles = {"AlternativeUserID": f"AETITLES={';'.join(one.ae_titles)}"} if one.ae_titles else {}
    network = {"NetworkAccessPointID": one.host, "NetworkAccessPointTypeCode": _point(one.host)} if one.host else {}
    element = _add(
        root,
        "ActiveParticipant",
        UserID=one.user_id,
        **titles,
        UserIsRequestor=str(one.requestor).lower(),
        **network,
    )
    _code(element, "RoleIDCode", one.role)
    if one.media:
        _code(_add(element, "MediaIdentifier"), "MediaType", one.media)


def _point(host: str) -> str:
    return "2" if re.fullmatch(r"[0-9.]+|[0-9a-fA-F:]+", host) else "1"


def _subject(root: ET.Element, one: Subject) -> None:
    element = _add(
        root,
        "ParticipantObjectIdentification",
        ParticipantObjectID=one.id,
        ParticipantObjectTypeCode=one.type,
        ParticipantObjectTypeCodeRole=one.role,
    )
    _code(element, "ParticipantObjectIDTypeCode", one.id_type)
    if one.query is None:
        _add(element, "ParticipantObjectName").text = _legal(one.name or one.id)
    else:
        _add(element, "ParticipantObjectQuery").text = base64.b64encode(one.query).decode()
    for name, value in one.details.items():
        _add(element, "ParticipantObjectDetail", type=name, value=base64.b64encode(value.encode()).decode())
    if one.accession or one.sop_classes:
        described = _add(element, "ParticipantObjectDescription")
        if one.accession:
            _add(described, "Accession", Number=one.accession)
        for uid, count in sorted(one.sop_classes.items()):
            known = {"UID": uid} if uid else {}
            _add(described, "SOPClass", **known, NumberOfInstances=str(count))


def _code(parent: ET.Element, tag: str, code: Code) -> None:
    words = {"csd-code": code.value, "codeSystemName": code.system, "originalText": code.meaning}
    _add(parent, tag, **words)


def _add(parent: ET.Element, tag: str, **attributes: str) -> ET.Element:
    return ET.SubElement(parent, tag, {name: _legal(value) for name, value in attributes.items()})


def _legal(text: str) -> str:
    return _ILLEGAL.sub("\N{REPLACEMENT CHARACTER}", text)
