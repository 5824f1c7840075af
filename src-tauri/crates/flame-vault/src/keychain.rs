//! The keychain of the system, asked on a thread of its own and never waited for too long.
//!
//! A service that was never unlocked answers a read with "nothing there" and a write with "no access",
//! so only a write tells whether it can be used.

use std::sync::mpsc;
use std::time::Duration;

use keyring::{Entry, Error as KeyringError};
use secrecy::{ExposeSecret, SecretString};

use crate::error::Error;

/// Longer than this nobody waits to learn whether there is a keychain.
const PROBE_MAX: Duration = Duration::from_secs(2);
/// A person may be asked by the system meanwhile.
const CALL_MAX: Duration = Duration::from_secs(60);

/// Whether secrets can be kept there; the reason when they can't.
pub(crate) fn probe(service: &str) -> Result<(), String> {
    let service = service.to_owned();
    within(PROBE_MAX, move || {
        let entry = Entry::new(&service, "probe")?;
        entry.set_password("probe")?;
        entry.delete_credential()
    })
    .map_err(|error| error.to_string())
}

pub(crate) fn put(service: &str, name: &str, secret: &SecretString) -> Result<(), Error> {
    let (service, name, secret) = (service.to_owned(), name.to_owned(), secret.clone());
    within(CALL_MAX, move || {
        Entry::new(&service, &name)?.set_password(secret.expose_secret())
    })
}

pub(crate) fn get(service: &str, name: &str) -> Result<Option<SecretString>, Error> {
    let (service, name) = (service.to_owned(), name.to_owned());
    within(CALL_MAX, move || {
        match Entry::new(&service, &name)?.get_password() {
            Ok(text) => Ok(Some(SecretString::from(text))),
            Err(KeyringError::NoEntry) => Ok(None),
            Err(error) => Err(error),
        }
    })
}

pub(crate) fn delete(service: &str, name: &str) -> Result<(), Error> {
    let (service, name) = (service.to_owned(), name.to_owned());
    within(CALL_MAX, move || {
        match Entry::new(&service, &name)?.delete_credential() {
            Ok(()) | Err(KeyringError::NoEntry) => Ok(()),
            Err(error) => Err(error),
        }
    })
}

/// Runs the call on its own thread: the store starts a runtime of its own, which panics inside
/// another. A call that does not come back in time is left behind.
fn within<T: Send + 'static>(
    limit: Duration,
    call: impl FnOnce() -> keyring::Result<T> + Send + 'static,
) -> Result<T, Error> {
    let (answer, answered) = mpsc::sync_channel(1);
    let spawned = std::thread::Builder::new()
        .name("keychain".to_owned())
        .spawn(move || {
            // Nobody listens any more when the limit has passed.
            let _ = answer.send(call());
        });
    if let Err(error) = spawned {
        return Err(Error::Keychain(error.to_string()));
    }
    match answered.recv_timeout(limit) {
        Ok(result) => result.map_err(|error| Error::Keychain(describe(&error))),
        Err(mpsc::RecvTimeoutError::Timeout) => Err(Error::Keychain(format!(
            "it did not answer within {limit:?}"
        ))),
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            Err(Error::Keychain("the call broke".to_owned()))
        }
    }
}

fn describe(error: &KeyringError) -> String {
    match error {
        KeyringError::NoDefaultStore => match Entry::store_status() {
            Err(reason) => reason.to_string(),
            Ok(()) => error.to_string(),
        },
        // Its text could hold what was read.
        KeyringError::BadEncoding(_) => "the secret is no text".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_that_never_answers_is_left_behind() {
        let (hold, never) = mpsc::channel::<()>();
        let error = within(Duration::from_millis(10), move || {
            // Until the test is over.
            let _ = never.recv();
            Ok(())
        })
        .unwrap_err();
        assert!(
            error.to_string().contains("it did not answer within 10ms"),
            "{error}"
        );
        drop(hold);
    }

    #[test]
    fn what_is_answered_in_time_is_the_answer() {
        let answered = within(PROBE_MAX, || Ok("secret")).unwrap();
        assert_eq!(answered, "secret");
        let refused = within(PROBE_MAX, || Err::<(), _>(KeyringError::NoEntry));
        assert!(matches!(refused, Err(Error::Keychain(_))));
    }
}
