"""`migrate normalize --what-if`: what the rules would do to every crawled study; nothing moves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from migrate.cli.app import Session

COLUMNS = (
    *("study_instance_uid", "study_date", "study_time", "modalities_in_study", "accession_number"),
    *("institution_name", "study_description", "study_id"),
)
IDENTITY = ("patient_id", "issuer_of_patient_id", "patient_birth_date", "patient_sex")


def show(session: Session) -> None:
    """One line per rule: its sentence, how many studies, in which facilities."""
    from migrate.engine.rulings import phns_for, rules_of_run
    from migrate.rules.rule import RunFacts
    from migrate.rules.what_if import seen_in_rows, what_if

    folder, config = session.folder(), session.config()
    rules = rules_of_run(config, folder)
    facts = RunFacts(
        source=config.run.source,
        modifying_system="cdi-migrate",
        modified_at="2000-01-01T00:00:00+00:00",
        crosswalk=phns_for(rules, folder),
    )
    found = what_if(seen_in_rows(_rows(folder)), rules, facts)
    session.result(asdict(found))
    session.tell(f"{found.studies:,} studies crawled")
    for effect in found.effects:
        where = f" in {len(effect.facilities)} facilities" if effect.studies else ""
        doubt = f", {effect.undecided:,} of them undecided until the header is read" if effect.undecided else ""
        session.tell(f"{effect.rule} touches {effect.studies:,} studies{where}{doubt}\n    {effect.sentence}")
    for inactive in found.inactive:
        session.tell(
            f"{inactive.pack}.{inactive.name} does nothing: give {', '.join(inactive.missing)} in [normalize.values]"
        )
    for overlap in found.overlaps:
        session.tell(
            f"{overlap.first} and {overlap.second} both write {overlap.keyword} in {overlap.studies:,} studies"
        )
    for value in found.unmapped:
        session.tell(f"{value.rule} has no entry for {value.keyword} {value.value} ({value.studies:,} studies)")


def _rows(folder: Path) -> Iterator[dict[str, Any]]:
    """Crawled attributes of each study, identity joined batch by batch."""
    from migrate.manifest.read import batches, rows_of_studies

    for columns in batches(folder, "studies", list(COLUMNS)):
        names = ("study_instance_uid", *IDENTITY)
        identities = rows_of_studies(folder, "identities", columns["study_instance_uid"], list(names))
        known = {
            values[0]: dict(zip(names[1:], values[1:], strict=True))
            for values in zip(*identities.values(), strict=True)
        }
        for values in zip(*columns.values(), strict=True):
            row = dict(zip(columns, values, strict=True))
            yield {**row, **known.get(row["study_instance_uid"], {}), "facility": row["institution_name"] or ""}
