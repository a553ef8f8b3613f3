"""The common pack costs little: it runs for every instance of a billion."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from migrate.rules import packs
from migrate.rules.apply import normalize
from tests.rules.kit import FACTS, dataset, encoded, item, parsed

MOST_S = 0.001  # 0.2 ms on an idle core; the rest is for loaded machines
ROUNDS = 200


def test_the_common_pack_takes_less_than_a_millisecond_for_a_ct_header(tmp_path: Path) -> None:
    values = {
        "issuer_of_patient_id": "FHA",
        "issuer_of_patient_id_oid": "1.2.3.9",
        "issuer_of_accession_number": "FHA_RIS",
        "issuer_of_accession_number_oid": "1.2.3.8",
    }
    common = packs.load(["common"], values, tmp_path)
    header = parsed(encoded(dataset(RequestAttributesSequence=[item(AccessionNumber="A1")])))
    best = min(_timed(lambda: normalize(header, common, FACTS)) for _ in range(ROUNDS))
    assert best < MOST_S


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
