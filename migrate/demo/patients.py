"""The patients of a formula archive: ids in sorted order, studies spread over them, no list."""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterator

_STUDIES_PER_PATIENT = 3


class Patients:
    """Patient numbers, their ids in sorted order, and a bijection between studies and patients."""

    def __init__(self, studies: int) -> None:
        self._studies = max(1, studies)
        self._count = math.ceil(self._studies / _STUDIES_PER_PATIENT)
        self._digits_only = max(1, self._count * 4 // 5)
        self._factor = max(1, int(self._studies * 0.618))
        while math.gcd(self._factor, self._studies) != 1:
            self._factor += 1
        self._inverse = pow(self._factor, -1, self._studies) if self._studies > 1 else 0
        self._width = max(6, len(str(self._count)) + 1)

    def of_study(self, index: int) -> int:
        """The patient of study number `index`."""
        return self._factor * index % self._studies // _STUDIES_PER_PATIENT

    def studies_of(self, patient: int) -> Iterator[int]:
        """The studies of a patient, by number."""
        first = patient * _STUDIES_PER_PATIENT
        places = range(first, min(first + _STUDIES_PER_PATIENT, self._studies))
        return (self._inverse * place % self._studies for place in places)

    def id_of(self, patient: int) -> str:
        """The PatientID: digits, and for the last fifth an M before them."""
        lettered = patient >= self._digits_only
        place = patient - self._digits_only if lettered else patient
        size = self._count - self._digits_only if lettered else self._digits_only
        number = place * (10**self._width // size)
        return f"{'M' if lettered else ''}{number:0{self._width}d}"

    def may_have(self, wanted: str) -> bool:
        """False when no id can match: ids are digits, some with a leading M."""
        letters = enumerate(wanted.rstrip("*"))
        return all(letter in "?*\\0123456789" or (place == 0 and letter == "M") for place, letter in letters)

    def with_prefix(self, prefix: str) -> range:
        """The patients whose id starts so: a range, because ids ascend with the number."""
        ids = _Ids(self)
        first = bisect.bisect_left(ids, prefix)
        return range(first, bisect.bisect_left(ids, prefix + "\uffff"))

    def __len__(self) -> int:
        return self._count


class _Ids:
    """The ids as a sorted sequence for bisect."""

    def __init__(self, patients: Patients) -> None:
        self.patients = patients

    def __len__(self) -> int:
        return len(self.patients)

    def __getitem__(self, patient: int) -> str:
        return self.patients.id_of(patient)
