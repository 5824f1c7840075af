//! What stands around the tasks: the document's names, what it defines for use, its schedule.

use flame_types::WorkflowId;

use super::Lowering;
use crate::problem::{Problem, Rule};
use crate::shape::did_you_mean;
use crate::source::{Node, pointer_step};
use crate::{Retention, Webhook};

const WEBHOOK_KEY: &str = "mastra.io/webhook";
const RETENTION_KEY: &str = "mastra.io/retention";
/// What of the metadata does something.
const OWN_KEYS: [&str; 2] = [WEBHOOK_KEY, RETENTION_KEY];

/// The readable part of `document`.
pub(super) struct Head {
    pub(super) id: WorkflowId,
    pub(super) title: Option<String>,
    pub(super) summary: Option<String>,
    pub(super) webhook: Option<Webhook>,
    pub(super) retention: Option<Retention>,
}

impl Lowering<'_> {
    pub(super) fn head(&mut self, node: &Node, pointer: &str) -> Option<Head> {
        let text = |key: &str| node.get(key).and_then(Node::text);
        let metadata = node.get("metadata");
        let webhook = self.optional(node, "metadata", pointer, |this, node, pointer| {
            this.check_metadata(node, pointer);
            this.optional(node, WEBHOOK_KEY, pointer, Self::webhook)
        });
        let id = WorkflowId {
            namespace: text("namespace")?.parse().ok()?,
            name: text("name")?.parse().ok()?,
            version: text("version")?.parse().ok()?,
        };
        Some(Head {
            id,
            title: text("title").map(str::to_owned),
            summary: text("summary").map(str::to_owned),
            webhook: webhook?.flatten(),
            retention: metadata
                .and_then(|metadata| metadata.get(RETENTION_KEY))
                .map(retention),
        })
    }

    /// Metadata is free, except that our own prefix must be spelt right to do anything.
    fn check_metadata(&mut self, node: &Node, pointer: &str) {
        for entry in node.object().unwrap_or_default() {
            if entry.key.starts_with("mastra.io/") && !OWN_KEYS.contains(&entry.key.as_str()) {
                let message = format!("unknown key '{}' in the metadata", entry.key);
                let pointer = pointer_step(pointer, &entry.key);
                let problem = Problem::new(Rule::Strict, entry.key_span, &pointer, message);
                let known = || format!("there are {}", OWN_KEYS.join(" and "));
                let hint = did_you_mean(&entry.key, OWN_KEYS).unwrap_or_else(known);
                self.problems.push(problem.hint(hint));
            }
        }
    }

    /// Reads what `use` defines, so that what nobody refers to is checked as well.
    pub(super) fn definitions(&mut self, node: &Node, pointer: &str) {
        let entries = |list: &str| node.get(list).and_then(Node::object).unwrap_or_default();
        for entry in entries("authentications") {
            let pointer = pointer_step(&format!("{pointer}/authentications"), &entry.key);
            // Whoever refers to it may have more variables in scope; that is checked there.
            if !self.referred_authentications.contains(&entry.key) {
                self.policy(&entry.value, &pointer);
            }
        }
        if let Some(functions) = node.get("functions") {
            self.check_functions(functions, &format!("{pointer}/functions"));
        }
        if let Some(catalogs) = node.get("catalogs") {
            self.check_catalogs(catalogs, &format!("{pointer}/catalogs"));
        }
        if let Some(extensions) = node.get("extensions") {
            self.check_extensions(extensions);
        }
        for entry in entries("errors") {
            self.error(
                &entry.value,
                &pointer_step(&format!("{pointer}/errors"), &entry.key),
            );
        }
        for entry in entries("retries") {
            let pointer = pointer_step(&format!("{pointer}/retries"), &entry.key);
            // Whoever refers to it may call the error otherwise; that is checked there.
            if !self.referred.contains(&entry.key) {
                self.within(&["error"], |this| this.retry_policy(&entry.value, &pointer));
            }
        }
        for entry in entries("timeouts") {
            let pointer = pointer_step(&format!("{pointer}/timeouts"), &entry.key);
            self.required(&entry.value, "after", &pointer, Self::duration);
        }
    }

    /// `evaluate`: how texts are read, in the one language that is there.
    pub(super) fn evaluate(&mut self, node: &Node, pointer: &str) {
        self.loose = node.get("mode").and_then(Node::text) == Some("loose");
        if let Some(value) = node.get("language")
            && let Some(text) = value.text()
            && text != "jq"
        {
            let message = format!("expressions in the language '{text}' can't be run");
            let pointer = pointer_step(pointer, "language");
            let problem = Problem::new(Rule::Unsupported, value.span, &pointer, message);
            self.problems.push(
                problem
                    .value(text)
                    .hint("write them in jq, and language: jq or nothing here"),
            );
        }
    }
}

/// Its shape has been checked.
fn retention(node: &Node) -> Retention {
    let number = |key: &str| node.get(key).and_then(Node::integer);
    Retention {
        days: number("days").and_then(|days| u32::try_from(days).ok()),
        runs: number("runs").and_then(|runs| u64::try_from(runs).ok()),
    }
}
