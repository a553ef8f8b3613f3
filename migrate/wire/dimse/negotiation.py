"""Which presentation contexts and roles a receiver accepts (PS3.8 9.3.3.2; standards.md 2.4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from migrate.wire.dimse.channel import AcceptedContext
from migrate.wire.dimse.commitment import STORAGE_COMMITMENT_PUSH_MODEL
from migrate.wire.dimse.pdu import AnsweredContext, AssociateRequest, ProposedContext

_VERIFICATION: Final = "1.2.840.10008.1.1"
_STANDARD_ROOT: Final = "1.2.840.10008."
_STORAGE_ROOT: Final = "1.2.840.10008.5.1.4.1.1."
# Below the storage root, but queries: Repository Query (Sup 223).
_NOT_STORAGE: Final = frozenset({"1.2.840.10008.5.1.4.1.1.201.2", "1.2.840.10008.5.1.4.1.1.201.6"})
# Storage outside the storage root: PS3.6 Table A-1.
_OTHER_STORAGE: Final = frozenset(
    {
        "1.2.840.10008.5.1.4.34.7",  # RT Beams Delivery Instruction
        "1.2.840.10008.5.1.4.34.10",  # RT Brachy Application Setup Delivery Instruction
        "1.2.840.10008.5.1.4.38.1",  # Hanging Protocol
        "1.2.840.10008.5.1.4.39.1",  # Color Palette
        "1.2.840.10008.5.1.4.43.1",  # Generic Implant Template
        "1.2.840.10008.5.1.4.44.1",  # Implant Assembly Template
        "1.2.840.10008.5.1.4.45.1",  # Implant Template Group
    }
)
_TS: Final = "1.2.840.10008.1.2."
LOSSLESS: Final = tuple(
    _TS + one
    for one in ("4.57", "4.70", "4.80", "4.90", "4.92", "4.110", "4.111", "4.201", "4.202", "5", "1.98", "8.1")
)
LOSSY: Final = tuple(
    _TS + one
    for one in (
        *("4.50", "4.51", "4.81", "4.91", "4.93", "4.112", "4.203", "4.100", "4.100.1", "4.101", "4.101.1"),
        *("4.102", "4.102.1", "4.103", "4.103.1", "4.104", "4.104.1", "4.105", "4.105.1", "4.106", "4.106.1"),
        *("4.107", "4.108", "7.1", "7.2", "7.3"),
    )
)
# Explicit before implicit: an implicit data set says less about itself than the stored one may.
NATIVE: Final = (_TS + "1", "1.2.840.10008.1.2", _TS + "2", _TS + "1.99")
PREFERENCE: Final = LOSSLESS + NATIVE


@dataclass(frozen=True, kw_only=True, slots=True)
class Acceptance:
    """What a receiver accepts.

    Attributes:
        preference: Transfer syntaxes that may be chosen among several, best first.
        lossy_sop_classes: Classes that the source is known to store lossy: there a lossy syntax
            wins over a native one. Elsewhere a lossy or unknown syntax is taken only when the
            context offers nothing of `preference`: preferring it could make a PACS compress.
        private_storage: Whether SOP classes outside the Standard's root count as storage.
        commitment: Whether storage commitment results are accepted.
    """

    preference: tuple[str, ...] = PREFERENCE
    lossy_sop_classes: frozenset[str] = frozenset()
    private_storage: bool = True
    commitment: bool = False


def answer_contexts(
    request: AssociateRequest, acceptance: Acceptance
) -> tuple[tuple[AnsweredContext, ...], dict[int, AcceptedContext]]:
    """One answer per proposed context, and those that were accepted."""
    answers = tuple(_answer(one, acceptance) for one in request.contexts)
    accepted = {
        one.context_id: AcceptedContext(one.context_id, one.abstract_syntax, answer.transfer_syntax)
        for one, answer in zip(request.contexts, answers, strict=True)
        if answer.result == 0
    }
    return answers, accepted


def answer_roles(request: AssociateRequest, acceptance: Acceptance) -> Mapping[str, tuple[bool, bool]]:
    """Roles the requestor gets (PS3.7 D.3.3.4): SCU of storage, SCP of storage commitment."""
    return {
        uid: (scu and uid != STORAGE_COMMITMENT_PUSH_MODEL, scp and uid == STORAGE_COMMITMENT_PUSH_MODEL)
        for uid, (scu, scp) in request.roles.items()
        if _is_served(uid, acceptance)
    }


def is_storage(abstract_syntax: str, acceptance: Acceptance) -> bool:
    """Whether C-STORE in this class is taken: all storage of the Standard, and private classes."""
    if abstract_syntax.startswith(_STORAGE_ROOT):
        return abstract_syntax not in _NOT_STORAGE
    if abstract_syntax.startswith(_STANDARD_ROOT):
        return abstract_syntax in _OTHER_STORAGE
    return acceptance.private_storage


def choose(proposed: ProposedContext, acceptance: Acceptance) -> str:
    """The transfer syntax for one context: what the peer stores, as far as it can be guessed."""
    offered = proposed.transfer_syntaxes
    if proposed.abstract_syntax in acceptance.lossy_sop_classes:
        for one in LOSSY:
            if one in offered:
                return one
    for one in acceptance.preference:
        if one in offered:
            return one
    return offered[0]


def _is_served(abstract_syntax: str, acceptance: Acceptance) -> bool:
    if abstract_syntax == STORAGE_COMMITMENT_PUSH_MODEL:
        return acceptance.commitment
    return abstract_syntax == _VERIFICATION or is_storage(abstract_syntax, acceptance)


def _answer(one: ProposedContext, acceptance: Acceptance) -> AnsweredContext:
    if not _is_served(one.abstract_syntax, acceptance):
        return AnsweredContext(one.context_id, 3, one.transfer_syntaxes[0])
    if one.abstract_syntax in (_VERIFICATION, STORAGE_COMMITMENT_PUSH_MODEL):
        small = [uid for uid in one.transfer_syntaxes if uid in NATIVE[:3]]
        return AnsweredContext(one.context_id, 0 if small else 4, (small or one.transfer_syntaxes)[0])
    return AnsweredContext(one.context_id, 0, choose(one, acceptance))
