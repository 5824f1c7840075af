//! Tokens of authorities: each got once for all calls that need it, and again shortly before it ends.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use flame_engine::{Error, TokenRequest};
use secrecy::{ExposeSecret, SecretString};

use super::authority::{self, Inquirer, Metadata};

/// Tokens that are held.
const TOKENS_MAX: usize = 1_000;
/// A token is got anew this long before it ends: a call takes a while to get there.
const SKEW: Duration = Duration::from_secs(30);
/// Of a token whose authority says nothing.
const LIFE: Duration = Duration::from_secs(60);

/// A token for a call.
pub(in crate::runtime) struct Held {
    token: Arc<SecretString>,
    /// Got for this call.
    pub(super) is_fresh: bool,
}

impl Held {
    pub(super) fn header(&self) -> String {
        format!("Bearer {}", self.text())
    }

    pub(in crate::runtime) fn text(&self) -> &str {
        self.token.expose_secret()
    }
}

#[derive(Debug)]
struct Token {
    text: Arc<SecretString>,
    until: Instant,
}

/// Whoever holds the lock gets the token; the others wait for it instead of asking too.
type Slot = Arc<tokio::sync::Mutex<Option<Token>>>;

#[derive(Debug, Default)]
pub(super) struct Tokens {
    slots: Mutex<HashMap<TokenRequest, Slot>>,
    metadata: Metadata,
}

impl Tokens {
    pub(super) async fn get(
        &self,
        wanted: &TokenRequest,
        inquirer: Inquirer<'_>,
    ) -> Result<Held, Error> {
        let slot = self.slot(wanted);
        let mut token = slot.lock().await;
        if let Some(token) = token.as_ref().filter(|token| Instant::now() < token.until) {
            return Ok(Held {
                token: Arc::clone(&token.text),
                is_fresh: false,
            });
        }
        let granted = authority::ask(wanted, &self.metadata, inquirer).await?;
        let life = granted.life.unwrap_or(LIFE);
        let text = Arc::new(granted.token);
        *token = Some(Token {
            text: Arc::clone(&text),
            // A short life is used up to its half.
            until: Instant::now() + life.saturating_sub(SKEW).max(life / 2),
        });
        Ok(Held {
            token: text,
            is_fresh: true,
        })
    }

    /// Drops a token that a server has refused, unless another has taken its place.
    pub(super) async fn forget(&self, wanted: &TokenRequest, refused: &Held) {
        let slot = self.slot(wanted);
        let mut token = slot.lock().await;
        if token
            .as_ref()
            .is_some_and(|token| Arc::ptr_eq(&token.text, &refused.token))
        {
            *token = None;
        }
    }

    fn slot(&self, wanted: &TokenRequest) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get(wanted) {
            return Arc::clone(slot);
        }
        if slots.len() >= TOKENS_MAX {
            // Those in use are held by their calls; the others are got anew.
            slots.clear();
        }
        let slot = Slot::default();
        slots.insert(wanted.clone(), Arc::clone(&slot));
        slot
    }
}
