"""What the destination changed in what it was sent so far: a proposal of what it may be declared to coerce.

The probe set is what has been moved and read back, a few studies of a pilot for instance: nothing is
stored at a repository that others use, only to see what becomes of it. A person declares, not `assess`.
"""

from __future__ import annotations

from collections import Counter

from migrate.dicom.dictionary import keyword_of
from migrate.manifest.read import batches
from migrate.model import BY_CONTENT
from migrate.stages.assess.scene import Scene

TAG_LENGTH = 8
COLUMNS = ("method", "differs")
BULK = "bulk"


def coercions(scene: Scene) -> None:
    """Top-level tags that came back otherwise, from most to least often; objects with other pixels are no coercion."""
    tags, compared = Counter[str](), 0
    for part in batches(scene.assessment.run_folder, "verification", list(COLUMNS)):
        for method, differs in zip(*(part[name] for name in COLUMNS), strict=True):
            if method in BY_CONTENT:
                compared += 1
                tags.update(_coerced(differs or ()))
    found = [tag for tag, _ in sorted(tags.items(), key=lambda one: (-one[1], one[0]))]
    how = f"what came back of {compared:,} instances, without what is declared already"
    scene.learn("proposed_coercions", found if compared else None, how)
    if not compared:
        scene.ok(
            "coercions", "nothing was read back yet: move a few studies (migrate run --limit 20), then assess again"
        )
    elif not found:
        scene.ok("coercions", f"none in {compared:,} instances that were read back")
    else:
        told = ", ".join(f"{tag} {keyword_of(int(tag, 16))} in {tags[tag]:,}" for tag in found)
        declared = sorted({*scene.config.destination.coercions, *found})
        hint = f"where that is agreed, declare it in [destination]: coercions = {declared}; else it stays DEST_COERCED"
        scene.warn(
            "coercions", f"it changed, of {compared:,} instances that were read back: {told}", hint.replace("'", '"')
        )


def _coerced(differs: list[str] | tuple[()]) -> set[str]:
    """The tags of one comparison; none where the pixels differ, or where nobody could say which tags."""
    if BULK in differs:
        return set()
    return {path[:TAG_LENGTH] for path in differs if len(path) >= TAG_LENGTH and _is_tag(path[:TAG_LENGTH])}


def _is_tag(text: str) -> bool:
    return all(digit in "0123456789ABCDEF" for digit in text)
