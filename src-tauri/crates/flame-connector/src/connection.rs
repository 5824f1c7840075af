//! A configured instance of a connector, and what surrounds one call.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use flame_types::IdempotencyKey;
use secrecy::SecretString;
use serde_json::Value;

/// How to reach one system. The secret is apart from the settings, so that those can be shown.
#[derive(Debug, Clone)]
pub struct Connection {
    pub name: String,
    /// The connector's kind.
    pub kind: String,
    /// JSON object that fits the connector's [`crate::ConnectionSpec::settings`].
    pub settings: Value,
    pub secret: Option<SecretString>,
}

/// The folders of the workspace that connectors may write to. Both exist.
#[derive(Debug, Clone)]
pub struct Folders {
    /// Files that workflows write for people.
    pub output: PathBuf,
    /// SQLite databases that workflows name by file.
    pub databases: PathBuf,
}

/// What surrounds one call.
#[derive(Debug, Clone, Copy)]
pub struct Invocation<'a> {
    /// The same on every attempt of the same step.
    pub key: &'a IdempotencyKey,
    /// The connection that the arguments name, or `None` where they name none.
    pub connection: Option<&'a Connection>,
    /// The caller gives up after this.
    pub deadline: Option<Instant>,
    pub folders: &'a Folders,
}

impl Invocation<'_> {
    /// What is left until the deadline, at most `longest`.
    pub fn remaining(&self, longest: Duration) -> Duration {
        self.deadline.map_or(longest, |deadline| {
            deadline
                .saturating_duration_since(Instant::now())
                .min(longest)
        })
    }
}
