//! Connector: SQLite databases.
