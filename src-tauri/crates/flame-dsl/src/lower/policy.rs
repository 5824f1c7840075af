//! Errors to raise, filters of errors to catch, and retry policies.

use super::Lowering;
use crate::source::Node;
use crate::{Backoff, ErrorFilter, ErrorTemplate, RetryPolicy, Template};

impl Lowering<'_> {
    /// `raise.error`: inline, or the name of one in `use.errors`.
    pub(super) fn raised(&mut self, node: &Node, pointer: &str) -> Option<ErrorTemplate> {
        let Some(name) = node.text() else {
            return self.error(node, pointer);
        };
        let (definition, pointer) = self.used(node, name, "errors", "error", pointer)?;
        self.error(&definition, &pointer)
    }

    pub(super) fn error(&mut self, node: &Node, pointer: &str) -> Option<ErrorTemplate> {
        let kind = self.required(node, "type", pointer, Self::template);
        let status = self.required(node, "status", pointer, Self::status);
        let title = self.optional(node, "title", pointer, Self::template);
        let detail = self.optional(node, "detail", pointer, Self::template);
        let instance = self.optional(node, "instance", pointer, Self::instance);
        Some(ErrorTemplate {
            kind: kind?,
            status: status?,
            title: title?,
            detail: detail?,
            instance: instance?,
        })
    }

    fn status(&mut self, node: &Node, _pointer: &str) -> Option<Template> {
        Some(Template::Literal(std::sync::Arc::new(
            node.integer()?.into(),
        )))
    }

    fn instance(&mut self, node: &Node, pointer: &str) -> Option<Template> {
        let text = node.text()?;
        if text.is_empty() || text.starts_with('/') || text.contains("${") {
            return self.template(node, pointer);
        }
        self.strict(
            node,
            pointer,
            "not a JSON pointer",
            "begin with '/', such as /do/0/getPet, or leave it out: the task is the default",
        )
    }

    pub(super) fn error_filter(&mut self, node: &Node, _pointer: &str) -> Option<ErrorFilter> {
        let text = |key: &str| node.get(key).and_then(Node::text).map(str::to_owned);
        let status = match node.get("status") {
            None => None,
            Some(status) => Some(u16::try_from(status.integer()?).ok()?),
        };
        Some(ErrorFilter {
            kind: text("type"),
            status,
            instance: text("instance"),
            title: text("title"),
            detail: text("detail").or_else(|| text("details")),
        })
    }

    /// `catch.retry`: inline, or the name of one in `use.retries`.
    pub(super) fn retry(&mut self, node: &Node, pointer: &str) -> Option<RetryPolicy> {
        let Some(name) = node.text() else {
            return self.retry_policy(node, pointer);
        };
        let (definition, pointer) = self.used(node, name, "retries", "retry policy", pointer)?;
        self.referred.push(name.to_owned());
        self.retry_policy(&definition, &pointer)
    }

    pub(super) fn retry_policy(&mut self, node: &Node, pointer: &str) -> Option<RetryPolicy> {
        let when = self.optional(node, "when", pointer, Self::expression);
        let except_when = self.optional(node, "exceptWhen", pointer, Self::expression);
        let delay = self.optional(node, "delay", pointer, Self::duration);
        let backoff = self.optional(node, "backoff", pointer, |_, node, _| backoff(node));
        let jitter = self.optional(node, "jitter", pointer, |this, node, pointer| {
            let from = this.required(node, "from", pointer, Self::duration);
            let to = this.required(node, "to", pointer, Self::duration);
            Some((from?, to?))
        });
        let limit = self.optional(node, "limit", pointer, |this, node, pointer| {
            let attempt = this.optional(node, "attempt", pointer, |this, node, pointer| {
                let count = this.optional(node, "count", pointer, |_, node, _| {
                    u32::try_from(node.integer()?).ok()
                });
                let duration = this.optional(node, "duration", pointer, Self::duration);
                Some((count?, duration?))
            });
            let duration = this.optional(node, "duration", pointer, Self::duration);
            Some((attempt?.unwrap_or_default(), duration?))
        });
        let ((attempts_max, attempt_duration_max), duration_max) = limit?.unwrap_or_default();
        Some(RetryPolicy {
            when: when?,
            except_when: except_when?,
            delay: delay?,
            backoff: backoff?.unwrap_or_default(),
            jitter: jitter?,
            attempts_max,
            attempt_duration_max,
            duration_max,
        })
    }
}

fn backoff(node: &Node) -> Option<Backoff> {
    Some(match node.single()?.key.as_str() {
        "constant" => Backoff::Constant,
        "linear" => Backoff::Linear,
        "exponential" => Backoff::Exponential,
        _ => return None,
    })
}
