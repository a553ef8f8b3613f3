"""From which real files the demo's studies are made, and the synthetic people they belong to."""

from __future__ import annotations

from dataclasses import dataclass

_DX = "1.2.840.10008.5.1.4.1.1.1.1"
_MG = "1.2.840.10008.5.1.4.1.1.1.2"
_PT = "1.2.840.10008.5.1.4.1.1.128"
_CR_FILES = ("dicomdirtests/77654033/CR1/6154", "dicomdirtests/77654033/CR2/6247", "dicomdirtests/77654033/CR3/6278")


@dataclass(frozen=True, slots=True)
class SeriesRecipe:
    """One series: real files of pydicom's, repeated in turn up to `instances`.

    `modality` and `sop_class_uid` replace the file's own where no real file of that kind is
    shipped; None keeps them.
    """

    files: tuple[str, ...]
    instances: int
    modality: str | None = None
    sop_class_uid: str | None = None


@dataclass(frozen=True, slots=True)
class StudyRecipe:
    """One kind of study."""

    description: str
    series: tuple[SeriesRecipe, ...]


#: In the order in which studies take them; each names files that lie in pydicom's own wheel.
RECIPES: tuple[StudyRecipe, ...] = (
    StudyRecipe("CT HEAD", (SeriesRecipe(("CT_small.dcm",), 3),)),
    StudyRecipe("MR KNEE", (SeriesRecipe(("MR_small.dcm",), 3), SeriesRecipe(("MR_small_RLE.dcm",), 2))),
    StudyRecipe("CHEST PA AND LATERAL", (SeriesRecipe(_CR_FILES, 2),)),
    StudyRecipe("WRIST", (SeriesRecipe(_CR_FILES, 2, "DX", _DX),)),
    StudyRecipe("US ABDOMEN", (SeriesRecipe(("ExplVR_BigEnd.dcm",), 3),)),
    StudyRecipe("SCREENING MAMMOGRAPHY", (SeriesRecipe(_CR_FILES, 4, "MG", _MG),)),
    StudyRecipe("MR SPINE", (SeriesRecipe(("MR_small_implicit.dcm", "MR_small_bigendian.dcm"), 4),)),
    StudyRecipe(
        "PET CT",
        (SeriesRecipe(("CT_small.dcm",), 2, "PT", _PT), SeriesRecipe(("dicomdirtests/77654033/CT2/17136",), 2)),
    ),
    StudyRecipe("CT CHEST J2K", (SeriesRecipe(("693_J2KI.dcm",), 3), SeriesRecipe(("reportsi.dcm",), 1))),
    StudyRecipe("RADIOTHERAPY PLAN", (SeriesRecipe(("rtplan.dcm",), 1), SeriesRecipe(("rtdose_rle.dcm",), 1))),
    StudyRecipe("MR BRAIN", (SeriesRecipe(("MR_small_jpeg_ls_lossless.dcm", "MR_small_jp2klossless.dcm"), 4),)),
    StudyRecipe("US THYROID", (SeriesRecipe(("examples_jpeg2k.dcm",), 1), SeriesRecipe(("test-SR.dcm",), 1))),
    StudyRecipe("BONE SCAN", (SeriesRecipe(("JPEG-lossy.dcm", "JPEG2000.dcm"), 2),)),
    StudyRecipe("CLINICAL PHOTOGRAPHS", (SeriesRecipe(("SC_rgb_jpeg_dcmtk.dcm", "SC_rgb_rle.dcm"), 3),)),
    StudyRecipe("SCANNED REQUEST", (SeriesRecipe(("image_dfl.dcm",), 1),)),
    StudyRecipe("SECONDARY CAPTURE", (SeriesRecipe(("SC_rgb_jpeg_gdcm.dcm", "SC_rgb_gdcm_KY.dcm"), 3),)),
)

#: (SpecificCharacterSet values, PatientName) - nobody's names.
PEOPLE: tuple[tuple[tuple[str, ...], str], ...] = (
    ((), "SAMPLE^ALPHA"),
    ((), "SPECIMEN^BETA^Q"),
    (("ISO_IR 100",), "MÜSTER^ÉVA"),
    (("ISO_IR 100",), "EXAMPLE^GAMMA"),
    (("ISO_IR 192",), "PRØVE^ŁUCJA"),
    (("ISO_IR 192",), "TËST^NINGÚN"),
    (("", "ISO 2022 IR 87"), "MIHON^HANAKO=見本^花子=みほん^はなこ"),
    ((), "UNDECLARED^RENÉ"),
    ((), "DEMO^DELTA"),
    (("ISO_IR 192",), "ОБРАЗЕЦ^ВЕРА"),  # noqa: RUF001 - Cyrillic on purpose
)

#: "" is a study without InstitutionName.
FACILITIES: tuple[str, ...] = (
    "NORTH VALLEY HOSPITAL",
    "HARBOUR GENERAL",
    "LAKESIDE CLINIC",
    "RIVER IMAGING CENTRE",
    "",
)
