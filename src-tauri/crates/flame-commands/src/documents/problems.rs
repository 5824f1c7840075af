//! Problems of a text as an editor shows them, and the schemas it completes from.

use std::sync::Arc;

use flame_errors::Code;
use flame_ipc::{
    DocumentKind as KindView, EditorSchema, ErrorView, Json, Problem, Severity, Validate,
};
use flame_workspace::DocumentKind;

use super::facts::format_of;
use super::kind_of;
use crate::app::App;
use crate::execute::Execute;
use crate::failure::OrView;

impl Execute for Validate {
    async fn execute(self, _app: Arc<App>) -> Result<Vec<Problem>, ErrorView> {
        // Reading a large text takes long enough to be felt.
        tokio::task::spawn_blocking(move || problems(kind_of(self.kind), &self.text))
            .await
            .or_view()
    }
}

impl Execute for EditorSchema {
    async fn execute(self, _app: Arc<App>) -> Result<Json, ErrorView> {
        Ok(Json(match self.kind {
            KindView::Workflow => flame_dsl::editor_schema(),
            KindView::Pipeline => flame_dsl::pipeline_editor_schema(),
        }))
    }
}

/// All problems of a text, in its order.
pub(super) fn problems(kind: DocumentKind, text: &str) -> Vec<Problem> {
    let format = format_of(text);
    let found = match kind {
        DocumentKind::Pipeline => flame_dsl::examine_pipeline(text, format).problems,
        DocumentKind::Workflow | DocumentKind::Connection => {
            flame_dsl::examine(text, format).problems
        }
    };
    let lines: Vec<&str> = text.split('\n').collect();
    found
        .into_iter()
        .map(|problem| view(&lines, problem))
        .collect()
}

fn view(lines: &[&str], problem: flame_dsl::Problem) -> Problem {
    Problem {
        severity: match problem.severity {
            flame_dsl::Severity::Error => Severity::Error,
            flame_dsl::Severity::Warning => Severity::Warning,
        },
        code: problem
            .code
            .unwrap_or(Code::DefinitionInvalid)
            .as_str()
            .to_owned(),
        message: problem.message,
        value: problem.value,
        hint: problem.hint,
        line: problem.line,
        column: column(lines, problem.line, problem.column),
        end_line: problem.end_line,
        end_column: column(lines, problem.end_line, problem.end_column),
    }
}

/// From a column in characters to one in UTF-16 units; both count from 1.
fn column(lines: &[&str], line: u32, column: u32) -> u32 {
    let text = lines
        .get((line as usize).saturating_sub(1))
        .copied()
        .unwrap_or_default();
    let before = text.chars().take((column as usize).saturating_sub(1));
    let units: usize = before.map(char::len_utf16).sum();
    u32::try_from(units).unwrap_or(u32::MAX).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_what_an_editor_counts() {
        let lines = ["a😀b: x"];
        assert_eq!([1, 2, 3, 4].map(|at| column(&lines, 1, at)), [1, 2, 4, 5]);
        assert_eq!(column(&lines, 9, 5), 1, "a line that is not there");
    }

    #[test]
    fn a_broken_text_says_where() {
        let found = problems(DocumentKind::Workflow, "document:\n  dsl: [1.0.3\n");
        assert!(
            found
                .iter()
                .any(|p| p.severity == Severity::Error && p.line >= 1),
            "{found:?}"
        );
    }
}
