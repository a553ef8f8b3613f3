"""The schema of PS3.15 A.5.1.1 (RELAX NG) as a small table, and a validator of our own for it.

Written from the Standard's text, not from the code under test: element -> its attributes and the
order of its children. `?` `*` `+` as in RELAX NG; an attribute's value is a pattern.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.etree import ElementTree as ET

TOKEN, BOOLEAN, INTEGER = r"[\s\S]*", "true|false|1|0", r"[+-]?\d+"
BASE64 = r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"
DATE_TIME = r"-?\d{4,}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?"


@dataclass(frozen=True)
class Rule:
    """Attributes (name, `?` when optional, to pattern), children in order, pattern of the text."""

    attributes: dict[str, str] = field(default_factory=dict)
    children: str = ""
    text: str = r"\s*"


CODED = Rule({"csd-code": TOKEN, "codeSystemName": TOKEN, "displayName?": TOKEN, "originalText": TOKEN})
RULES: dict[str, Rule] = {
    "AuditMessage": Rule(
        {},
        "EventIdentification ActiveParticipant+ AuditSourceIdentification ParticipantObjectIdentification*",
    ),
    "EventIdentification": Rule(
        {"EventActionCode?": "[CRUDE]", "EventDateTime": DATE_TIME, "EventOutcomeIndicator": "0|4|8|12"},
        "EventID EventTypeCode* EventOutcomeDescription?",
    ),
    "EventID": CODED,
    "EventTypeCode": CODED,
    "EventOutcomeDescription": Rule(text=TOKEN),
    "ActiveParticipant": Rule(
        {
            "UserID": TOKEN,
            "AlternativeUserID?": TOKEN,
            "UserName?": TOKEN,
            "UserIsRequestor": BOOLEAN,
            "NetworkAccessPointID?": TOKEN,
            "NetworkAccessPointTypeCode?": "[1-5]",
        },
        "RoleIDCode* MediaIdentifier?",
    ),
    "RoleIDCode": CODED,
    "MediaIdentifier": Rule(children="MediaType"),
    "MediaType": CODED,
    "AuditSourceIdentification": Rule(
        {"AuditEnterpriseSiteID?": TOKEN, "AuditSourceID": TOKEN}, "AuditSourceTypeCode*"
    ),
    "AuditSourceTypeCode": Rule(
        {"csd-code": TOKEN, "codeSystemName?": TOKEN, "displayName?": TOKEN, "originalText?": TOKEN}
    ),
    "ParticipantObjectIdentification": Rule(
        {
            "ParticipantObjectID": TOKEN,
            "ParticipantObjectTypeCode?": "[1-4]",
            "ParticipantObjectTypeCodeRole?": "[1-9]|1[0-9]|2[0-6]",
            "ParticipantObjectDataLifeCycle?": "[1-9]|1[0-5]",
            "ParticipantObjectSensitivity?": TOKEN,
        },
        "ParticipantObjectIDTypeCode ParticipantObjectName|ParticipantObjectQuery ParticipantObjectDetail* "
        "ParticipantObjectDescription*",
    ),
    "ParticipantObjectIDTypeCode": CODED,
    "ParticipantObjectName": Rule(text=TOKEN),
    "ParticipantObjectQuery": Rule(text=BASE64),
    "ParticipantObjectDetail": Rule({"type": TOKEN, "value": BASE64}),
    "ParticipantObjectDescription": Rule(
        children="MPPS* Accession* SOPClass* ParticipantObjectContainsStudy? Encrypted? Anonymized?"
    ),
    "MPPS": Rule({"UID": TOKEN}),
    "Accession": Rule({"Number": TOKEN}),
    "SOPClass": Rule({"UID?": TOKEN, "NumberOfInstances": INTEGER}, "Instance*"),
    "Instance": Rule({"UID": TOKEN}),
    "ParticipantObjectContainsStudy": Rule(children="StudyIDs*"),
    "StudyIDs": Rule({"UID": TOKEN}),
    "Encrypted": Rule(text=BOOLEAN),
    "Anonymized": Rule(text=BOOLEAN),
}

#: PS3.15 A.5.3: event -> action codes, and the roles of which it must have so many (least, most).
EVENTS: dict[str, tuple[str, dict[str, tuple[int, int]]]] = {
    "110100": ("E", {"110150": (1, 1), "110151": (0, 99)}),
    "110102": ("E", {"110152": (1, 1), "110153": (1, 1), "study": (1, 99), "patient": (1, 1)}),
    "110104": ("CRU", {"110152": (1, 1), "110153": (1, 1), "study": (1, 99), "patient": (1, 1)}),
    "110105": ("D", {"study": (1, 99), "patient": (1, 1)}),
    "110106": ("R", {"110153": (1, 2), "110154": (1, 1), "patient": (1, 99)}),
    "110112": ("E", {"110152": (1, 1), "110153": (1, 1), "query": (1, 1)}),
}


def violations(message: str) -> list[str]:
    """What is wrong with one message; empty when it is valid."""
    root = ET.fromstring(message)
    if root.tag != "AuditMessage":
        return [f"the root is {root.tag}"]
    return [*_of_element(root)] or [*_of_event(root)]


def _of_element(element: ET.Element) -> Iterator[str]:
    rule = RULES.get(element.tag)
    if rule is None:
        yield f"no such element {element.tag}"
        return
    known = {name.rstrip("?"): (name, pattern) for name, pattern in rule.attributes.items()}
    for name, value in element.attrib.items():
        if name not in known or not re.fullmatch(known[name][1], value):
            yield f"{element.tag}/@{name} = {value!r}"
    yield from (
        f"{element.tag} lacks @{name}" for name in rule.attributes if name[-1] != "?" and name not in element.attrib
    )
    if not re.fullmatch(rule.text, element.text or ""):
        yield f"{element.tag} says {element.text!r}"
    if not re.fullmatch(_pattern(rule.children), "".join(f"<{child.tag}>" for child in element)):
        yield f"{element.tag} has {[child.tag for child in element]}"
    for child in element:
        yield from _of_element(child)


def _pattern(children: str) -> str:
    parts = (re.fullmatch(r"([\w|]+)([?*+]?)", part) for part in children.split())
    return "".join(f"(?:{'|'.join(f'<{name}>' for name in part[1].split('|'))}){part[2]}" for part in parts if part)


def _of_event(root: ET.Element) -> Iterator[str]:
    event = root.find("EventIdentification")
    assert event is not None
    kind = event.findall("EventID")[0].attrib["csd-code"]
    actions, roles = EVENTS[kind]
    if event.attrib["EventActionCode"] not in actions:
        yield f"{kind} with action {event.attrib['EventActionCode']}"
    found = [code.attrib["csd-code"] for code in root.iterfind("ActiveParticipant/RoleIDCode")]
    for item in root.iterfind("ParticipantObjectIdentification"):
        pair = item.attrib["ParticipantObjectTypeCode"], item.attrib["ParticipantObjectTypeCodeRole"]
        if item.find("ParticipantObjectQuery") is not None:
            found.append("query")
        else:
            found.append({("2", "3"): "study", ("1", "1"): "patient"}.get(pair, "else"))
    for role, (least, most) in roles.items():
        if not least <= found.count(role) <= most:
            yield f"{kind} has {found.count(role)} of {role}"
