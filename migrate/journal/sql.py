"""All SQL of the journal, each statement with the reason it exists."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (
  key TEXT PRIMARY KEY, value TEXT NOT NULL, digest INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS events (
  seq INTEGER PRIMARY KEY, at TEXT NOT NULL, study_instance_uid TEXT NOT NULL,
  kind TEXT NOT NULL, payload TEXT NOT NULL, chain TEXT NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS events_of_study ON events (study_instance_uid, seq);
CREATE TABLE IF NOT EXISTS studies (
  study_instance_uid TEXT PRIMARY KEY, state TEXT NOT NULL, rank INTEGER NOT NULL DEFAULT 0,
  round INTEGER NOT NULL DEFAULT 1, attempts INTEGER NOT NULL DEFAULT 0, setbacks INTEGER NOT NULL DEFAULT 0,
  next_at REAL NOT NULL DEFAULT 0, doubtful INTEGER NOT NULL DEFAULT 0,
  modified_at TEXT NOT NULL DEFAULT '', exception_class TEXT, detail TEXT,
  updated_at TEXT NOT NULL, flushed INTEGER NOT NULL DEFAULT 1,
  digest INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS studies_by_state ON studies (state, rank);
CREATE INDEX IF NOT EXISTS studies_to_flush ON studies (flushed) WHERE flushed = 0;
CREATE TABLE IF NOT EXISTS instances (
  study_instance_uid TEXT NOT NULL, series_instance_uid TEXT NOT NULL, sop_instance_uid TEXT NOT NULL,
  sop_class_uid TEXT NOT NULL, transfer_syntax_uid TEXT NOT NULL, size_bytes INTEGER NOT NULL,
  wire_xxh3 TEXT NOT NULL, bulk_xxh3 TEXT, dataset_xxh3 TEXT NOT NULL, received_at TEXT NOT NULL,
  attempt INTEGER NOT NULL, state TEXT NOT NULL, sent_dataset_xxh3 TEXT, changes TEXT,
  status INTEGER, warning TEXT, error_comment TEXT, sent_transfer_syntax_uid TEXT, sent_wire_xxh3 TEXT, sent_at TEXT,
  method TEXT, outcome TEXT, differs TEXT, verified_at TEXT, detail TEXT,
  flushed INTEGER NOT NULL DEFAULT 0, committed_at TEXT, census TEXT, held_census TEXT, held_dataset_xxh3 TEXT,
  pixels_xxh3 TEXT, digest INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (study_instance_uid, sop_instance_uid, wire_xxh3)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS lost (
  study_instance_uid TEXT NOT NULL, sop_instance_uid TEXT NOT NULL, bulk_xxh3 TEXT, dataset_xxh3 TEXT NOT NULL,
  digest INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (study_instance_uid, sop_instance_uid)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS exceptions (
  study_instance_uid TEXT NOT NULL, level TEXT NOT NULL, uid TEXT NOT NULL, exception_class TEXT NOT NULL,
  detail TEXT NOT NULL, first_seen_at TEXT NOT NULL, owner TEXT, due TEXT,
  disposition TEXT NOT NULL DEFAULT 'open', reason TEXT, by TEXT, at TEXT, digest INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (study_instance_uid, uid, exception_class)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS commitments (
  transaction_uid TEXT PRIMARY KEY, study_instance_uid TEXT NOT NULL, asked_at TEXT NOT NULL,
  digest INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS commitments_of_study ON commitments (study_instance_uid);
CREATE TABLE IF NOT EXISTS runs (
  run_id INTEGER PRIMARY KEY, at TEXT NOT NULL, operator TEXT NOT NULL, os_user TEXT NOT NULL, stages TEXT NOT NULL,
  version TEXT NOT NULL, packs TEXT NOT NULL, digest INTEGER NOT NULL DEFAULT 0) STRICT;
"""

# --- what format 1 had not
HAS_COLUMN = "SELECT count(*) FROM pragma_table_info(?) WHERE name = ?"
ADD_COLUMN = "ALTER TABLE instances ADD COLUMN {} TEXT"
LATE_COLUMNS = ("committed_at", "census", "held_census", "held_dataset_xxh3", "pixels_xxh3")

