-- Format 2. Events come from outside too, and are listened to.
ALTER TABLE events ADD COLUMN id TEXT;
-- What came from outside is told apart by source and id; what a run emits is never refused.
CREATE UNIQUE INDEX events_by_identity ON events (source, id) WHERE run IS NULL;

-- Where the event log ended when a task began to listen.
CREATE TABLE listeners (
  run BLOB NOT NULL,
  frame INTEGER NOT NULL,
  since INTEGER NOT NULL,
  PRIMARY KEY (run, frame)
) WITHOUT ROWID;

-- How far a workflow that events start has read the log, and what it has gathered for the next start.
CREATE TABLE subscriptions (
  namespace TEXT NOT NULL,
  name TEXT NOT NULL,
  version TEXT NOT NULL,
  position INTEGER NOT NULL,
  state TEXT NOT NULL,
  PRIMARY KEY (namespace, name, version)
) WITHOUT ROWID;
