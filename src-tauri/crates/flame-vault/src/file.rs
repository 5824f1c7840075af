//! The vault file: each secret under XChaCha20-Poly1305, the key by Argon2id from the passphrase.
//!
//! Associated data is name + version, so that a sealed text can't be moved to another name or put back
//! after a change. The file says which cost its key needs; what it may ask for is bounded.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::error::Error;

const FORMAT: u32 = 1;
const KEY_BYTES: usize = 32;
const SALT_BYTES: usize = 16;
const NONCE_BYTES: usize = 24;
/// The name under which the proof of the passphrase is sealed; no connection can have it.
const PROOF: &str = "\u{0}proof";
const MEMORY_KIB_MAX: u32 = 1024 * 1024;
const ITERATIONS_MAX: u32 = 16;
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What guessing a passphrase costs (RFC 9106, second recommended option by default).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cost {
    pub memory_kib: u32,
    pub iterations: u32,
    pub lanes: u32,
}

impl Default for Cost {
    fn default() -> Self {
        Self {
            memory_kib: 64 * 1024,
            iterations: 3,
            lanes: 4,
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Contents {
    format: u32,
    cost: Cost,
    salt: String,
    proof: Sealed,
    secrets: BTreeMap<String, Sealed>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Sealed {
    version: u64,
    nonce: String,
    text: String,
}

/// An open vault file.
pub(crate) struct VaultFile {
    path: PathBuf,
    key: Zeroizing<[u8; KEY_BYTES]>,
    contents: Contents,
}

impl VaultFile {
    /// Makes a new file; one that is there already is not touched.
    pub(crate) fn create(
        path: &Path,
        passphrase: &SecretString,
        cost: Cost,
    ) -> Result<Self, Error> {
        let salt = random::<SALT_BYTES>()?;
        let key = derive(path, passphrase, &salt, cost)?;
        let proof = seal(&key, PROOF, 1, b"mastra")?;
        let salt = BASE64.encode(salt);
        let contents = Contents {
            format: FORMAT,
            cost,
            salt,
            proof,
            secrets: BTreeMap::new(),
        };
        let file = Self {
            path: path.to_owned(),
            key,
            contents,
        };
        file.write()?;
        Ok(file)
    }

    /// Opens a file; [`Error::WrongPassphrase`] when the passphrase is another one.
    pub(crate) fn open(path: &Path, passphrase: &SecretString) -> Result<Self, Error> {
        let contents = read(path)?;
        let salt = decode(path, &contents.salt)?;
        let key = derive(path, passphrase, &salt, contents.cost)?;
        unseal(path, &key, PROOF, &contents.proof)?.ok_or(Error::WrongPassphrase)?;
        Ok(Self {
            path: path.to_owned(),
            key,
            contents,
        })
    }

    pub(crate) fn put(&mut self, name: &str, secret: &SecretString) -> Result<(), Error> {
        let version = self
            .contents
            .secrets
            .get(name)
            .map_or(1, |sealed| sealed.version + 1);
        let sealed = seal(&self.key, name, version, secret.expose_secret().as_bytes())?;
        let before = self.contents.secrets.insert(name.to_owned(), sealed);
        self.write().inspect_err(|_| {
            // What is not on disk is not kept.
            match before {
                Some(before) => self.contents.secrets.insert(name.to_owned(), before),
                None => self.contents.secrets.remove(name),
            };
        })
    }

    pub(crate) fn get(&self, name: &str) -> Result<Option<SecretString>, Error> {
        let Some(sealed) = self.contents.secrets.get(name) else {
            return Ok(None);
        };
        let damaged = |detail: &str| Error::Damaged {
            path: self.path.clone(),
            detail: format!("the secret {name} {detail}"),
        };
        let bytes = unseal(&self.path, &self.key, name, sealed)?
            .ok_or_else(|| damaged("was changed by something else"))?;
        let text = std::str::from_utf8(&bytes).map_err(|_| damaged("is no text"))?;
        Ok(Some(SecretString::from(text)))
    }

    pub(crate) fn delete(&mut self, name: &str) -> Result<(), Error> {
        let Some(before) = self.contents.secrets.remove(name) else {
            return Ok(());
        };
        self.write().inspect_err(|_| {
            self.contents.secrets.insert(name.to_owned(), before);
        })
    }

    /// Replaces the file in one step; nobody else can read it at any moment.
    fn write(&self) -> Result<(), Error> {
        let text = serde_json::to_vec_pretty(&self.contents)
            .map_err(|error| Error::io("cannot write", &self.path)(error.into()))?;
        let fresh = self.path.with_extension("new");
        match std::fs::remove_file(&fresh) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::io("cannot replace", &fresh)(error));
            }
            _ => {}
        }
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options
            .open(&fresh)
            .map_err(Error::io("cannot make", &fresh))?;
        file.write_all(&text)
            .map_err(Error::io("cannot write", &fresh))?;
        file.sync_all().map_err(Error::io("cannot write", &fresh))?;
        std::fs::rename(&fresh, &self.path).map_err(Error::io("cannot replace", &self.path))?;
        if let Some(folder) = self.path.parent() {
            // The rename is durable once the folder is.
            std::fs::File::open(folder)
                .and_then(|folder| folder.sync_all())
                .map_err(Error::io("cannot write the folder of", &self.path))?;
        }
        Ok(())
    }
}

fn read(path: &Path) -> Result<Contents, Error> {
    let damaged = |detail: String| Error::Damaged {
        path: path.to_owned(),
        detail,
    };
    let bytes = path
        .metadata()
        .map_err(Error::io("cannot read", path))?
        .len();
    if bytes > FILE_BYTES_MAX {
        return Err(damaged(format!("{bytes} bytes are too many")));
    }
    let text = std::fs::read(path).map_err(Error::io("cannot read", path))?;
    #[derive(Deserialize)]
    struct Head {
        format: u32,
    }
    let head: Head = serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
    if head.format > FORMAT {
        return Err(Error::Newer {
            path: path.to_owned(),
            found: head.format,
            known: FORMAT,
        });
    }
    serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))
}

