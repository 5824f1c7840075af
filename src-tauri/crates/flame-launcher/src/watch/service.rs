//! The loop that looks into the folders and feeds what has settled. Owns the watchers and the tasks.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use flame_errors::Code;
use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

use super::file::{self, Stamp};
use super::folder::{FolderState, Quiet, WatchedFolder, name};
use super::sink::{
    Checkpoint, FeedError, FeedPart, FeedSink, FileProgress, FileState, FolderError,
};

/// Parts of one file that are sent in a row while the sink makes progress.
const PARTS_MAX: u32 = 100;

/// How patient the watch is.
#[derive(Debug, Clone, Copy)]
pub struct WatchOptions {
    /// A file must not change for this long.
    pub quiet: Duration,
    /// The same for a file that stops inside a line.
    pub quiet_torn: Duration,
    /// How often folders are looked into without a notice.
    pub rescan_every: Duration,
    /// How often while something settles.
    pub look_every: Duration,
}

impl Default for WatchOptions {
    fn default() -> Self {
        Self {
            quiet: Duration::from_secs(1),
            quiet_torn: Duration::from_secs(5),
            rescan_every: Duration::from_secs(30),
            look_every: Duration::from_millis(250),
        }
    }
}

enum Order {
    Folders(Vec<WatchedFolder>),
    TryAgain,
}

/// The watch over all folders. Dropping it ends the watch; what is being sent is cut off and goes on
/// at its checkpoint next time.
#[derive(Debug)]
pub struct FolderWatch {
    orders: mpsc::Sender<Order>,
    task: JoinHandle<()>,
}

impl FolderWatch {
    pub fn start<S: FeedSink>(options: WatchOptions, sink: Arc<S>) -> Self {
        let (orders, inbox) = mpsc::channel(16);
        let service = Service::new(options, sink);
        Self {
            orders,
            task: tokio::spawn(service.run(inbox)),
        }
    }

    /// Watches exactly these folders from now on.
    pub async fn set_folders(&self, folders: Vec<WatchedFolder>) {
        self.give(Order::Folders(folders)).await;
    }

    /// Looks again now and gives refused files another try.
    pub async fn try_again(&self) {
        self.give(Order::TryAgain).await;
    }

    /// Ends the watch and waits for its end.
    pub async fn close(self) {
        drop(self.orders);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the folder watch broke");
        }
    }

    async fn give(&self, order: Order) {
        if self.orders.send(order).await.is_err() {
            tracing::error!("the folder watch has ended");
        }
    }
}

/// How the feeding of one file ended.
struct Fed {
    path: PathBuf,
    tries: u32,
    result: Result<Stamp, FeedError>,
    /// What is told once the end is noted.
    told: FileProgress,
}

struct Watched {
    state: FolderState,
    /// Absent where the system gave no notices; the regular look has to do.
    watcher: Option<RecommendedWatcher>,
    error: Option<FolderError>,
}

struct Service<S> {
    options: WatchOptions,
    sink: Arc<S>,
    folders: HashMap<String, Watched>,
    feeding: JoinSet<Fed>,
    /// One notice is as good as many: the look that follows sees everything.
    noticed: mpsc::Sender<()>,
    notices: mpsc::Receiver<()>,
}

impl<S: FeedSink> Service<S> {
    fn new(options: WatchOptions, sink: Arc<S>) -> Self {
        let (noticed, notices) = mpsc::channel(1);
        Self {
            options,
            sink,
            folders: HashMap::new(),
            feeding: JoinSet::new(),
            noticed,
            notices,
        }
    }

