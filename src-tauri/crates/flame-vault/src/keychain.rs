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

/// The question whether secrets can be kept there. While it has no answer it is not asked again: each would hold a
/// thread, and the system may be asking a person.
#[derive(Debug, Default)]
pub(crate) struct Probe {
    asked: Option<Asked<()>>,
}

impl Probe {
    /// Whether secrets can be kept there; the reason when they can't.
    pub(crate) fn ask(&mut self, service: &str) -> Result<(), String> {
        let service = service.to_owned();
        self.ask_by(PROBE_MAX, move || {
            let entry = Entry::new(&service, "probe")?;
            entry.set_password("probe")?;
            entry.delete_credential()
        })
        .map_err(|error| error.to_string())
    }

    fn ask_by(
        &mut self,
        limit: Duration,
        call: impl FnOnce() -> keyring::Result<()> + Send + 'static,
    ) -> Result<(), Error> {
        if let Some(asked) = self.asked.take() {
            match asked.answer(Duration::ZERO) {
                Some(Ok(())) => return Ok(()),
                // It may be another one by now.
                Some(Err(_)) => {}
                None => {
                    self.asked = Some(asked);
                    return Err(silent(limit));
                }
            }
        }
        let asked = Asked::begin(call)?;
        asked.answer(limit).unwrap_or_else(|| {
            self.asked = Some(asked);
            Err(silent(limit))
        })
    }
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

/// Runs the call and waits for its answer. One that does not come in time is left behind.
fn within<T: Send + 'static>(
    limit: Duration,
    call: impl FnOnce() -> keyring::Result<T> + Send + 'static,
) -> Result<T, Error> {
    Asked::begin(call)?
        .answer(limit)
        .unwrap_or_else(|| Err(silent(limit)))
}

/// A call on its own thread: the store starts a runtime of its own, which panics inside another.
#[derive(Debug)]
struct Asked<T>(mpsc::Receiver<keyring::Result<T>>);

impl<T: Send + 'static> Asked<T> {
    fn begin(call: impl FnOnce() -> keyring::Result<T> + Send + 'static) -> Result<Self, Error> {
        let (answer, answered) = mpsc::sync_channel(1);
        std::thread::Builder::new()
            .name("keychain".to_owned())
            .spawn(move || {
                // Nobody may be listening any more.
                let _ = answer.send(call());
            })
            .map_err(|error| Error::Keychain(error.to_string()))?;
        Ok(Self(answered))
    }

    /// `None` when there is no answer within the limit.
    fn answer(&self, limit: Duration) -> Option<Result<T, Error>> {
        match self.0.recv_timeout(limit) {
            Ok(result) => Some(result.map_err(|error| Error::Keychain(describe(&error)))),
            Err(mpsc::RecvTimeoutError::Timeout) => None,
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                Some(Err(Error::Keychain("the call broke".to_owned())))
            }
        }
    }
}

fn silent(limit: Duration) -> Error {
    Error::Keychain(format!("it did not answer within {limit:?}"))
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

    fn not_asked() -> keyring::Result<()> {
        panic!("it was asked again")
    }

    #[test]
    fn a_question_that_hangs_is_not_asked_again() {
        let (hold, never) = mpsc::channel::<()>();
        let mut probe = Probe::default();
        let first = probe.ask_by(Duration::from_millis(10), move || {
            let _ = never.recv();
            Ok(())
        });
        let again = probe.ask_by(Duration::from_millis(10), not_asked);
        for error in [first.unwrap_err(), again.unwrap_err()] {
            let text = error.to_string();
            assert!(text.contains("it did not answer within 10ms"), "{text}");
        }
        drop(hold);
    }

    #[test]
    fn a_late_yes_is_taken_and_a_late_no_is_asked_once_more() {
        let late = |answer| {
            let (answers, asked) = mpsc::sync_channel(1);
            answers.send(answer).unwrap();
            let asked = Some(Asked(asked));
            Probe { asked }
        };
        assert!(late(Ok(())).ask_by(PROBE_MAX, not_asked).is_ok());
        let mut refused = late(Err(KeyringError::NoEntry));
        assert!(refused.ask_by(PROBE_MAX, || Ok(())).is_ok());
    }

    #[test]
    fn what_is_answered_in_time_is_the_answer() {
        let answered = within(PROBE_MAX, || Ok("secret")).unwrap();
        assert_eq!(answered, "secret");
        let refused = within(PROBE_MAX, || Err::<(), _>(KeyringError::NoEntry));
        assert!(matches!(refused, Err(Error::Keychain(_))));
    }
}
