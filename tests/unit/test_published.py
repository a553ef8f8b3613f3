"""Our way to the Standard's tables and pydicom's own agree on everything."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pydicom import datadict
from pydicom._dicom_dict import DicomDictionary, RepeatersDictionary
from pydicom._uid_dict import UID_dictionary

from migrate.dicom import published
from migrate.dicom.dictionary import keyword_of, tag_of


def test_every_element_and_uid_is_the_one_of_pydicom() -> None:
    # Ours in theirs: whoever uses pydicom may add to its tables.
    assert published.ELEMENTS.items() <= DicomDictionary.items()
    assert published.KEYWORDS.items() <= datadict.keyword_dict.items()
    assert published.UIDS.items() <= UID_dictionary.items()
    assert (len(published.ELEMENTS), len(published.UIDS)) > (5000, 400)


@pytest.mark.parametrize("digit", "0268ace")
def test_elements_of_repeating_groups_are_found_as_pydicom_finds_them(digit: str) -> None:
    for mask in RepeatersDictionary:
        tag = int(mask.replace("x", digit), 16)
        assert published.entry_of(tag) == datadict.get_entry(tag)
        assert keyword_of(tag) == datadict.keyword_for_tag(tag)


def test_a_private_or_unknown_tag_has_no_entry_and_no_keyword() -> None:
    assert [published.entry_of(tag) for tag in (0x00091001, 0x60011234, 0x0008FFFE)] == [None, None, None]
    assert keyword_of(0x00091001) == ""
    assert tag_of("NoSuchKeyword") is None


def test_a_worker_starts_without_what_it_does_not_need() -> None:
    heavy = ["pydicom", "pyarrow", "pandas", "numpy", "openpyxl", "sqlite3"]
    code = f"import sys, migrate.engine.place, migrate.stages; print([n for n in {heavy} if n in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
