"""A profile's file says what was learnt, whatever text a peer or a person put into it."""

from __future__ import annotations

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from migrate.profiles import FACTS, Learnt, ProfileFile, to_text

texts = st.text(max_size=40)
values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False),
    texts,
    st.lists(texts, max_size=4),
    st.dictionaries(texts, st.one_of(texts, st.lists(texts, max_size=3)), max_size=4),
)
facts = st.builds(Learnt, value=values, how=texts, when=texts, override=values)
files = st.builds(
    ProfileFile,
    side=st.sampled_from(["source", "destination"]),
    peer=texts,
    assessed_at=texts,
    learnt=st.dictionaries(st.sampled_from(FACTS), facts, max_size=6),
)


@given(files)
def test_what_is_written_is_what_toml_reads(profile: ProfileFile) -> None:
    tables = tomllib.loads(to_text(profile))
    assert tables.pop("format") == 1
    assert tables.pop("side") == profile.side
    assert tables.pop("peer") == profile.peer
    assert tables.pop("assessed_at") == profile.assessed_at
    assert list(tables) == [name for name in FACTS if name in profile.learnt]
    for name, table in tables.items():
        fact = profile.learnt[name]
        parts = {"value": fact.value, "how": fact.how, "when": fact.when, "override": fact.override}
        assert table == {part: value for part, value in parts.items() if value is not None}


@given(older=files, newer=files)
def test_merging_keeps_overrides_of_the_same_peer_and_never_invents(older: ProfileFile, newer: ProfileFile) -> None:
    merged = newer.merged(older)
    same_peer = older.peer in {"", newer.peer}
    assert merged.learnt.keys() == (newer.learnt.keys() | older.learnt.keys() if same_peer else newer.learnt.keys())
    for name, fact in merged.learnt.items():
        if name in newer.learnt:
            assert fact.value == newer.learnt[name].value
        if same_peer and name in older.learnt:
            assert fact.override == older.learnt[name].override


@given(files)
def test_merging_twice_changes_nothing_more(profile: ProfileFile) -> None:
    once = profile.merged(profile)
    assert once.merged(profile) == once
