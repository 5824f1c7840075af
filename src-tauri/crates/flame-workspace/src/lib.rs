//! Workspace documents and their revisions in SQLite.
