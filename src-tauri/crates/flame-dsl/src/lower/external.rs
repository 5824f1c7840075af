//! Texts from outside: functions at an address or in a catalog, and schemas by `resource` or reference.
//!
//! They are fetched when a run begins, not when a document is read: until then what they stand for is empty,
//! and the model says what is missing. A function out of the network is a stranger: it sees no secret and
//! nothing of the document's `use`, does nothing on this machine but JavaScript, and its calls go where data
//! may lead, or to its own host. One in the resources folder is the user's own. Deliberately absent: fetching.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use url::Url;

use super::Lowering;
use super::flow::Targets;
use super::referred::Compiled;
use super::schema::of_draft;
use crate::problem::{Problem, Problems, Rule};
use crate::process::{Process, ScriptCode, ScriptLanguage};
use crate::shape::{self, Shape, did_you_mean};
use crate::source::{self, Entry, Format, Lines, Node, pointer_step};
use crate::{
    Authentication, Endpoint, External, Externals, Foreign, Protocol, Schema, Task, TaskKind,
    TaskList,
};

/// Texts that a run may need, those of functions within functions too.
const TEXTS_MAX: usize = 32;
/// Functions from outside within one another.
const DEPTH_MAX: usize = 8;

/// What lowering knows of texts from outside.
#[derive(Debug, Default)]
pub(super) struct Outside {
    pub(super) texts: Arc<Externals>,
    pub(super) missing: Vec<External>,
    pub(super) foreign: Vec<Foreign>,
    /// Addresses of the functions around the place, from the outside in.
    around: Vec<Arc<str>>,
    /// By address, how the document says that whoever asks proves who it is.
    policies: BTreeMap<String, Value>,
}

/// Where a text is, and how whoever asks for it proves who it is.
pub(super) struct Place {
    pub(super) address: String,
    pub(super) authentication: Option<Authentication>,
    /// What stands here names it, not a text from outside.
    pub(super) named: bool,
}

