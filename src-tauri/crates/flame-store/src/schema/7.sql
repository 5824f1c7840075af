-- Format 7. Runs that a task of another run started. A table of its own: most runs have no parent, and a column of
-- `runs` would stand behind the payloads.
CREATE TABLE children (
  run BLOB PRIMARY KEY,
  parent BLOB NOT NULL,
  -- JSON pointer of the task.
  task TEXT NOT NULL,
  -- Whether the task waits for the run's end.
  awaited INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX children_by_parent ON children (parent, run);
