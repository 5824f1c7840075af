//! Secrets: the keychain, and the passphrase vault where there is none.
