"""Schedules stages over studies on Dask; retries, throttles, quarantines; alone writes the journal."""
