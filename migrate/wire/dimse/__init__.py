"""DICOM upper layer and DIMSE (PS3.7, PS3.8): our own stack, and pynetdicom behind the same surface."""
