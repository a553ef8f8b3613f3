"""The sins of C-FIND that change rows, in the order in which they are committed.

Each takes the rows so far and gives the rows as the peer would send them; without its order it
gives them back untouched.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

from migrate.demo.matching import matches
from migrate.demo.question import Asked
from migrate.demo.rows import COUNT_KEYS, UNIQUE_KEYS, Row

#: Latin-1 bytes that are illegal in UTF-8, sent by `undecodable_every` under ISO_IR 192.
UNDECODABLE = b"Undecodable\xe9\xff"


Alteration = Callable[[Iterator[Row], Asked], Iterator[Row]]

NO_UID = "_no_uid"
UIDS = frozenset(UNIQUE_KEYS.values()) - {"PatientID"}
_INVENTED = "1.2.826.0.1.3680043.8.498.999"


def _changed(row: Row, **values: str) -> Row:
    return Row({**row.values, **values}, {key: raw for key, raw in row.raw.items() if key not in values})


def _every_nth(rows: Iterator[Row], n: int, change: Callable[[Row], Row]) -> Iterator[Row]:
    if not n:
        return rows
    return (row if number % n else change(row) for number, row in enumerate(rows, start=1))


def _per_instance(rows: Iterator[Row], asked: Asked) -> Iterator[Row]:
    if not asked.orders.per_instance_rows or asked.question.level == "IMAGE":
        return rows
    count = {"SERIES": "NumberOfSeriesRelatedInstances", "STUDY": "NumberOfStudyRelatedInstances"}
    key = count.get(asked.question.level, "NumberOfPatientRelatedStudies")
    return (row for row in rows for _ in range(max(1, int(row.values.get(key) or 1))))


def _duplicated(rows: Iterator[Row], asked: Asked) -> Iterator[Row]:
    every = asked.orders.duplicate_every
    if not every:
        yield from rows
        return
    for number, row in enumerate(rows, start=1):
        yield row
        if number % every == 0:
            yield _changed(row, AccessionNumber="DIFFERS") if asked.orders.duplicates_differ else row


def _wrong_counts(rows: Iterator[Row], asked: Asked) -> Iterator[Row]:
    wrong = asked.orders.wrong_counts
    if not wrong:
        return rows

    def falsified(row: Row) -> Row:
        counts = {key: int(row.values.get(key) or 0) for key in COUNT_KEYS if row.values.get(key)}
        return _changed(row, **{key: str(max(0, count + wrong)) for key, count in counts.items()})

    return map(falsified, rows)


def _wrong_level(rows: Iterator[Row], asked: Asked) -> Iterator[Row]:
    other = "SERIES" if asked.question.level == "STUDY" else "STUDY"
    return _every_nth(rows, asked.orders.wrong_level_every, lambda row: _changed(row, QueryRetrieveLevel=other))


def _wrong_parent(rows: Iterator[Row], asked: Asked) -> Iterator[Row]:
    if asked.question.level not in ("SERIES", "IMAGE"):
        return rows
    wrong = asked.orders.wrong_parent_every
    return _every_nth(rows, wrong, lambda row: _changed(row, StudyInstanceUID=f"{_INVENTED}.1"))


def _illegal_dates(rows: Iterator[Row], asked: Asked) -> Iterator[Row]:
    key = "SeriesDate" if asked.question.level == "SERIES" else "StudyDate"
    return _every_nth(rows, asked.orders.illegal_dates_every, lambda row: _changed(row, **{key: "2019AB99"}))


def _undecodable(rows: Iterator[Row], asked: Asked) -> Iterator[Row]:
    key = {"STUDY": "PatientName", "PATIENT": "PatientName"}.get(asked.question.level, "SeriesDescription")
    text = UNDECODABLE.decode("utf-8", errors="replace")

    def broken(row: Row) -> Row:
        values = {**row.values, key: text, "SpecificCharacterSet": "ISO_IR 192"}
        return Row(values, {key: UNDECODABLE})

    return _every_nth(rows, asked.orders.undecodable_every, broken)


def _uid_dropped(rows: Iterator[Row], asked: Asked) -> Iterator[Row]:
    return _every_nth(rows, asked.orders.uid_dropped_every, lambda row: _changed(row, **{NO_UID: "yes"}))


def _strangers(rows: Iterator[Row], asked: Asked) -> Iterator[Row]:
    """Rows outside the query, in front so that a cap pushes true rows out."""
    wanted = asked.orders.foreign_rows
    if not wanted or asked.question.level == "PATIENT":
        return rows
    return itertools.chain(itertools.islice(_foreign(asked), wanted), rows)


def _foreign(asked: Asked) -> Iterator[Row]:
    dialect = asked.dialect
    if asked.question.level == "STUDY":
        inside = matches(asked.question.known_keys(), dialect)
        yield from (row for row in asked.catalogue.rows("STUDY", {}, dialect) if not inside(row.values))
        return
    wanted = asked.question.keys.get("StudyInstanceUID", "")
    for study in asked.catalogue.rows("STUDY", {}, dialect):
        study_uid = study.values["StudyInstanceUID"]
        if study_uid != wanted:
            yield from asked.catalogue.rows(asked.question.level, {"StudyInstanceUID": study_uid}, dialect)


def _without_uid(rows: Iterator[Row], asked: Asked) -> Iterator[Row]:
    extra = Row({"StudyDate": asked.question.keys.get("StudyDate", "")[:8], NO_UID: "yes"})
    return itertools.chain(rows, itertools.repeat(extra, asked.orders.extra_rows_without_uid))


def _shells(rows: Iterator[Row], asked: Asked) -> Iterator[Row]:
    """Studies in the catalogue that hold nothing: their series level is empty."""
    if not asked.orders.empty_shells or asked.question.level != "STUDY":
        return rows
    inside = matches(asked.question.known_keys(), asked.dialect)
    shells = (Row(shell_values(number)) for number in range(1, asked.orders.empty_shells + 1))
    return itertools.chain(rows, (row for row in shells if inside(row.values)))


def shell_values(number: int) -> dict[str, str]:
    """The STUDY keys of empty shell number `number`, counted from 1."""
    return {
        "StudyInstanceUID": f"{_INVENTED}.2.{number}",
        "StudyDate": f"20120{1 + number % 9}15",
        "StudyTime": "120000",
        "PatientID": f"S{number:07d}",
        "PatientName": "SHELL^EMPTY",
        "ModalitiesInStudy": "CR",
        "NumberOfStudyRelatedInstances": "0",
    }


def _endless(rows: Iterator[Row], asked: Asked) -> Iterator[Row]:
    # Kept as they are sent: a cap may end the answer long before all rows are known.
    return itertools.cycle(rows) if asked.orders.endless else rows


ALTERATIONS: tuple[Alteration, ...] = (
    _per_instance,
    _duplicated,
    _wrong_counts,
    _wrong_level,
    _wrong_parent,
    _illegal_dates,
    _undecodable,
    _shells,
    _uid_dropped,
    _strangers,
    _without_uid,
    _endless,
)
