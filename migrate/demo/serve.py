"""One embedded peer as a process: `python -m migrate.demo.serve CONFIG.json`.

CONFIG.json holds `PeerOptions.to_mapping()`. Prints `{"port": …}` when it listens; stops on
SIGTERM, on SIGINT, and when its standard input closes (so that it never outlives its parent).
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path

from migrate.demo.pacs import EmbeddedPeer, PeerOptions
from migrate.errors import ConfigError, MigrateError


def main(arguments: list[str]) -> int:
    """Run until told to stop; the exit code of `migrate.errors` when it cannot start."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        with EmbeddedPeer(_options(arguments)) as peer:
            sys.stdout.write(json.dumps({"port": peer.port}) + "\n")
            sys.stdout.flush()
            threading.Thread(target=_watch_stdin, args=(stop,), daemon=True).start()
            stop.wait()
    except MigrateError as error:
        sys.stderr.write(f"error: {error}\nhint: {error.hint}\n")
        return error.exit_code
    return 0


def _options(arguments: list[str]) -> PeerOptions:
    if len(arguments) != 1:
        raise ConfigError("one argument is needed", "python -m migrate.demo.serve CONFIG.json")
    try:
        return PeerOptions.from_mapping(json.loads(Path(arguments[0]).read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise ConfigError("the configuration cannot be read", path=arguments[0], why=error) from error


def _watch_stdin(stop: threading.Event) -> None:
    while os.read(0, 4096):
        continue
    stop.set()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
