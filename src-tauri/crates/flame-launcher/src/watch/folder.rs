//! One watched folder: which of its files are new, settling, waiting or done.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use globset::{Glob, GlobMatcher};
use tokio::time::Instant;

use super::file::{self, Stamp};
use super::sink::FolderError;

/// More files than this in one folder are not looked at.
const FILES_MAX: usize = 10_000;
/// Waits between tries while nobody answers.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(30);

/// A folder that a pipeline watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchedFolder {
    /// `namespace/name`.
    pub pipeline: String,
    pub folder: PathBuf,
    /// Of file names, such as `*.csv`.
    pub pattern: String,
}

/// How long a file must rest.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quiet {
    pub(crate) whole: Duration,
    /// For a file that stops inside a line.
    pub(crate) torn: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Station {
    Settling,
    /// May be tried from this moment on.
    Waiting {
        from: Instant,
        tries: u32,
    },
    Feeding,
    Done,
    Failed,
}

#[derive(Debug)]
struct Tracked {
    stamp: Stamp,
    /// When this content was first seen.
    since: Instant,
    station: Station,
}

/// What a look into the folder found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Look {
    /// Files that began to settle: name and bytes.
    pub(crate) settling: Vec<(String, u64)>,
    /// Files that came to rest.
    pub(crate) queued: Vec<(String, u64)>,
    /// The next file to feed.
    pub(crate) next: Option<PathBuf>,
    /// Something will change with time alone: look again soon.
    pub(crate) restless: bool,
}

#[derive(Debug)]
pub(crate) struct FolderState {
    pub(crate) watched: WatchedFolder,
    matcher: GlobMatcher,
    files: HashMap<PathBuf, Tracked>,
}

impl FolderState {
    pub(crate) fn new(watched: WatchedFolder) -> Result<Self, FolderError> {
        let matcher = Glob::new(&watched.pattern)
            .map_err(|error| FolderError {
                folder: watched.folder.clone(),
                detail: format!("the pattern {:?} can't be read: {error}", watched.pattern),
            })?
            .compile_matcher();
        Ok(Self {
            watched,
            matcher,
            files: HashMap::new(),
        })
    }

    /// Looks into the folder and moves files on.
    pub(crate) fn look(&mut self, now: Instant, quiet: Quiet) -> Result<Look, FolderError> {
        let mut look = Look::default();
        let found = self.list()?;
        self.files.retain(|path, tracked| {
            tracked.station == Station::Feeding || found.iter().any(|(known, _)| known == path)
        });
        for (path, metadata) in found {
            let stamp = Stamp::of(&metadata);
            let tracked = self.files.entry(path.clone()).or_insert_with(|| {
                look.settling.push((name(&path), stamp.bytes));
                Tracked {
                    stamp,
                    since: now,
                    station: Station::Settling,
                }
            });
            if tracked.stamp != stamp && tracked.station != Station::Feeding {
                *tracked = Tracked {
                    stamp,
                    since: now,
                    station: Station::Settling,
                };
                look.settling.push((name(&path), stamp.bytes));
            }
            if tracked.station == Station::Settling
                && rests(&path, now.saturating_duration_since(tracked.since), quiet)
                && !file::has_writer(&metadata)
            {
                tracked.station = Station::Waiting {
                    from: now,
                    tries: 0,
                };
                look.queued.push((name(&path), stamp.bytes));
            }
        }
        look.next = self.next(now);
        look.restless = self
            .files
            .values()
            .any(|tracked| matches!(tracked.station, Station::Settling | Station::Waiting { .. }));
        Ok(look)
    }

    /// The oldest file that may be fed now; none while one is being fed.
    fn next(&self, now: Instant) -> Option<PathBuf> {
        if self
            .files
            .values()
            .any(|tracked| tracked.station == Station::Feeding)
        {
            return None;
        }
        self.files
            .iter()
            .filter(|(_, t)| matches!(t.station, Station::Waiting { from, .. } if from <= now))
            .min_by_key(|(path, tracked)| (tracked.stamp.modified, (*path).clone()))
            .map(|(path, _)| path.clone())
    }

