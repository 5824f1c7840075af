//! How a runtime is opened.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use flame_dsl::Retention;
use flame_types::Durability;
use secrecy::SecretString;

use super::process::ProcessOptions;

/// How a runtime is opened. Everything has a limit; the defaults suit one machine.
#[derive(Debug, Clone)]
pub struct Options {
    /// The data folder: database, lock, backups.
    pub data_folder: PathBuf,
    /// Where workflows write files for people; `files` in the data folder by default.
    pub output_folder: PathBuf,
    /// Where workflows find SQLite databases that they name by file; `databases` in the data folder.
    pub databases_folder: PathBuf,
    /// Where workflows find the documents that they name by `file:`; `resources` in the data folder.
    pub resources_folder: PathBuf,
    pub durability: Durability,
    /// Runs in memory; one more is refused. Those that wait for long are not among them.
    pub in_flight_max: usize,
    /// A run that waits longer than this leaves memory until it is its time.
    pub rest_least: Duration,
    /// Events of the log that were not handed on yet; one more from outside is refused.
    pub events_waiting_max: u64,
    /// Calls to the outside at once.
    pub calls_max: usize,
    /// Threads that decide what runs do next; `None` takes two for every processor, at least four.
    pub shards: Option<usize>,
    /// After a start, how long a call waits for its connection: connections are held in memory only, and
    /// whoever puts them needs a moment, while the runs of before go on at once.
    pub connection_patience: Duration,
    /// Whether schedules start runs, by the clock and by events, and ended runs that are not kept are deleted.
    pub scheduling: bool,
    /// Pages of 4 KiB that the database may grow to; `None` is what the disk holds.
    pub pages_max: Option<u32>,
    /// What is kept of ended runs where their workflow does not say; everything by default.
    pub retention: Retention,
    pub outbound: OutboundOptions,
    /// Connections of the kind `secret` that are there from the start, by name.
    pub secrets: Vec<(String, SecretString)>,
    pub processes: ProcessOptions,
}

/// Limits of calls to HTTP servers.
#[derive(Debug, Clone)]
pub struct OutboundOptions {
    /// For a call whose task has no timeout of its own.
    pub timeout: Duration,
    pub connect_timeout: Duration,
    pub response_bytes_max: usize,
    /// Certificates (PEM) that are trusted beside the public ones.
    pub authorities: Vec<PathBuf>,
    /// Hosts whose calls go to another address. A port in a call's URL wins over the address's.
    pub stand_ins: Vec<(String, SocketAddr)>,
}

impl Options {
    /// The defaults for a data folder.
    pub fn new(data_folder: impl Into<PathBuf>) -> Self {
        let data_folder = data_folder.into();
        Self {
            output_folder: data_folder.join("files"),
            databases_folder: data_folder.join("databases"),
            resources_folder: data_folder.join("resources"),
            data_folder,
            durability: Durability::Full,
            in_flight_max: 10_000,
            rest_least: Duration::from_secs(10),
            events_waiting_max: 100_000,
            calls_max: 1_024,
            shards: None,
            connection_patience: Duration::from_secs(30),
            scheduling: true,
            pages_max: None,
            retention: Retention::default(),
            outbound: OutboundOptions::default(),
            secrets: Vec::new(),
            processes: ProcessOptions::default(),
        }
    }
}

impl Default for OutboundOptions {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            response_bytes_max: 10 * 1024 * 1024,
            authorities: Vec::new(),
            stand_ins: Vec::new(),
        }
    }
}
