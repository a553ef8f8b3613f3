"""First contact: C-ECHO, the product, and the services that are offered. The product is asked of the source alone."""

from __future__ import annotations

import statistics
import time

from migrate.dicom import uid
from migrate.errors import PeerRefused
from migrate.profiles import product_of
from migrate.stages.assess.asking import BASIC
from migrate.stages.assess.scene import Scene
from migrate.wire.dimse.endpoint import Context

ECHOES = 5
MODELS = {
    "study-root-find": uid.STUDY_ROOT_FIND,
    "study-root-move": uid.STUDY_ROOT_MOVE,
    "study-root-get": uid.STUDY_ROOT_GET,
    "patient-root-find": uid.PATIENT_ROOT_FIND,
    "patient-root-move": uid.PATIENT_ROOT_MOVE,
    "patient-root-get": uid.PATIENT_ROOT_GET,
    "storage-commitment": uid.STORAGE_COMMITMENT_PUSH_MODEL,
}
# Relational, date-time as one, no fuzzy names, no time zone, no view, empty value, multiple value (PS3.4 C.5.2).
EVERYTHING_EXTENDED = b"\x01\x01\x00\x00\x00\x01\x01"


def echo(scene: Scene) -> None:
    """C-ECHO five times on one association: does the peer know us, how quickly does it answer."""
    seconds = []
    endpoint = scene.finder.endpoint
    with scene.finder.opened([Context(uid.VERIFICATION, BASIC)]) as association:
        for _ in range(ECHOES):
            began = time.monotonic()
            status = association.echo()
            seconds.append(time.monotonic() - began)
            if status:
                raise PeerRefused("C-ECHO refused", peer=endpoint.ae_title, status=f"{status:04X}")
        names = association.peer.implementation_version_name, association.peer.implementation_class_uid
    median = statistics.median(seconds)
    scene.learn("echo_latency_s", round(median, 4), f"median of {ECHOES} C-ECHOs on one association")
    scene.learn("implementation", " ".join(name for name in names if name), "its answer to our association request")
    where = f"peer={endpoint.ae_title}, calling={endpoint.calling_ae_title}, at={endpoint.host}:{endpoint.port}"
    scene.ok("C-ECHO", f"answers in {median * 1000:.0f} ms ({where})")


def product(scene: Scene) -> None:
    """Which product it is, and whether that one is known to keep annotations outside its DICOM objects."""
    named = str(scene.knows("implementation") or "")
    said = scene.before["product"].override if "product" in scene.before else None
    found = product_of(said) if said else product_of(named, *named.split())
    how = "its name, given by a person" if said else f"its implementation ({named}), in manifests/products.csv"
    scene.learn("product", found.product if found else None, how)
    scene.learn("kept_outside_dicom", found.keeps if found else None, "the same" if found else "no line for it there")
    if found is None:
        told = f"not in the list of those known to keep annotations outside DICOM ({said or named or 'it has no name'})"
        scene.ok("product", told if said else f"{told}; where that is wrong, give override in its table [product]")
        return
    hint = (
        "ask its administrator for an export of these, since no count of DICOM objects can show that they are missing"
    )
    scene.warn("product", f"{found.product} is known to keep outside its DICOM objects: {found.keeps}", hint)


def services(scene: Scene) -> None:
    """Which query, retrieve and commitment services are accepted, and what extended negotiation gives."""
    finder = scene.finder
    contexts = [Context(model_uid, BASIC) for model_uid in MODELS.values()]
    extended = {uid.STUDY_ROOT_FIND: EVERYTHING_EXTENDED}
    with finder.opened(contexts, extended) as association:
        accepted = {abstract for abstract, _ in association.accepted}
        granted = association.extended.get(uid.STUDY_ROOT_FIND)
    offered = [name for name, model_uid in MODELS.items() if model_uid in accepted]
    scene.learn("models", offered, "presentation contexts that were accepted")
    scene.learn("storage_commitment", "storage-commitment" in offered, "its presentation context was proposed")
    _extended(scene, granted)
    if "study-root-find" not in offered:
        raise PeerRefused(
            "Study Root C-FIND is not offered",
            f"ask its administrator to allow C-FIND for {finder.endpoint.calling_ae_title}",
            peer=finder.endpoint.ae_title,
            offered=" ".join(offered) or "nothing",
        )
    scene.ok("services", f"offered: {', '.join(offered)}")


def _extended(scene: Scene, granted: bytes | None) -> None:
    asked = EVERYTHING_EXTENDED.hex()
    how = f"{asked} was proposed for Study Root C-FIND (PS3.4 C.5.2)"
    how += "; the peer did not answer the item" if granted is None else ""
    scene.learn("extended_negotiation", (granted or b"").hex(), how)
