"""Real DICOM peers for the tests: Orthanc and DCMTK, started on free loopback ports and stopped again."""
