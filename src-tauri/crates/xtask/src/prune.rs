//! Keeps what cargo needs to compile a crate again in parts from growing without end: it begins anew with each change
//! of a dependency, and never deletes what was there for the version before.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};

/// A crate is a library, a program and tests of both, each built and linted.
const UNITS: usize = 8;

/// Deletes all but the youngest of each crate, in every profile of a target folder.
pub fn run(target: &Path) -> Result<()> {
    let mut profiles = below(target);
    profiles.extend(below(target).iter().flat_map(|folder| below(folder)));
    for profile in profiles {
        let mut crates: BTreeMap<String, Vec<(SystemTime, PathBuf)>> = BTreeMap::new();
        for unit in below(&profile.join("incremental")) {
            let name = unit.file_name().unwrap_or_default().to_string_lossy();
            let Some((name, _)) = name.rsplit_once('-') else {
                continue;
            };
            // Another cargo may be at work beside this one.
            let Ok(used) = unit.metadata().and_then(|found| found.modified()) else {
                continue;
            };
            crates
                .entry(name.to_owned())
                .or_default()
                .push((used, unit));
        }
        for mut units in crates.into_values() {
            units.sort_unstable_by_key(|(used, _)| Reverse(*used));
            for (_, unit) in units.drain(UNITS.min(units.len())..) {
                match fs::remove_dir_all(&unit) {
                    Err(error) if error.kind() != ErrorKind::NotFound => {
                        return Err(error).with_context(|| unit.display().to_string());
                    }
                    _ => {}
                }
            }
        }
    }
    Ok(())
}

/// What is in a folder; nothing where there is none.
pub fn below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_youngest_of_each_crate_stay() {
        let target = tempfile::tempdir().unwrap();
        let unit =
            |profile: &str, name: &str| target.path().join(profile).join("incremental").join(name);
        for age in 0..20_u64 {
            for name in ["dsl", "dsl_next"] {
                let unit = unit("debug", &format!("{name}-{age}"));
                fs::create_dir_all(unit.join("session")).unwrap();
                let used = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000 - age);
                File::open(&unit).unwrap().set_modified(used).unwrap();
            }
        }
        fs::create_dir_all(unit("triple/quick", "dsl-99")).unwrap();
        run(target.path()).unwrap();
        for age in 0..20 {
            for name in ["dsl", "dsl_next"] {
                let stays = unit("debug", &format!("{name}-{age}")).exists();
                assert_eq!(stays, age < 8, "{name} {age}");
            }
        }
        assert!(unit("triple/quick", "dsl-99").exists());
        run(&target.path().join("nowhere")).unwrap();
    }
}
