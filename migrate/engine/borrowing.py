"""One object fetched from the source to be looked at: it lands in a folder of its own and is gone afterwards.

The journal knows nothing of it, and a run that goes on beside it does not see it. The audit trail does.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from migrate.audit.recorder import Recorder
from migrate.config import Config
from migrate.engine.auditing import Transfers
from migrate.engine.place import doorstep, open_site
from migrate.engine.work import listed
from migrate.errors import PeerError, UsageError
from migrate.journal.events import Retrieved
from migrate.manifest.read import study_of_instance
from migrate.model import InstanceRef
from migrate.peers import StudyWork
from migrate.stages.retrieve import retrieve

FOLDER = "look"
NOT_LISTED = "give the UID of a study or an instance that the crawl listed, or a file with --file"


@contextmanager
def borrowed(run_folder: Path, config: Config, uid: str) -> Iterator[Path]:
    """The instance with this SOP Instance UID, or one of the study with this UID, as a file for as long as it takes.

    Where the source is known to offer C-GET the receiver's port stays free for a run that uses it.

    Raises:
        UsageError: The crawl did not list it.
        PeerError: The source does not give it.
        LocalError: The receiver's port is in use, or the disk refuses.
    """
    work = _work(run_folder, uid)
    folder = Path(config.staging.path) / FOLDER
    staging = config.staging.model_copy(update={"path": str(folder)})
    shutil.rmtree(run_folder / folder, ignore_errors=True)  # of one that was killed
    try:
        yield _fetched(run_folder, config.model_copy(update={"staging": staging}), work)
    finally:
        shutil.rmtree(run_folder / folder, ignore_errors=True)


def _work(run_folder: Path, uid: str) -> StudyWork:
    """The rest of the study is put aside, so that one instance is asked for and not all of them."""
    study = study_of_instance(run_folder, uid) or uid
    refs = listed(run_folder, [study])[study]
    wanted = next((ref for ref in refs if uid in {study, ref.sop_instance_uid}), None)
    if wanted is None:
        raise UsageError("the crawl listed no instance with this UID", NOT_LISTED, uid=uid)
    return StudyWork(study_instance_uid=study, instances=refs, aside=_others(refs, wanted), settle=True)


def _others(refs: tuple[InstanceRef, ...], wanted: InstanceRef) -> frozenset[str]:
    return frozenset(ref.sop_instance_uid for ref in refs) - {wanted.sop_instance_uid}


def _fetched(run_folder: Path, config: Config, work: StudyWork) -> Path:
    transfers = Transfers(Recorder(run_folder, config))
    by_get = doorstep(config, run_folder, 0, receiving=False).source_profile.c_get is True
    with transfers.recorder, closing(open_site(config, str(run_folder), 0, receive=not by_get)) as site:
        transfers.learn([work.study_instance_uid])
        transfers.submitted("retrieve", work)
        event = retrieve(site, work)
        transfers.recorded("retrieve", event)
        if isinstance(event, Retrieved) and event.evidence:
            return site.area.path_of(event.evidence[0].wire_xxh3)
    defects = getattr(event, "defects", ())
    why = f"{defects[0].exception_class}: {defects[0].detail}" if defects else "nothing came"
    raise PeerError("the source did not give the object", "its log says more", why=why)
