"""The standing of a run in the text format of Prometheus (version 0.0.4)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from migrate.cli.pages import Page, Pages

KIND = "text/plain; version=0.0.4; charset=utf-8"
Sample = tuple[Mapping[str, str], float]


def page(found: Mapping[str, Any]) -> Page:
    """What `/metrics` answers, from the object of `status --json`."""
    from migrate.cli.pages import Page

    lines = [line for name, told in NAMES.items() for line in _family(name, told, _samples(name, found))]
    return Page(content="\n".join(lines) + "\n", kind=KIND)


def served(folder: Path, config: Any, port: int) -> Pages:
    """A server for `/metrics` on loopback. Raises LocalError when the port is taken."""
    from migrate.cli.pages import Pages, Site
    from migrate.cli.standing import watcher

    look = watcher(folder, config)
    return Pages(Site(routes={"/metrics": lambda: page(look())}), port=port)


#: Name -> (type, help). `run` and `source` label everything.
NAMES: Mapping[str, tuple[str, str]] = {
    "migrate_studies": ("gauge", "Studies by state."),
    "migrate_instances": ("gauge", "Instances that have come so far (station: source, received, uploaded, verified)."),
    "migrate_bytes": ("gauge", "Bytes that have come so far."),
    "migrate_exceptions": ("gauge", "Studies in quarantine by exception class."),
    "migrate_instances_per_second": ("gauge", "Rate of each stage while something happened."),
    "migrate_in_flight": ("gauge", "Studies that a stage works on now."),
    "migrate_running": ("gauge", "1 while an engine runs."),
    "migrate_open": ("gauge", "1 while the hours allow work."),
    "migrate_throttle_allowed": ("gauge", "Retrieves that the throttle allows at once."),
    "migrate_source_latency_seconds": ("gauge", "Median latency of the source (which: now, baseline)."),
    "migrate_disk_free_bytes": ("gauge", "Free space of the staging disk."),
    "migrate_eta_timestamp_seconds": ("gauge", "When it may end, by quantile."),
}


def _samples(name: str, found: Mapping[str, Any]) -> Iterator[Sample]:
    base = {"run": found["run"], "source": found["source"]}
    for labels, value in _READ[name](found):
        if value is not None:
            yield {**base, **labels}, float(value)


def _named(key: str, label: str) -> Any:
    return lambda found: (({label: name}, value) for name, value in (found[key] or {}).items())


_READ: Mapping[str, Any] = {
    "migrate_studies": _named("states", "state"),
    "migrate_instances": _named("instances", "station"),
    "migrate_bytes": _named("bytes", "station"),
    "migrate_exceptions": _named("exceptions", "exception_class"),
    "migrate_instances_per_second": lambda found: (
        ({"stage": stage}, rate["instances_per_s"]) for stage, rate in found["rates"].items()
    ),
    "migrate_in_flight": _named("in_flight", "stage"),
    "migrate_running": lambda found: [({}, found["running"])],
    "migrate_open": lambda found: [({}, found["calendar"]["open"])],
    "migrate_throttle_allowed": lambda found: [({}, (found["throttle"] or {}).get("allowed"))],
    "migrate_source_latency_seconds": lambda found: [
        ({"which": "now"}, (found["throttle"] or {}).get("latency_s")),
        ({"which": "baseline"}, (found["throttle"] or {}).get("baseline_s")),
    ],
    "migrate_disk_free_bytes": lambda found: [({}, found["disk"]["free_bytes"])],
    "migrate_eta_timestamp_seconds": lambda found: (
        ({"quantile": name}, datetime.fromisoformat(at).timestamp()) for name, at in (found["eta"] or {}).items()
    ),
}


def _family(name: str, told: tuple[str, str], samples: Iterator[Sample]) -> Iterator[str]:
    kind, text = told
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} {kind}"
    for labels, value in samples:
        inside = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        yield f"{name}{{{inside}}} {value:.10g}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
