//! A secret on its way over the API: readable once, never printed, wiped when dropped.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// Secret text. `Debug` says "redacted"; no view that the agent sends holds one.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The secret itself; the caller keeps it out of logs, errors and journals.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<SecretText> for String {
    fn from(secret: SecretText) -> Self {
        secret.expose().to_owned()
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::SecretText;

    #[test]
    fn a_secret_is_never_printed() {
        let secret = SecretText::new("canary-7");
        assert!(!format!("{secret:?}").contains("canary-7"));
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"canary-7\"");
    }
}
