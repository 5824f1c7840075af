//! Connector: PostgreSQL databases.
