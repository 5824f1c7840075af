//! The offline help, out of the crates that own the pages. No page is written here.

use std::sync::Arc;

use flame_errors::Code;
use flame_ipc::{ErrorView, HelpKind, HelpPage, HelpPages, HelpText};

use crate::app::App;
use crate::execute::Execute;

impl Execute for HelpPages {
    async fn execute(self, _app: Arc<App>) -> Result<Vec<HelpText>, ErrorView> {
        Ok(pages().collect())
    }
}

impl Execute for HelpPage {
    async fn execute(self, _app: Arc<App>) -> Result<HelpText, ErrorView> {
        pages().find(|page| page.id == self.id).ok_or_else(|| {
            ErrorView::new(Code::NotFound, format!("no help page {}", self.id)).with_value(&self.id)
        })
    }
}

/// The kinds of tasks, the simple ones first, then the codes in their order.
fn pages() -> impl Iterator<Item = HelpText> {
    let tasks = flame_dsl::help_pages().iter().map(task);
    tasks.chain(Code::ALL.iter().map(|code| error(*code)))
}

fn task(page: &flame_dsl::HelpPage) -> HelpText {
    let title = page.title();
    HelpText {
        id: page.keyword.to_owned(),
        kind: HelpKind::Task,
        title: title
            .split_once(": ")
            .map_or(title, |(_, rest)| rest)
            .to_owned(),
        markdown: page.markdown.to_owned(),
        example: page.example().map(|example| example.document.to_owned()),
    }
}

fn error(code: Code) -> HelpText {
    HelpText {
        id: code.as_str().to_owned(),
        kind: HelpKind::Error,
        title: code.title().to_owned(),
        markdown: code.help().to_owned(),
        example: None,
    }
}
