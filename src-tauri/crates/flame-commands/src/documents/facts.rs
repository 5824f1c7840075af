//! What a text says about itself, as far as it can be read.

use flame_dsl::{Format, Severity, WebhookProtection, Workflow};
use flame_ipc::{Trigger, TriggerKind};
use flame_types::{Namespace, Version, WorkflowId, WorkflowName};
use flame_workspace::{Document, DocumentKind};
use serde_json::Value;

/// What is shown of a document and needed to deploy it.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) title: String,
    pub(crate) summary: Option<String>,
    pub(crate) trigger: Trigger,
    pub(crate) errors: usize,
    /// Connections that it names.
    pub(crate) connections: Vec<String>,
    /// Present when the text has no errors.
    pub(crate) id: Option<WorkflowId>,
}

impl Facts {
    /// `namespace/name`, or nothing while the text does not say.
    pub(crate) fn full_name(&self) -> String {
        if self.name.is_empty() {
            return String::new();
        }
        format!("{}/{}", self.namespace, self.name)
    }
}

/// YAML unless the text begins as JSON does.
pub(crate) fn format_of(text: &str) -> Format {
    if text.trim_start().starts_with('{') {
        Format::Json
    } else {
        Format::Yaml
    }
}

/// The workflow of a text that has no errors.
pub(crate) fn model(text: &str) -> Option<Workflow> {
    flame_dsl::parse(text, format_of(text)).ok()
}

/// Reads a document's text.
pub(crate) fn facts(document: &Document) -> Facts {
    facts_of(document.kind, &document.body, &document.name)
}

/// Reads a text; `known_name` is shown while the text is broken.
pub(crate) fn facts_of(kind: DocumentKind, text: &str, known_name: &str) -> Facts {
    match kind {
        DocumentKind::Pipeline => pipeline_facts(text, known_name),
        DocumentKind::Workflow | DocumentKind::Connection => workflow_facts(text, known_name),
    }
}

fn workflow_facts(text: &str, known_name: &str) -> Facts {
    let examined = flame_dsl::examine(text, format_of(text));
    let errors = count_errors(&examined.problems);
    let Some(workflow) = examined.value else {
        return broken(text, "/document", known_name, errors);
    };
    let trigger = match (&workflow.webhook, &workflow.schedule) {
        (Some(hook), _) => (TriggerKind::Webhook, format!("/hooks/{}", hook.path)),
        (None, Some(schedule)) => (TriggerKind::Schedule, schedule.to_string()),
        (None, None) => (TriggerKind::Manual, String::new()),
    };
    let mut connections = Vec::new();
    match workflow.webhook.as_ref().map(|hook| &hook.protection) {
        Some(
            WebhookProtection::Secret { connection }
            | WebhookProtection::StandardWebhooks { connection },
        ) => connections.push(connection.clone()),
        Some(WebhookProtection::None) | None => {}
    }
    collect_connections(&workflow.definition, &mut connections);
    Facts {
        namespace: workflow.id.namespace.to_string(),
        name: workflow.id.name.to_string(),
        version: workflow.id.version.to_string(),
        title: workflow
            .title
            .unwrap_or_else(|| spoken(workflow.id.name.as_str())),
        summary: workflow.summary,
        trigger: Trigger {
            kind: trigger.0,
            detail: trigger.1,
            next_at: None,
        },
        errors,
        connections,
        id: Some(workflow.id),
    }
}

fn pipeline_facts(text: &str, known_name: &str) -> Facts {
    let examined = flame_dsl::examine_pipeline(text, format_of(text));
    let errors = count_errors(&examined.problems);
    let Some(pipeline) = examined.value else {
        return broken(text, "/pipeline", known_name, errors);
    };
    let trigger = match &pipeline.watch {
        Some(watch) => {
            let detail = format!("{}/{}", watch.folder.trim_end_matches('/'), watch.pattern);
            Trigger {
                kind: TriggerKind::Folder,
                detail,
                next_at: None,
            }
        }
        None => manual(),
    };
    Facts {
        namespace: pipeline.namespace.to_string(),
        name: pipeline.name.to_string(),
        version: pipeline.version.to_string(),
        title: pipeline
            .title
            .unwrap_or_else(|| spoken(pipeline.name.as_str())),
        summary: pipeline.summary,
        trigger,
        errors,
        connections: pipeline.sink.connection.into_iter().collect(),
        id: Some(WorkflowId {
            namespace: pipeline.namespace,
            name: pipeline.name,
            version: pipeline.version,
        }),
    }
}

