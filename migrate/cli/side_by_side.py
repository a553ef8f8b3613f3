"""`migrate normalize --what-if --diff UID`: one data set before and after, element by element."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from migrate.cli.app import Session
from migrate.errors import UsageError

if TYPE_CHECKING:
    from migrate.dicom.header import Header

WIDTH = 40
NO_MOMENT = "2000-01-01T00:00:00+00:00"  # a study that is not planned has none yet


def show(session: Session, uid: str, file: Path | None, *, identifying: bool) -> None:
    """`=` same, `+` added, `-` left out, `*` changed; a patient's data masked unless asked for."""
    from migrate.engine.rulebook import Rulebook
    from migrate.rules.what_if import diff

    header, modified_at = _object(session, uid, file)
    done = Rulebook(session.folder(), session.config()).normalized(header, header.study_instance_uid, modified_at)
    rows = diff(header, done, show_identifying=identifying)
    notes = [f"{one.exception_class}: {one.detail}" for one in (*done.refused, *done.flags)]
    session.result({"sop_instance_uid": header.sop_instance_uid, "rows": [asdict(r) for r in rows], "notes": notes})
    session.tell(f"{header.sop_instance_uid}: {sum(row.sign != '=' for row in rows):,} changes")
    for row in rows:
        before, after = (
            ("" if row.before is None else row.before[:WIDTH]),
            ("" if row.after is None else row.after[:WIDTH]),
        )
        second = "" if row.sign == "=" else f" | {after:<{WIDTH}} {row.rule}"
        session.tell(f"{row.sign} {row.path:<17} {row.keyword[:32]:<32} {before:<{WIDTH}}{second}".rstrip())
    for note in notes:
        session.tell(f"! {note}")


def _object(session: Session, uid: str, file: Path | None) -> tuple[Header, str]:
    """The file given, else what is staged, else what the source gives for a moment; and the moment of the plan."""
    from migrate.engine.borrowing import borrowed
    from migrate.engine.rulebook import header_in

    if file:
        header = header_in(file)
        if uid and uid not in {header.study_instance_uid, header.sop_instance_uid}:
            raise UsageError("the file holds another object", "leave --diff out, or give its UID", uid=uid)
        return header, NO_MOMENT
    if staged := _staged(session, uid):
        return header_in(staged[0]), staged[1]
    with borrowed(session.folder(), session.config(), uid) as path:
        session.tell("not staged: fetched from the source, to be shown and not kept")
        return header_in(path), NO_MOMENT


def _staged(session: Session, uid: str) -> tuple[Path, str] | None:
    """The first staged object of a study, or the one with this SOP Instance UID, and its plan's moment."""
    from migrate.journal.read import staged_objects
    from migrate.staging.area import LandingArea

    area = LandingArea(session.folder() / session.config().staging.path, 0)
    for row in staged_objects(session.folder(), uid):
        path = area.path_of(row["wire_xxh3"])
        if path.is_file():
            return path, row["modified_at"]
    return None