impl Lowering<'_> {
    /// Whether a call names a function outside of the document.
    pub(super) fn is_external(&self, task: &Node) -> bool {
        let name = task.get("call").and_then(Node::text).unwrap_or_default();
        match name.rsplit_once('@') {
            _ if name.contains("://") => true,
            Some((_, "default")) => self.catalog("default").is_some(),
            Some(_) => true,
            None => false,
        }
    }

    pub(super) fn external_call(&mut self, task: &Node, pointer: &str) -> Option<TaskKind> {
        let call = task.get("call")?;
        let name = call.text()?;
        let at = pointer_step(pointer, "call");
        let place = self.place_of(call, name, &at);
        let arguments = self.optional(task, "with", pointer, Self::value);
        let (place, arguments) = (place?, arguments?);
        let reference = pointer_step(&at, name);
        let body = match self.text_at(call, &place, &at)? {
            None => None,
            Some(text) => Some(self.function_from(call, &place.address, &text, &reference)?),
        };
        let arguments = arguments.map(|template| self.arguments_task(task, template, pointer));
        Some(TaskKind::Do(TaskList(
            arguments.into_iter().chain(body).collect(),
        )))
    }

    /// The schema at `schema.resource`; `Some(None)` until its text is there.
    pub(super) fn schema_from(
        &mut self,
        node: &Node,
        draft: Option<&str>,
        pointer: &str,
    ) -> Option<Option<Schema>> {
        let endpoint = node.get("endpoint")?;
        let pointer = pointer_step(pointer, "endpoint");
        let place = self.address(endpoint, &pointer)?;
        let Some(text) = self.text_at(endpoint, &place, &pointer)? else {
            return Some(None);
        };
        let read = source::read(&text, format_of(&text));
        let compiled = match read {
            Ok(read) => {
                let schema = of_draft(read.to_json(), draft);
                self.compile_schema(endpoint, schema, Some(&place.address), &pointer)
            }
            Err(problems) => {
                return self.no_schema(endpoint, &place, &pointer, &problems[0].to_string());
            }
        };
        match compiled {
            Compiled::Whole(schema) => Some(Some(schema)),
            Compiled::Waits => Some(None),
            Compiled::Refused => None,
            Compiled::Wrong(error) => {
                self.no_schema(endpoint, &place, &pointer, &error.to_string())
            }
        }
    }

    fn no_schema<T>(
        &mut self,
        endpoint: &Node,
        place: &Place,
        pointer: &str,
        reason: &str,
    ) -> Option<T> {
        let message = format!("{} is no JSON Schema: {reason}", place.address);
        let problem = Problem::new(Rule::Strict, endpoint.span, pointer, message);
        self.refuse(problem.value(&place.address).hint(
            "let the address give a JSON Schema as JSON or YAML, or write it out under 'document'",
        ))
    }

    /// Checks every catalog, also those that nobody calls.
    pub(super) fn check_catalogs(&mut self, node: &Node, pointer: &str) {
        for entry in node.object().unwrap_or_default() {
            let pointer = pointer_step(&pointer_step(pointer, &entry.key), "endpoint");
            if let Some(endpoint) = entry.value.get("endpoint") {
                self.address(endpoint, &pointer);
            }
        }
    }

    fn catalog(&self, name: &str) -> Option<&Node> {
        let catalogs = self.uses?.get("catalogs")?;
        catalogs.get(name)?.get("endpoint")
    }

    /// What a call's name stands for: an address, or `name:version@catalog`.
    fn place_of(&mut self, call: &Node, name: &str, pointer: &str) -> Option<Place> {
        if name.contains("://") {
            return self.function_address(call, name, pointer);
        }
        let (function, catalog) = name.rsplit_once('@')?;
        let Some(endpoint) = self.catalog(catalog).cloned() else {
            let catalogs = self.uses.and_then(|uses| uses.get("catalogs")?.object());
            let known = catalogs.unwrap_or_default();
            let hint = did_you_mean(catalog, known.iter().map(|entry| entry.key.as_str()));
            let message = format!("no catalog '{catalog}' in use.catalogs");
            let problem = Problem::new(Rule::Reference, call.span, pointer, message);
            let problem = problem.value(name).hint(hint.unwrap_or_else(|| {
                format!("add it: use: {{catalogs: {{{catalog}: {{endpoint: https://...}}}}}}")
            }));
            return self.refuse(problem);
        };
        let parts = function
            .split_once(':')
            .filter(|(name, version)| [name, version].into_iter().all(|part| is_name(part)));
        let Some((function, version)) = parts else {
            return self.strict(
                call,
                pointer,
                "not a function of a catalog",
                "write NAME:VERSION@CATALOG, such as log:1.0.0@shared",
            );
        };
        let at = pointer_step(&pointer_step("/use/catalogs", catalog), "endpoint");
        let mut place = self.address(&endpoint, &at)?;
        let root = place.address.trim_end_matches('/');
        place.address = raw(&format!(
            "{root}/functions/{function}/{version}/function.yaml"
        ));
        Some(place)
    }

    fn function_address(&mut self, call: &Node, address: &str, pointer: &str) -> Option<Place> {
        self.check_literal(call, address, pointer)?;
        if !is_readable(address) {
            return self.strict(
                call,
                pointer,
                "not an address that can be read",
                "begin with https://, http:// or, for a file of the resources folder, file:///",
            );
        }
        let path = address.split(['?', '#']).next().unwrap_or(address);
        let is_file = [".yaml", ".yml", ".json"]
            .iter()
            .any(|ending| path.ends_with(ending));
        let address = match is_file || path.len() < address.len() {
            true => raw(address),
            false => raw(&format!("{}/function.yaml", address.trim_end_matches('/'))),
        };
        Some(Place {
            address,
            authentication: None,
            named: true,
        })
    }

    /// An endpoint that is written out: a text, or `uri` with `authentication`.
    fn address(&mut self, endpoint: &Node, pointer: &str) -> Option<Place> {
        let uri = endpoint.get("uri").unwrap_or(endpoint);
        let address = uri.text()?;
        let authentication =
            self.optional(endpoint, "authentication", pointer, Self::authentication)?;
        self.check_literal(uri, address, pointer)?;
        self.check_policy(endpoint, address, pointer)?;
        // Its shape has been told.
        is_readable(address).then(|| Place {
            address: raw(address),
            authentication,
            named: true,
        })
    }

    /// What an address gives is got once, for all who name it.
    fn check_policy(&mut self, endpoint: &Node, address: &str, pointer: &str) -> Option<()> {
        let Some(written) = endpoint.get("authentication") else {
            return Some(());
        };
        let policies = &mut self.outside.policies;
        let policy = policies
            .entry(raw(address))
            .or_insert_with(|| written.to_json());
        if *policy == written.to_json() {
            return Some(());
        }
        self.strict(
            written,
            &pointer_step(pointer, "authentication"),
            "another authentication than elsewhere for the same address",
            "write the same at each place, such as {use: NAME} of use.authentications",
        )
    }

    fn check_literal(&mut self, node: &Node, address: &str, pointer: &str) -> Option<()> {
        if !address.contains(['{', '}']) {
            return Some(());
        }
        self.strict(
            node,
            pointer,
            "an address that depends on data, where there is no run yet",
            "write the address out, such as https://example.com/order.json",
        )
    }

    /// `Some(None)` where the text is not there yet.
    pub(super) fn text_at(
        &mut self,
        node: &Node,
        place: &Place,
        pointer: &str,
    ) -> Option<Option<Arc<str>>> {
        if let Some(text) = self.outside.texts.get(place.address.as_str()) {
            return Some(Some(Arc::clone(text)));
        }
        let named = place.named && self.outside.around.is_empty();
        let mut missing = self.outside.missing.iter_mut();
        if let Some(known) = missing.find(|known| *known.address == *place.address) {
            // It is fetched once, with the rights of all who want it.
            known.named |= named;
            known.authentication = known.authentication.take().or(place.authentication.clone());
            return Some(None);
        }
        if self.outside.texts.len() + self.outside.missing.len() >= TEXTS_MAX {
            let message = format!("the document needs more than {TEXTS_MAX} texts from outside");
            return self.refuse(
                Problem::new(Rule::Limit, node.span, pointer, message)
                    .value(&place.address)
                    .hint("write functions and schemas into the document, or split it"),
            );
        }
        self.outside.missing.push(External {
            address: place.address.as_str().into(),
            authentication: place.authentication.clone(),
            reference: pointer.into(),
            named,
        });
        Some(None)
    }

    /// The task that a text defines.
    fn function_from(
        &mut self,
        call: &Node,
        address: &str,
        text: &str,
        reference: &str,
    ) -> Option<Task> {
        let place: Arc<str> = address.into();
        let around = &self.outside.around;
        let refusal = if around.contains(&place) {
            Some(format!("the function at {address} calls itself"))
        } else if around.len() >= DEPTH_MAX {
            Some(format!(
                "more than {DEPTH_MAX} functions from outside are within one another"
            ))
        } else {
            None
        };
        if let Some(message) = refusal {
            let pointer = reference.to_owned();
            return self.refuse(
                Problem::new(Rule::Limit, call.span, &pointer, message)
                    .value(address)
                    .hint("call another function, or write what it does into the document"),
            );
        }
        let task = self.read_function(&place, text, reference);
        match task {
            Ok(task) => {
                if is_foreign(address) {
                    self.outside.foreign.push(Foreign {
                        reference: reference.into(),
                        address: place,
                    });
                }
                Some(task)
            }
            Err(reason) => {
                let message = format!("the function at {address} can't be used: {reason}");
                let problem = Problem::new(Rule::Strict, call.span, reference, message);
                self.refuse(problem.value(address).hint(
                    "repair the function there, name another version of it, or define it in use.functions",
                ))
            }
        }
    }

    fn read_function(
        &mut self,
        address: &Arc<str>,
        text: &str,
        reference: &str,
    ) -> Result<Task, String> {
        let first = |problems: Vec<Problem>| {
            let first = problems.first();
            first.map_or_else(|| "it is empty".to_owned(), ToString::to_string)
        };
        let node = source::read(text, format_of(text)).map_err(first)?;
        let (mut problems, lines) = (Problems::default(), Lines::new(text));
        shape::check(&node, &Shape::Task, &mut problems);
        let entry = Entry {
            key: "function".to_owned(),
            key_span: node.span,
            value: node,
        };
        let mut inner = Lowering::new(&lines, &mut problems);
        inner.expressions = self.expressions;
        inner.compensations = self.compensations;
        inner.in_compensation = self.in_compensation;
        inner.outside = std::mem::take(&mut self.outside);
        if !is_foreign(address) {
            inner.secrets.clone_from(&self.secrets);
            inner.scope = inner.scope_of_all();
        }
        inner.outside.around.push(Arc::clone(address));
        let task = inner.task(&entry, reference, Targets::Names(&[]));
        inner.outside.around.pop();
        let (outside, expressions) = (std::mem::take(&mut inner.outside), inner.expressions);
        let (compensations, observes) = (inner.compensations, inner.observes);
        (self.outside, self.expressions) = (outside, expressions);
        self.compensations = compensations;
        self.observes.extend(observes);
        if problems.has_errors() {
            return Err(first(problems.into_sorted()));
        }
        let task = task.ok_or("it is no task")?;
        match is_foreign(address).then(|| deed_of(&task)).flatten() {
            Some(deed) => Err(format!(
                "it {deed}, and what comes out of the network may not; keep the function as a file of the \
                 resources folder"
            )),
            None => Ok(task),
        }
    }
}

