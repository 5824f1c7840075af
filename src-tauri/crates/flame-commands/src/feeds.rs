//! Watched folders: which deployed pipelines watch what, where each file is, and its way to the agent.

use std::collections::{HashMap, VecDeque};
use std::io::SeekFrom;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Weak};

use flame_agent_client::api::{FeedQuery, FeedState as AgentState, FeedStatus, media};
use flame_agent_client::{AgentClient, Error as AgentError};
use flame_dsl::PipelineSource;
use flame_errors::Code;
use flame_ipc::{
    ErrorView, Event, Feed, FeedFile, FeedOpenFolder, FeedProgressPayload, FeedSample, FeedState,
    FeedsList, FeedsRescan, Moment, Whole,
};
use flame_launcher::watch::{
    Checkpoint, FeedError, FeedPart, FeedSink, FileProgress, FileState, FolderError, WatchedFolder,
};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncSeekExt, BufReader};
use tokio_util::io::ReaderStream;

use crate::app::{App, lock, now};
use crate::documents::{self, Deployment};
use crate::execute::Execute;
use crate::general;

/// Files that are remembered of each pipeline.
const FILES_MAX: usize = 100;
/// Bytes that are read of a file at once.
const CHUNK_BYTES: usize = 64 * 1024;
/// The first line of a sample's file is not longer.
const HEAD_BYTES_MAX: u64 = 4096;

/// What is known of each watching pipeline by `namespace/name`.
#[derive(Debug, Default)]
pub(crate) struct FeedBoard {
    pipelines: Mutex<HashMap<String, Watching>>,
}

#[derive(Debug)]
struct Watching {
    document_id: String,
    title: String,
    folder: PathBuf,
    pattern: String,
    content_type: &'static str,
    /// The file that comes with the sample.
    sample: Option<PathBuf>,
    error: Option<ErrorView>,
    /// Newest first, with their identities.
    files: VecDeque<(Option<String>, FeedFile)>,
}

impl FeedBoard {
    /// Keeps exactly these pipelines, with the files of those that stay.
    fn keep(&self, mut wanted: HashMap<String, Watching>) {
        let mut pipelines = lock(&self.pipelines);
        for (name, watching) in &mut wanted {
            if let Some(before) = pipelines.remove(name)
                && before.folder == watching.folder
            {
                watching.files = before.files;
                watching.error = before.error;
            }
        }
        *pipelines = wanted;
    }

    /// With the place of the file that comes with each; the file was not looked at.
    fn list(&self) -> Vec<(Feed, Option<PathBuf>)> {
        let mut feeds: Vec<(Feed, Option<PathBuf>)> = lock(&self.pipelines)
            .values()
            .map(|watching| (feed(watching), watching.sample.clone()))
            .collect();
        feeds.sort_by(|(one, _), (other, _)| one.title.cmp(&other.title));
        feeds
    }