/// As much as a broken text still says.
fn broken(text: &str, head: &str, known_name: &str, errors: usize) -> Facts {
    let json = flame_dsl::to_json(text, format_of(text)).unwrap_or(Value::Null);
    let field = |key: &str| {
        json.pointer(&format!("{head}/{key}"))
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let (known_namespace, known_name) = known_name.split_once('/').unwrap_or(("", ""));
    let valid = |said: &str, known: &str, is_valid: bool| {
        if is_valid {
            said.to_owned()
        } else {
            known.to_owned()
        }
    };
    let namespace = field("namespace");
    let name = field("name");
    let version = field("version");
    let name = valid(name, known_name, name.parse::<WorkflowName>().is_ok());
    let title = match field("title") {
        "" if name.is_empty() => "Untitled".to_owned(),
        "" => spoken(&name),
        title => title.to_owned(),
    };
    Facts {
        namespace: valid(
            namespace,
            known_namespace,
            namespace.parse::<Namespace>().is_ok(),
        ),
        name,
        version: valid(version, "", version.parse::<Version>().is_ok()),
        title,
        summary: None,
        trigger: manual(),
        errors: errors.max(1),
        connections: Vec::new(),
        id: None,
    }
}

fn manual() -> Trigger {
    Trigger {
        kind: TriggerKind::Manual,
        detail: String::new(),
        next_at: None,
    }
}

fn count_errors(problems: &[flame_dsl::Problem]) -> usize {
    problems
        .iter()
        .filter(|problem| problem.severity == Severity::Error)
        .count()
}

/// `every-morning` as "Every morning".
fn spoken(name: &str) -> String {
    let mut letters = name.replace('-', " ");
    if let Some(first) = letters.get_mut(0..1) {
        first.make_ascii_uppercase();
    }
    letters
}

/// Every `with.connection` of a call.
fn collect_connections(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            let named = fields.get("with").and_then(|with| with.get("connection"));
            if let Some(Value::String(name)) = named
                && fields.contains_key("call")
                && !found.contains(name)
            {
                found.push(name.clone());
            }
            fields
                .values()
                .for_each(|value| collect_connections(value, found));
        }
        Value::Array(items) => items
            .iter()
            .for_each(|value| collect_connections(value, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_text_keeps_the_name_that_was_known() {
        let facts = facts_of(DocumentKind::Workflow, "do: [", "shop/every-morning");
        assert_eq!(facts.full_name(), "shop/every-morning");
        assert_eq!(facts.title, "Every morning");
        assert!(facts.errors > 0 && facts.id.is_none());
        let facts = facts_of(DocumentKind::Workflow, "", "");
        assert_eq!(
            (facts.title.as_str(), facts.full_name().as_str()),
            ("Untitled", "")
        );
    }

    #[test]
    fn a_readable_but_wrong_text_says_its_own_name() {
        let text = "document: {namespace: shop, name: orders, title: Orders, version: 1.0.0}\n";
        let facts = facts_of(DocumentKind::Workflow, text, "old/name");
        assert_eq!(
            (facts.full_name().as_str(), facts.title.as_str()),
            ("shop/orders", "Orders")
        );
        assert!(facts.errors > 0, "there is nothing to do");
    }

    #[test]
    fn connections_are_found_wherever_a_call_stands() {
        let value = serde_json::json!({"do": [
            {"a": {"call": "x", "with": {"connection": "one"}}},
            {"b": {"try": [{"c": {"call": "y", "with": {"connection": "two"}}}]}},
            {"d": {"set": {"with": {"connection": "three"}}}},
        ]});
        let mut found = Vec::new();
        collect_connections(&value, &mut found);
        assert_eq!(found, ["one", "two"]);
    }
}
