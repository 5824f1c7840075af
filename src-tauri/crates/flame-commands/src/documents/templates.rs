//! Starts for new documents.

use std::sync::Arc;

use flame_ipc::{DocumentKind, DocumentTemplate, ErrorView, TemplatesList};

use crate::app::App;
use crate::execute::Execute;

/// Id, kind, title, description, text.
const TEMPLATES: &[(&str, DocumentKind, &str, &str, &str)] = &[
    (
        "blank",
        DocumentKind::Workflow,
        "Blank workflow",
        "One task to begin with",
        include_str!("../templates/blank.yaml"),
    ),
    (
        "webhook",
        DocumentKind::Workflow,
        "Webhook to table",
        "Takes JSON, checks it, writes a row",
        include_str!("../templates/webhook.yaml"),
    ),
    (
        "schedule",
        DocumentKind::Workflow,
        "Call an API on a schedule",
        "Asks an HTTP API and keeps the answer in a file",
        include_str!("../templates/schedule.yaml"),
    ),
    (
        "approval",
        DocumentKind::Workflow,
        "Approval by a person",
        "Waits under Tasks for a yes or no",
        include_str!("../templates/approval.yaml"),
    ),
    (
        "folder",
        DocumentKind::Pipeline,
        "Folder to table",
        "Every CSV file in a folder becomes rows",
        include_str!("../templates/folder.yaml"),
    ),
];

impl Execute for TemplatesList {
    async fn execute(self, _app: Arc<App>) -> Result<Vec<DocumentTemplate>, ErrorView> {
        Ok(TEMPLATES
            .iter()
            .map(|(id, kind, title, description, text)| DocumentTemplate {
                id: (*id).to_owned(),
                kind: *kind,
                title: (*title).to_owned(),
                description: (*description).to_owned(),
                text: (*text).to_owned(),
            })
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::kind_of;
    use crate::documents::problems::problems;

    #[test]
    fn every_template_is_without_problems() {
        for (id, kind, .., text) in TEMPLATES {
            assert_eq!(problems(kind_of(*kind), text), [], "{id}");
        }
    }
}
