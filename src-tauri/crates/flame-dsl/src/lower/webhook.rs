//! `document.metadata."mastra.io/webhook"`.

use super::Lowering;
use crate::source::{Node, pointer_step};
use crate::{Webhook, WebhookAnswer, WebhookProtection};

/// Characters that a webhook's path may have.
const PATH_CHARACTERS_MAX: usize = 200;

impl Lowering<'_> {
    pub(super) fn webhook(&mut self, node: &Node, pointer: &str) -> Option<Webhook> {
        let path = self.required(node, "path", pointer, Self::hook_path);
        let content_type = self.optional(node, "contentType", pointer, Self::content_type);
        let protection = self.protection(node, pointer);
        let method = node.get("method").and_then(Node::text).unwrap_or("POST");
        let answer = match node.get("answer").and_then(Node::text) {
            Some("output") => WebhookAnswer::Output,
            _ => WebhookAnswer::Accepted,
        };
        Some(Webhook {
            path: path?,
            method: method.to_owned(),
            content_type: content_type?.unwrap_or_else(|| "application/json".to_owned()),
            protection: protection?,
            answer,
        })
    }

    fn hook_path(&mut self, node: &Node, pointer: &str) -> Option<String> {
        let text = node.text()?;
        let path = text.strip_prefix('/').unwrap_or(text);
        let letter = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
        let good = |part: &str| {
            !part.is_empty() && part != "." && part != ".." && part.chars().all(letter)
        };
        if path.len() <= PATH_CHARACTERS_MAX && path.split('/').all(good) {
            return Some(path.to_owned());
        }
        self.strict(
            node,
            pointer,
            "not a path for a webhook",
            "letters, digits, '-', '.', '_' and '~' with '/' between, such as shop/orders",
        )
    }

    fn content_type(&mut self, node: &Node, pointer: &str) -> Option<String> {
        let text = node.text()?.trim().to_ascii_lowercase();
        let is_token = |part: &str| {
            !part.is_empty()
                && part
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "!#$&-^_.+".contains(c))
        };
        let good = text
            .split_once('/')
            .is_some_and(|(kind, sub)| is_token(kind) && is_token(sub));
        if good {
            return Some(text);
        }
        self.strict(
            node,
            pointer,
            "not a content type",
            "such as application/json, without parameters",
        )
    }

    fn protection(&mut self, node: &Node, pointer: &str) -> Option<WebhookProtection> {
        let connection = |node: &Node| node.get("connection")?.text().map(str::to_owned);
        match (node.get("secret"), node.get("signature")) {
            (None, None) => Some(WebhookProtection::None),
            (Some(secret), None) => Some(WebhookProtection::Secret {
                connection: connection(secret)?,
            }),
            (None, Some(signature)) => Some(WebhookProtection::StandardWebhooks {
                connection: connection(signature.get("standardWebhooks")?)?,
            }),
            (Some(_), Some(signature)) => self.strict(
                signature,
                &pointer_step(pointer, "signature"),
                "a webhook has either a secret or a signature",
                "keep the signature where the sender can sign: it covers the body too",
            ),
        }
    }
}