pub(super) fn is_readable(address: &str) -> bool {
    let known = ["http://", "https://", "file://"];
    known.iter().any(|scheme| address.starts_with(scheme)) && Url::parse(address).is_ok()
}

/// Whether a text comes from the network.
fn is_foreign(address: &str) -> bool {
    !address.starts_with("file://")
}

/// Whether a script stands in the resources folder.
fn is_file(code: &ScriptCode) -> bool {
    let endpoint = match code {
        ScriptCode::Source(resource) => &resource.endpoint,
        ScriptCode::Inline(_) => return false,
    };
    matches!(endpoint, Endpoint::UriTemplate(text) if text.starts_with("file:"))
}

/// What a task does with this machine or what is the user's, however deep.
fn deed_of(task: &Task) -> Option<&'static str> {
    let own = match &task.kind {
        TaskKind::CallFunction(_) => Some("uses a connector"),
        // Its server may be a program.
        TaskKind::CallProtocol(call) if call.protocol == Protocol::Mcp => {
            Some("calls an MCP server")
        }
        TaskKind::Run(run) => match &run.process {
            Process::Script(script) if is_file(&script.code) => {
                Some("runs a script of this machine")
            }
            Process::Script(script) if script.language == ScriptLanguage::JavaScript => None,
            Process::Script(_) => Some("runs a script other than JavaScript"),
            Process::Shell(_) => Some("runs a shell"),
            Process::Container(_) => Some("runs a container"),
            Process::Workflow(_) => Some("starts a workflow"),
        },
        _ => None,
    };
    let mut below = task.lists().flat_map(|list| &list.0);
    own.or_else(|| below.find_map(deed_of))
}

