"""What the manifests say of the studies that are moved now, read for many studies at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from migrate.config import PlanBlock
from migrate.engine.work import Known, facilities, listed
from migrate.journal.store import ReadyStudy
from migrate.manifest.before import UNMOVED, held_before
from migrate.stages.hidden import hidden_instances

LOOK_AHEAD = 200
MOST_KNOWN = 4 * LOOK_AHEAD  # memory does not grow with the archive


class Ahead:
    """Rows of studies that are in flight or soon will be; what has ended is forgotten."""

    def __init__(self, run_folder: Path, plan: PlanBlock) -> None:
        self._run_folder = run_folder
        self._plan = plan
        self._known: dict[str, Known] = {}

    def __getitem__(self, study_instance_uid: str) -> Known:
        """What `learn` read about a study."""
        return self._known[study_instance_uid]

    def learn(
        self, studies: Iterable[ReadyStudy], following: Callable[[int], Iterable[ReadyStudy]], busy: Collection[str]
    ) -> list[str]:
        """Read what is not known yet of `studies`, and of `following` with them. Returns what was read.

        Args:
            studies: Begin a stage now.
            following: So many studies that come next.
            busy: Studies that must not be forgotten.

        Raises:
            ManifestDamaged: A table cannot be read.
        """
        if len(self._known) > MOST_KNOWN:
            self._known = {uid: known for uid, known in self._known.items() if uid in busy}
        wanted = [study for study in studies if study.study_instance_uid not in self._known]
        if not wanted:
            return []
        if len(self._known) < LOOK_AHEAD:
            wanted += [study for study in following(LOOK_AHEAD) if study.study_instance_uid not in self._known]
        self._known.update(self._read(wanted))
        return [study.study_instance_uid for study in wanted]

    def forget(self, study_instance_uid: str) -> None:
        """The study has ended."""
        self._known.pop(study_instance_uid, None)

    def _read(self, studies: Iterable[ReadyStudy]) -> dict[str, Known]:
        rounds = {study.study_instance_uid: study.round for study in studies}
        before = held_before(self._run_folder, [uid for uid, number in rounds.items() if number > 1])
        facility = facilities(self._run_folder, rounds)
        hidden = hidden_instances(self._run_folder, rounds, self._plan)
        return {
            uid: Known(refs, facility.get(uid, ""), before.get(uid, UNMOVED), hidden.get(uid, frozenset()))
            for uid, refs in listed(self._run_folder, rounds).items()
        }