# --- meta: the format version, the owner's epoch, the end of the chain
GET_META = "SELECT value FROM meta WHERE key = ?"
SET_META = "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"

# --- events
ADD_EVENT = "INSERT INTO events (at, study_instance_uid, kind, payload, chain) VALUES (?, ?, ?, ?, ?)"
ALL_EVENTS = "SELECT seq, at, study_instance_uid, kind, payload, chain FROM events ORDER BY seq"
LAST_LINKS = """SELECT seq, at, study_instance_uid, kind, payload, chain FROM events ORDER BY seq DESC LIMIT ?"""
LAST_SEQ = "SELECT coalesce(max(seq), 0) FROM events"
KINDS_BY_STUDY = "SELECT study_instance_uid, kind FROM events ORDER BY study_instance_uid, seq"
STATES_BY_STUDY = "SELECT study_instance_uid, state FROM studies ORDER BY study_instance_uid"
LAST_EVENTS = "SELECT at, study_instance_uid, kind, payload FROM events ORDER BY seq DESC LIMIT ?"
STORY = "SELECT at, kind, payload FROM events WHERE study_instance_uid = ? ORDER BY seq"

# --- studies: the current row
GET_STUDY = "SELECT state FROM studies WHERE study_instance_uid = ?"
GET_PLAN = "SELECT rank, modified_at FROM studies WHERE study_instance_uid = ?"
ADD_STUDY = "INSERT INTO studies (study_instance_uid, state, updated_at) VALUES (?, ?, ?)"
SET_STATE = "UPDATE studies SET state = ?, updated_at = ? WHERE study_instance_uid = ? AND state IS ?"
SET_ROUND = "UPDATE studies SET round = ? WHERE study_instance_uid = ?"
NEXT_ROUND = "UPDATE studies SET round = round + 1 WHERE study_instance_uid = ?"
# A study that goes round again keeps the time of its first plan: unchanged content gives the same bytes.
SET_PLAN = """UPDATE studies SET rank = ?, modified_at = iif(modified_at = '', ?, modified_at),
  attempts = 0, setbacks = 0, next_at = 0 WHERE study_instance_uid = ?"""
SET_ATTEMPT = "UPDATE studies SET attempts = attempts + 1, next_at = ?, detail = ? WHERE study_instance_uid = ?"
# A study that was set back begins each stage with so many attempts spent: no endless round.
CLEAR_ATTEMPTS = "UPDATE studies SET attempts = setbacks, next_at = 0, detail = NULL WHERE study_instance_uid = ?"
SET_BACK = """UPDATE studies SET setbacks = setbacks + 1, attempts = setbacks + 1, next_at = 0, detail = ?
  WHERE study_instance_uid = ?"""
FORGIVE = """UPDATE studies SET attempts = 0, setbacks = 0, next_at = 0, detail = NULL, exception_class = NULL
  WHERE study_instance_uid = ?"""
SET_DOUBTFUL = "UPDATE studies SET doubtful = ? WHERE study_instance_uid = ?"
HOLD_BACK = "UPDATE studies SET next_at = max(next_at, ?) WHERE state = 'NORMALIZED' AND doubtful = 1"
SET_EXCEPTION = "UPDATE studies SET exception_class = ?, detail = ? WHERE study_instance_uid = ?"
SET_FLUSHED = "UPDATE studies SET flushed = ? WHERE study_instance_uid = ?"
TO_FLUSH = """SELECT study_instance_uid, state FROM studies
  WHERE flushed = 0 AND state IN ('VERIFIED', 'QUARANTINED') ORDER BY study_instance_uid LIMIT ?"""
# No wait is an hour long: whatever should wait for longer was dated before the clock was set back.
READY = """SELECT study_instance_uid, round, attempts, next_at, doubtful, modified_at FROM studies
  WHERE state = ?1 AND (next_at <= ?2 OR next_at > ?2 + 3600) ORDER BY rank, study_instance_uid LIMIT ?3"""
READY_OF = """SELECT study_instance_uid, round, attempts, next_at, doubtful, modified_at FROM studies
  WHERE study_instance_uid = ?1 AND state = ?2 AND (next_at <= ?3 OR next_at > ?3 + 3600)"""
