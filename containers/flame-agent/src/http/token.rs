//! The bearer token: read from a private file, or made and written to one.

use std::fmt;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::Error;

/// The name of the file in the data folder when none is given.
const FILE_NAME: &str = "token";

/// 256 bits in base64 without padding.
const CHARACTERS_MIN: usize = 43;
const CHARACTERS_MAX: usize = 512;

/// The token that callers must show. Only its digest is kept.
#[derive(Clone)]
pub struct Token {
    digest: [u8; 32],
    file: PathBuf,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

impl Token {
    /// Reads the token from a file that only its owner can read. The file is never changed.
    pub fn read(file: &Path) -> Result<Self, Error> {
        let failed = |source| Error::TokenFile {
            path: file.to_owned(),
            action: "read",
            source,
        };
        let metadata = fs::metadata(file).map_err(failed)?;
        check_mode(file, &metadata)?;
        // A token is short; a device or a huge file by mistake must not fill the memory.
        let size = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
        if !metadata.is_file() || size > CHARACTERS_MAX + 2 {
            return Err(Error::TokenWeak {
                path: file.to_owned(),
                characters: size,
            });
        }
        let text = fs::read_to_string(file).map_err(failed)?;
        let text = text.trim_end_matches(['\r', '\n']);
        let visible = text.bytes().filter(u8::is_ascii_graphic).count();
        if visible != text.len() || !(CHARACTERS_MIN..=CHARACTERS_MAX).contains(&visible) {
            return Err(Error::TokenWeak {
                path: file.to_owned(),
                characters: visible,
            });
        }
        Ok(Self {
            digest: digest(text),
            file: file.to_owned(),
        })
    }

    /// Makes a token of 256 random bits and writes it to `token` in the data folder, mode 0600. Call
    /// it once the folder is this process's alone: it replaces the token of the last start.
    pub fn make(data_folder: &Path) -> Result<Self, Error> {
        let mut bits = [0_u8; 32];
        getrandom::fill(&mut bits).map_err(|error| Error::Random {
            detail: error.to_string(),
        })?;
        let text: String = bits.iter().map(|byte| format!("{byte:02x}")).collect();
        let file = data_folder.join(FILE_NAME);
        write_private(&file, &text).map_err(|source| Error::TokenFile {
            path: file.clone(),
            action: "written",
            source,
        })?;
        Ok(Self {
            digest: digest(&text),
            file,
        })
    }

    /// Where callers find it.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Whether this is the token, in a time that does not depend on how much of it is right.
    pub(super) fn is(&self, shown: &str) -> bool {
        self.digest.ct_eq(&digest(shown)).into()
    }
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

#[cfg(unix)]
fn check_mode(file: &Path, metadata: &fs::Metadata) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        Ok(())
    } else {
        Err(Error::TokenFileOpen {
            path: file.to_owned(),
            mode,
        })
    }
}

/// Elsewhere the file's access list decides, which this can't judge.
#[cfg(not(unix))]
fn check_mode(_: &Path, _: &fs::Metadata) -> Result<(), Error> {
    Ok(())
}

/// Writes beside the file and renames, so that a reader never sees half a token, nor one that is
/// readable by others for a moment.
fn write_private(file: &Path, text: &str) -> std::io::Result<()> {
    let beside = file.with_extension("new");
    if let Err(error) = fs::remove_file(&beside)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut written = options.open(&beside)?;
    written.write_all(text.as_bytes())?;
    written.write_all(b"\n")?;
    written.sync_all()?;
    fs::rename(&beside, file)
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn file_with(text: &str, mode: u32) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("t");
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        (folder, file)
    }

    #[test]
    fn a_file_that_others_can_read_is_refused_with_the_command() {
        let text = "a".repeat(64);
        for mode in [0o644, 0o640, 0o604, 0o660] {
            let (_folder, file) = file_with(&text, mode);
            let error = Token::read(&file).unwrap_err();
            assert!(matches!(error, Error::TokenFileOpen { .. }), "{error}");
            assert!(error.to_string().contains("chmod 600"), "{error}");
        }
        for mode in [0o600, 0o400] {
            let (_folder, file) = file_with(&text, mode);
            assert!(Token::read(&file).unwrap().is(&text));
        }
    }

    #[test]
    fn a_weak_token_is_refused() {
        for text in [
            "",
            "short",
            &"a".repeat(42),
            &"ä".repeat(64),
            &"a b".repeat(30),
            "\0",
        ] {
            let (_folder, file) = file_with(text, 0o600);
            assert!(
                matches!(Token::read(&file), Err(Error::TokenWeak { .. })),
                "{text:?}"
            );
        }
        let (_folder, file) = file_with(&"a".repeat(5_000), 0o600);
        assert!(matches!(Token::read(&file), Err(Error::TokenWeak { .. })));
    }

    #[test]
    fn a_made_token_is_private_fresh_and_readable() {
        let folder = tempfile::tempdir().unwrap();
        let first = Token::make(folder.path()).unwrap();
        let text = fs::read_to_string(first.file()).unwrap();
        let mode = fs::metadata(first.file()).unwrap().permissions().mode() & 0o777;
        assert_eq!((text.trim().len(), mode), (64, 0o600));
        assert!(first.is(text.trim()) && !first.is(&text));
        let second = Token::make(folder.path()).unwrap();
        assert!(!second.is(text.trim()), "each start has a token of its own");
        assert!(Token::read(second.file()).is_ok());
    }
}
