//! The one shape in which every failure reaches a person.

use flame_errors::Code;
use serde::{Deserialize, Serialize};
use specta::Type;

/// What failed, with which value, what was kept safe, and what to do next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct ErrorView {
    /// A stable code such as `MD-502`; `helpPage` explains it.
    pub code: String,
    pub title: String,
    pub detail: String,
    /// The value that was refused, shortened.
    pub value: Option<String>,
    /// What to do next.
    pub hint: Option<String>,
    /// What was kept safe.
    pub kept: Option<String>,
}

impl ErrorView {
    /// An error of that code with its standing title.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code: code.as_str().to_owned(),
            title: code.title().to_owned(),
            detail: detail.into(),
            value: None,
            hint: None,
            kept: None,
        }
    }

    /// Names the value that was refused; long ones are cut in the middle of a character never.
    #[must_use]
    pub fn with_value(mut self, value: &str) -> Self {
        const SHOWN_CHARACTERS_MAX: usize = 200;
        let mut shown: String = value.chars().take(SHOWN_CHARACTERS_MAX).collect();
        if shown.len() < value.len() {
            shown.push('…');
        }
        self.value = Some(shown);
        self
    }

    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    #[must_use]
    pub fn with_kept(mut self, kept: impl Into<String>) -> Self {
        self.kept = Some(kept.into());
        self
    }

    pub fn is(&self, code: Code) -> bool {
        self.code == code.as_str()
    }
}

impl std::fmt::Display for ErrorView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}: {}", self.code, self.title, self.detail)
    }
}

impl std::error::Error for ErrorView {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_value_is_cut_between_characters() {
        let view = ErrorView::new(Code::InputInvalid, "d").with_value(&"ü".repeat(300));
        assert_eq!(view.value.unwrap().chars().count(), 201);
    }
}