    pub(crate) fn begin(&mut self, path: &Path) {
        if let Some(tracked) = self.files.get_mut(path) {
            tracked.station = Station::Feeding;
        }
    }

    /// The content that was fed is in; a file that changed meanwhile settles anew at the next look.
    pub(crate) fn finish(&mut self, path: &Path, fed: Stamp) {
        if let Some(tracked) = self.files.get_mut(path) {
            tracked.stamp = fed;
            tracked.station = Station::Done;
        }
    }

    /// Nobody took it: it waits, longer each time.
    pub(crate) fn postpone(&mut self, path: &Path, now: Instant, tries: u32) {
        if let Some(tracked) = self.files.get_mut(path) {
            let wait = (RETRY_FIRST * 2_u32.pow(tries.min(8))).min(RETRY_MAX);
            tracked.station = Station::Waiting {
                from: now + wait,
                tries: tries.saturating_add(1),
            };
        }
    }

    /// It was refused: it stays until it changes or a person asks for another look.
    pub(crate) fn refuse(&mut self, path: &Path) {
        if let Some(tracked) = self.files.get_mut(path) {
            tracked.station = Station::Failed;
        }
    }

    pub(crate) fn tries(&self, path: &Path) -> u32 {
        match self.files.get(path).map(|tracked| &tracked.station) {
            Some(Station::Waiting { tries, .. }) => *tries,
            _ => 0,
        }
    }

    /// Gives refused and waiting files another try at once.
    pub(crate) fn try_again(&mut self, now: Instant) {
        for tracked in self.files.values_mut() {
            if matches!(tracked.station, Station::Failed | Station::Waiting { .. }) {
                tracked.station = Station::Waiting {
                    from: now,
                    tries: 0,
                };
            }
        }
    }

    fn list(&self) -> Result<Vec<(PathBuf, std::fs::Metadata)>, FolderError> {
        let error = |error: std::io::Error| FolderError {
            folder: self.watched.folder.clone(),
            detail: error.to_string(),
        };
        let hidden_too = self.watched.pattern.starts_with('.');
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&self.watched.folder).map_err(error)? {
            let entry = entry.map_err(error)?;
            let file_name = entry.file_name();
            let is_hidden = file_name.as_encoded_bytes().first() == Some(&b'.');
            if (is_hidden && !hidden_too) || !self.matcher.is_match(&file_name) {
                continue;
            }
            // A file may go between the listing and this look.
            let Ok(metadata) = entry.metadata() else {
                continue;
            };
            if metadata.is_file() {
                found.push((entry.path(), metadata));
            }
            if found.len() == FILES_MAX {
                break;
            }
        }
        Ok(found)
    }
}

/// Whether a file that has not changed for `quiet_for` may be read.
fn rests(path: &Path, quiet_for: Duration, quiet: Quiet) -> bool {
    quiet_for >= quiet.torn
        || (quiet_for >= quiet.whole && file::ends_with_newline(path).unwrap_or(false))
}

