"""What the probes of one peer share: whom to ask, what was seen so far, what was learnt."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from migrate.config import Config
from migrate.model import now
from migrate.profiles import Learnt, Side
from migrate.stages.assess import check
from migrate.stages.assess.asking import Answer, Finder
from migrate.stages.assess.check import Check
from migrate.wire.dimse.tls import TlsFiles

QUERIES = 60
ANSWERS = 11_000  # above the largest caps met in archives, which are powers of ten up to 10,000


@dataclass(frozen=True, kw_only=True, slots=True)
class Assessment:
    """What to assess, and how much may be asked of the source.

    Attributes:
        queries: C-FINDs in all.
        answers: C-FIND answers after which one is cancelled.
        tls: Certificate files; None is plain.
    """

    config: Config
    run_folder: Path
    queries: int = QUERIES
    answers: int = ANSWERS
    tls: TlsFiles | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class StudySeen:
    """One study that a query returned; None is a key that did not come back."""

    study_instance_uid: str
    study_date: str | None = None
    study_time: str | None = None
    patient_id: str | None = None
    accession_number: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class InstanceSeen:
    """One instance that may be fetched to try it; None is a key that did not come back."""

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str | None = None
    available_transfer_syntax_uid: str | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """Days from `first` to `last`, inclusive; without them all studies are asked for."""

    first: date | None = None
    last: date | None = None

    def __str__(self) -> str:
        return f"{self.first} to {self.last}" if self.first else "all studies"

    @property
    def keys(self) -> dict[str, str]:
        """As a StudyDate key."""
        days = f"{self.first:%Y%m%d}-{self.last:%Y%m%d}" if self.first and self.last else ""
        return {"StudyDate": days}


@dataclass(slots=True)
class Sample:
    """What was seen of the source. `spans` in the order in which they were asked, smallest first."""

    spans: list[tuple[Span, Answer]] = field(default_factory=list)
    studies: dict[str, StudySeen] = field(default_factory=dict)
    character_sets: dict[str, int] = field(default_factory=dict)
    undecodable: int = 0
    instance: InstanceSeen | None = None


@dataclass(slots=True)
class Scene:
    """One side of an assessment in progress."""

    assessment: Assessment
    side: Side
    finder: Finder
    before: Mapping[str, Learnt]
    say: Callable[[Check], None]
    learnt: dict[str, Learnt] = field(default_factory=dict)
    sample: Sample = field(default_factory=Sample)
    done: set[str] = field(default_factory=set)
    skipped: list[str] = field(default_factory=list)

    @property
    def config(self) -> Config:
        """The run's configuration."""
        return self.assessment.config

    def learn(self, name: str, value: object, how: str) -> None:
        """Note one fact; `value` None says that it was asked and is not known."""
        self.learnt[name] = Learnt(value=value, how=how, when=now())

    def knows(self, name: str) -> object:
        """What was learnt in this assessment; None when nothing was."""
        return self.learnt[name].value if name in self.learnt else None

    def ok(self, name: str, fact: str) -> None:
        """Say that something is as it should be."""
        self.say(check.ok(f"{self.side} {name}", fact))

    def warn(self, name: str, fact: str, hint: str) -> None:
        """Say that somebody should know."""
        self.say(check.warn(f"{self.side} {name}", fact, hint))
