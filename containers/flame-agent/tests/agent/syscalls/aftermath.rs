//! What a data folder holds, read without an agent.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

const DATABASE: &str = "agent.db";
/// Columns that hold what runs, clients and events said.
const TEXTS: [(&str, &str); 6] = [
    ("runs", "opening"),
    ("journal", "records"),
    ("events", "body"),
    ("definition_texts", "body"),
    ("subscriptions", "state"),
    ("snapshots", "state"),
];

/// The database as an agent would find it.
#[derive(Debug)]
pub(super) struct Held {
    /// All that was said, one text behind the other.
    text: String,
    /// The batches of each run, as they follow one another.
    journals: BTreeMap<Vec<u8>, Vec<Vec<u8>>>,
}

impl Held {
    /// Reads a copy: to open the file is to mend it.
    pub(super) fn read(folder: &Path) -> Self {
        let copy = tempfile::tempdir().unwrap();
        for name in [DATABASE, "agent.db-wal"] {
            let from = folder.join(name);
            if from.exists() {
                fs::copy(from, copy.path().join(name)).unwrap();
            }
        }
        let connection = Connection::open(copy.path().join(DATABASE)).unwrap();
        Self {
            text: TEXTS
                .iter()
                .map(|(table, column)| text(&connection, table, column))
                .collect(),
            journals: journals(&connection),
        }
    }

    pub(super) fn says(&self, text: &str) -> bool {
        self.text.contains(text)
    }

    /// What was in the journals then is in them now, byte for byte, with more behind it.
    pub(super) fn assert_goes_on(&self, then: &Self, label: &str) {
        for (run, batches) in &then.journals {
            let now = &self.journals[run];
            assert!(now.starts_with(batches), "{label}: a journal was rewritten");
        }
    }
}

fn text(connection: &Connection, table: &str, column: &str) -> String {
    // Older files lack some of them.
    let is_there = connection.column_exists(None, table, column).unwrap();
    if !is_there {
        return String::new();
    }
    let sql = format!("SELECT CAST({column} AS BLOB) FROM {table} WHERE {column} IS NOT NULL");
    let mut statement = connection.prepare(&sql).unwrap();
    let rows = statement.query_map([], |row| row.get::<_, Vec<u8>>(0));
    rows.unwrap()
        // What was cut out of a text stands in it as bytes.
        .map(|body| String::from_utf8_lossy(&body.unwrap()).into_owned())
        .collect()
}

/// Journals begin in the runs' own rows, where they are short.
const OPENINGS: &str =
    "SELECT id, 0, opening_count, opening FROM current.runs WHERE opening IS NOT NULL";

fn journals(connection: &Connection) -> BTreeMap<Vec<u8>, Vec<Vec<u8>>> {
    let mut journals: BTreeMap<Vec<u8>, Vec<Vec<u8>>> = BTreeMap::new();
    let mut ends: BTreeMap<Vec<u8>, i64> = BTreeMap::new();
    let mut batches = "SELECT run, first, count, records FROM journal".to_owned();
    if connection.column_exists(None, "runs", "opening").unwrap() {
        batches = format!("{batches} UNION ALL {}", OPENINGS.replace("current.", ""));
    }
    let mut statement = connection
        .prepare(&format!("{batches} ORDER BY run, first"))
        .unwrap();
    let mut rows = statement.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let run: Vec<u8> = row.get(0).unwrap();
        let (first, count): (i64, i64) = (row.get(1).unwrap(), row.get(2).unwrap());
        let end = ends.entry(run.clone()).or_default();
        assert_eq!(*end, first, "a journal has a gap");
        *end += count;
        journals.entry(run).or_default().push(row.get(3).unwrap());
    }
    journals
}

/// SQLite finds the file whole.
pub(super) fn assert_whole(folder: &Path, label: &str) {
    let connection =
        Connection::open_with_flags(folder.join(DATABASE), OpenFlags::SQLITE_OPEN_READ_ONLY);
    let verdict: String = connection
        .unwrap()
        .pragma_query_value(None, "integrity_check", |row| row.get(0))
        .unwrap();
    assert_eq!(verdict, "ok", "{label}");
}

/// Copies a data folder that nobody uses.
pub(super) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Makes the database one of the first format, with all that this had a place for.
pub(super) fn make_old(folder: &Path) {
    let current = folder.join("current.db");
    fs::rename(folder.join(DATABASE), &current).unwrap();
    let log = folder.join("agent.db-wal");
    if log.exists() {
        fs::rename(log, folder.join("current.db-wal")).unwrap();
    }
    // Their agent is dead, so that nobody shares it.
    let _ = fs::remove_file(folder.join("agent.db-shm"));
    let connection = Connection::open(folder.join(DATABASE)).unwrap();
    connection
        .pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))
        .unwrap();
    connection
        .execute_batch(include_str!(
            "../../../../../src-tauri/crates/flame-store/src/schema/1.sql"
        ))
        .unwrap();
    connection
        .execute("ATTACH ?1 AS current", [current.to_str().unwrap()])
        .unwrap();
    for table in names(
        &connection,
        "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'",
    ) {
        let sql = format!("SELECT name FROM pragma_table_info('{table}', 'main')");
        let columns = names(&connection, &sql).join(", ");
        let sql =
            format!("INSERT INTO main.{table} ({columns}) SELECT {columns} FROM current.{table}");
        connection.execute(&sql, []).unwrap();
    }
    connection
        .execute(&format!("INSERT INTO main.journal {OPENINGS}"), [])
        .unwrap();
    connection.execute("DETACH current", []).unwrap();
    connection
        .pragma_update(None, "application_id", 0x4D41_5354)
        .unwrap();
    connection.pragma_update(None, "user_version", 1).unwrap();
    connection.close().unwrap();
    for left in ["current.db", "current.db-wal", "current.db-shm"] {
        // SQLite has removed some of them.
        let _ = fs::remove_file(folder.join(left));
    }
}

fn names(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}
