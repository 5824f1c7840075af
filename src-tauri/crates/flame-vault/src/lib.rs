//! Secrets of connections: in the keychain of the system, or, where there is none, in a file that a
//! passphrase opens. Never in plain text.
//!
//! Calls block and must stay off the async runtime. Deliberately absent: what a secret is for, and
//! any path on which one could be written out.

mod error;
mod file;
mod keychain;
mod vault;

pub use error::Error;
pub use file::Cost;
pub use vault::{Place, State, Status, Vault};
