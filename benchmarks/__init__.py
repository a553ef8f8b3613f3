"""Measurements against the peers, each in one run with interleaved rounds: `make bench`."""
