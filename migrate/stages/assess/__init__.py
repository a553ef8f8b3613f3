"""`assess`: this machine is checked, both peers are asked what they can do, and it is written down.

Everything that can still run does run; a failure in one probe takes only those with it that need
it. What a probe learns goes into `profiles/<side>.toml`, which later stages read.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field

from migrate.config import DestinationBlock, SourceBlock
from migrate.errors import ConfigError, MigrateError
from migrate.model import now
from migrate.profiles import Learnt, ProfileFile, Side, peer_name, read_profile, save_profile
from migrate.stages.assess import check
from migrate.stages.assess.asking import Budget, Finder
from migrate.stages.assess.check import Check, Unlearnt
from migrate.stages.assess.scene import Assessment, Scene
from migrate.stages.assess.table import LOCAL_CHECKS, PROBES, Probe
from migrate.wire.dimse.endpoint import Endpoint
from migrate.wire.dimse.limits import Limits
from migrate.wire.dimse.scu import Association
from migrate.wire.dimse.tls import client_context
from migrate.wire.stacks import stack_of

__all__ = ["LOCAL_CHECKS", "PROBES", "Assessed", "Assessment", "Check", "announced", "assess"]

LIMITS = Limits(connect_s=10.0, artim_s=20.0, dimse_s=60.0)
DESTINATION_QUERIES = 5


@dataclass(slots=True)
class Assessed:
    """Every line in the order it was said, and what is known now about each side."""

    checks: list[Check] = field(default_factory=list)
    profiles: dict[Side, ProfileFile] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """Of the first failure; 0 when nothing failed."""
        return next((one.exit_code for one in self.checks if one.result == "fail"), 0)


def announced(assessment: Assessment) -> str:
    """What will be asked at most, said before it is asked."""
    titles = len(assessment.config.receiver.ae_titles)
    return (
        f"the source will be asked at most {assessment.queries} C-FINDs, each ended after {assessment.answers:,}"
        f" answers or 30 s, 1 C-GET and {titles + 1} C-MOVEs of one instance at most, which is not kept;"
        f" the destination at most {DESTINATION_QUERIES} C-FINDs, and nothing is stored there"
    )


def assess(assessment: Assessment, on_check: Callable[[Check], None] = lambda _: None) -> Assessed:
    """Check this machine, probe both peers, write their profiles.

    Args:
        assessment: What to assess.
        on_check: Gets each line as soon as it is known.

    Returns:
        All lines; failures are lines, not exceptions.
    """
    found = Assessed()

    def say(one: Check) -> None:
        found.checks.append(one)
        on_check(one)

    for name, run in LOCAL_CHECKS.items():
        try:
            for one in run(assessment):
                say(one)
        except MigrateError as error:
            say(check.fail(name, error))
    for side in ("source", "destination"):
        try:
            found.profiles[side] = _side(assessment, side, say)
        except MigrateError as error:
            say(check.fail(f"{side} profile", error))
    return found


def _side(assessment: Assessment, side: Side, say: Callable[[Check], None]) -> ProfileFile:
    """Probe one peer and save what was learnt. Raises ConfigError or LocalError."""
    older = read_profile(assessment.run_folder, side)
    block = assessment.config.source if side == "source" else assessment.config.destination
    if block.kind != "dimse":
        say(check.ok(f"{side} profile", f"kind {block.kind} has no profile to learn"))
        return older
    if (context := _tls_context(assessment)) is _UNUSABLE:
        say(check.warn(f"{side} profile", "not asked: the TLS files cannot be used", "see the line about TLS"))
        return older
    scene = _scene(assessment, side, say, (older, _endpoint(assessment, block, context)))
    try:
        for probe in PROBES:
            if probe.side == side:
                _run(scene, probe)
    finally:
        scene.finder.close()
    return _saved(scene, older)


_UNUSABLE = object()


def _tls_context(assessment: Assessment) -> object:
    try:
        return client_context(assessment.tls) if assessment.tls else None
    except ConfigError:
        return _UNUSABLE  # the local check has said why


def _endpoint(assessment: Assessment, block: SourceBlock | DestinationBlock, context: object) -> Endpoint:
    return Endpoint(
        ae_title=block.ae_title,
        host=block.host,
        port=block.port,
        calling_ae_title=assessment.config.calling_ae_title,
        tls=context if isinstance(context, ssl.SSLContext) else None,
        limits=LIMITS,
    )


def _scene(
    assessment: Assessment, side: Side, say: Callable[[Check], None], peer: tuple[ProfileFile, Endpoint]
) -> Scene:
    older, endpoint = peer
    stack = stack_of(assessment.config.source.stack) if side == "source" else Association
    budget = Budget(assessment.queries if side == "source" else DESTINATION_QUERIES)
    before = older.learnt if older.peer == _peer_name(endpoint) else {}
    finder = Finder(endpoint, stack, budget)
    return Scene(assessment=assessment, side=side, finder=finder, before=before, say=say)


def _run(scene: Scene, probe: Probe) -> None:
    if not set(probe.needs) <= scene.done:
        scene.skipped.append(probe.name)
        return
    try:
        probe.run(scene)
        scene.done.add(probe.name)
    except Unlearnt as unlearnt:
        scene.warn(probe.name, f"not learnt: {unlearnt.fact}", unlearnt.hint)
    except MigrateError as error:
        scene.say(check.fail(f"{scene.side} {probe.name}", error, probe.remedy))


def _peer_name(endpoint: Endpoint) -> str:
    return peer_name((endpoint.ae_title, endpoint.host, endpoint.port))


# ---- the profile


def _saved(scene: Scene, older: ProfileFile) -> ProfileFile:
    budget = scene.finder.budget
    if scene.skipped:
        scene.warn("profile", f"not asked: {', '.join(scene.skipped)}", "correct what failed above, then assess again")
    if scene.finder.moody:
        moody = f"{scene.finder.moody} of {budget.asked} queries failed and were answered when asked again"
        scene.warn("C-FIND", moody, "the crawl asks again by itself; tell its administrator, and use few associations")
    if not scene.learnt:
        return older
    fresh = ProfileFile(side=scene.side, peer=_peer_name(scene.finder.endpoint), assessed_at=now(), learnt=scene.learnt)
    profile = fresh.merged(older)
    for name, fact in profile.learnt.items():
        _say_override(scene, name, fact)
    profile.to_profile()
    save_profile(scene.assessment.run_folder, profile)
    scene.ok(
        "profile", f"written to profiles/{scene.side}.toml; {budget.asked} of at most {budget.queries} C-FINDs asked"
    )
    return profile


def _say_override(scene: Scene, name: str, fact: Learnt) -> None:
    if fact.override is not None:
        text = f"{name} = {fact.override} by a person, learnt: {'nothing' if fact.value is None else fact.value}"
        scene.warn("override", text, f"to go by what was learnt, delete override in profiles/{scene.side}.toml")
