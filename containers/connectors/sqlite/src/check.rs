//! Trying a connection: find the file, open it, read it.

use std::time::Instant;

use flame_connector::{Check, Connection, Fault, Folders};

use crate::config::DatabaseFile;
use crate::{database, error};

/// The steps, in order. A missing file is not made by looking.
pub(crate) async fn run(connection: &Connection, folders: &Folders) -> Check {
    let mut check = Check::default();
    let begun = Instant::now();
    let found = DatabaseFile::of(connection, folders).and_then(|file| {
        let detail = found(&file)?;
        Ok((file, detail))
    });
    let Some(file) = check.step("Find the file", begun.elapsed(), found) else {
        return check;
    };
    if !file.path.exists() {
        return check;
    }
    let title = format!("Open {}", file.name);
    let begun = Instant::now();
    let opened = tokio::task::spawn_blocking(move || read(&file))
        .await
        .unwrap_or_else(|_| Err(Fault::runtime("The check was stopped.")));
    check.step(title, begun.elapsed(), opened);
    check
}

fn found(file: &DatabaseFile) -> Result<String, Fault> {
    let shown = file.path.display();
    if file.path.is_dir() {
        return Err(Fault::configuration(format!(
            "{shown} is a folder. Choose a file in it."
        )));
    }
    if file.path.exists() {
        return Ok(format!("{shown} is there."));
    }
    match file.path.parent() {
        Some(folder) if folder.is_dir() => Ok(format!(
            "{shown} is not there yet; the first write makes it."
        )),
        _ => Err(Fault::configuration(format!(
            "The folder of {shown} does not exist. Make it, or choose another file."
        ))),
    }
}

fn read(file: &DatabaseFile) -> Result<((), String), Fault> {
    let failed = |error| error::fault(&file.name, error);
    let connection = database::open(file)?;
    let tables: i64 = connection
        .query_row(
            "select count(*) from sqlite_schema where type = 'table'",
            [],
            |row| row.get(0),
        )
        .map_err(failed)?;
    let version = rusqlite::version();
    Ok((
        (),
        format!("SQLite {version}; the file has {tables} tables."),
    ))
}
