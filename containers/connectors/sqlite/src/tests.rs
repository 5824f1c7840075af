//! The connector through its public face, on real files.

use std::sync::Arc;

use flame_connector::{Connection, Connector, FaultKind, Folders, Invocation, Record};
use flame_types::IdempotencyKey;
use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::Sqlite;

/// A workspace with its folders.
struct Workspace {
    folder: TempDir,
    folders: Folders,
    key: IdempotencyKey,
}

impl Workspace {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let folders = Folders {
            output: folder.path().join("output"),
            databases: folder.path().join("databases"),
        };
        std::fs::create_dir(&folders.output).unwrap();
        std::fs::create_dir(&folders.databases).unwrap();
        Self {
            folder,
            folders,
            key: IdempotencyKey::new("run/task"),
        }
    }

    fn invocation<'a>(&'a self, connection: Option<&'a Connection>) -> Invocation<'a> {
        Invocation {
            key: &self.key,
            connection,
            deadline: None,
            folders: &self.folders,
        }
    }

    async fn upsert(&self, sqlite: &Sqlite, with: Value) -> Result<Value, flame_connector::Fault> {
        sqlite.invoke("upsert", &with, self.invocation(None)).await
    }

    fn rows(&self, sql: &str) -> Vec<String> {
        let file = self.folders.databases.join("orders.db");
        let connection = rusqlite::Connection::open(file).unwrap();
        let mut statement = connection.prepare(sql).unwrap();
        let columns = statement.column_count();
        let rows = statement.query_map([], |row| {
            (0..columns)
                .map(|at| row.get_ref(at).map(|value| format!("{value:?}")))
                .collect::<rusqlite::Result<Vec<_>>>()
        });
        rows.unwrap().map(|row| row.unwrap().join(" ")).collect()
    }
}

fn with(record: Value) -> Value {
    json!({ "database": "orders.db", "table": "orders", "key": ["id"], "record": record })
}

#[tokio::test]
async fn names_that_leave_the_folder_are_refused() {
    let (workspace, sqlite) = (Workspace::new(), Sqlite::new());
    for name in [
        "",
        "../x.db",
        "/tmp/x.db",
        "a/b.db",
        "a\\b",
        "..",
        ".x",
        ":memory:",
        "a\0",
        "x-wal",
    ] {
        let mut arguments = with(json!({"id": 1}));
        arguments["database"] = json!(name);
        let fault = workspace.upsert(&sqlite, arguments).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Validation, "{name:?}: {fault}");
    }
    assert_eq!(
        std::fs::read_dir(&workspace.folders.databases)
            .unwrap()
            .count(),
        0
    );
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_out_of_the_folder_is_not_followed() {
    let (workspace, sqlite) = (Workspace::new(), Sqlite::new());
    let outside = workspace.folder.path().join("outside.db");
    std::os::unix::fs::symlink(&outside, workspace.folders.databases.join("orders.db")).unwrap();
    let fault = workspace
        .upsert(&sqlite, with(json!({"id": 1})))
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Configuration, "{fault}");
    assert!(!outside.exists());
}

#[tokio::test]
async fn arguments_that_can_not_be_right_are_refused() {
    let (workspace, sqlite) = (Workspace::new(), Sqlite::new());
    for (arguments, word) in [
        (json!({}), "table"),
        (
            json!({"database": "a.db", "table": "t", "key": []}),
            "`key` is empty",
        ),
        (
            json!({"database": "a.db", "table": "t", "key": ["id"]}),
            "`record`",
        ),
        (
            json!({"table": "t", "key": ["id"], "record": {"id": 1}}),
            "`database`",
        ),
        (
            json!({"database": "a.db", "table": "t", "key": ["id"], "record": {"name": 1}}),
            "is missing",
        ),
        (
            json!({"database": "a.db", "table": "t", "key": ["id"], "record": {"id": null}}),
            "is null",
        ),
        (
            json!({"database": "a.db", "table": "", "key": ["id"], "record": {"id": 1}}),
            "table",
        ),
        (
            json!({"database": "a.db", "table": "t", "key": ["id"], "record": {"id": 1, "ID": 2}}),
            "twice",
        ),
        (
            json!({"database": "a.db", "table": "t", "keys": ["id"], "record": {"id": 1}}),
            "keys",
        ),
        (
            json!({"connection": "missing", "table": "t", "key": ["id"], "record": {"id": 1}}),
            "missing",
        ),
    ] {
        let fault = workspace
            .upsert(&sqlite, arguments.clone())
            .await
            .unwrap_err();
        assert!(fault.detail.contains(word), "{arguments}: {fault}");
    }
}

