"""One journal per run folder: events appended, a current row beside them (SQLite, WAL, FULL)."""
