-- Format 1. Instants are microseconds since 1970; ids are 16 bytes.
CREATE TABLE runs (
  id BLOB PRIMARY KEY,
  namespace TEXT NOT NULL,
  name TEXT NOT NULL,
  version TEXT NOT NULL,
  hash TEXT NOT NULL,
  started_by TEXT NOT NULL,
  subject TEXT,
  replay_of BLOB,
  replay_task TEXT,
  created INTEGER NOT NULL,
  status TEXT NOT NULL,
  task TEXT,
  updated INTEGER NOT NULL,
  ended INTEGER,
  wakes INTEGER,
  -- Payloads stand last: lists stop reading a row before them.
  error BLOB,
  output BLOB,
  input BLOB NOT NULL
);
CREATE INDEX runs_by_status ON runs (status, id);
CREATE INDEX runs_by_workflow ON runs (namespace, name, version, id);

-- One row per batch: the records that one commit added to one run.
CREATE TABLE journal (
  run BLOB NOT NULL,
  first INTEGER NOT NULL,
  count INTEGER NOT NULL,
  records BLOB NOT NULL
);
CREATE UNIQUE INDEX journal_by_run ON journal (run, first, count);

CREATE TABLE idempotency (
  scope TEXT NOT NULL,
  key TEXT NOT NULL,
  body_hash BLOB NOT NULL,
  run BLOB NOT NULL,
  created INTEGER NOT NULL,
  PRIMARY KEY (scope, key)
) WITHOUT ROWID;

CREATE TABLE definitions (
  kind TEXT NOT NULL,
  namespace TEXT NOT NULL,
  name TEXT NOT NULL,
  version TEXT NOT NULL,
  hash TEXT NOT NULL,
  updated INTEGER NOT NULL,
  detail TEXT NOT NULL,
  PRIMARY KEY (kind, namespace, name, version)
) WITHOUT ROWID;

-- Texts outlive the address they were deployed at: runs are pinned to a hash.
CREATE TABLE definition_texts (
  kind TEXT NOT NULL,
  hash TEXT NOT NULL,
  content_type TEXT NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (kind, hash)
);

CREATE TABLE events (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  run BLOB,
  type TEXT NOT NULL,
  source TEXT NOT NULL,
  time INTEGER NOT NULL,
  body BLOB NOT NULL
);
CREATE INDEX events_by_run ON events (run, sequence);
CREATE INDEX events_by_type ON events (type, sequence);

CREATE TABLE dead_letters (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  origin TEXT NOT NULL,
  content_type TEXT NOT NULL,
  error TEXT NOT NULL,
  detail TEXT NOT NULL,
  state TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  created INTEGER NOT NULL,
  updated INTEGER NOT NULL,
  payload BLOB NOT NULL,
  original BLOB NOT NULL
);
CREATE INDEX dead_letters_by_state ON dead_letters (state, id);
CREATE INDEX dead_letters_by_origin ON dead_letters (origin, id);

CREATE TABLE feeds (
  pipeline TEXT NOT NULL,
  source TEXT NOT NULL,
  offset INTEGER NOT NULL,
  records INTEGER NOT NULL,
  dead INTEGER NOT NULL,
  complete INTEGER NOT NULL,
  detail TEXT NOT NULL,
  updated INTEGER NOT NULL,
  PRIMARY KEY (pipeline, source)
) WITHOUT ROWID;

CREATE TABLE schedules (
  kind TEXT NOT NULL,
  namespace TEXT NOT NULL,
  name TEXT NOT NULL,
  version TEXT NOT NULL,
  next INTEGER NOT NULL,
  last INTEGER,
  PRIMARY KEY (kind, namespace, name, version)
) WITHOUT ROWID;

-- What the writer touches to find out whether it can write again.
CREATE TABLE probe (id INTEGER PRIMARY KEY CHECK (id = 0), at INTEGER NOT NULL);
