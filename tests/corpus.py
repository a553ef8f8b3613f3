"""The corpus of real objects: which files there are and what is known about each."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"


@dataclass(frozen=True, kw_only=True)
class CorpusObject:
    """One file and its row of INDEX.csv (columns: its header line; an empty cell is an empty string)."""

    path: Path
    row: Mapping[str, str]

    @property
    def study_instance_uid(self) -> str:
        """From the data set."""
        return self.row["study_uid"]

    @property
    def sop_instance_uid(self) -> str:
        """From the data set, not from the file meta."""
        return self.row["sop_uid"]

    @property
    def plain(self) -> bool:
        """Uncompressed, its UID is its own, and Orthanc took it by REST and by C-STORE."""
        return (
            self.row["ts_uid"] == EXPLICIT_VR_LITTLE_ENDIAN
            and self.row["rest_status"] == "Success"
            and self.row["cstore"] == "0x0000"
            and self.row["same_sop_uid_files"] == "1.0"
        )


def read_index(folder: Path) -> list[CorpusObject]:
    """All objects of a corpus folder in the order of INDEX.csv, which is the sorted order of paths."""
    with (folder / "INDEX.csv").open(newline="", encoding="utf-8") as lines:
        return [CorpusObject(path=folder / row["file"], row=row) for row in csv.DictReader(lines)]
