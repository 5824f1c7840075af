//! The schema and how an older file becomes a current one. Steps are append-only once released.

use std::path::Path;

use flame_types::Timestamp;
use rusqlite::{Connection, TransactionBehavior};

use crate::Error;
use crate::backup::{self, Reason};
use crate::check;
use crate::file::{APPLICATION_ID, shrinkable, translate};

/// Step `n` makes format `n + 1` out of format `n`.
const STEPS: &[&str] = &[
    include_str!("schema/1.sql"),
    include_str!("schema/2.sql"),
    include_str!("schema/3.sql"),
    include_str!("schema/4.sql"),
    include_str!("schema/5.sql"),
    include_str!("schema/6.sql"),
    include_str!("schema/7.sql"),
    include_str!("schema/8.sql"),
];

/// Files up to this size are written anew where they can't shrink.
const REBUILT_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Brings the file to the current format; a file with content is backed up first.
///
/// Refuses a file of a newer format and a database of another program, and leaves both as they are.
pub(crate) fn migrate(
    connection: &mut Connection,
    path: &Path,
    now: Timestamp,
) -> Result<(), Error> {
    migrate_with(connection, path, STEPS, now)
}

fn migrate_with(
    connection: &mut Connection,
    path: &Path,
    steps: &[&str],
    now: Timestamp,
) -> Result<(), Error> {
    let fail = |error: rusqlite::Error| translate("migrate", path, &error);
    let current = i64::try_from(steps.len()).unwrap_or(i64::MAX);
    let found = known(connection, path, current)?;
    if found == current {
        return Ok(());
    }
    if found > 0 {
        backup::make(connection, path, Reason::Migration { from: found }, now)?;
    } else {
        // Its log is gone, and with it what had never moved to the file.
        check::nothing_lost(path)?;
    }
    // One transaction for all steps: a crash in between leaves the old format.
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(fail)?;
    for step in steps.iter().skip(usize::try_from(found).unwrap_or(0)) {
        transaction.execute_batch(step).map_err(fail)?;
    }
    transaction
        .pragma_update(None, "application_id", APPLICATION_ID)
        .map_err(fail)?;
    transaction
        .pragma_update(None, "user_version", current)
        .map_err(fail)?;
    transaction.commit().map_err(fail)?;
    rebuild(connection, path)?;
    tracing::info!(
        from = found,
        to = current,
        "The database has the current format"
    );
    Ok(())
}

/// Writes an older file anew, so that it can shrink. A large one takes long, and uses its free pages again.
fn rebuild(connection: &Connection, path: &Path) -> Result<(), Error> {
    let shrinks: i64 = connection
        .pragma_query_value(None, "auto_vacuum", |row| row.get(0))
        .map_err(|error| translate("read", path, &error))?;
    let small = std::fs::metadata(path).is_ok_and(|file| file.len() <= REBUILT_BYTES_MAX);
    if shrinks != 0 || !small {
        return Ok(());
    }
    shrinkable(connection)
        .and_then(|()| connection.execute_batch("VACUUM"))
        .map_err(|error| translate("write", path, &error))
}

/// The format of a file that this version can read or carry over; 0 for an empty file.
pub(crate) fn format(connection: &Connection, path: &Path) -> Result<i64, Error> {
    known(
        connection,
        path,
        i64::try_from(STEPS.len()).unwrap_or(i64::MAX),
    )
}

fn known(connection: &Connection, path: &Path, current: i64) -> Result<i64, Error> {
    let found = found(connection, path)?;
    if found > current {
        return Err(Error::Newer {
            path: path.to_owned(),
            found,
            supported: current,
        });
    }
    Ok(found)
}

/// The file's format; 0 for an empty file.
fn found(connection: &Connection, path: &Path) -> Result<i64, Error> {
    let read = |name: &str| {
        connection
            .pragma_query_value(None, name, |row| row.get::<_, i64>(0))
            .map_err(|error| translate("read", path, &error))
    };
    let tables: i64 = connection
        .query_row("SELECT COUNT(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(|error| translate("read", path, &error))?;
    match (read("application_id")?, tables) {
        (APPLICATION_ID, _) => read("user_version"),
        (0, 0) => Ok(0),
        _ => Err(Error::Foreign {
            path: path.to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::open_writer;
    use flame_types::Durability;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;
    /// The format that this version writes.
    const CURRENT: i64 = STEPS.len() as i64;

    fn fresh(folder: &Path) -> (Connection, std::path::PathBuf) {
        let path = folder.join(crate::FILE_NAME);
        let mut connection = open_writer(&path, Durability::Normal, None).unwrap();
        migrate(&mut connection, &path, NOW).unwrap();
        (connection, path)
    }

    #[test]
    fn an_older_file_is_backed_up_and_carried_over() {
        let folder = tempfile::tempdir().unwrap();
        let (mut connection, path) = fresh(folder.path());
        connection
            .execute(
                "INSERT INTO schedules VALUES ('workflow', 'a', 'b', '1.0.0', 7, NULL)",
                [],
            )
            .unwrap();
        let mut steps = STEPS.to_vec();
        steps.push("ALTER TABLE schedules ADD COLUMN note TEXT");
        migrate_with(&mut connection, &path, &steps, NOW).unwrap();
        let count = |connection: &Connection, sql: &str| -> i64 {
            connection.query_row(sql, [], |row| row.get(0)).unwrap()
        };
        assert_eq!(
            count(
                &connection,
                "SELECT COUNT(*) FROM schedules WHERE note IS NULL"
            ),
            1
        );
        let backup = Connection::open(backup::latest(folder.path()).unwrap()).unwrap();
        assert_eq!(count(&backup, "SELECT COUNT(*) FROM schedules"), 1);
        assert_eq!(count(&backup, "PRAGMA user_version"), CURRENT);
    }

    #[test]
    fn a_step_that_fails_leaves_the_old_format() {
        let folder = tempfile::tempdir().unwrap();
        let (mut connection, path) = fresh(folder.path());
        let mut steps = STEPS.to_vec();
        steps.extend(["CREATE TABLE extra (id)", "CREATE TABLE extra (id)"]);
        migrate_with(&mut connection, &path, &steps, NOW).unwrap_err();
        assert_eq!(found(&connection, &path).unwrap(), CURRENT);
        migrate(&mut connection, &path, NOW).unwrap();
    }

    #[test]
    fn a_newer_file_and_a_foreign_one_are_refused_untouched() {
        let folder = tempfile::tempdir().unwrap();
        let (mut connection, path) = fresh(folder.path());
        connection
            .pragma_update(None, "user_version", CURRENT + 1)
            .unwrap();
        assert!(
            matches!(migrate(&mut connection, &path, NOW), Err(Error::Newer { found, .. }) if found == CURRENT + 1)
        );

        let foreign = folder.path().join("foreign.db");
        let mut connection = Connection::open(&foreign).unwrap();
        connection
            .execute_batch("CREATE TABLE theirs (id)")
            .unwrap();
        assert!(matches!(
            migrate(&mut connection, &foreign, NOW),
            Err(Error::Foreign { .. })
        ));
    }
}
