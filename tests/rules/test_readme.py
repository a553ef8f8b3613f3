"""manifests/rules/README.md and the code say the same."""

from __future__ import annotations

from pathlib import Path

from migrate.resources import manifests_folder
from migrate.rules import packs
from migrate.rules.conditions import CONDITIONS
from migrate.rules.table import RULES
from tests.rules.examples import EXAMPLES, write_crosswalk
from tests.rules.kit import one_rule

README = manifests_folder() / "rules" / "README.md"


def table(folder: Path) -> str:
    """The table of kinds as the README shows it."""
    write_crosswalk(folder)
    rows = ["| kind | parameters | for instance |", "|---|---|---|"]
    for kind, rule in RULES.items():
        fields = rule.values.model_fields.items()
        needed = [f"`{field.alias or name}`" for name, field in fields if field.is_required()]
        others = [f"{field.alias or name}" for name, field in fields if not field.is_required()]
        sentence = one_rule(folder, f'kind = "{kind}"\n{EXAMPLES[kind]}').rules[0].sentence
        rows.append(f"| `{kind}` | {', '.join([*needed, *others]) or 'none'} | {sentence} |")
    return "\n".join(rows)


def test_the_readme_shows_every_kind_of_rule_with_its_parameters_and_its_sentence(tmp_path: Path) -> None:
    assert table(tmp_path) in README.read_text(encoding="utf-8")


def test_the_readme_names_every_condition_and_every_pack() -> None:
    text = README.read_text(encoding="utf-8")
    named = [*CONDITIONS, *packs.shipped()]
    assert [name for name in named if f"`{name}`" not in text] == []


def test_the_readme_s_example_pack_loads(tmp_path: Path) -> None:
    text = README.read_text(encoding="utf-8").split("```toml\n")[1].split("```")[0]
    (tmp_path / "fha.toml").write_text(text, encoding="utf-8")
    loaded = packs.load(["fha.toml"], {"fha_oid": "1.2.3"}, tmp_path)
    assert [bound.name for bound in loaded][-2:] == ["issuer", "old_station"]
