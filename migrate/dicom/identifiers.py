"""Identifiers of patients and orders: the B.C. Personal Health Number, and issuers (PS3.3 10.14, HL7 v2 HD)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

_PHN_DIGITS: Final = 10
_PHN_WEIGHTS: Final = (2, 4, 8, 5, 10, 9, 7, 3)
_PHN_MODULUS: Final = 11


class IssuedId(NamedTuple):
    """A patient's number and who issued it ("" where nobody says)."""

    patient_id: str
    issuer: str


class PhnState(StrEnum):
    """What a text is as a B.C. Personal Health Number."""

    VALID = "VALID"
    INVALID = "INVALID"
    NOT_A_PHN = "NOT_A_PHN"


def phn_state(text: str) -> PhnState:
    """Check a text by form (ten digits, the first 9) and check digit (modulus 11, weights 2 4 8 5 10 9 7 3).

    Blanks and hyphens between the digits do not count. A text of another form is `NOT_A_PHN`: a hospital
    number, or one of another province. A valid number proves neither coverage nor identity, and an invalid
    one is a reason to flag, never to drop. Source: B.C. Ministry of Health, Client Registry, volume 4B.
    """
    digits = text.replace(" ", "").replace("-", "")
    if len(digits) != _PHN_DIGITS or not (digits.isascii() and digits.isdigit()) or digits[0] != "9":
        return PhnState.NOT_A_PHN
    total = sum(weight * int(digit) for weight, digit in zip(_PHN_WEIGHTS, digits[1:9], strict=True))
    check = (_PHN_MODULUS - total % _PHN_MODULUS) % _PHN_MODULUS
    return PhnState.VALID if str(check) == digits[9] else PhnState.INVALID


@dataclass(frozen=True, kw_only=True, slots=True)
class Issuer:
    """Who issued an identifier: a local name, a universal one, or both.

    Args:
        namespace: Local Namespace Entity ID (0040,0031), Issuer of Patient ID (0010,0021).
        universal_id: Universal Entity ID (0040,0032), such as an OID.
        universal_id_type: Universal Entity ID Type (0040,0033): `ISO`, `DNS`, `URI`, `UUID`, ….
    """

    namespace: str = ""
    universal_id: str = ""
    universal_id_type: str = ""

    @property
    def hd(self) -> str:
        """As an HL7 v2 HD component (`namespace&universal_id&type`), without empty trailing parts."""
        return f"{self.namespace}&{self.universal_id}&{self.universal_id_type}".rstrip("&")

    @classmethod
    def from_hd(cls, text: str) -> Issuer:
        """Read an HL7 v2 HD component."""
        parts = [*text.split("&"), "", "", ""]
        return cls(namespace=parts[0], universal_id=parts[1], universal_id_type=parts[2])

    def same_as(self, other: Issuer) -> bool:
        """Whether both name the same issuer: by universal id where both have one, else by namespace."""
        if self.universal_id and other.universal_id:
            return (self.universal_id, self.universal_id_type) == (other.universal_id, other.universal_id_type)
        return bool(self.namespace) and self.namespace == other.namespace
