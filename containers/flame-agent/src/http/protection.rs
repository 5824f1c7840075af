//! How a webhook knows its caller: the secret of a connection as a bearer token, or a Standard
//! Webhooks signature over the body.

use axum::http::HeaderMap;
use flame_dsl::WebhookProtection;
use flame_errors::Code;
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use standardwebhooks::{Webhook, WebhookError};
use subtle::ConstantTimeEq;

use super::failure::Failure;
use super::guard::bearer;
use crate::runtime::Connections;

/// Checks what can be checked before the body is read.
pub(super) fn check_head(
    protection: &WebhookProtection,
    headers: &HeaderMap,
    connections: &Connections,
) -> Result<(), Failure> {
    let WebhookProtection::Secret { connection } = protection else {
        return Ok(());
    };
    let secret = secret(connections, connection)?;
    let Some(shown) = bearer(headers) else {
        return Err(refused(
            "the request has no bearer token, and this webhook asks for one",
        ));
    };
    let same = Sha256::digest(shown.as_bytes()).ct_eq(&Sha256::digest(secret.as_bytes()));
    if bool::from(same) {
        Ok(())
    } else {
        Err(refused("the bearer token is not this webhook's secret"))
    }
}

/// Checks the signature over the body, unpacked, as its sender made it.
pub(super) fn check_body(
    protection: &WebhookProtection,
    headers: &HeaderMap,
    body: &[u8],
    connections: &Connections,
) -> Result<(), Failure> {
    let WebhookProtection::StandardWebhooks { connection } = protection else {
        return Ok(());
    };
    let secret = secret(connections, connection)?;
    let webhook = Webhook::new(&secret).map_err(|_| {
        Failure::new(
            Code::ConnectionUnknown,
            format!("the secret of connection {connection:?} is not a Standard Webhooks secret"),
        )
        .hint("A Standard Webhooks secret is `whsec_` and base64. Set the connection again.")
    })?;
    webhook.verify(body, headers).map_err(|error| match error {
        WebhookError::MissingHeader(name) => {
            refused(&format!("the webhook-{name} header is missing"))
        }
        WebhookError::InvalidHeader(name) => {
            refused(&format!("the webhook-{name} header can't be read"))
        }
        WebhookError::InvalidTimestamp => refused("webhook-timestamp is not a number of seconds"),
        WebhookError::TimestampTooOldError => {
            refused("webhook-timestamp is more than 5 minutes ago")
        }
        WebhookError::FutureTimestampError => {
            refused("webhook-timestamp is more than 5 minutes ahead")
        }
        _ => refused("webhook-signature does not fit the body and this webhook's secret"),
    })
}

fn refused(detail: &str) -> Failure {
    Failure::new(Code::SignatureInvalid, detail)
}

fn secret(connections: &Connections, name: &str) -> Result<String, Failure> {
    let entry = connections.get(name);
    let secret = entry
        .as_ref()
        .and_then(|entry| entry.connection.secret.as_ref());
    secret
        .map(|secret| secret.expose_secret().to_owned())
        .ok_or_else(|| {
            Failure::new(
                Code::ConnectionUnknown,
                format!("connection {name:?}, which holds this webhook's secret, has none now"),
            )
            .hint("Set the connection's secret; the agent keeps secrets in memory only.")
        })
}