    fn content_type(&self, pipeline: &str) -> Option<&'static str> {
        lock(&self.pipelines)
            .get(pipeline)
            .map(|watching| watching.content_type)
    }

    fn set_error(&self, pipeline: &str, error: Option<ErrorView>) -> Option<String> {
        let mut pipelines = lock(&self.pipelines);
        let watching = pipelines.get_mut(pipeline)?;
        watching.error = error;
        Some(watching.document_id.clone())
    }

    /// Notes where a file is; gives what the window is told.
    fn note(&self, progress: &FileProgress) -> Option<FeedProgressPayload> {
        let mut pipelines = lock(&self.pipelines);
        let watching = pipelines.get_mut(&progress.pipeline)?;
        let place = watching
            .files
            .iter()
            .position(|(_, file)| file.file == progress.source);
        let before = place.and_then(|place| watching.files.remove(place));
        let (state, error) = match &progress.state {
            FileState::Settling => (FeedState::Settling, None),
            FileState::Queued => (FeedState::Queued, None),
            FileState::Reading => (FeedState::Reading, None),
            FileState::Done => (FeedState::Done, None),
            FileState::Failed(error) => (FeedState::Failed, Some(feed_error(error))),
        };
        let same = before
            .as_ref()
            .filter(|(identity, _)| identity.is_some() && *identity == progress.identity);
        // The agent's own figures are fresher than the checkpoint of a part.
        let (bytes_done, rows, dead) = match same {
            Some((_, file)) if progress.checkpoint.offset < file.bytes_done.get() => {
                (file.bytes_done, file.rows, file.rows_dead)
            }
            _ => (
                Whole::new(progress.checkpoint.offset),
                Whole::new(progress.checkpoint.rows),
                Whole::new(progress.checkpoint.rows_dead),
            ),
        };
        let file = FeedFile {
            file: progress.source.clone(),
            state,
            bytes: Whole::new(progress.bytes),
            bytes_done,
            rows,
            rows_dead: dead,
            updated_at: now().into(),
            error,
        };
        watching
            .files
            .push_front((progress.identity.clone(), file.clone()));
        watching.files.truncate(FILES_MAX);
        Some(FeedProgressPayload {
            document_id: watching.document_id.clone(),
            file,
        })
    }

    /// Takes the agent's figures of a file; gives what the window is told.
    fn figures(&self, status: &FeedStatus) -> Option<FeedProgressPayload> {
        let mut pipelines = lock(&self.pipelines);
        let watching = pipelines.get_mut(&format!("{}/{}", status.namespace, status.name))?;
        let found = watching
            .files
            .iter_mut()
            .find(|(identity, _)| identity.as_deref() == Some(status.identity.as_str()));
        if found.is_none() {
            // Fed by another program over the API.
            let file = FeedFile {
                file: status.source.clone(),
                state: FeedState::Reading,
                bytes: Whole::new(status.total),
                bytes_done: Whole::default(),
                rows: Whole::default(),
                rows_dead: Whole::default(),
                updated_at: now().into(),
                error: None,
            };
            watching
                .files
                .push_front((Some(status.identity.clone()), file));
            watching.files.truncate(FILES_MAX);
        }
        let (_, file) = watching
            .files
            .iter_mut()
            .find(|(identity, _)| identity.as_deref() == Some(status.identity.as_str()))?;
        file.bytes_done = Whole::new(status.offset);
        file.rows = Whole::new(status.rows);
        file.rows_dead = Whole::new(status.dead_letters);
        file.updated_at = Moment::new(status.updated_at);
        if status.state == AgentState::Completed {
            file.state = FeedState::Done;
        }
        Some(FeedProgressPayload {
            document_id: watching.document_id.clone(),
            file: file.clone(),
        })
    }
}

impl Execute for FeedsList {
    async fn execute(self, app: Arc<App>) -> Result<Vec<Feed>, ErrorView> {
        let mut feeds = Vec::new();
        for (mut feed, sample) in app.board.list() {
            if let Some(path) = sample {
                feed.sample = read_sample(&path).await;
            }
            feeds.push(feed);
        }
        Ok(feeds)
    }
}

fn feed(watching: &Watching) -> Feed {
    let files = watching.files.iter().map(|(_, file)| file.clone());
    Feed {
        document_id: watching.document_id.clone(),
        title: watching.title.clone(),
        folder: watching.folder.to_string_lossy().into_owned(),
        pattern: watching.pattern.clone(),
        error: watching.error.clone(),
        files: files.collect(),
        sample: None,
    }
}

/// A sample's file and its columns, as long as it is there.
async fn read_sample(path: &Path) -> Option<FeedSample> {
    let file = tokio::fs::File::open(path).await.ok()?;
    let mut lines = BufReader::new(file.take(HEAD_BYTES_MAX)).lines();
    let head = lines.next_line().await.ok()??;
    let columns = head.split(',').map(|column| column.trim().to_owned());
    Some(FeedSample {
        path: path.to_string_lossy().into_owned(),
        columns: columns.collect(),
    })
}

impl Execute for FeedsRescan {
    async fn execute(self, app: Arc<App>) -> Result<(), ErrorView> {
        try_again(&app).await;
        Ok(())
    }
}