/// A part of a path that stays where it is.
fn is_name(part: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-+".contains(c);
    !part.is_empty() && part.chars().all(plain) && part != "." && part != ".."
}

pub(super) fn format_of(text: &str) -> Format {
    if text.trim_start().starts_with('{') {
        Format::Json
    } else {
        Format::Yaml
    }
}

/// Where GitHub and GitLab serve the text that a page of theirs shows (DSL 1.0.3, "Catalogs").
pub(super) fn raw(address: &str) -> String {
    if let Some(rest) = address.strip_prefix("https://github.com/") {
        let parts: Vec<&str> = rest.splitn(5, '/').collect();
        match parts.as_slice() {
            [owner, repository, "tree" | "blob", branch, path] => {
                return format!(
                    "https://raw.githubusercontent.com/{owner}/{repository}/refs/heads/{branch}/{path}"
                );
            }
            [owner, repository, _, ..] => {
                let path = parts[2..].join("/");
                return format!(
                    "https://raw.githubusercontent.com/{owner}/{repository}/refs/heads/main/{path}"
                );
            }
            _ => {}
        }
    }
    if let Some(rest) = address.strip_prefix("https://gitlab.com/") {
        for page in ["/-/tree/", "/-/blob/"] {
            if rest.contains(page) {
                return address.replacen(page, "/-/raw/", 1);
            }
        }
    }
    address.to_owned()
}

#[cfg(test)]
mod tests {
    use super::raw;

    #[test]
    fn pages_of_repositories_become_their_texts() {
        for (page, text) in [
            (
                "https://github.com/serverlessworkflow/catalog/tree/main/functions/log/1.0.0/function.yaml",
                "https://raw.githubusercontent.com/serverlessworkflow/catalog/refs/heads/main/functions/log/1.0.0/function.yaml",
            ),
            (
                "https://github.com/a/b/functions/log/1.0.0/function.yaml",
                "https://raw.githubusercontent.com/a/b/refs/heads/main/functions/log/1.0.0/function.yaml",
            ),
            (
                "https://gitlab.com/a/b/-/tree/main/functions/log/1.0.0/function.yaml",
                "https://gitlab.com/a/b/-/raw/main/functions/log/1.0.0/function.yaml",
            ),
            ("https://example.com/f.yaml", "https://example.com/f.yaml"),
        ] {
            assert_eq!(raw(page), text);
        }
    }
}
