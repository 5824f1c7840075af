//! One native agent: options in, a state to follow out.

mod backup;
mod budget;
mod error;
mod health;
mod launcher;
mod logs;
mod process;
mod record;
mod supervisor;
mod token;

pub use backup::{backup, restore};
pub use budget::RestartBudget;
pub use error::Failure;
pub use launcher::{AgentState, Endpoint, Launcher, Options, Phase};
pub use logs::LogLine;
pub use token::Token;
