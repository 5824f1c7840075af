-- Format 3. Large payloads, once each by their SHA-256; journals and runs hold where they go.
CREATE TABLE blobs (
  id INTEGER PRIMARY KEY,
  hash BLOB NOT NULL UNIQUE,
  body BLOB NOT NULL
);

-- Who needs a blob: a batch of a journal by its first record, or a run's input (-1) or output (-2).
CREATE TABLE blob_uses (
  run BLOB NOT NULL,
  place INTEGER NOT NULL,
  hash BLOB NOT NULL,
  PRIMARY KEY (run, place, hash)
) WITHOUT ROWID;
CREATE INDEX blob_uses_by_hash ON blob_uses (hash);
