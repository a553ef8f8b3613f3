"""The engine, its stages and its journal, tested without the crawler: the manifests are seeded by hand."""
