"""Who did what with whose studies: DICOM audit messages (PS3.15 A.5) in files, and by syslog over TLS."""
