//! What a document needs from outside of it before a run can begin.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::Authentication;

/// Texts by their addresses.
pub type Externals = BTreeMap<Arc<str>, Arc<str>>;

/// A text that is missing.
#[derive(Debug, Clone)]
pub struct External {
    /// Beginning with `http:`, `https:` or `file:`.
    pub address: Arc<str>,
    pub authentication: Option<Authentication>,
    /// JSON pointer of what names it.
    pub reference: Arc<str>,
    /// The document itself names it, not a text from outside.
    pub named: bool,
}

/// A function that came out of the network.
#[derive(Debug, Clone)]
pub struct Foreign {
    /// JSON pointer of its task.
    pub reference: Arc<str>,
    pub address: Arc<str>,
}
