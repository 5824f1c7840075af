//! Why the agent does not run, in the words of the one who found out.

use flame_errors::Code;

/// A failure with its stable code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct Failure {
    pub code: Code,
    /// What failed, with the value.
    pub detail: String,
}

impl Failure {
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
        }
    }

    /// Whether trying again at once can't help: a person must act first.
    pub(crate) const fn is_final(&self) -> bool {
        matches!(
            self.code,
            Code::AgentMissing | Code::StorageNewer | Code::StorageCorrupt | Code::StorageLocked
        )
    }
}
