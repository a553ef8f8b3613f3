"""Protocols on the wire: DIMSE, DICOMweb and DICOM files. Nothing here knows about migrations."""
