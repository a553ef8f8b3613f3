"""migration.toml as frozen values (DESIGN section 5).

A key that is not known is an error that lists the allowed ones. Secrets never stand in the file:
TLS keys are paths, passwords are names of environment variables.
"""

from __future__ import annotations

import re
import tomllib
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from migrate.errors import ConfigError

FILE_NAME = "migration.toml"

AeTitle = Annotated[str, StringConstraints(min_length=1, max_length=16, pattern=r"^[^\\\x00-\x1f]+$")]
Port = Annotated[int, Field(ge=1, le=65535)]


Rejected = Literal["exclude", "migrate"]
RejectionCode = Literal["113001", "113037", "113038", "113039"]


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class RunBlock(_Block):
    """`[run]`: the name appears in reports and in Original Attributes; `source` partitions every table."""

    name: str = Field(min_length=1, max_length=64)
    source: str = Field(pattern=r"^[A-Za-z0-9_-]{1,32}$")
    timezone: str = "America/Vancouver"


class SourceBlock(_Block):
    """`[source]`: the legacy PACS."""

    kind: str = "dimse"
    ae_title: AeTitle = "LEGACY"
    host: str = "127.0.0.1"
    port: Port = 104
    retrieve: Literal["auto", "c-move", "c-get"] = "auto"
    stack: Literal["own", "pynetdicom"] = "own"
    result_cap: int | None = Field(default=None, ge=1)
    quiet_s: float = Field(default=3.0, gt=0)
    idle_timeout_s: float = Field(default=300.0, gt=0)


class ReceiverBlock(_Block):
    """`[receiver]`: what the source's administrator registers; port = first port + index.

    `allow` and `allow_hosts` are the calling AE titles and the addresses that are let in; empty is the
    source's and the destination's AE titles, from any address.
    """

    ae_titles: list[AeTitle] = Field(default=["MIGRATE"], min_length=1)
    host: str = "127.0.0.1"
    port: Port = 11112
    allow: list[AeTitle] = []
    allow_hosts: list[str] = []


class DicomwebBlock(_Block):
    """`[destination.dicomweb]`: where the DI-r gives back over WADO-RS. `token_env` names a variable with a token."""

    url: str
    token_env: str = ""
    timeout_s: float = Field(default=60.0, gt=0)


class DestinationBlock(_Block):
    """`[destination]`: the DI-r. `coercions` are tags (`ggggeeee`) it is declared to change.

    `verify = "wado-rs"` reads back over HTTP, from the address in `[destination.dicomweb]`.
    `verify = "commitment"` takes its word instead of reading back; needs `commitment = "always"`.
    `transcodes = "lossless"` declares that it may compress pixels anew without loss: where the compressed
    bytes differ, decoded pixels are compared.
    """

    kind: str = "dimse"
    ae_title: AeTitle = "DIR"
    host: str = "127.0.0.1"
    port: Port = 104
    verify: Literal["auto", "c-get", "c-move", "wado-rs", "c-find", "commitment"] = "auto"
    dicomweb: DicomwebBlock | None = None
    commitment: Literal["auto", "always", "never"] = "auto"
    commitment_timeout_s: float = Field(default=60.0, gt=0)
    coercions: list[Annotated[str, StringConstraints(pattern=r"^[0-9A-Fa-f]{8}$")]] = []
    transcodes: Literal["never", "lossless"] = "never"

    @model_validator(mode="after")
    def _word_is_asked_for(self) -> Self:
        if self.verify == "commitment" and self.commitment != "always":
            raise ValueError('verify = "commitment" needs commitment = "always"')
        if self.verify == "wado-rs" and self.dicomweb is None:
            raise ValueError('verify = "wado-rs" needs url in [destination.dicomweb]')
        return self


