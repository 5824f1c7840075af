//! What happened to a run: the journal's vocabulary, append-only once released.

use serde::{Deserialize, Serialize};

/// One journalled fact. Folding them in order gives the state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Record {}
