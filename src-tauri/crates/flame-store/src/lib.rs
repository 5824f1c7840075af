//! Journal, definitions and dead letters in SQLite behind one writer with group commit.
