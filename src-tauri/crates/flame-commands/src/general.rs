//! The app itself: its facts, its folders and search.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use flame_agent_client::api::RunQuery;
use flame_errors::Code;
use flame_ipc::{
    AppInfo, AppInfoView, ErrorView, Folder, OpenFolder, Platform, RuntimeMode, Search, SearchHit,
    SearchKind,
};
use flame_workspace::{DocumentKind, backups_folder};

use crate::app::{App, Options};
use crate::execute::Execute;
use crate::failure::OrView;
use crate::host::Host;
use crate::session::Session;
use crate::{documents, runs};

const HITS_MAX: u32 = 50;

impl Execute for AppInfo {
    async fn execute(self, app: Arc<App>) -> Result<AppInfoView, ErrorView> {
        let name = app
            .with_workspace(|workspace| workspace.fact(documents::NAME_FACT).or_view())
            .await?;
        Ok(AppInfoView {
            workspace_name: Some(name.unwrap_or_else(|| documents::NAME_FIRST.to_owned())),
            output_folder: Some(shown(&folder(&app, Folder::Output))),
            first_start: app.workspace.is_first_start(),
            ..known(&app.options)
        })
    }

    async fn without_app(
        self,
        session: &Session,
        _why: ErrorView,
    ) -> Result<AppInfoView, ErrorView> {
        Ok(known(&session.options))
    }
}

/// What is known without the workspace.
fn known(options: &Options) -> AppInfoView {
    let data = &options.data_dir;
    AppInfoView {
        version: options.version.clone(),
        platform: platform(),
        workspace_name: None,
        data_folder: shown(data),
        inbox_folder: shown(&inbox(data)),
        output_folder: None,
        backups_folder: shown(&backups_folder(data)),
        logs_folder: shown(&logs(data)),
        first_start: false,
    }
}

impl Execute for OpenFolder {
    async fn execute(self, app: Arc<App>) -> Result<(), ErrorView> {
        let path = folder(&app, self.folder);
        let is_in_container = app.runtime.mode() == RuntimeMode::Podman;
        if is_in_container && self.folder == Folder::Output {
            app.runtime.copy_output(&path).await?;
        }
        open(app.host(), &path)
    }

    async fn without_app(self, session: &Session, why: ErrorView) -> Result<(), ErrorView> {
        match fixed(&session.options.data_dir, self.folder) {
            Some(path) => open(session.host(), &path),
            None => Err(why),
        }
    }
}

/// Shows a folder in the file manager, made first where it is missing.
pub(crate) fn open(host: &dyn Host, path: &Path) -> Result<(), ErrorView> {
    let failed = |what: &str, hint: &str, error: &std::io::Error| {
        let detail = format!("{} can't be {what}: {error}", path.display());
        ErrorView::new(Code::WatchFailed, detail).with_hint(hint)
    };
    std::fs::create_dir_all(path).map_err(|error| {
        let hint = "Check what stands at this path and who owns the folder around it.";
        failed("made", hint, &error)
    })?;
    host.open_folder(path).map_err(|error| {
        let hint = "Open it in your file manager by this path.";
        failed("opened", hint, &error)
    })
}

impl Execute for Search {
    async fn execute(self, app: Arc<App>) -> Result<Vec<SearchHit>, ErrorView> {
        let wanted = self.text.trim().to_lowercase();
        let limit = usize::try_from(self.limit.min(HITS_MAX)).unwrap_or_default();
        let mut hits = documents::search(&app, &wanted).await?;
        if !wanted.is_empty()
            && let Some(agent) = app.agent_now()
        {
            let query = RunQuery {
                text: Some(wanted),
                limit: Some(self.limit.clamp(1, HITS_MAX)),
                ..RunQuery::default()
            };
            let titles = documents::titles(&app).await?;
            let page = agent.runs(&query).await.or_view()?;
            hits.extend(page.items.iter().map(|run| {
                let summary = runs::summary(run, &titles);
                SearchHit {
                    kind: SearchKind::Run,
                    title: summary.subject.unwrap_or_else(|| summary.id.clone()),
                    detail: summary.title,
                    id: summary.id,
                }
            }));
        }
        hits.truncate(limit);
        Ok(hits)
    }
}

/// Where each folder stands.
fn folder(app: &App, which: Folder) -> PathBuf {
    let data = &app.options.data_dir;
    fixed(data, which).unwrap_or_else(|| match app.runtime.mode() {
        RuntimeMode::Native => data.join("agent/files"),
        // The files themselves are in the container's volume.
        RuntimeMode::Podman => data.join("output-copy"),
    })
}

/// Where a folder stands that is the same wherever the agent runs.
fn fixed(data: &Path, which: Folder) -> Option<PathBuf> {
    match which {
        Folder::Data => Some(data.to_owned()),
        Folder::Inbox => Some(inbox(data)),
        Folder::Output => None,
        Folder::Backups => Some(backups_folder(data)),
        Folder::Logs => Some(logs(data)),
    }
}

fn inbox(data: &Path) -> PathBuf {
    data.join("inbox")
}

fn logs(data: &Path) -> PathBuf {
    data.join("logs")
}

pub(crate) const fn search_kind(kind: DocumentKind) -> SearchKind {
    match kind {
        DocumentKind::Workflow => SearchKind::Workflow,
        DocumentKind::Pipeline => SearchKind::Pipeline,
        DocumentKind::Connection => SearchKind::Connection,
    }
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

const fn platform() -> Platform {
    if cfg!(target_os = "macos") {
        Platform::Macos
    } else if cfg!(target_os = "windows") {
        Platform::Windows
    } else {
        Platform::Linux
    }
}
