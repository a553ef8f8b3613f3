from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest

from migrate.demo.misbehaviour import FindMisbehaviours, Misbehaviours, StoreMisbehaviours
from migrate.errors import ConfigError

ORDERED = Misbehaviours(
    find=FindMisbehaviours(result_cap=3, cap_levels=("STUDY", "SERIES")),
    store=StoreMisbehaviours(coerce={"PatientID": "X"}, same_uid="keep_old"),
)


def test_orders_survive_json_and_pickle() -> None:
    assert Misbehaviours.from_mapping(json.loads(json.dumps(ORDERED.to_mapping()))) == ORDERED
    assert pickle.loads(pickle.dumps(ORDERED)) == ORDERED


def test_orders_are_read_from_toml(tmp_path: Path) -> None:
    path = tmp_path / "orders.toml"
    path.write_text(
        '[find]\nresult_cap = 3\ncap_levels = ["STUDY", "SERIES"]\n'
        '[store]\nsame_uid = "keep_old"\ncoerce = { PatientID = "X" }\n'
    )
    assert Misbehaviours.load(path) == ORDERED


@pytest.mark.parametrize(
    "orders",
    [{"finds": {}}, {"find": {"result_cup": 3}}, {"find": {"cap_signal": "FE01"}}, {"store": {"same_uid": "merge"}}],
)
def test_an_unknown_word_is_refused_and_the_known_ones_listed(orders: dict[str, dict[str, object]]) -> None:
    with pytest.raises(ConfigError) as refused:
        Misbehaviours.from_mapping(orders)
    assert "known:" in refused.value.hint


def test_a_peer_without_orders_behaves() -> None:
    assert Misbehaviours.from_mapping({}) == Misbehaviours()
