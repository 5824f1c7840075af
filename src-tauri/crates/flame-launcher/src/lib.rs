//! The native agent as a child process, and the folders that pipelines watch.
//!
//! [`agent`] starts the program, keeps it healthy within a restart budget and stops it with the app,
//! or leaves it running and finds it again. [`watch`] notices files, waits until each has settled and
//! hands it to a [`watch::FeedSink`]. Deliberately absent: the agent's API beyond its health, and every
//! decision about documents.

pub mod agent;
pub mod watch;
