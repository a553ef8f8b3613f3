"""What the engine and the crawl do, told to the audit trail."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from migrate.audit.recorder import Recorder
from migrate.dicom.uid import STUDY_ROOT_FIND
from migrate.journal.events import Event, Quarantined, Retrieved, Verified
from migrate.model import Level, Outcome
from migrate.peers import FindEnd, Match, StagedStudy, StudyWork
from migrate.wire.dimse.identifier import encode

if TYPE_CHECKING:
    from migrate.stages.crawl.request import Finder  # the whole crawl comes with it, and `run` needs none of it

EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
#: Keys whose values, even cut short, may point to a patient.
IDENTIFYING = frozenset(
    "PatientID PatientName PatientBirthDate OtherPatientIDs AccessionNumber StudyID ReferringPhysicianName".split()
)
#: Below these a query says nothing about which study that the one before did not.
AUDITED_LEVELS = frozenset({Level.STUDY, Level.SERIES})


@dataclass
class Transfers:
    """Turns stages and events of studies into messages about objects that move."""

    recorder: Recorder
    classes: dict[str, Mapping[str, str]] = field(default_factory=dict)

    def learn(self, study_instance_uids: Iterable[str]) -> None:
        """Studies that will soon be spoken of."""
        self.recorder.subjects.learn(study_instance_uids)

    def submitted(self, stage: str, work: StudyWork | StagedStudy) -> None:
        """A stage of a study begins."""
        uid = work.study_instance_uid
        if isinstance(work, StudyWork):
            self.recorder.begun(self.recorder.inbound, uid, [ref.sop_class_uid or "" for ref in work.wanted])
            return
        self.classes[uid] = {one.sop_instance_uid: one.sop_class_uid for one in work.evidence}
        if stage == "upload":
            self.recorder.begun(self.recorder.outbound, uid, self.classes[uid].values())

    def recorded(self, stage: str, event: Event) -> None:
        """An event of a study is durable in the journal."""
        uid = event.study_instance_uid
        if isinstance(event, Retrieved):
            failed = [""] * len(event.defects)
            self.recorder.transferred(self.recorder.inbound, uid, [e.sop_class_uid for e in event.evidence], failed)
        elif isinstance(event, (Verified, Quarantined)):
            self._ended(stage, event)

    def _ended(self, stage: str, event: Verified | Quarantined) -> None:
        uid = event.study_instance_uid
        known = self.classes.pop(uid, {})
        if stage == "retrieve":
            self.recorder.transferred(self.recorder.inbound, uid, [], [""])
        elif stage in {"upload", "verify"}:
            proven = {one.sop_instance_uid for one in event.checked if one.outcome is Outcome.MATCH}
            arrived = [sop_class for sop, sop_class in known.items() if sop in proven]
            failed = [sop_class for sop, sop_class in known.items() if sop not in proven]
            self.recorder.transferred(self.recorder.outbound, uid, arrived, failed)


class AuditedFinder:
    """A finder whose questions are in the audit trail before they go out."""

    def __init__(self, inner: Finder, recorder: Recorder) -> None:
        self._inner, self._recorder = inner, recorder

    def find(self, level: Level, keys: Mapping[str, str], on_match: Callable[[Match], None]) -> FindEnd:
        """Ask one query; see `migrate.peers.Source.find`."""
        if level in AUDITED_LEVELS:
            shown = dict(keys) if self._recorder.config.audit.identify else _without_identity(keys)
            query = encode(level, shown, EXPLICIT_VR_LITTLE_ENDIAN)
            self._recorder.queried(STUDY_ROOT_FIND, EXPLICIT_VR_LITTLE_ENDIAN, query)
        return self._inner.find(level, keys, on_match)

    def close(self) -> None:
        """Release the association."""
        self._inner.close()


def _without_identity(keys: Mapping[str, str]) -> dict[str, str]:
    return {name: "" if name in IDENTIFYING else value for name, value in keys.items()}


def transfers(request: Any) -> Transfers:
    """For a run request: its folder and configuration."""
    return Transfers(Recorder(request.run_folder, request.config))