fn derive(
    path: &Path,
    passphrase: &SecretString,
    salt: &[u8],
    cost: Cost,
) -> Result<Zeroizing<[u8; KEY_BYTES]>, Error> {
    let damaged = |detail: String| Error::Damaged {
        path: path.to_owned(),
        detail,
    };
    if cost.memory_kib > MEMORY_KIB_MAX || cost.iterations > ITERATIONS_MAX {
        return Err(damaged(format!("it asks for {cost:?}")));
    }
    let params = Params::new(
        cost.memory_kib,
        cost.iterations,
        cost.lanes,
        Some(KEY_BYTES),
    )
    .map_err(|error| damaged(error.to_string()))?;
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.expose_secret().as_bytes(), salt, key.as_mut())
        .map_err(|error| damaged(error.to_string()))?;
    Ok(key)
}

fn seal(key: &[u8; KEY_BYTES], name: &str, version: u64, secret: &[u8]) -> Result<Sealed, Error> {
    let nonce = random::<NONCE_BYTES>()?;
    let text = XChaCha20Poly1305::new(key.into())
        .encrypt(
            &XNonce::from(nonce),
            Payload {
                msg: secret,
                aad: &bound(name, version),
            },
        )
        .map_err(|_| Error::TooLarge {
            bytes: secret.len(),
            max: usize::MAX,
        })?;
    Ok(Sealed {
        version,
        nonce: BASE64.encode(nonce),
        text: BASE64.encode(text),
    })
}

/// The secret, or `None` when key, name, version or text do not belong together.
fn unseal(
    path: &Path,
    key: &[u8; KEY_BYTES],
    name: &str,
    sealed: &Sealed,
) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
    let nonce: [u8; NONCE_BYTES] =
        decode(path, &sealed.nonce)?
            .try_into()
            .map_err(|_| Error::Damaged {
                path: path.to_owned(),
                detail: "a nonce has another length".to_owned(),
            })?;
    let text = decode(path, &sealed.text)?;
    Ok(XChaCha20Poly1305::new(key.into())
        .decrypt(
            &XNonce::from(nonce),
            Payload {
                msg: &text,
                aad: &bound(name, sealed.version),
            },
        )
        .ok()
        .map(Zeroizing::new))
}

