-- Format 6. How often the file was opened for writing: only the last to open it writes.
CREATE TABLE owner (id INTEGER PRIMARY KEY CHECK (id = 0), epoch INTEGER NOT NULL);
INSERT INTO owner (id, epoch) VALUES (0, 0);