#[tokio::test]
async fn a_table_is_made_widened_and_a_row_replaced() {
    let (workspace, sqlite) = (Workspace::new(), Sqlite::new());
    let first = json!({"id": "a", "total": 10, "paid": false, "lines": [1], "note": null});
    let answer = workspace.upsert(&sqlite, with(first)).await.unwrap();
    assert_eq!(
        answer,
        json!({"database": "orders.db", "table": "orders", "rows": 1})
    );
    workspace
        .upsert(&sqlite, with(json!({"id": "a", "total": 10.5, "note": 7})))
        .await
        .unwrap();
    workspace
        .upsert(&sqlite, with(json!({"id": "b", "city": "Köln"})))
        .await
        .unwrap();
    let rows = workspace.rows("select id, total, paid, lines, note, city from orders order by id");
    assert_eq!(
        rows,
        [
            "Text([97]) Real(10.5) Integer(0) Text([91, 49, 93]) Integer(7) Null",
            "Text([98]) Null Null Null Null Text([75, 195, 182, 108, 110])",
        ]
    );
}

#[tokio::test]
async fn a_wrong_type_blames_the_record_and_writes_nothing_of_its_call() {
    let (workspace, sqlite) = (Workspace::new(), Sqlite::new());
    workspace
        .upsert(&sqlite, with(json!({"id": "a", "total": 1})))
        .await
        .unwrap();
    let mut several = with(Value::Null);
    several["record"] = Value::Null;
    several["records"] = json!([{"id": "b", "total": 2}, {"id": "c", "total": "much"}]);
    let fault = workspace.upsert(&sqlite, several).await.unwrap_err();
    assert_eq!(
        (fault.kind, fault.record),
        (FaultKind::Validation, Some(1)),
        "{fault}"
    );
    assert!(
        fault.detail.contains("total") && fault.detail.contains("much"),
        "{fault}"
    );
    let huge = with(json!({"id": "d", "total": u64::MAX}));
    assert_eq!(
        workspace.upsert(&sqlite, huge).await.unwrap_err().kind,
        FaultKind::Validation
    );
    assert_eq!(workspace.rows("select id from orders"), ["Text([97])"]);
}

#[tokio::test]
async fn without_create_a_missing_table_is_a_fault_of_the_setup() {
    let (workspace, sqlite) = (Workspace::new(), Sqlite::new());
    let mut arguments = with(json!({"id": 1}));
    arguments["create"] = json!(false);
    let fault = workspace
        .upsert(&sqlite, arguments.clone())
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Configuration, "{fault}");
    workspace
        .upsert(&sqlite, with(json!({"id": 1})))
        .await
        .unwrap();
    arguments["record"] = json!({"id": 1, "extra": 2});
    let fault = workspace.upsert(&sqlite, arguments).await.unwrap_err();
    assert!(
        fault.kind == FaultKind::Configuration && fault.detail.contains("extra"),
        "{fault}"
    );
}

#[tokio::test]
async fn a_key_without_an_index_says_which_index_to_make() {
    let (workspace, sqlite) = (Workspace::new(), Sqlite::new());
    workspace
        .upsert(&sqlite, with(json!({"id": 1, "name": "x"})))
        .await
        .unwrap();
    let mut arguments = with(json!({"id": 1, "name": "x"}));
    arguments["key"] = json!(["name"]);
    let fault = workspace.upsert(&sqlite, arguments).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Configuration);
    assert!(fault.detail.contains("UNIQUE INDEX"), "{fault}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_kept_and_named() {
    let (workspace, sqlite) = (Workspace::new(), Sqlite::new());
    let file = workspace.folders.databases.join("orders.db");
    let text =
        "this is a letter, not a database; it is long enough to have a whole header\n".repeat(20);
    std::fs::write(&file, &text).unwrap();
    let fault = workspace
        .upsert(&sqlite, with(json!({"id": 1})))
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Configuration);
    assert!(fault.detail.contains("orders.db"), "{fault}");
    assert_eq!(std::fs::read_to_string(file).unwrap(), text);
}

#[tokio::test]
async fn calls_at_the_same_time_all_land_and_a_bad_one_spoils_no_other() {
    let (workspace, sqlite) = (Arc::new(Workspace::new()), Arc::new(Sqlite::new()));
    workspace
        .upsert(&sqlite, with(json!({"id": -1, "total": 0})))
        .await
        .unwrap();
    let calls = (0..200).map(|at| {
        let (workspace, sqlite) = (workspace.clone(), sqlite.clone());
        tokio::spawn(async move {
            let total = if at % 10 == 0 {
                json!("bad")
            } else {
                json!(at)
            };
            workspace
                .upsert(&sqlite, with(json!({"id": at, "total": total})))
                .await
                .is_ok()
        })
    });
    let outcomes = futures::future::join_all(calls).await;
    assert_eq!(
        outcomes
            .into_iter()
            .filter(|outcome| *outcome.as_ref().unwrap())
            .count(),
        180
    );
    assert_eq!(
        workspace.rows("select count(*), min(id) from orders"),
        ["Integer(181) Integer(-1)"]
    );
}

