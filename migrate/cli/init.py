"""`migrate init DIR`: a run folder with a commented migration.toml."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from migrate.cli.app import Session, app
from migrate.errors import ConfigError


@app.command()
def init(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The run folder to make.")],
    from_sample: Annotated[bool, typer.Option(help="Fill it for the peers of the demo.")] = False,
) -> None:
    """Make a run folder with a commented migration.toml; never overwrites one."""
    session: Session = ctx.obj
    path = write_config(folder, sample=from_sample)
    session.tell(
        f"wrote {path}\nnext: fill in [source], [receiver], [destination], then: migrate --run {folder} assess"
    )
    session.result({"run_folder": str(folder), "config": str(path)})


def write_config(folder: Path, *, sample: bool = False) -> Path:
    """Copy the example configuration into a new run folder.

    Raises:
        ConfigError: There is one already, or the folder cannot be written.
    """
    from migrate.config import FILE_NAME
    from migrate.resources import manifests_folder

    path = folder / FILE_NAME
    text = (manifests_folder() / "migration.example.toml").read_text(encoding="utf-8")
    if sample:
        for before, after in SAMPLE.items():
            text = text.replace(before, after)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ConfigError("there is a run folder already", "edit it, or choose another DIR", file=path) from None
    except OSError as error:
        raise ConfigError("the run folder cannot be made", file=path, reason=error.strerror) from None
    return path


SAMPLE = {
    'name = "my-migration"': 'name = "demo"',
    'source = "MYSITE"': 'source = "DEMO"',
    "port = 104 # source": "port = 14242 # source",
    "port = 104 # destination": "port = 14243 # destination",
    "reserve_gb = 5": "reserve_gb = 0.1",
}