impl Execute for FeedOpenFolder {
    async fn execute(self, app: Arc<App>) -> Result<(), ErrorView> {
        let id = documents::parse_id(&self.document_id)?;
        let (document, deployment) = app
            .with_workspace(move |workspace| {
                let document = documents::get(workspace, id)?;
                Ok((document, documents::deployed(workspace, id)?))
            })
            .await?;
        // What the agent was given counts, not what was typed since.
        let watched =
            deployment.and_then(|deployment| watching(&app, self.document_id, &deployment));
        let Some((_, watched)) = watched else {
            let detail = format!("no folder is watched for {}", document.name);
            return Err(ErrorView::new(Code::NotFound, detail)
                .with_hint("Name a folder in watch.folder and deploy the pipeline."));
        };
        let is_missing = !watched.folder.is_dir();
        general::open(app.host(), &watched.folder)?;
        if is_missing {
            try_again(&app).await;
        }
        Ok(())
    }
}

/// Looks into all folders again.
pub(crate) async fn try_again(app: &App) {
    let watch = lock(&app.watch).clone();
    if let Some(watch) = watch {
        watch.try_again().await;
    }
}

/// Watched folders that can't be read now.
pub(crate) fn broken_folders(app: &App) -> Vec<PathBuf> {
    let pipelines = lock(&app.board.pipelines);
    let broken = pipelines
        .values()
        .filter(|watching| watching.error.is_some());
    broken.map(|watching| watching.folder.clone()).collect()
}

/// Tells the window what the agent says of files.
pub(crate) fn take_figures(app: &App, feeds: &[FeedStatus]) {
    for status in feeds {
        if let Some(payload) = app.board.figures(status) {
            app.emit(&Event::FeedProgress(payload));
        }
    }
}

/// Watches the folders of the pipelines that are deployed.
pub(crate) async fn watch_deployed(app: &Arc<App>) {
    let deployed = app
        .with_workspace(|workspace| {
            let mut found = Vec::new();
            for document in documents::all(workspace)? {
                if let Some(deployment) = documents::deployed(workspace, document.id)? {
                    found.push((document.id.to_string(), deployment));
                }
            }
            Ok(found)
        })
        .await;
    let deployed = match deployed {
        Ok(deployed) => deployed,
        Err(error) => {
            tracing::error!(%error, "the watched folders can't be read from the workspace");
            return;
        }
    };
    let wanted: HashMap<String, Watching> = deployed
        .into_iter()
        .filter_map(|(document_id, deployment)| watching(app, document_id, &deployment))
        .collect();
    let folders = wanted
        .iter()
        .map(|(pipeline, watching)| WatchedFolder {
            pipeline: pipeline.clone(),
            folder: watching.folder.clone(),
            pattern: watching.pattern.clone(),
        })
        .collect();
    app.board.keep(wanted);
    let watch = lock(&app.watch).clone();
    if let Some(watch) = watch {
        watch.set_folders(folders).await;
    }
}

fn watching(app: &App, document_id: String, deployment: &Deployment) -> Option<(String, Watching)> {
    let format = match deployment.text.trim_start().starts_with('{') {
        true => flame_dsl::Format::Json,
        false => flame_dsl::Format::Yaml,
    };
    let pipeline = flame_dsl::parse_pipeline(&deployment.text, format).ok()?;
    let watch = pipeline.watch?;
    let name = format!("{}/{}", pipeline.namespace, pipeline.name);
    let watching = Watching {
        document_id,
        title: pipeline.title.unwrap_or_else(|| pipeline.name.to_string()),
        // An absolute path replaces the data folder.
        folder: app.options.data_dir.join(watch.folder),
        pattern: watch.pattern,
        content_type: match pipeline.source {
            PipelineSource::Csv { .. } => media::CSV,
            PipelineSource::Ndjson => media::NDJSON,
        },
        sample: documents::sample_file(&name, &deployment.text)
            .map(|file| app.options.data_dir.join(file)),
        error: None,
        files: VecDeque::new(),
    };
    Some((name, watching))
}

/// Hands files to the agent.
#[derive(Debug)]
pub(crate) struct Feeder {
    app: Weak<App>,
}

