//! The state of a run as bytes, so that a long journal need not be folded from its beginning.
//!
//! A snapshot saves time and is never the truth: a fold of the records before it gives the same state.

use serde::{Deserialize, Serialize};

use crate::state::State;

/// The form of the state that this build writes; another one is not read.
const FORMAT: u32 = 1;

/// Why a snapshot can't be used. The records before it, where they are kept, do as well.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotRestorable {
    #[error("the snapshot has format {found}; this version reads format {FORMAT}")]
    Format { found: u32 },
    #[error("the snapshot can't be read: {0}")]
    Unreadable(String),
}

#[derive(Serialize)]
struct Written<'s> {
    format: u32,
    state: &'s State,
}

#[derive(Deserialize)]
struct Head {
    format: u32,
}

#[derive(Deserialize)]
struct Read {
    format: u32,
    state: State,
}

pub(crate) fn write(state: &State) -> Vec<u8> {
    let written = Written {
        format: FORMAT,
        state,
    };
    serde_json::to_vec(&written).expect("a state has text keys and serialises")
}

pub(crate) fn read(snapshot: &[u8]) -> Result<State, NotRestorable> {
    let unreadable = |error: serde_json::Error| NotRestorable::Unreadable(error.to_string());
    // Read once: states may be large. What can't be read may be of another format.
    let found = match serde_json::from_slice(snapshot) {
        Ok(Read { format, state }) if format == FORMAT => return Ok(state),
        Ok(Read { format, .. }) => format,
        Err(error) => match serde_json::from_slice(snapshot) {
            Ok(Head { format }) if format != FORMAT => format,
            _ => return Err(unreadable(error)),
        },
    };
    Err(NotRestorable::Format { found })
}
