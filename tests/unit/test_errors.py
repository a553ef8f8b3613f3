"""Errors cross process borders whole, and each exit code means one thing."""

from __future__ import annotations

import pickle
import re
from collections.abc import Iterator

import pytest

from migrate import errors
from migrate.errors import MigrateError

SHARED_BY_DESIGN = {errors.LocalError, errors.ManifestDamaged, errors.IllegalDicom}


def tree(root: type[MigrateError] = MigrateError) -> Iterator[type[MigrateError]]:
    yield root
    for kind in root.__subclasses__():
        if kind.__module__ == errors.__name__:
            yield from tree(kind)


CLASSES = list(dict.fromkeys(tree()))
DESIGN_CODES = {
    "UsageError": 2,
    "ConfigError": 20,
    "JournalError": 30,
    "JournalLocked": 31,
    "IllegalEvent": 32,
    "FormatTooNew": 33,
    "PeerError": 40,
    "PeerUnavailable": 41,
    "PeerRefused": 42,
    "LocalError": 50,
    "StagingFull": 51,
    "Interrupted": 130,
}


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_survives_a_pickle_with_all_its_parts(kind: type[MigrateError]) -> None:
    error = kind("something happened", "do this", peer="LEGACY", status="A801", instances=3)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert (again.fact, again.hint, again.facts, str(again)) == (error.fact, error.hint, error.facts, str(error))


@pytest.mark.parametrize(("name", "code"), DESIGN_CODES.items())
def test_exit_codes_are_those_of_the_contract(name: str, code: int) -> None:
    assert getattr(errors, name).exit_code == code


def test_no_two_errors_share_an_exit_code_but_those_that_mean_the_same_to_an_operator() -> None:
    codes = [kind.exit_code for kind in CLASSES if kind not in SHARED_BY_DESIGN]
    assert len(codes) == len(set(codes))


def test_the_tree_at_the_top_of_the_module_is_the_tree() -> None:
    drawn = dict(re.findall(r"(\w+)\s{2,}(\d+)\s", errors.__doc__ or ""))
    assert {name: int(code) for name, code in drawn.items()} == {kind.__name__: kind.exit_code for kind in CLASSES}


def test_an_error_is_a_fact_with_the_facts_in_brackets() -> None:
    assert str(MigrateError("C-MOVE refused", "ask", peer="LEGACY", status="A801")) == (
        "C-MOVE refused (peer=LEGACY, status=A801)"
    )


def test_an_error_without_facts_has_no_brackets() -> None:
    assert str(MigrateError("stopped on request")) == "stopped on request"


def test_what_may_work_later_does_not_stop_a_run_but_what_we_were_refused_does() -> None:
    assert not errors.PeerUnavailable.stops_run
    assert errors.PeerUnavailable.retryable
    assert errors.PeerRefused.stops_run
    assert not errors.IllegalDicom.stops_run
    assert errors.StagingFull.stops_run