#[tokio::test]
async fn a_connection_names_a_file_anywhere_and_the_check_says_what_it_found() {
    let (workspace, sqlite) = (Workspace::new(), Sqlite::new());
    let path = workspace.folder.path().join("mine.db");
    let mut connection = Connection {
        name: "mine".into(),
        kind: "sqlite".into(),
        settings: json!({ "path": path }),
        secret: None,
    };
    let check = sqlite.check(&connection, &workspace.folders).await;
    assert!(
        check.passed() && check.steps[0].detail.contains("not there yet"),
        "{check:?}"
    );
    assert!(!path.exists(), "looking makes nothing");

    let arguments = json!({"connection": "mine", "table": "t", "key": ["id"], "record": {"id": 1}});
    sqlite
        .invoke(
            "upsert",
            &arguments,
            workspace.invocation(Some(&connection)),
        )
        .await
        .unwrap();
    let check = sqlite.check(&connection, &workspace.folders).await;
    assert!(
        check.passed() && check.steps[1].detail.contains("1 tables"),
        "{check:?}"
    );

    connection.settings = json!({ "path": workspace.folder.path().join("no/such.db") });
    assert!(!sqlite.check(&connection, &workspace.folders).await.passed());
    connection.kind = "postgres".into();
    let fault = sqlite
        .invoke(
            "upsert",
            &arguments,
            workspace.invocation(Some(&connection)),
        )
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Configuration, "{fault}");
}

#[tokio::test]
async fn a_sink_writes_batches_and_takes_no_records_in_its_arguments() {
    let (workspace, sqlite) = (Workspace::new(), Sqlite::new());
    let arguments = json!({"database": "orders.db", "table": "orders", "key": ["id"]});
    let mut sink = sqlite
        .sink("upsert", &arguments, workspace.invocation(None))
        .await
        .unwrap();
    let batch: Vec<Record> = (0..1000)
        .map(|id| json!({"id": id, "n": 1}).as_object().cloned().unwrap())
        .collect();
    sink.write(&batch).await.unwrap();
    sink.write(&batch).await.unwrap();
    sink.write(&[]).await.unwrap();
    assert_eq!(
        workspace.rows("select count(*), sum(n) from orders"),
        ["Integer(1000) Integer(1000)"]
    );
    let refused = sqlite
        .sink(
            "upsert",
            &with(json!({"id": 1})),
            workspace.invocation(None),
        )
        .await;
    assert!(refused.is_err());
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z0-9 '\";%-]{0,12}".prop_map(Value::from),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Law: writing the same batch twice leaves what writing it once leaves, whatever names and
    /// values it has; and no name ever reaches SQL as syntax.
    #[test]
    fn writing_twice_is_writing_once(
        columns in proptest::collection::btree_set("[a-z\"'; -]{1,8}", 1..5),
        rows in proptest::collection::vec(proptest::collection::vec(scalar(), 5), 1..8),
    ) {
        let columns: Vec<String> = columns.into_iter().filter(|name| name != "id").collect();
        let records: Vec<Value> = rows.iter().enumerate().map(|(id, values)| {
            let mut record = Record::new();
            record.insert("id".into(), json!(id));
            for (column, value) in columns.iter().zip(values) {
                record.insert(column.clone(), value.clone());
            }
            Value::Object(record)
        }).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (workspace, sqlite) = (Workspace::new(), Sqlite::new());
            let arguments = json!({
                "database": "orders.db", "table": "or\"ders", "key": ["id"], "records": records
            });
            let first = workspace.upsert(&sqlite, arguments.clone()).await;
            let Ok(_) = first else {
                // Types may clash within a batch; then nothing may have been written.
                assert_eq!(first.unwrap_err().kind, FaultKind::Validation);
                return;
            };
            let once = workspace.rows("select * from \"or\"\"ders\" order by id");
            workspace.upsert(&sqlite, arguments).await.unwrap();
            let twice = workspace.rows("select * from \"or\"\"ders\" order by id");
            assert_eq!(once.len(), records.len());
            assert_eq!(once, twice);
        });
    }
}
