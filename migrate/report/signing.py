"""The digests of the final tables in one file, and whoever signs it.

Our digests find accidents. Against a forger only a signature helps, made with a key that is not
ours: the signer is a command of the site (GnuPG, minisign, a timestamping service), which gets the
path of the file as its last argument and leaves its signature beside it.
"""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

from migrate.dicom.digest import xxh3
from migrate.errors import ConfigError, LocalError
from migrate.report.digests import digests
from migrate.report.run import open_run
from migrate.report.tables import write_text

FILE_NAME = "digests.txt"
TIMEOUT_S = 300


def write_digests(run_folder: Path) -> Path:
    """`reports/digests.txt`: one line for each table, `<xxh3_128>  <table>`, and one for all lines before it.

    Raises:
        ManifestDamaged, LocalError: A table cannot be read, or the file cannot be written.
    """
    lines = "".join(f"{one.xxh3}  {one.table}\n" for one in digests(open_run(run_folder)))
    return write_text(run_folder / "reports" / FILE_NAME, f"{lines}{xxh3(lines.encode())}  all of the above\n")


def sign(path: Path, command: str) -> None:
    """Let an external signer sign a file; its output is kept from logs, its exit status counts.

    Raises:
        ConfigError: The command cannot be read or started.
        LocalError: It failed or did not end in five minutes.
    """
    try:
        words = shlex.split(command)
        done = subprocess.run(  # noqa: S603 - the site's own command, without a shell
            [*words, str(path)], cwd=path.parent, capture_output=True, timeout=TIMEOUT_S, check=False
        )
    except (ValueError, OSError) as error:
        hint = "see [acceptance] sign_with: a program and its arguments; the file's path is added"
        raise ConfigError("the signer cannot be started", hint, reason=type(error).__name__) from None
    except subprocess.TimeoutExpired:
        raise LocalError("the signer did not end", "does it wait for a pass phrase?", after_s=TIMEOUT_S) from None
    if done.returncode:
        raise LocalError("the signer failed", "run it by hand to see why", signer=words[0], exit=done.returncode)