pub(crate) fn name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: Quiet = Quiet {
        whole: Duration::from_secs(1),
        torn: Duration::from_secs(5),
    };

    fn state(folder: &Path) -> FolderState {
        FolderState::new(WatchedFolder {
            pipeline: "shop/customers".to_owned(),
            folder: folder.to_owned(),
            pattern: "*.csv".to_owned(),
        })
        .unwrap()
    }

    fn seconds(number: u64) -> Duration {
        Duration::from_secs(number)
    }

    #[test]
    fn a_file_is_fed_only_after_it_rested() {
        let folder = tempfile::tempdir().unwrap();
        let mut state = state(folder.path());
        let path = folder.path().join("a.csv");
        std::fs::write(&path, "id\n").unwrap();
        let start = Instant::now();
        let look = state.look(start, QUIET).unwrap();
        assert_eq!(
            (look.settling.len(), look.next, look.restless),
            (1, None, true)
        );
        std::fs::write(&path, "id\n1\n").unwrap();
        let look = state.look(start + seconds(1), QUIET).unwrap();
        assert_eq!(look.next, None, "it was just changed");
        let look = state.look(start + seconds(2), QUIET).unwrap();
        assert_eq!(look.next, Some(path));
    }

    #[test]
    fn a_file_that_stops_inside_a_line_rests_longer() {
        let folder = tempfile::tempdir().unwrap();
        let mut state = state(folder.path());
        std::fs::write(folder.path().join("a.csv"), "id\n1").unwrap();
        let start = Instant::now();
        state.look(start, QUIET).unwrap();
        assert_eq!(state.look(start + seconds(2), QUIET).unwrap().next, None);
        assert!(
            state
                .look(start + seconds(5), QUIET)
                .unwrap()
                .next
                .is_some()
        );
    }

    #[test]
    fn a_file_held_open_for_writing_is_never_fed() {
        let folder = tempfile::tempdir().unwrap();
        let mut state = state(folder.path());
        let path = folder.path().join("a.csv");
        let mut writer = std::fs::File::create(&path).unwrap();
        std::io::Write::write_all(&mut writer, b"id\n").unwrap();
        let start = Instant::now();
        state.look(start, QUIET).unwrap();
        assert_eq!(state.look(start + seconds(60), QUIET).unwrap().next, None);
        drop(writer);
        assert_eq!(
            state.look(start + seconds(61), QUIET).unwrap().next,
            Some(path)
        );
    }

    #[test]
    fn only_visible_files_of_the_pattern_count() {
        let folder = tempfile::tempdir().unwrap();
        let mut state = state(folder.path());
        for name in [".part.csv", "a.txt", "a.csv.tmp"] {
            std::fs::write(folder.path().join(name), "x\n").unwrap();
        }
        std::fs::create_dir(folder.path().join("sub.csv")).unwrap();
        assert_eq!(state.look(Instant::now(), QUIET).unwrap(), Look::default());
    }

    #[test]
    fn done_stays_done_until_the_content_changes() {
        let folder = tempfile::tempdir().unwrap();
        let mut state = state(folder.path());
        let path = folder.path().join("a.csv");
        std::fs::write(&path, "id\n").unwrap();
        let start = Instant::now();
        state.look(start, QUIET).unwrap();
        state.look(start + seconds(1), QUIET).unwrap();
        state.begin(&path);
        assert_eq!(
            state.look(start + seconds(2), QUIET).unwrap().next,
            None,
            "one at a time"
        );
        state.finish(&path, file::identity(&path).unwrap().1);
        let look = state.look(start + seconds(9), QUIET).unwrap();
        assert_eq!(look, Look::default());
        std::fs::write(&path, "id\nmore\n").unwrap();
        assert_eq!(
            state
                .look(start + seconds(10), QUIET)
                .unwrap()
                .settling
                .len(),
            1
        );
    }

    #[test]
    fn what_nobody_takes_waits_longer_each_time_and_what_was_refused_stays() {
        let folder = tempfile::tempdir().unwrap();
        let mut state = state(folder.path());
        let path = folder.path().join("a.csv");
        std::fs::write(&path, "id\n").unwrap();
        let start = Instant::now();
        state.look(start, QUIET).unwrap();
        let now = start + seconds(1);
        state.look(now, QUIET).unwrap();
        for (tries, wait) in [(0, 1), (1, 2), (5, 30), (40, 30)] {
            state.postpone(&path, now, tries);
            assert_eq!(
                state.next(now + seconds(wait) - Duration::from_millis(1)),
                None
            );
            assert_eq!(state.next(now + seconds(wait)), Some(path.clone()));
            assert_eq!(state.tries(&path), tries + 1);
        }
        state.refuse(&path);
        assert_eq!(state.next(now + seconds(900)), None);
        state.try_again(now);
        assert_eq!(state.next(now), Some(path));
    }

    #[test]
    fn a_folder_that_is_not_there_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let mut state = state(&folder.path().join("missing"));
        let error = state.look(Instant::now(), QUIET).unwrap_err();
        assert!(error.to_string().contains("missing"), "{error}");
    }
}
