"""The manifests: Parquet tables of a run folder, written whole or not at all, readable by everybody."""