COUNT_STATES = "SELECT state, count(*) FROM studies GROUP BY state"
COUNT_CLASSES = "SELECT exception_class, count(*) FROM studies WHERE state = 'QUARANTINED' GROUP BY exception_class"
STUDY_STATES = """SELECT study_instance_uid, state, exception_class, detail, attempts, updated_at
  FROM studies ORDER BY study_instance_uid"""

# --- instances, while their study is in flight
ADD_INSTANCE = """INSERT INTO instances (study_instance_uid, series_instance_uid, sop_instance_uid, sop_class_uid,
  transfer_syntax_uid, size_bytes, wire_xxh3, bulk_xxh3, dataset_xxh3, received_at, attempt, state)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'STAGED') ON CONFLICT DO NOTHING"""
INSTANCES = "SELECT * FROM instances WHERE study_instance_uid = ? ORDER BY sop_instance_uid, wire_xxh3"
CHANGED_OBJECTS = """SELECT i.study_instance_uid, i.sop_instance_uid, i.wire_xxh3, i.dataset_xxh3, i.changes,
  s.modified_at FROM instances i JOIN studies s USING (study_instance_uid) WHERE i.changes IS NOT NULL AND i.flushed = 0
  ORDER BY i.wire_xxh3"""
STAGED_OBJECTS = """SELECT i.study_instance_uid, i.sop_instance_uid, i.wire_xxh3, i.transfer_syntax_uid, i.dataset_xxh3,
  i.sent_dataset_xxh3, i.changes, s.modified_at FROM instances i JOIN studies s USING (study_instance_uid)
  WHERE i.study_instance_uid = ? OR i.sop_instance_uid = ? ORDER BY i.sop_instance_uid, i.attempt DESC"""
INSTANCE_FILES = "SELECT study_instance_uid, sop_instance_uid, wire_xxh3, size_bytes, state FROM instances"
SET_INSTANCE = "UPDATE instances SET state = ? WHERE study_instance_uid = ? AND sop_instance_uid = ?"
SET_DECODED = "UPDATE instances SET pixels_xxh3 = ? WHERE study_instance_uid = ? AND sop_instance_uid = ?"
SET_PREPARED = """UPDATE instances SET state = 'READY', sent_dataset_xxh3 = ?, changes = ?, census = ?
  WHERE study_instance_uid = ? AND sop_instance_uid = ? AND state <> 'QUARANTINED'"""
SET_SENDING = "UPDATE instances SET state = 'SENDING' WHERE study_instance_uid = ? AND state = 'READY'"
SET_STORED = """UPDATE instances SET state = ?, status = ?, warning = ?, error_comment = ?,
  sent_transfer_syntax_uid = ?, sent_wire_xxh3 = ?, sent_at = ? WHERE study_instance_uid = ? AND sop_instance_uid = ?"""
SET_CHECKED = """UPDATE instances SET state = ?, method = ?, outcome = ?, differs = ?, verified_at = ?, detail = ?,
  held_census = ?, held_dataset_xxh3 = ? WHERE study_instance_uid = ? AND sop_instance_uid = ?"""
DROP_INSTANCE = "DELETE FROM instances WHERE study_instance_uid = ? AND sop_instance_uid = ?"
DROP_UNVERIFIED = "DELETE FROM instances WHERE study_instance_uid = ? AND state <> 'VERIFIED'"
DROP_INSTANCES = "DELETE FROM instances WHERE study_instance_uid = ?"
# What rules changed is in the tables now: patients' values stay in none but theirs. A retry works it out again.
KEEP_FLUSHED = "UPDATE instances SET flushed = 1, changes = NULL WHERE study_instance_uid = ?"
COUNT_INSTANCES = """SELECT count(*), coalesce(sum(size_bytes), 0), coalesce(sum(sent_at IS NOT NULL), 0),
  coalesce(sum(CASE WHEN sent_at IS NOT NULL THEN size_bytes END), 0), coalesce(sum(state = 'VERIFIED'), 0),
  coalesce(sum(CASE WHEN state = 'VERIFIED' THEN size_bytes END), 0) FROM instances WHERE flushed = 0"""

