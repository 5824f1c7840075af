-- Format 4. Runs can be deleted.
CREATE INDEX idempotency_by_run ON idempotency (run);

-- Deleted runs whose journals are not all gone yet.
CREATE TABLE remains (run BLOB PRIMARY KEY) WITHOUT ROWID;
