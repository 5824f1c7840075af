//! Where a secret goes: the keychain when there is one, else the file.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use secrecy::{ExposeSecret, SecretString};

use crate::error::Error;
use crate::file::{Cost, VaultFile};
use crate::keychain::{self, Probe};

const SECRET_BYTES_MAX: usize = 64 * 1024;
const PASSPHRASE_CHARACTERS_MIN: usize = 8;

/// Where a secret is kept. Documents remember it beside the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Keychain,
    File,
}

impl Place {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Keychain => "keychain",
            Self::File => "vault",
        }
    }

    /// The place of that name, or `None`.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Keychain, Self::File]
            .into_iter()
            .find(|place| place.as_str() == name)
    }
}

/// Whether the next secret can be kept now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Ready,
    /// The file waits for its passphrase.
    Locked,
    /// There is no file yet; the first passphrase makes it.
    New,
}

/// Where the next secret goes, and whether it can.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    pub place: Place,
    pub state: State,
    /// Why the keychain is not used.
    pub detail: Option<String>,
}

/// The secrets of one app.
pub struct Vault {
    service: String,
    path: PathBuf,
    cost: Cost,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// Known to work since a write went through.
    has_keychain: bool,
    probe: Probe,
    file: Option<VaultFile>,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault")
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}

impl Vault {
    /// `service` names the app in the keychain, `path` is the file. Touches neither.
    pub fn new(service: impl Into<String>, path: PathBuf, cost: Cost) -> Self {
        Self {
            service: service.into(),
            path,
            cost,
            inner: Mutex::default(),
        }
    }

    /// Where the next secret goes. Takes up to 2 s where a keychain does not answer, once.
    pub fn status(&self) -> Status {
        self.status_of(&mut self.inner())
    }

    fn status_of(&self, inner: &mut Inner) -> Status {
        if !inner.has_keychain {
            match inner.probe.ask(&self.service) {
                Ok(()) => inner.has_keychain = true,
                Err(reason) => {
                    tracing::debug!(reason, "there is no keychain");
                    let state = match (&inner.file, self.path.exists()) {
                        (Some(_), _) => State::Ready,
                        (None, true) => State::Locked,
                        (None, false) => State::New,
                    };
                    return Status {
                        place: Place::File,
                        state,
                        detail: Some(reason),
                    };
                }
            }
        }
        Status {
            place: Place::Keychain,
            state: State::Ready,
            detail: None,
        }
    }

    /// Opens the file, or makes it when there is none.
    pub fn unlock(&self, passphrase: &SecretString) -> Result<(), Error> {
        let mut inner = self.inner();
        if self.path.exists() {
            inner.file = Some(VaultFile::open(&self.path, passphrase)?);
            return Ok(());
        }
        let length = passphrase.expose_secret().chars().count();
        if length < PASSPHRASE_CHARACTERS_MIN {
            return Err(Error::PassphraseTooShort {
                length,
                min: PASSPHRASE_CHARACTERS_MIN,
            });
        }
        inner.file = Some(VaultFile::create(&self.path, passphrase, self.cost)?);
        Ok(())
    }

    /// Keeps a secret and says where.
    pub fn put(&self, name: &str, secret: &SecretString) -> Result<Place, Error> {
        let bytes = secret.expose_secret().len();
        if bytes > SECRET_BYTES_MAX {
            return Err(Error::TooLarge {
                bytes,
                max: SECRET_BYTES_MAX,
            });
        }
        let mut inner = self.inner();
        let status = self.status_of(&mut inner);
        if status.place == Place::Keychain {
            keychain::put(&self.service, name, secret)?;
            return Ok(Place::Keychain);
        }
        match &mut inner.file {
            Some(file) => file.put(name, secret).map(|()| Place::File),
            None if status.state == State::New => Err(Error::New),
            None => Err(Error::Locked),
        }
    }

    /// The secret of that name, if the place has one.
    pub fn get(&self, place: Place, name: &str) -> Result<Option<SecretString>, Error> {
        match place {
            Place::Keychain => keychain::get(&self.service, name),
            Place::File => match &self.inner().file {
                Some(file) => file.get(name),
                None => Err(Error::Locked),
            },
        }
    }

    pub fn delete(&self, place: Place, name: &str) -> Result<(), Error> {
        match place {
            Place::Keychain => keychain::delete(&self.service, name),
            Place::File => match &mut self.inner().file {
                Some(file) => file.delete(name),
                None => Err(Error::Locked),
            },
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Every change of the file is whole or undone, so a panic leaves nothing half done.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
