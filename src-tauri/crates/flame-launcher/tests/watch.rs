//! The folder watch on a real folder, with a sink that remembers.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flame_errors::Code;
use flame_launcher::watch::{
    Checkpoint, FeedError, FeedPart, FeedSink, FileProgress, FileState, FolderError, FolderWatch,
    WatchOptions, WatchedFolder,
};
use tokio::sync::mpsc;

const OPTIONS: WatchOptions = WatchOptions {
    quiet: Duration::from_millis(60),
    quiet_torn: Duration::from_millis(200),
    rescan_every: Duration::from_millis(500),
    look_every: Duration::from_millis(10),
};

/// Takes at most `part_bytes_max` a call, as a connection that breaks would.
struct Store {
    taken: Mutex<HashMap<String, Vec<u8>>>,
    part_bytes_max: usize,
    answers: Mutex<Vec<FeedError>>,
    progress: mpsc::UnboundedSender<FileProgress>,
    folders: mpsc::UnboundedSender<Option<FolderError>>,
}

struct Seen {
    progress: mpsc::UnboundedReceiver<FileProgress>,
    folders: mpsc::UnboundedReceiver<Option<FolderError>>,
}

fn store(part_bytes_max: usize, mut answers: Vec<FeedError>) -> (Arc<Store>, Seen) {
    answers.reverse();
    let (progress, progress_seen) = mpsc::unbounded_channel();
    let (folders, folders_seen) = mpsc::unbounded_channel();
    let store = Store {
        taken: Mutex::default(),
        part_bytes_max,
        answers: Mutex::new(answers),
        progress,
        folders,
    };
    (
        Arc::new(store),
        Seen {
            progress: progress_seen,
            folders: folders_seen,
        },
    )
}

impl Store {
    fn contents(&self) -> Vec<String> {
        let taken = self.taken.lock().unwrap();
        taken
            .values()
            .map(|bytes| String::from_utf8(bytes.clone()).unwrap())
            .collect()
    }
}

impl FeedSink for Store {
    async fn checkpoint(&self, _pipeline: &str, identity: &str) -> Result<Checkpoint, FeedError> {
        let taken = self.taken.lock().unwrap();
        let offset = taken.get(identity).map_or(0, Vec::len) as u64;
        // This sink does not know lengths: the part that ends a file says so.
        Ok(Checkpoint {
            offset,
            ..Checkpoint::default()
        })
    }

    async fn send(&self, part: FeedPart) -> Result<Checkpoint, FeedError> {
        if let Some(answer) = self.answers.lock().unwrap().pop() {
            return Err(answer);
        }
        let bytes = std::fs::read(&part.path).unwrap();
        let mut taken = self.taken.lock().unwrap();
        let mine = taken.entry(part.identity).or_default();
        assert_eq!(
            mine.len() as u64,
            part.offset,
            "a part starts at the checkpoint"
        );
        let start = mine.len();
        let end = (start + self.part_bytes_max).min(usize::try_from(part.total).unwrap());
        mine.extend_from_slice(&bytes[start..end]);
        let offset = end as u64;
        Ok(Checkpoint {
            offset,
            complete: offset == part.total,
            ..Checkpoint::default()
        })
    }

    fn report(&self, progress: FileProgress) {
        let _ = self.progress.send(progress);
    }

    fn report_folder(&self, _pipeline: &str, error: Option<FolderError>) {
        let _ = self.folders.send(error);
    }
}

fn watched(folder: &Path) -> Vec<WatchedFolder> {
    vec![WatchedFolder {
        pipeline: "shop/customers".to_owned(),
        folder: folder.to_owned(),
        pattern: "*.csv".to_owned(),
    }]
}

async fn until(seen: &mut Seen, source: &str, wanted: impl Fn(&FileState) -> bool) -> FileProgress {
    let found = async {
        loop {
            let progress = seen.progress.recv().await.expect("the watch lives");
            if progress.source == source && wanted(&progress.state) {
                return progress;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), found)
        .await
        .expect("the state is reached")
}

#[tokio::test(flavor = "multi_thread")]
async fn files_from_before_and_after_the_start_are_fed_whole_and_once() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("before.csv"), "id\n1\n").unwrap();
    let (store, mut seen) = store(usize::MAX, Vec::new());
    let watch = FolderWatch::start(OPTIONS, Arc::clone(&store));
    watch.set_folders(watched(folder.path())).await;
    until(&mut seen, "before.csv", |state| *state == FileState::Done).await;
    std::fs::write(folder.path().join("after.csv"), "id\n2\n").unwrap();
    until(&mut seen, "after.csv", |state| *state == FileState::Done).await;
    let mut contents = store.contents();
    contents.sort();
    assert_eq!(contents, ["id\n1\n", "id\n2\n"]);
    watch.close().await;
}

