//! Waiting for a state that tells nobody when it changes: it is read until it is as wanted.

use std::time::Duration;

/// Far more than anything here takes: a test that waits this long hangs.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What `look` finds, as soon as it finds something; panics with `what` where it never does.
pub async fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let found = async {
        loop {
            if let Some(found) = look() {
                return found;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let found = tokio::time::timeout(PATIENCE, found).await;
    found.expect(what)
}
