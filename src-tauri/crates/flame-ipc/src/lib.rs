//! The contract between window and shell: every command, every event, the shape of an error.
//!
//! `contract.rs` lists the commands, the other files hold their types, one noun each. TypeScript is
//! generated from here and committed (`ui/src/ipc/bindings.ts`). Deliberately absent: bodies, Tauri,
//! and any transport; the same contract can be served over IPC or HTTP.

mod app;
mod connections;
mod contract;
mod dead_letters;
mod doctor;
mod documents;
mod error;
mod events;
#[cfg(test)]
mod export;
mod help;
mod host_execution;
mod overview;
mod people;
mod pins;
mod plain;
mod runs;
mod runtime;
mod settings;
mod vault;

pub use app::*;
pub use connections::*;
pub use contract::*;
pub use dead_letters::*;
pub use doctor::*;
pub use documents::*;
pub use error::*;
pub use events::*;
pub use help::*;
pub use host_execution::*;
pub use overview::*;
pub use people::*;
pub use pins::*;
pub use plain::*;
pub use runs::*;
pub use runtime::*;
pub use settings::*;
pub use vault::*;
