//! `call: http`.

use url::Url;

use super::Lowering;
use super::authentication::authorization_known;
use crate::expression;
use crate::problem::{Problem, Rule};
use crate::source::{Content, Node, pointer_step};
use crate::uri_template::UriTemplate;
use crate::{Endpoint, HttpCall, HttpOutput};

impl Lowering<'_> {
    pub(super) fn http_call(&mut self, node: &Node, pointer: &str) -> Option<HttpCall> {
        let authentication = self.call_authentication(node, None, pointer);
        let known = authorization_known(authentication.as_ref());
        if let Some(headers) = node.get("headers") {
            self.header_names(headers, &pointer_step(pointer, "headers"));
        }
        let (method, endpoint, headers, query, body) = self.within(known, |this| {
            (
                this.required(node, "method", pointer, Self::template),
                this.required(node, "endpoint", pointer, Self::endpoint),
                this.optional(node, "headers", pointer, Self::value),
                this.optional(node, "query", pointer, Self::value),
                this.optional(node, "body", pointer, Self::value),
            )
        });
        let output = match node.get("output").and_then(Node::text) {
            Some("raw") => HttpOutput::Raw,
            Some("response") => HttpOutput::Response,
            _ => HttpOutput::Content,
        };
        let redirect = matches!(
            node.get("redirect").map(|n| &n.content),
            Some(Content::Boolean(true))
        );
        Some(HttpCall {
            method: method?,
            endpoint: endpoint?,
            authentication: authentication?,
            headers: headers?,
            query: query?,
            body: body?,
            output,
            redirect,
        })
    }

    pub(super) fn endpoint(&mut self, node: &Node, pointer: &str) -> Option<Endpoint> {
        let Some(text) = node.text() else {
            return self.required(node, "uri", pointer, Self::endpoint);
        };
        if let Some(source) = expression::strip(text) {
            return self
                .compile(node, text, source, pointer)
                .map(Endpoint::Expression);
        }
        if text.contains("${") {
            return self.strict(
                node,
                pointer,
                "the expression does not span the whole endpoint",
                r#"write ${ "https://example.com/\(.id)" } or https://example.com/{id}"#,
            );
        }
        match UriTemplate::parse(text) {
            // What is not HTTP at all has been refused by its shape.
            Ok(template)
                if template.names().next().is_none()
                    && is_http(text)
                    && Url::parse(text).is_err() =>
            {
                self.strict(
                    node,
                    pointer,
                    "not an address that can be called",
                    "such as https://example.com/orders or http://127.0.0.1:8080/orders",
                )
            }
            Ok(_) => Some(Endpoint::UriTemplate(text.into())),
            Err(error) => {
                let span = self.span_inside(node, text, error.offset);
                let message = format!("not a URI template (RFC 6570): {error}");
                self.refuse(
                    Problem::new(Rule::Expression, span, pointer, message)
                        .value(text)
                        .hint("{id} takes 'id' of the task's input; for more write ${ } around the whole"),
                )
            }
        }
    }

    fn header_names(&mut self, node: &Node, pointer: &str) {
        let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        for entry in node.object().unwrap_or_default() {
            if entry.key.is_empty() || !entry.key.chars().all(is_token) {
                let pointer = pointer_step(pointer, &entry.key);
                let problem = Problem::new(
                    Rule::Strict,
                    entry.key_span,
                    &pointer,
                    "not the name of an HTTP header",
                );
                self.problems.push(
                    problem
                        .value(&entry.key)
                        .hint("letters, digits and hyphens"),
                );
            }
        }
    }
}

fn is_http(text: &str) -> bool {
    text.get(..4)
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("http"))
}
