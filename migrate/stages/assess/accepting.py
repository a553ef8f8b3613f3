"""Which kinds of objects the destination accepts: SOP class by transfer syntax."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from migrate.dicom.sop_classes import name_of
from migrate.errors import PeerRefused
from migrate.manifest.kinds import kinds_of_objects
from migrate.stages.assess.scene import Scene
from migrate.wire.dimse.endpoint import Context
from migrate.wire.fetch import GET_SYNTAXES

CONTEXTS_PER_ASSOCIATION = 128  # PS3.8 9.3.2.2: odd ids, one byte
SHOWN = 4
Kind = tuple[str, str]  # SOP class, transfer syntax
Listed = Mapping[tuple[str | None, str | None], int]
_ROOT = "1.2.840.10008.5.1.4.1.1."
# What archives hold as a rule; with a crawled manifest the real kinds are asked about instead.
COMMON_CLASSES = tuple(
    _ROOT + one
    for one in (
        *("1", "1.1", "1.1.1", "1.2", "1.2.1", "1.3", "2", "2.1", "3.1", "4", "4.1", "4.2", "6.1", "6.2", "7"),
        *("7.1", "7.2", "7.3", "7.4", "9.1.1", "9.1.2", "11.1", "12.1", "12.2", "13.1.3", "20", "30", "66", "66.4"),
        *("77.1.1", "77.1.2", "77.1.4", "88.11", "88.22", "88.33", "88.59", "88.67", "104.1", "104.2", "128"),
        *("130", "481.1", "481.2", "481.3", "481.5"),
    )
)
COMMON_SYNTAXES = GET_SYNTAXES[:8]


@dataclass(frozen=True, kw_only=True, slots=True)
class Kinds:
    """What was listed by the crawl (with instances), proposed, and accepted."""

    listed: Listed
    proposed: frozenset[Kind]
    accepted: frozenset[Kind]

    @property
    def refused(self) -> frozenset[Kind]:
        """Proposed and not accepted."""
        return self.proposed - self.accepted

    @property
    def closed_classes(self) -> set[str]:
        """SOP classes that are refused in every transfer syntax."""
        return {sop_class for sop_class, _ in self.refused} - {sop_class for sop_class, _ in self.accepted}

    @property
    def hurting(self) -> dict[Kind, int]:
        """Refused kinds that the crawl listed as they are, or of closed classes: instances."""
        closed = self.closed_classes
        return {
            (sop_class, syntax or ""): count
            for (sop_class, syntax), count in self.listed.items()
            if sop_class and (sop_class in closed or (sop_class, syntax) in self.refused)
        }


def contexts(scene: Scene) -> None:
    """Propose every kind of object that the crawl listed, else the common ones; several associations."""
    listed = kinds_of_objects(scene.assessment.run_folder)
    proposed = kinds_to_propose(listed)
    groups = list(_groups(sorted(proposed)))
    accepted = frozenset(kind for group in groups for kind in _accepted(scene, group))
    kinds = Kinds(listed=listed, proposed=proposed, accepted=accepted)
    whence = "listed by the crawl" if listed else "common in archives; crawl first to ask about the real ones"
    how = f"{len(proposed):,} kinds {whence}, proposed in {len(groups)} associations"
    scene.learn("contexts", _by_class(accepted), how)
    scene.learn("refused_contexts", _by_class(kinds.refused), how)
    _say(scene, kinds, how)


def kinds_to_propose(listed: Listed) -> frozenset[Kind]:
    """(SOP class, transfer syntax) pairs; where the crawl got no syntax, the common ones."""
    wanted = [kind for kind in listed if kind[0]] or [(sop_class, None) for sop_class in COMMON_CLASSES]
    return frozenset(
        (sop_class, one)
        for sop_class, syntax in wanted
        for one in ((syntax,) if syntax else COMMON_SYNTAXES)
        if sop_class
    )


def _say(scene: Scene, kinds: Kinds, how: str) -> None:
    peer = scene.finder.endpoint
    if not kinds.accepted:
        hint = f"ask its administrator to allow C-STORE for {peer.calling_ae_title}"
        raise PeerRefused("no kind of object is accepted", hint, peer=peer.ae_title, tried=how)
    fact = f"{len(kinds.accepted):,} of {how}"
    names = _refused_names(kinds)
    if not names:
        scene.ok("kinds of objects", fact)
        return
    shown = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
    hurt = sum(kinds.hurting.values())
    fact += f"; refused: {shown}" + (f", {hurt:,} instances listed are of them" if hurt else "")
    hint = f"ask its administrator to allow: {shown} (refused_contexts in profiles/destination.toml has all)"
    scene.warn("kinds of objects", fact, hint)


def _refused_names(kinds: Kinds) -> list[str]:
    """Closed classes, and classes with the syntax in which the crawl listed instances."""
    closed = kinds.closed_classes
    pairs = sorted(kind for kind in kinds.hurting if kind[0] not in closed)
    return [name_of(uid) for uid in sorted(closed)] + [f"{name_of(sop)} in {name_of(syntax)}" for sop, syntax in pairs]


def _accepted(scene: Scene, group: Sequence[Kind]) -> set[Kind]:
    proposed = [Context(sop_class, (syntax,)) for sop_class, syntax in group]
    with scene.finder.opened(proposed) as association:
        return set(group) & set(association.accepted)


def _groups(kinds: Sequence[Kind]) -> Iterator[Sequence[Kind]]:
    return (kinds[at : at + CONTEXTS_PER_ASSOCIATION] for at in range(0, len(kinds), CONTEXTS_PER_ASSOCIATION))


def _by_class(kinds: Iterable[Kind]) -> dict[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for sop_class, syntax in sorted(kinds):
        found[sop_class].append(syntax)
    return dict(found)