/// Length first, so that no two pairs of name and version give the same bytes.
fn bound(name: &str, version: u64) -> Vec<u8> {
    let mut data = (name.len() as u64).to_le_bytes().to_vec();
    data.extend_from_slice(name.as_bytes());
    data.extend_from_slice(&version.to_le_bytes());
    data
}

fn decode(path: &Path, text: &str) -> Result<Vec<u8>, Error> {
    BASE64.decode(text).map_err(|error| Error::Damaged {
        path: path.to_owned(),
        detail: error.to_string(),
    })
}

fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| Error::Randomness(error.to_string()))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: Cost = Cost {
        memory_kib: 64,
        iterations: 1,
        lanes: 1,
    };

    fn phrase(text: &str) -> SecretString {
        SecretString::from(text)
    }

    fn vault(folder: &Path) -> VaultFile {
        VaultFile::create(&folder.join("vault.json"), &phrase("correct horse"), CHEAP).unwrap()
    }

    fn shown(secret: Option<SecretString>) -> Option<String> {
        secret.map(|secret| secret.expose_secret().to_owned())
    }

    #[test]
    fn what_was_kept_is_read_again_and_only_with_the_passphrase() {
        let folder = tempfile::tempdir().unwrap();
        let mut vault = vault(folder.path());
        vault.put("db", &phrase("canary-1")).unwrap();
        vault.put("db", &phrase("canary-2")).unwrap();
        let path = folder.path().join("vault.json");
        let again = VaultFile::open(&path, &phrase("correct horse")).unwrap();
        assert_eq!(shown(again.get("db").unwrap()).as_deref(), Some("canary-2"));
        assert!(again.get("other").unwrap().is_none());
        let wrong = VaultFile::open(&path, &phrase("correct hors"))
            .err()
            .unwrap();
        assert!(matches!(wrong, Error::WrongPassphrase), "{wrong}");
    }

    #[test]
    fn the_file_holds_no_plain_text_and_is_private() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        vault(folder.path())
            .put("db", &phrase("canary-secret"))
            .unwrap();
        let path = folder.path().join("vault.json");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            !text.contains("canary") && !text.contains("correct horse"),
            "{text}"
        );
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_sealed_text_does_not_open_under_another_name_or_version() {
        let folder = tempfile::tempdir().unwrap();
        let mut vault = vault(folder.path());
        vault.put("a", &phrase("one")).unwrap();
        let old = vault.contents.secrets["a"].clone();
        vault.contents.secrets.insert("b".to_owned(), old.clone());
        assert!(matches!(vault.get("b"), Err(Error::Damaged { .. })));
        let replayed = Sealed { version: 2, ..old };
        vault.contents.secrets.insert("a".to_owned(), replayed);
        assert!(matches!(vault.get("a"), Err(Error::Damaged { .. })));
    }

    #[test]
    fn a_deleted_secret_is_gone_from_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let mut vault = vault(folder.path());
        vault.put("db", &phrase("x")).unwrap();
        vault.delete("db").unwrap();
        let path = folder.path().join("vault.json");
        let again = VaultFile::open(&path, &phrase("correct horse")).unwrap();
        assert!(again.get("db").unwrap().is_none());
    }

    #[test]
    fn bad_files_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault.json");
        drop(vault(folder.path()));
        let good = std::fs::read_to_string(&path).unwrap();
        let open = || {
            VaultFile::open(&path, &phrase("correct horse"))
                .err()
                .unwrap()
        };
        for bad in [
            "",
            "{",
            "{\"format\":1}",
            &good.replace("\"memoryKib\": 64", "\"memoryKib\": 4294967295"),
        ] {
            std::fs::write(&path, bad).unwrap();
            let error = open();
            assert!(matches!(error, Error::Damaged { .. }), "{bad}: {error}");
        }
        std::fs::write(&path, good.replace("\"format\": 1", "\"format\": 9")).unwrap();
        assert!(matches!(open(), Error::Newer { found: 9, .. }));
    }
}
