//! Where secrets are kept, and whether they can be reached now.

use serde::{Deserialize, Serialize};
use specta::Type;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct VaultStatusView {
    pub store: VaultStore,
    pub state: VaultState,
    /// Why the keychain is not used, in words.
    pub detail: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub enum VaultStore {
    Keychain,
    /// A file encrypted with a passphrase.
    Vault,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub enum VaultState {
    Ready,
    /// The passphrase is needed.
    Locked,
    /// No secret was saved yet: the first unlock sets the passphrase.
    New,
}
