"""All SQL of the crawl's part of the journal, each statement with the reason it exists."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS crawls (
  crawl_id TEXT PRIMARY KEY, terms TEXT NOT NULL, phase TEXT NOT NULL, started_at TEXT NOT NULL,
  finished_at TEXT, result TEXT,
  digest INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS windows (
  ordinal INTEGER PRIMARY KEY, window_id TEXT NOT NULL, parent TEXT, query TEXT NOT NULL,
  state TEXT NOT NULL, status INTEGER, matches INTEGER, studies INTEGER, capped INTEGER NOT NULL,
  closed INTEGER NOT NULL, proven INTEGER NOT NULL, why TEXT NOT NULL,
  strategy INTEGER NOT NULL, attempts INTEGER NOT NULL, started_at TEXT, finished_at TEXT,
  digest INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE INDEX IF NOT EXISTS windows_by_parent ON windows (parent);
CREATE INDEX IF NOT EXISTS windows_by_state ON windows (state);
CREATE TABLE IF NOT EXISTS crawl_parts (part TEXT PRIMARY KEY, row_count INTEGER NOT NULL,
  digest INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS crawl_listings (
  batch INTEGER PRIMARY KEY, series INTEGER NOT NULL, instances INTEGER NOT NULL, incomplete INTEGER NOT NULL,
  digest INTEGER NOT NULL DEFAULT 0) STRICT;
"""

# --- one crawl at a time; the rows of the crawl before go when a new one starts
FORGET = ("DELETE FROM windows", "DELETE FROM crawl_parts", "DELETE FROM crawl_listings")
ADD_CRAWL = "INSERT INTO crawls (crawl_id, terms, phase, started_at) VALUES (?, ?, 'sweep', ?)"
LATEST_CRAWL = "SELECT * FROM crawls ORDER BY crawl_id DESC LIMIT 1"
SET_PHASE = "UPDATE crawls SET phase = ?, result = ? WHERE crawl_id = ?"
DONE_TERMS = "SELECT * FROM crawls WHERE phase = 'done' ORDER BY crawl_id DESC"
FINISH_CRAWL = "UPDATE crawls SET phase = 'done', finished_at = ?, result = ? WHERE crawl_id = ?"

# --- windows: the row says all; a repeated row replaces the one before
PUT_WINDOW = """INSERT OR REPLACE INTO windows (
  ordinal, window_id, parent, query, state, status, matches, studies, capped, closed, proven, why, strategy, attempts,
  started_at, finished_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
DROP_WINDOW = "DELETE FROM windows WHERE ordinal = ?"
ALL_WINDOWS = "SELECT * FROM windows ORDER BY ordinal"
UNDECIDED = "SELECT * FROM windows WHERE state IN ('open', 'rest', 'split') ORDER BY ordinal"
BELOW = "SELECT * FROM windows WHERE parent = ? ORDER BY ordinal"
ADD_PART = "INSERT OR REPLACE INTO crawl_parts (part, row_count) VALUES (?, ?)"
ALL_PARTS = "SELECT * FROM crawl_parts ORDER BY part"

# --- listing: a batch is a range of the sorted studies
ADD_LISTING = "INSERT OR REPLACE INTO crawl_listings (batch, series, instances, incomplete) VALUES (?, ?, ?, ?)"
LISTED = "SELECT * FROM crawl_listings"
