"""What the destination offers: query, a way to read back, storage commitment."""

from __future__ import annotations

import uuid

from migrate.dicom.status import MOVE_DESTINATION_UNKNOWN
from migrate.errors import ConfigError, PeerError, PeerRefused
from migrate.model import Level
from migrate.stages.assess.asking import Question
from migrate.stages.assess.fetching import NOTHING_S, until
from migrate.stages.assess.scene import Scene
from migrate.staging.intake import ReadingSink, Registry
from migrate.wire import fetch
from migrate.wire.wado import retrieve, server_of


def finds(scene: Scene) -> None:
    """C-FIND at IMAGE level for a study that does not exist: what counts is that it is answered."""
    root = f"2.25.{uuid.uuid4().int}"
    keys = {"StudyInstanceUID": root, "SeriesInstanceUID": f"{root}.1"[:64], "SOPInstanceUID": ""}
    answer = scene.finder.ask(Question(level=Level.IMAGE, keys=keys))
    how = f"IMAGE level for a study that does not exist: {_status(answer.status)} and {answer.received} answers"
    works = answer.complete and not answer.received
    scene.learn("finds_images", works, how)
    if not works:
        hint = "the destination must answer C-FIND at IMAGE level: it is asked before anything is sent again"
        raise PeerRefused("C-FIND at IMAGE level is not answered", hint, peer=_title(scene), got=how)
    scene.ok("C-FIND", how)


def reading_back(scene: Scene) -> None:
    """C-GET and C-MOVE, for the comparison of contents; C-MOVE of nothing tells whether it knows us."""
    models = scene.knows("models")
    offered = set(models) if isinstance(models, list) else set()
    get, move = "study-root-get" in offered, "study-root-move" in offered
    scene.learn("c_get", get, "its presentation context was proposed")
    knows_us, how = _knows_us(scene) if move else (False, "C-MOVE is not offered")
    scene.learn("c_move", knows_us, how)
    verify = scene.config.destination.verify
    if get and verify in {"auto", "c-get"}:
        scene.ok("reading back", "C-GET is offered")
    elif move and knows_us is not False and verify in {"auto", "c-move"}:
        scene.ok("reading back", f"C-MOVE is offered ({how})")
    elif verify == "wado-rs":
        _over_http(scene)
    elif verify in {"c-find", "commitment"}:
        told = "UIDs" if verify == "c-find" else "its commitment"
        scene.ok("reading back", f"switched off: {told} only (destination.verify)")
    else:
        hint = "ask its administrator to allow C-GET, or to add our AE titles as C-MOVE destinations"
        raise PeerRefused("nothing can be read back", hint, peer=_title(scene), verify=verify, c_move=how)


def _over_http(scene: Scene) -> None:
    """WADO-RS of a study that does not exist: an answer without objects is what counts."""
    server = server_of(scene.config.destination, scene.finder.endpoint.tls)
    retrieve(server, f"/studies/2.25.{uuid.uuid4().int}", ReadingSink(Registry()))
    scene.ok("reading back", "WADO-RS answers for a study that does not exist: nothing")


def _knows_us(scene: Scene) -> tuple[bool | None, str]:
    title = scene.config.receiver.ae_titles[0]
    ask = fetch.study_ask(f"2.25.{uuid.uuid4().int}")
    try:
        end = fetch.move(fetch.Giver(scene.finder.endpoint, scene.finder.stack, until(NOTHING_S)), ask, title)
    except PeerError as error:
        return None, f"C-MOVE to {title} of a study that does not exist: {error.fact}"
    how = f"C-MOVE to {title} of a study that does not exist: {end.status:04X}"
    if end.status == 0:
        return True, how
    return (False if end.status == MOVE_DESTINATION_UNKNOWN else None), how


def commitment(scene: Scene) -> None:
    """Whether storage commitment is offered, against what the configuration wants."""
    offered = scene.knows("storage_commitment") is True
    if not offered and scene.config.destination.commitment == "always":
        hint = 'ask its administrator to allow storage commitment, or set destination.commitment = "auto"'
        raise ConfigError("storage commitment is not offered", hint, peer=_title(scene), commitment="always")
    scene.ok("storage commitment", "offered" if offered else "not offered: contents are read back instead")


def _title(scene: Scene) -> str:
    return scene.finder.endpoint.ae_title


def _status(status: int | None) -> str:
    return "no final status" if status is None else f"{status:04X}"