    async fn run(mut self, mut inbox: mpsc::Receiver<Order>) {
        let mut wait = self.options.rescan_every;
        loop {
            tokio::select! {
                order = inbox.recv() => match order {
                    None => break,
                    Some(Order::Folders(folders)) => self.set_folders(folders),
                    Some(Order::TryAgain) => self.try_again(),
                },
                Some(()) = self.notices.recv() => {}
                Some(fed) = self.feeding.join_next(), if !self.feeding.is_empty() => match fed {
                    Ok(fed) => self.note(fed),
                    Err(error) => tracing::error!(%error, "the feeding of a file broke"),
                },
                () = tokio::time::sleep(wait) => {}
            }
            // Looking reads folders and file ends: short, but it blocks.
            let restless = tokio::task::block_in_place(|| self.look());
            wait = if restless {
                self.options.look_every
            } else {
                self.options.rescan_every
            };
        }
        self.feeding.shutdown().await;
    }

    fn set_folders(&mut self, wanted: Vec<WatchedFolder>) {
        self.folders
            .retain(|_, folder| wanted.contains(&folder.state.watched));
        for watched in wanted {
            if self.folders.contains_key(&watched.pipeline) {
                continue;
            }
            match FolderState::new(watched.clone()) {
                Ok(state) => {
                    let folder = Watched {
                        state,
                        watcher: None,
                        error: None,
                    };
                    self.folders.insert(watched.pipeline, folder);
                }
                Err(error) => self.sink.report_folder(&watched.pipeline, Some(error)),
            }
        }
    }

    fn try_again(&mut self) {
        let now = Instant::now();
        for folder in self.folders.values_mut() {
            folder.state.try_again(now);
        }
    }

    /// Looks into every folder and starts what may start. Whether to look again soon.
    fn look(&mut self) -> bool {
        let now = Instant::now();
        let quiet = Quiet {
            whole: self.options.quiet,
            torn: self.options.quiet_torn,
        };
        let mut restless = false;
        let mut starts = Vec::new();
        for (pipeline, folder) in &mut self.folders {
            if folder.watcher.is_none() {
                folder.watcher = watcher(&folder.state.watched.folder, self.noticed.clone());
            }
            let error = match folder.state.look(now, quiet) {
                Ok(look) => {
                    for (files, state) in [
                        (look.settling, FileState::Settling),
                        (look.queued, FileState::Queued),
                    ] {
                        for (source, bytes) in files {
                            self.sink.report(FileProgress {
                                pipeline: pipeline.clone(),
                                source,
                                identity: None,
                                bytes,
                                state: state.clone(),
                                checkpoint: Checkpoint::default(),
                            });
                        }
                    }
                    restless |= look.restless;
                    starts.extend(look.next.map(|path| (pipeline.clone(), path)));
                    None
                }
                Err(error) => {
                    folder.watcher = None;
                    Some(error)
                }
            };
            if folder.error != error {
                folder.error.clone_from(&error);
                self.sink.report_folder(pipeline, error);
            }
        }
        for (pipeline, path) in starts {
            self.feed(pipeline, path);
        }
        restless
    }

    fn feed(&mut self, pipeline: String, path: PathBuf) {
        let Some(folder) = self.folders.get_mut(&pipeline) else {
            return;
        };
        let tries = folder.state.tries(&path);
        folder.state.begin(&path);
        let sink = Arc::clone(&self.sink);
        self.feeding
            .spawn(async move { feed(sink.as_ref(), pipeline, path, tries).await });
    }

    fn note(&mut self, fed: Fed) {
        let Some(folder) = self.folders.get_mut(&fed.told.pipeline) else {
            return;
        };
        match fed.result {
            Ok(stamp) => folder.state.finish(&fed.path, stamp),
            Err(FeedError::Away(_)) => {
                folder.state.postpone(&fed.path, Instant::now(), fed.tries);
            }
            Err(FeedError::Refused { .. }) => folder.state.refuse(&fed.path),
        }
        self.sink.report(fed.told);
    }
}

/// Notices for one folder; `None` where the system gives none (a limit, a network drive).
fn watcher(folder: &Path, noticed: mpsc::Sender<()>) -> Option<RecommendedWatcher> {
    let handler = move |event: notify::Result<notify::Event>| {
        if is_news(&event) {
            // Full means that a look is due already.
            let _ = noticed.try_send(());
        }
    };
    let mut watcher = notify::recommended_watcher(handler).ok()?;
    match watcher.watch(folder, RecursiveMode::NonRecursive) {
        Ok(()) => Some(watcher),
        Err(error) => {
            tracing::debug!(folder = %folder.display(), %error, "no notices for this folder");
            None
        }
    }
}