impl Feeder {
    pub(crate) const fn new(app: Weak<App>) -> Self {
        Self { app }
    }

    fn agent(&self) -> Result<AgentClient, FeedError> {
        let client = self.app.upgrade().and_then(|app| app.agent_now());
        client.ok_or_else(|| FeedError::Away("the agent is not running".to_owned()))
    }
}

impl FeedSink for Feeder {
    async fn checkpoint(&self, pipeline: &str, identity: &str) -> Result<Checkpoint, FeedError> {
        let (namespace, name) = split(pipeline);
        match self.agent()?.feeds(namespace, name, Some(identity)).await {
            Ok(feeds) => {
                let known = feeds.items.iter().find(|feed| feed.identity == identity);
                Ok(known.map(checkpoint).unwrap_or_default())
            }
            // Never fed. A pipeline that is not there is told when the file is sent.
            Err(error) if error.code() == Code::NotFound => Ok(Checkpoint::default()),
            Err(error) => Err(refusal(error)),
        }
    }

    async fn send(&self, part: FeedPart) -> Result<Checkpoint, FeedError> {
        let agent = self.agent()?;
        let content_type = self
            .app
            .upgrade()
            .and_then(|app| app.board.content_type(&part.pipeline))
            .ok_or_else(|| FeedError::Away("the pipeline is not deployed".to_owned()))?;
        let unreadable = |error: std::io::Error| FeedError::Refused {
            code: Code::WatchFailed,
            detail: format!("{} can't be read: {error}", part.path.display()),
        };
        let mut file = tokio::fs::File::open(&part.path)
            .await
            .map_err(unreadable)?;
        file.seek(SeekFrom::Start(part.offset))
            .await
            .map_err(unreadable)?;
        let rest = file.take(part.total.saturating_sub(part.offset));
        let body = ReaderStream::with_capacity(rest, CHUNK_BYTES);
        let query = FeedQuery {
            identity: part.identity,
            source: Some(part.source),
            offset: part.offset,
            total: Some(part.total),
        };
        let (namespace, name) = split(&part.pipeline);
        let status = agent
            .feed(namespace, name, &query, content_type, body)
            .await
            .map_err(refusal)?;
        Ok(checkpoint(&status))
    }

    fn report(&self, progress: FileProgress) {
        let Some(app) = self.app.upgrade() else {
            return;
        };
        if let Some(payload) = app.board.note(&progress) {
            app.emit(&Event::FeedProgress(payload));
        }
    }

    fn report_folder(&self, pipeline: &str, error: Option<FolderError>) {
        let Some(app) = self.app.upgrade() else {
            return;
        };
        let error = error.map(|error| {
            ErrorView::new(Code::WatchFailed, error.to_string())
                .with_hint("Make the folder, or change watch.folder in the pipeline.")
        });
        if let Some(id) = app.board.set_error(pipeline, error) {
            app.emit(&Event::DocumentsChanged(flame_ipc::Changed {
                ids: vec![id],
            }));
        }
    }
}

fn checkpoint(status: &FeedStatus) -> Checkpoint {
    Checkpoint {
        offset: status.offset,
        rows: status.rows,
        rows_dead: status.dead_letters,
        complete: status.state == AgentState::Completed,
    }
}

fn split(pipeline: &str) -> (&str, &str) {
    pipeline.split_once('/').unwrap_or(("", pipeline))
}

/// Whether time alone can help.
fn refusal(error: AgentError) -> FeedError {
    let code = error.code();
    let detail = crate::failure::chain(&error);
    match code {
        Code::AgentDown
        | Code::ShuttingDown
        | Code::TooManyRequests
        | Code::StorageFull
        | Code::FeedOffset
        | Code::ConnectionRefused => FeedError::Away(detail),
        code => FeedError::Refused { code, detail },
    }
}

fn feed_error(error: &FeedError) -> ErrorView {
    match error {
        FeedError::Away(detail) => ErrorView::new(Code::AgentDown, detail.clone()),
        FeedError::Refused { code, detail } => ErrorView::new(*code, detail.clone()),
    }
}
