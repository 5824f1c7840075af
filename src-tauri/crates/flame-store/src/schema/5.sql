-- Format 5. States of runs after so many records, so that reading a long journal can begin near its end.
CREATE TABLE snapshots (
  id INTEGER PRIMARY KEY,
  run BLOB NOT NULL,
  sequence INTEGER NOT NULL,
  state BLOB NOT NULL
);
CREATE UNIQUE INDEX snapshots_by_run ON snapshots (run, sequence);
