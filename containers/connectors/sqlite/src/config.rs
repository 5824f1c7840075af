//! Settings of a connection, arguments of the operations, and which file they name.

use std::path::{Path, PathBuf};

use flame_connector::arguments::{self, UpsertTarget};
use flame_connector::{Connection, ConnectionSpec, Fault, Folders, Invocation, Record};
use flame_types::json;
use serde::Deserialize;
use serde_json::{Value, json};

/// The connector's kind.
pub(crate) const KIND: &str = "sqlite";

/// Longest name of a database file, in bytes.
const DATABASE_NAME_BYTES_MAX: usize = 128;

/// Settings of a connection.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Settings {
    /// Absolute, or relative to the workspace's databases folder.
    path: PathBuf,
}

/// `with` of `sqlite.upsert`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct UpsertArguments {
    database: Option<String>,
    connection: Option<String>,
    table: String,
    key: Vec<String>,
    #[serde(default, deserialize_with = "json::read")]
    record: Option<Record>,
    #[serde(default, deserialize_with = "json::read")]
    records: Option<Vec<Record>>,
    #[serde(default = "create_by_default")]
    create: bool,
}

/// Where an upsert goes, with everything checked that needs no database.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) upsert: UpsertTarget,
    /// Missing tables and columns are made.
    pub(crate) create: bool,
}

fn create_by_default() -> bool {
    true
}

impl UpsertArguments {
    /// Reads `with`, and splits it into the target, the file and the records.
    pub(crate) fn read(
        arguments: &Value,
        invocation: &Invocation<'_>,
    ) -> Result<(Target, DatabaseFile, Self), Fault> {
        let read: Self = arguments::parse("sqlite.upsert", arguments)?;
        let file = read.file(invocation)?;
        let upsert = UpsertTarget {
            table: read.table.clone(),
            key: read.key.clone(),
        };
        upsert.validate()?;
        Ok((
            Target {
                upsert,
                create: read.create,
            },
            file,
            read,
        ))
    }

    /// The records of a single call.
    pub(crate) fn into_records(self) -> Result<Vec<Record>, Fault> {
        arguments::records(self.record, self.records)
    }

    /// A stream brings its own records.
    pub(crate) fn refuse_records(&self) -> Result<(), Fault> {
        if self.record.is_some() || self.records.is_some() {
            return Err(Fault::configuration(
                "A pipeline's sink takes no `record` or `records`: they come from the source.",
            ));
        }
        Ok(())
    }

    fn file(&self, invocation: &Invocation<'_>) -> Result<DatabaseFile, Fault> {
        match (&self.database, &self.connection, invocation.connection) {
            (Some(_), Some(_), _) => Err(Fault::validation(
                "`database` and `connection` are both given. Give one of them.",
            )),
            (None, Some(_), Some(connection)) => DatabaseFile::of(connection, invocation.folders),
            (None, Some(name), None) => Err(Fault::connection_unknown(name)),
            (Some(name), None, _) => DatabaseFile::named(name, invocation.folders),
            (None, None, _) => Err(Fault::validation(
                "Neither `database` nor `connection` is given. Name a file such as `orders.db`.",
            )),
        }
    }
}

/// A database by its file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct DatabaseFile {
    pub(crate) path: PathBuf,
    /// What documents and messages call it.
    pub(crate) name: String,
    /// A file that a document names must stand in the folder itself, not behind a link.
    pub(crate) confined: bool,
}

impl DatabaseFile {
    /// A file that a document names: inside the databases folder, never elsewhere.
    fn named(name: &str, folders: &Folders) -> Result<Self, Fault> {
        let problem = if name.is_empty() {
            "it is empty"
        } else if name.len() > DATABASE_NAME_BYTES_MAX {
            "it is longer than 128 bytes"
        } else if name.starts_with('.') {
            "it begins with a dot"
        } else if name.contains(['/', '\\', ':']) {
            "it has a slash, a backslash or a colon; only a file name is taken, not a path"
        } else if name.chars().any(char::is_control) {
            "it has a control character"
        } else if name.ends_with("-wal") || name.ends_with("-shm") || name.ends_with("-journal") {
            "SQLite keeps its own files under such names"
        } else {
            let folder = folders.databases.canonicalize().map_err(|error| {
                Fault::configuration(format!("The databases folder can't be opened: {error}."))
            })?;
            return Ok(Self {
                path: folder.join(name),
                name: name.to_owned(),
                confined: true,
            });
        };
        Err(Fault::validation(format!(
            "{name:?} can't be a database file: {problem}."
        )))
    }

    /// The file that a person chose in a connection, wherever it is.
    pub(crate) fn of(connection: &Connection, folders: &Folders) -> Result<Self, Fault> {
        if connection.kind != KIND {
            return Err(Fault::configuration(format!(
                "Connection {:?} is of kind {}, and sqlite.upsert needs one of kind sqlite.",
                connection.name, connection.kind
            )));
        }
        let settings: Settings = arguments::settings(&connection.name, &connection.settings)?;
        if settings.path.as_os_str().is_empty() {
            return Err(Fault::configuration(format!(
                "Connection {:?} has an empty path. Choose a database file.",
                connection.name
            )));
        }
        let path = folders.databases.join(&settings.path);
        Ok(Self {
            name: file_name(&path),
            path,
            confined: false,
        })
    }
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
        .into_owned()
}

/// What a connection of kind `sqlite` holds.
pub(crate) fn connection_spec() -> ConnectionSpec {
    ConnectionSpec {
        settings: json!({
            "type": "object",
            "required": ["path"],
            "additionalProperties": false,
            "properties": {
                "path": {
                    "type": "string",
                    "minLength": 1,
                    "title": "File",
                    "description": "The database file: a full path, or a name in the \
                                    workspace's databases folder. It is made when missing."
                }
            }
        }),
        secret: None,
    }
}