/// Without the rounds that find what a watch has missed.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_seen_as_it_comes() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("before.csv"), "id\n1\n").unwrap();
    let (store, mut seen) = store(usize::MAX, Vec::new());
    let rare = WatchOptions {
        rescan_every: Duration::from_secs(3_600),
        ..OPTIONS
    };
    let watch = FolderWatch::start(rare, Arc::clone(&store));
    watch.set_folders(watched(folder.path())).await;
    // The only round has passed once this one is through.
    until(&mut seen, "before.csv", |state| *state == FileState::Done).await;
    std::fs::write(folder.path().join("new.csv"), "id\n2\n").unwrap();
    until(&mut seen, "new.csv", |state| *state == FileState::Done).await;
    watch.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_copied_file_is_not_read_half() {
    use std::io::Write;
    let folder = tempfile::tempdir().unwrap();
    let (store, mut seen) = store(usize::MAX, Vec::new());
    let watch = FolderWatch::start(OPTIONS, Arc::clone(&store));
    watch.set_folders(watched(folder.path())).await;
    let path = folder.path().join("slow.csv");
    let mut writer = std::fs::File::create(&path).unwrap();
    writer.write_all(b"id\n1\n").unwrap();
    until(&mut seen, "slow.csv", |state| *state == FileState::Settling).await;
    // Another file passes by while this one rests, still open: proof that time enough went by.
    std::fs::write(folder.path().join("other.csv"), "id\n").unwrap();
    until(&mut seen, "other.csv", |state| *state == FileState::Done).await;
    writer.write_all(b"2\n").unwrap();
    drop(writer);
    until(&mut seen, "slow.csv", |state| *state == FileState::Done).await;
    assert!(
        store.contents().contains(&"id\n1\n2\n".to_owned()),
        "{:?}",
        store.contents()
    );
    assert_eq!(store.contents().len(), 2, "no half of it");
    watch.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_goes_on_at_its_checkpoint_after_every_break() {
    let folder = tempfile::tempdir().unwrap();
    let text = (0..500).map(|row| format!("{row}\n")).collect::<String>();
    std::fs::write(folder.path().join("long.csv"), &text).unwrap();
    let away = FeedError::Away("the agent restarts".to_owned());
    let (store, mut seen) = store(100, vec![away]);
    let watch = FolderWatch::start(OPTIONS, Arc::clone(&store));
    watch.set_folders(watched(folder.path())).await;
    let done = until(&mut seen, "long.csv", |state| *state == FileState::Done).await;
    assert_eq!(done.checkpoint.offset, text.len() as u64);
    assert_eq!(store.contents(), [text]);
    watch.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_file_waits_for_a_person() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.csv"), "id\n").unwrap();
    let refused = FeedError::Refused {
        code: Code::NotFound,
        detail: "no such pipeline".to_owned(),
    };
    let (store, mut seen) = store(usize::MAX, vec![refused.clone()]);
    let watch = FolderWatch::start(OPTIONS, Arc::clone(&store));
    watch.set_folders(watched(folder.path())).await;
    until(&mut seen, "a.csv", |state| {
        *state == FileState::Failed(refused.clone())
    })
    .await;
    watch.try_again().await;
    until(&mut seen, "a.csv", |state| *state == FileState::Done).await;
    watch.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_folder_is_told_and_watched_once_it_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = folder.path().join("inbox");
    let (store, mut seen) = store(usize::MAX, Vec::new());
    let watch = FolderWatch::start(OPTIONS, Arc::clone(&store));
    watch.set_folders(watched(&inbox)).await;
    assert!(seen.folders.recv().await.unwrap().is_some());
    std::fs::create_dir(&inbox).unwrap();
    assert_eq!(seen.folders.recv().await.unwrap(), None);
    std::fs::write(inbox.join("a.csv"), "id\n").unwrap();
    until(&mut seen, "a.csv", |state| *state == FileState::Done).await;
    watch.close().await;
}
