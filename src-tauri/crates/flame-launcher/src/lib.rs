//! The native agent as a child process, and the folder watch.
