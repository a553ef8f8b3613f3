"""The errors of `migrate`: what happened, may it work later, must the run stop.

    MigrateError                    1   a bug, if it reaches the top bare
    ├── UsageError                  2   the command line asks for something that is not there
    ├── ConfigError                20   migration.toml or a rule pack is wrong
    ├── JournalError               30   the journal cannot be read or written
    │   ├── JournalLocked          31   another engine works on this run folder
    │   ├── IllegalEvent           32   an event that the study's state does not allow
    │   └── FormatTooNew           33   written by a newer version
    ├── PeerError                  40   the other end broke the protocol
    │   ├── PeerUnavailable        41   no connection, no answer, aborted: may work later
    │   └── PeerRefused            42   the other end says no: somebody must change a setting
    ├── LocalError                 50   this machine: ports, disks, permissions
    │   ├── StagingFull            51   less than the reserve would be left
    │   └── ManifestDamaged        50   a table cannot be read
    ├── IllegalDicom               50   one object is not DICOM we can trust; it is quarantined
    └── Interrupted               130   stopped on purpose; run the same command again

No message, fact or hint holds a patient's name, id or birth date.
"""

from __future__ import annotations

from typing import Any, ClassVar


class MigrateError(Exception):
    """A fact, the facts in brackets, and a hint what to do next.

    Args:
        fact: One sentence without a full stop.
        hint: What to do next; empty when there is nothing to say.
        **facts: Shown in brackets as `name=value`, in the order given.
    """

    exit_code: ClassVar[int] = 1
    retryable: ClassVar[bool] = False
    stops_run: ClassVar[bool] = True

    def __init__(self, fact: str, hint: str = "", **facts: object) -> None:
        super().__init__(fact)
        self.fact = fact
        self.hint = hint
        self.facts = facts

    def __str__(self) -> str:
        """`fact (name=value, …)`."""
        inside = ", ".join(f"{name}={value}" for name, value in self.facts.items())
        return f"{self.fact} ({inside})" if inside else self.fact

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle with all parts: errors cross process borders."""
        return _rebuild, (type(self), self.fact, self.hint, self.facts)


def _rebuild(kind: type[MigrateError], fact: str, hint: str, facts: dict[str, object]) -> MigrateError:
    return kind(fact, hint, **facts)


class UsageError(MigrateError):
    """The command line asks for something that is not there."""

    exit_code = 2


class ConfigError(MigrateError):
    """migration.toml, a rule pack or a table of values is wrong."""

    exit_code = 20


class JournalError(MigrateError):
    """The journal cannot be read or written."""

    exit_code = 30


class JournalLocked(JournalError):
    """Another engine works on this run folder."""

    exit_code = 31


class IllegalEvent(JournalError):
    """An event that the study's state does not allow."""

    exit_code = 32


class FormatTooNew(JournalError):
    """Written by a newer version of `migrate`."""

    exit_code = 33


class PeerError(MigrateError):
    """The other end broke the protocol."""

    exit_code = 40
    stops_run = False


class PeerUnavailable(PeerError):
    """No connection, no answer or an abort: the same request may work later."""

    exit_code = 41
    retryable = True


class PeerRefused(PeerError):
    """The other end says no to us as such; every request will be refused until a setting is changed."""

    exit_code = 42
    stops_run = True


class LocalError(MigrateError):
    """This machine: ports, disks, permissions, memory."""

    exit_code = 50


class StagingFull(LocalError):
    """Less than the reserve would be left on the staging disk."""

    exit_code = 51


class ManifestDamaged(LocalError):
    """A manifest table cannot be read."""


class IllegalDicom(MigrateError):
    """One object is not DICOM we can trust: quarantined, the run goes on.

    Facts carry byte offsets, tags, depths and lengths, never values.
    """

    exit_code = 50
    stops_run = False


class Interrupted(MigrateError):
    """Stopped on purpose; the same command goes on."""

    exit_code = 130
    retryable = True