# --- lost: what was received once and must be fetched again, until it has come: is it the same object then?
REMEMBER_LOST = """INSERT INTO lost (study_instance_uid, sop_instance_uid, bulk_xxh3, dataset_xxh3)
  SELECT study_instance_uid, sop_instance_uid, bulk_xxh3, dataset_xxh3 FROM instances
  WHERE study_instance_uid = ? AND sop_instance_uid = ? ON CONFLICT DO NOTHING"""
REMEMBER_UNVERIFIED = """INSERT INTO lost (study_instance_uid, sop_instance_uid, bulk_xxh3, dataset_xxh3)
  SELECT study_instance_uid, sop_instance_uid, bulk_xxh3, dataset_xxh3 FROM instances
  WHERE study_instance_uid = ? AND state <> 'VERIFIED' ON CONFLICT DO NOTHING"""
CAME_AGAIN = """SELECT i.sop_instance_uid, i.dataset_xxh3 IS NOT l.dataset_xxh3, i.bulk_xxh3 IS NOT l.bulk_xxh3
  FROM lost l JOIN instances i USING (study_instance_uid, sop_instance_uid) WHERE l.study_instance_uid = ?"""
FORGET_LOST = "DELETE FROM lost WHERE study_instance_uid = ? AND sop_instance_uid = ?"

SET_COMMITTED = "UPDATE instances SET committed_at = ? WHERE study_instance_uid = ? AND sop_instance_uid = ?"
FORGET_COMMITTED = """UPDATE instances SET committed_at = NULL
  WHERE study_instance_uid = ? AND committed_at IS NOT NULL AND state <> 'VERIFIED'"""

# --- commitments: transactions that an answer may still come for
ADD_COMMITMENT = "INSERT INTO commitments (transaction_uid, study_instance_uid, asked_at) VALUES (?, ?, ?)"
COMMITMENTS = "SELECT transaction_uid FROM commitments WHERE study_instance_uid = ? ORDER BY asked_at, transaction_uid"
DROP_COMMITMENTS = "DELETE FROM commitments WHERE study_instance_uid = ?"

# --- exceptions: the register; a row is never deleted
ADD_EXCEPTION = """INSERT INTO exceptions (study_instance_uid, level, uid, exception_class, detail, first_seen_at)
  VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (study_instance_uid, uid, exception_class)
  DO UPDATE SET detail = excluded.detail, disposition = 'open'"""
NOTE_EXCEPTION = """INSERT INTO exceptions (study_instance_uid, level, uid, exception_class, detail, first_seen_at,
  disposition) VALUES (?, ?, ?, ?, ?, ?, 'noted') ON CONFLICT DO NOTHING"""
OPEN_EXCEPTIONS = """SELECT exception_class, level, uid, detail FROM exceptions
  WHERE study_instance_uid = ? AND disposition = 'open' ORDER BY uid"""
DISPOSE = """UPDATE exceptions SET disposition = ?, reason = ?, by = ?, at = ?
  WHERE study_instance_uid = ? AND disposition = 'open'"""
# What was sent round again and is verified now is fixed, and so is what nobody had decided about.
FIX = """UPDATE exceptions SET disposition = 'fixed', reason = ?, by = ?, at = ?
  WHERE study_instance_uid = ? AND disposition IN ('open', 'retry')"""
ASSIGN = """UPDATE exceptions SET owner = nullif(?, ''), due = nullif(?, '')
  WHERE study_instance_uid = ? AND uid = ? AND exception_class = ?"""
NEWEST_EXCEPTIONS = """SELECT first_seen_at AS at, exception_class, level, uid, detail FROM exceptions
  WHERE disposition = 'open' ORDER BY first_seen_at DESC, uid LIMIT ?"""
ALL_EXCEPTIONS = """SELECT study_instance_uid, level, uid, exception_class, detail, first_seen_at, owner, due,
  disposition, reason, by, at FROM exceptions ORDER BY first_seen_at, study_instance_uid, uid"""

# --- runs: who ran what, with which version and rule packs; a row is never changed
HAS_RUNS = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'runs'"
ADD_RUN = "INSERT INTO runs (at, operator, os_user, stages, version, packs) VALUES (?, ?, ?, ?, ?, ?)"
ALL_RUNS = "SELECT at, operator, os_user, stages, version, packs FROM runs ORDER BY run_id"