/// Whether something may have changed. Who only reads changes nothing, and our own looks read the folder: as news
/// they would ask for the next look for ever.
fn is_news(event: &notify::Result<notify::Event>) -> bool {
    !matches!(
        event.as_ref().map(|event| event.kind),
        Ok(EventKind::Access(access)) if access != AccessKind::Close(AccessMode::Write)
    )
}

/// Hands one settled file over, from where the sink is to its end.
async fn feed<S: FeedSink>(sink: &S, pipeline: String, path: PathBuf, tries: u32) -> Fed {
    let named = tokio::task::spawn_blocking({
        let path = path.clone();
        move || file::identity(&path)
    });
    let mut told = FileProgress {
        source: name(&path),
        pipeline,
        identity: None,
        bytes: 0,
        state: FileState::Reading,
        checkpoint: Checkpoint::default(),
    };
    let result = match named.await {
        Ok(Ok((identity, stamp))) => {
            told.identity = Some(identity);
            told.bytes = stamp.bytes;
            send_all(sink, &path, &mut told).await.map(|()| stamp)
        }
        Ok(Err(error)) => {
            let detail = format!("{} can't be read: {error}", path.display());
            Err(FeedError::Refused {
                code: Code::WatchFailed,
                detail,
            })
        }
        Err(error) => Err(FeedError::Away(error.to_string())),
    };
    told.state = match &result {
        Ok(_) => FileState::Done,
        Err(FeedError::Away(_)) => FileState::Queued,
        Err(error @ FeedError::Refused { .. }) => FileState::Failed(error.clone()),
    };
    Fed {
        path,
        tries,
        result,
        told,
    }
}

/// Sends parts until the sink says that the file is complete.
async fn send_all<S: FeedSink>(
    sink: &S,
    path: &Path,
    told: &mut FileProgress,
) -> Result<(), FeedError> {
    let identity = told.identity.clone().unwrap_or_default();
    told.checkpoint = sink.checkpoint(&told.pipeline, &identity).await?;
    for _ in 0..PARTS_MAX {
        if told.checkpoint.complete {
            return Ok(());
        }
        sink.report(told.clone());
        let before = told.checkpoint.offset;
        let part = FeedPart {
            pipeline: told.pipeline.clone(),
            identity: identity.clone(),
            path: path.to_owned(),
            source: told.source.clone(),
            offset: before,
            total: told.bytes,
        };
        told.checkpoint = sink.send(part).await?;
        if !told.checkpoint.complete && told.checkpoint.offset <= before {
            let detail = format!("{} does not get past byte {before}", told.source);
            return Err(FeedError::Away(detail));
        }
    }
    Err(FeedError::Away(format!(
        "{} took more than {PARTS_MAX} parts",
        told.source
    )))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn who_reads_a_folder_and_its_files_is_no_news() {
        let folder = tempfile::tempdir().unwrap();
        let known = folder.path().join("known.csv");
        std::fs::write(&known, "id\n").unwrap();
        let (sender, news) = mpsc::channel();
        let mut watcher = notify::recommended_watcher(move |event| {
            if is_news(&event) {
                // The test may have seen enough.
                let _ = sender.send(event);
            }
        })
        .unwrap();
        watcher
            .watch(folder.path(), RecursiveMode::NonRecursive)
            .unwrap();
        for _ in 0..3 {
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
            assert_eq!(std::fs::read(&known).unwrap(), b"id\n");
        }
        let new = folder.path().join("new.csv");
        std::fs::write(&new, "id\n").unwrap();
        let first = news.recv().unwrap().unwrap();
        assert!(first.kind.is_create(), "{first:?}");
        assert_eq!(first.paths, [new]);
    }
}
