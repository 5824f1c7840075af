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

    /// Adds what the agent said last, and takes its code where that is why it ended: `error: MD-302: ...`.
    #[must_use]
    pub fn with_last_words(self, said: &str) -> Self {
        let named = said
            .strip_prefix("error: ")
            .and_then(|why| why.split(':').next())
            .and_then(|name| Code::ALL.iter().copied().find(|code| code.as_str() == name));
        Self {
            code: named
                .filter(|_| self.code == Code::AgentDown)
                .unwrap_or(self.code),
            detail: format!("{}. It said: {said}", self.detail),
        }
    }

    /// Whether another agent has the data folder: one that is about to end, or one that stays.
    pub(crate) const fn is_locked(&self) -> bool {
        matches!(self.code, Code::StorageLocked)
    }

    /// Whether trying again at once can't help: a person must act first.
    pub const fn is_final(&self) -> bool {
        matches!(
            self.code,
            Code::AgentMissing | Code::StorageNewer | Code::StorageCorrupt | Code::StorageLocked
        )
    }
}
