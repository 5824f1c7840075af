//! Lets a fresh clone go on from what the last one built.
//!
//! Cargo builds a crate anew whose files are younger than its last build, and in a fresh clone all are. On CI,
//! files that are what they were in the last run get back the times that they had then. What that run saw is
//! noted in the target folder; the note counts for a clone in the same place, as tests know where their
//! fixtures are, and only as long as nothing else was built there.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

use crate::prune::below;
use crate::shell::{command, read, root, target_dir};

const NOTE: &str = "sources.json";

/// The files of this checkout with their times, as the note will have them.
pub struct Times(Option<Map<String, Value>>);

impl Times {
    /// Gives unchanged files back their times. Does nothing where this is not CI, as a person may have built
    /// something else in between.
    pub fn restore() -> Result<Self> {
        if std::env::var_os("CI").is_none() {
            return Ok(Self(None));
        }
        let target = target_dir();
        let seen = note(&target, &root()).unwrap_or_default();
        let changed: BTreeSet<String> =
            read(command("git").args(["diff", "--name-only", "-z", "HEAD"]))?
                .split_terminator('\0')
                .map(str::to_owned)
                .collect();
        let tracked = read(command("git").args(["ls-files", "--stage", "-z"]))?;
        let mut files = Map::new();
        let mut restored = 0;
        for line in tracked.split_terminator('\0') {
            let Some((facts, path)) = line.split_once('\t') else {
                continue;
            };
            let place = root().join(path);
            let is_file = place.symlink_metadata().is_ok_and(|found| found.is_file());
            if changed.contains(path) || !is_file {
                continue;
            }
            let hash = facts.split(' ').nth(1).unwrap_or_default();
            let file = File::open(&place).with_context(|| place.display().to_string())?;
            if let Some(time) = time_of(&seen, path, hash) {
                file.set_modified(time)
                    .with_context(|| place.display().to_string())?;
                restored += 1;
            }
            let time = file.metadata()?.modified()?;
            files.insert(path.to_owned(), json!([hash, nanoseconds(time)?]));
        }
        println!(
            "{restored} of {} files are as they were last built",
            files.len()
        );
        Ok(Self(Some(files)))
    }

    /// Notes that what is in the target folder now was built from these files; after each build.
    pub fn remember(&self) -> Result<()> {
        let Some(files) = &self.0 else { return Ok(()) };
        let note =
            json!({ "root": root(), "built": nanoseconds(SystemTime::now())?, "files": files });
        let path = target_dir().join(NOTE);
        fs::write(&path, note.to_string()).with_context(|| path.display().to_string())
    }
}

/// The files of the note, if it counts for a checkout there.
fn note(target: &Path, root: &Path) -> Option<Map<String, Value>> {
    let text = fs::read_to_string(target.join(NOTE)).ok()?;
    let mut note: Value = serde_json::from_str(&text).ok()?;
    let is_here = note["root"].as_str().map(Path::new) == Some(root);
    let built = UNIX_EPOCH + Duration::from_nanos(note["built"].as_u64()?);
    if !is_here || last_build(target) > built {
        return None;
    }
    match note["files"].take() {
        Value::Object(files) => Some(files),
        _ => None,
    }
}

fn time_of(seen: &Map<String, Value>, path: &str, hash: &str) -> Option<SystemTime> {
    let known = seen.get(path)?;
    let time = known[1].as_u64().filter(|_| known[0] == hash)?;
    Some(UNIX_EPOCH + Duration::from_nanos(time))
}

fn nanoseconds(time: SystemTime) -> Result<u64> {
    Ok(u64::try_from(time.duration_since(UNIX_EPOCH)?.as_nanos())?)
}

/// When cargo last built a crate in any profile, but for this program, which comes before everything.
fn last_build(target: &Path) -> SystemTime {
    let mut profiles = below(target);
    profiles.extend(below(target).iter().flat_map(|folder| below(folder)));
    profiles
        .iter()
        .flat_map(|profile| below(&profile.join(".fingerprint")))
        .filter(|unit| {
            !unit
                .file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("xtask-"))
        })
        .filter_map(|unit| {
            unit.join("invoked.timestamp")
                .metadata()
                .ok()?
                .modified()
                .ok()
        })
        .max()
        .unwrap_or(UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A unit that cargo built so many seconds after 1970.
    fn build(target: &Path, unit: &str, second: u64) {
        let folder = target.join(unit);
        fs::create_dir_all(&folder).unwrap();
        let file = File::create(folder.join("invoked.timestamp")).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(second))
            .unwrap();
    }

    #[test]
    fn a_note_counts_in_its_place_until_something_else_is_built() {
        let target = tempfile::tempdir().unwrap();
        let target = target.path();
        let here = Path::new("/checkout");
        let counts = |root: &Path| note(target, root).is_some();
        assert!(!counts(here), "there is none");
        let text = json!({ "root": here, "built": 100_000_000_000_u64, "files": {} });
        fs::write(target.join(NOTE), text.to_string()).unwrap();
        assert!(counts(here));
        assert!(!counts(Path::new("/elsewhere")));
        build(target, "debug/.fingerprint/flame-dsl-1", 99);
        build(target, "debug/.fingerprint/xtask-1", 200);
        assert!(counts(here), "before it, and this program");
        build(target, "triple/quick/.fingerprint/flame-dsl-2", 101);
        assert!(!counts(here));
        fs::write(target.join(NOTE), "{").unwrap();
        assert!(!counts(here));
    }

    #[test]
    fn a_file_that_changed_has_no_time() {
        let Value::Object(seen) = json!({ "a.rs": ["1f", 5_000_000_000_u64] }) else {
            unreachable!()
        };
        let time = UNIX_EPOCH + Duration::from_secs(5);
        assert_eq!(time_of(&seen, "a.rs", "1f"), Some(time));
        assert_eq!(time_of(&seen, "a.rs", "2f"), None);
        assert_eq!(time_of(&seen, "b.rs", "1f"), None);
    }
}