class CrawlBlock(_Block):
    """`[crawl]`: from which date on, and down to which level."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
    from_date: date = Field(default=date(1980, 1, 1), alias="from")
    to_date: date | None = Field(default=None, alias="to")
    level: Literal["STUDY", "SERIES", "IMAGE"] = "IMAGE"


class WorklistBlock(_Block):
    """`[plan.worklist]`: the RIS's Modality Worklist, asked by `plan --worklist` for today and `days` days more.

    `calling_ae_title` is who we say we are; left out, the first of the receiver's.
    """

    ae_title: AeTitle
    host: str = "127.0.0.1"
    port: Port = 104
    calling_ae_title: AeTitle | None = None
    days: int = Field(default=14, ge=0, le=366)


class PlanBlock(_Block):
    """`[plan]`: order, waves before it, and what stays behind: predicates over columns of `studies`.

    `booked` is a CSV file of patient ids or study UIDs that a wave or the order may name; who stands on
    the worklist is booked too.
    """

    order: list[str] = ["newest"]
    waves: list[str] = []
    booked: str | None = None
    worklist: WorklistBlock | None = None
    exclude: list[str] = []
    rejected: Rejected | dict[RejectionCode, Rejected] = Field(default_factory=dict)


class LimitsBlock(_Block):
    """`[limits]`: the clinic comes first. 0 = no limit; empty hours = always."""

    source_associations: int = Field(default=2, ge=1, le=64)
    destination_associations: int = Field(default=4, ge=1, le=64)
    bandwidth_mb_per_s: float = Field(default=0, ge=0)
    hours: list[str] = []
    latency_factor: float = Field(default=3.0, ge=1)
    attempts: int = Field(default=4, ge=1, le=100)
    backoff_s: float = Field(default=2.0, ge=0)


class StagingBlock(_Block):
    """`[staging]`: where objects land; the reserve stays free."""

    path: str = "staging"
    reserve_gb: float = Field(default=5, ge=0)


class NormalizeBlock(_Block):
    """`[normalize]`: rule packs, and the values that they ask for."""

    packs: list[str] = ["common"]
    values: dict[str, str] = {}


class AcceptanceBlock(_Block):
    """`[acceptance]`: what the final report must reach; `four_eyes`: who accepts is not who ran.

    `each_stratum` asks a sample to prove the rate for each year, modality, facility and transfer syntax;
    `sign_with` is a command that signs the file with the digests of the final tables.
    """

    max_defect_rate: float = Field(default=0.001, gt=0, lt=1)
    confidence: float = Field(default=0.95, gt=0, lt=1)
    four_eyes: bool = False
    each_stratum: bool = False
    sign_with: str = ""


class IdentityBlock(_Block):
    """`[identity]`: where a patient's PHN is looked up before the run: a file, then a PIXm server (ITI-83).

    `systems` maps issuers of patient ids to their FHIR systems; `token_env` names an environment variable.
    """

    crosswalk: str = ""
    pixm_url: Annotated[str, StringConstraints(pattern=r"^(https?://\S+)?$")] = ""
    target_system: str = ""
    systems: dict[str, str] = {}
    token_env: str = ""
    timeout_s: float = Field(default=10.0, gt=0)
    max_age_days: float = Field(default=30.0, gt=0)


class AuditBlock(_Block):
    """`[audit]`: where messages go besides the files; `identify` puts patients by name and number into them."""

    syslog: str | None = Field(default=None, pattern=r"^\S+:\d{1,5}$")
    ca: str | None = None
    identify: bool = False


class TlsBlock(_Block):
    """`[tls]`: absent = plain. Paths of PEM files."""

    cert: str
    key: str
    ca: str


class Config(_Block):
    """The whole file."""

    run: RunBlock
    source: SourceBlock = SourceBlock()
    receiver: ReceiverBlock = ReceiverBlock()
    destination: DestinationBlock = DestinationBlock()
    crawl: CrawlBlock = CrawlBlock()
    plan: PlanBlock = PlanBlock()
    limits: LimitsBlock = LimitsBlock()
    staging: StagingBlock = StagingBlock()
    normalize: NormalizeBlock = NormalizeBlock()
    acceptance: AcceptanceBlock = AcceptanceBlock()
    identity: IdentityBlock = IdentityBlock()
    audit: AuditBlock = AuditBlock()
    tls: TlsBlock | None = None

    @property
    def calling_ae_title(self) -> str:
        """Our own AE title when we ask."""
        return self.receiver.ae_titles[0]


def load(path: Path) -> Config:
    """Read and check one migration.toml.

    Raises:
        ConfigError: The file is missing, is not TOML, or has an unknown or impossible value.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        hint = "make a run folder with: migrate init DIR"
        raise ConfigError("the configuration cannot be read", hint, file=path, reason=type(error).__name__) from None
    try:
        return Config.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"the configuration is not TOML: {error}", file=path) from None
    except ValidationError as error:
        raise _explained(path, text, error) from None


def find_run_folder(start: Path) -> Path:
    """The nearest folder upwards from `start` that holds a migration.toml."""
    for folder in (start, *start.parents):
        if (folder / FILE_NAME).is_file():
            return folder
    hint = "make one with: migrate init DIR, then use --run DIR or change into it"
    raise ConfigError("no run folder here", hint, looked_from=start)


def _explained(path: Path, text: str, error: ValidationError) -> ConfigError:
    first = error.errors(include_url=False, include_input=False)[0]
    where = [str(part) for part in first["loc"]]
    line = _line_of(text, where)
    key = ".".join(where)
    if first["type"] == "extra_forbidden":
        allowed = ", ".join(_allowed(where[:-1]))
        return ConfigError(f"unknown key {key}", f"allowed here: {allowed}", file=f"{path}:{line}")
    return ConfigError(f"{key}: {first['msg']}", f"see the comments in {FILE_NAME}", file=f"{path}:{line}")


def _allowed(where: list[str]) -> list[str]:
    block: Any = Config
    for part in where:
        annotation = block.model_fields[part].annotation
        block = annotation if isinstance(annotation, type) else next(a for a in annotation.__args__ if a)
    return [field.alias or name for name, field in block.model_fields.items()]


def _line_of(text: str, where: list[str]) -> int:
    """The line of a key, found by its table and name; 1 when it does not stand in the file."""
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[([^\]]+)\]", line):
            table = header[1].strip()
            if where == [table]:
                return number
        elif where[0] == table and len(where) > 1 and re.match(rf"\s*{re.escape(where[1])}\s*=", line):
            return number
    return 1
