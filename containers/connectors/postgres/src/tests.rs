//! The connector through its public face, against a real server.

use std::sync::Arc;

use flame_connector::{
    Check, Connection, Connector, Fault, FaultKind, Folders, Invocation, Record,
};
use flame_testkit::{Encryption, Postgres as Server};
use flame_types::IdempotencyKey;
use serde_json::{Value, json};

use crate::Postgres;

fn folders() -> Folders {
    Folders {
        output: "/".into(),
        databases: "/".into(),
    }
}

fn connection(server: &Server) -> Connection {
    Connection {
        name: "shop".into(),
        kind: "postgres".into(),
        settings: json!({
            "host": "127.0.0.1", "port": server.port(), "database": Server::DATABASE,
            "user": Server::USER
        }),
        secret: Some(Server::PASSWORD.into()),
    }
}

async fn upsert(
    postgres: &Postgres,
    connection: &Connection,
    with: &Value,
) -> Result<Value, Fault> {
    let (folders, key) = (folders(), IdempotencyKey::new("run/task"));
    let invocation = Invocation {
        key: &key,
        connection: Some(connection),
        deadline: None,
        folders: &folders,
    };
    postgres.invoke("upsert", with, invocation).await
}

fn with(record: Value) -> Value {
    json!({ "connection": "shop", "table": "orders", "key": ["id"], "record": record })
}

fn records(count: usize) -> Vec<Record> {
    (0..count)
        .map(|id| json!({"id": id, "city": format!("city {id}"), "total": 1.5}))
        .map(|record| record.as_object().cloned().unwrap())
        .collect()
}

const TABLE: &str = "create table orders (id int primary key, city text, total numeric check (total >= 0), \
                     day date, tags text[], extra jsonb, paid boolean, note varchar(5))";

#[tokio::test]
async fn arguments_that_can_not_be_right_need_no_server() {
    let postgres = Postgres::new();
    let mut connection = Connection {
        name: "shop".into(),
        kind: "postgres".into(),
        settings: json!({"host": "localhost", "database": "d", "user": "u"}),
        secret: None,
    };
    for (arguments, word) in [
        (json!({}), "connection"),
        (
            json!({"connection": "shop", "table": "t", "key": []}),
            "`key` is empty",
        ),
        (
            json!({"connection": "shop", "table": "t", "key": ["id"]}),
            "`record`",
        ),
        (
            json!({"connection": "shop", "table": "a.b.c", "key": ["id"], "record": {"id": 1}}),
            "schema.table",
        ),
        (
            json!({"connection": "shop", "table": "", "key": ["id"], "record": {"id": 1}}),
            "empty",
        ),
        (
            json!({"connection": "shop", "table": "t", "key": ["id"], "record": {"x": 1}}),
            "missing",
        ),
        (
            json!({"connection": "shop", "table": "t", "key": ["id"], "record": {"id": null}}),
            "null",
        ),
    ] {
        let fault = upsert(&postgres, &connection, &arguments)
            .await
            .unwrap_err();
        assert_eq!(fault.kind, FaultKind::Validation, "{arguments}: {fault}");
        assert!(fault.detail.contains(word), "{arguments}: {fault}");
    }
    let good = with(json!({"id": 1}));
    for settings in [
        json!({}),
        json!({"host": "", "database": "d", "user": "u"}),
        json!({"host": "h", "database": "d", "user": "u", "port": 70000}),
        json!({"host": "h", "database": "d", "user": "u", "sslMode": "perhaps"}),
        json!({"host": "h", "database": "d", "user": "u", "sslMode": "verify-full", "rootCertificate": "x"}),
    ] {
        connection.settings = settings.clone();
        let fault = upsert(&postgres, &connection, &good).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Configuration, "{settings}: {fault}");
    }
    connection.kind = "sqlite".into();
    assert_eq!(
        upsert(&postgres, &connection, &good)
            .await
            .unwrap_err()
            .kind,
        FaultKind::Configuration
    );
}

fn last(check: &Check) -> (&str, bool, &str) {
    let step = check.steps.last().unwrap();
    (&step.title, step.passed, &step.detail)
}

#[tokio::test]
async fn a_check_stops_at_the_step_that_fails_and_says_why() {
    let server = Server::start(Encryption::Off).unwrap();
    let (postgres, good, folders) = (Postgres::new(), connection(&server), folders());
    let check = postgres.check(&good, &folders).await;
    assert!(check.passed() && check.steps.len() == 5, "{check:?}");
    assert!(last(&check).2.starts_with("PostgreSQL 1"), "{check:?}");

    let with = |change: &dyn Fn(&mut Connection)| {
        let mut changed = good.clone();
        change(&mut changed);
        changed
    };
    let port = {
        // A port that was just free: nobody listens there.
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        listener.local_addr().unwrap().port()
    };
    let cases = [
        (
            with(&|c| c.settings["host"] = json!("no-such-host.invalid")),
            "Find",
            "spelling",
        ),
        (
            with(&|c| c.settings["port"] = json!(port)),
            "Reach",
            "Nothing answers at 127.0.0.1",
        ),
        (
            with(&|c| c.secret = Some("wrong".into())),
            "Log in",
            "127.0.0.1 refused the password of orders_app",
        ),
        (
            with(&|c| c.secret = None),
            "Log in",
            "asks for the password",
        ),
        (
            with(&|c| c.settings["database"] = json!("none")),
            "Log in",
            "no database \"none\"",
        ),
        (
            with(&|c| c.settings["sslMode"] = json!("require")),
            "Log in",
            "encrypted",
        ),
    ];
    for (connection, step, word) in cases {
        let check = postgres.check(&connection, &folders).await;
        let (title, passed, detail) = last(&check);
        assert!(
            !passed && title.starts_with(step) && detail.contains(word),
            "{check:?}"
        );
        let fault = upsert(&postgres, &connection, &smallest())
            .await
            .unwrap_err();
        assert!(!fault.detail.contains("correct horse"), "{fault}");
        assert!(
            fault.kind != FaultKind::Validation,
            "the record is not to blame: {fault}"
        );
    }
}

fn smallest() -> Value {
    with(json!({"id": 1}))
}

#[tokio::test]
async fn a_socket_folder_is_a_host() {
    let server = Server::start(Encryption::Off).unwrap();
    let mut connection = connection(&server);
    connection.settings["host"] = json!(server.socket_folder());
    let check = Postgres::new().check(&connection, &folders()).await;
    assert!(check.passed(), "{check:?}");
}

#[tokio::test]
async fn encryption_is_as_strict_as_asked() {
    let server = Server::start(Encryption::On).unwrap();
    let certificate = server.certificate().unwrap();
    let (postgres, folders) = (Postgres::new(), folders());
    for (host, mode, root, passes, word) in [
        ("localhost", "disable", None, true, "not encrypted"),
        ("localhost", "prefer", None, true, ", encrypted"),
        ("localhost", "require", None, true, ", encrypted"),
        (
            "localhost",
            "verify-full",
            Some(certificate),
            true,
            ", encrypted",
        ),
        ("localhost", "verify-full", None, false, "certificate"),
        (
            "127.0.0.1",
            "verify-full",
            Some(certificate),
            false,
            "certificate",
        ),
    ] {
        let mut connection = connection(&server);
        connection.settings["host"] = json!(host);
        connection.settings["sslMode"] = json!(mode);
        if let Some(root) = root {
            connection.settings["rootCertificate"] = json!(root);
        }
        let check = postgres.check(&connection, &folders).await;
        assert_eq!(check.passed(), passes, "{host} {mode}: {check:?}");
        assert!(last(&check).2.contains(word), "{host} {mode}: {check:?}");
    }
}

#[tokio::test]
async fn values_become_what_the_columns_are_and_a_row_is_replaced() {
    let server = Server::start(Encryption::Off).unwrap();
    server.query(TABLE).unwrap();
    let (postgres, connection) = (Postgres::new(), connection(&server));
    let record = json!({
        "id": "7", "city": "Köln \"x\"", "total": 1.10, "day": "2026-01-31", "tags": ["a", "b"],
        "extra": {"k": [1, null]}, "paid": true, "note": null
    });
    let answer = upsert(&postgres, &connection, &with(record)).await.unwrap();
    assert_eq!(answer, json!({"table": "orders", "rows": 1}));
    upsert(
        &postgres,
        &connection,
        &with(json!({"id": 7, "paid": false})),
    )
    .await
    .unwrap();
    assert_eq!(
        server.query("select * from orders").unwrap(),
        "7|Köln \"x\"|1.1|2026-01-31|{a,b}|{\"k\": [1, null]}|f|"
    );
    let several = json!({
        "connection": "shop", "table": "public.orders", "key": ["id"],
        "records": [{"id": 1, "city": "a"}, {"id": 1, "city": "b"}, {"id": 2, "note": "n"}, {"id": 1, "city": "c"}]
    });
    upsert(&postgres, &connection, &several).await.unwrap();
    let rows = server
        .query("select id, city, note from orders where id < 3 order by id")
        .unwrap();
    assert_eq!(
        rows, "1|c|\n2||n",
        "of two records with one key the later wins"
    );
}

#[tokio::test]
async fn faults_tell_the_record_from_the_setup() {
    let server = Server::start(Encryption::Off).unwrap();
    server.query(TABLE).unwrap();
    server.query("create table keyless (id int)").unwrap();
    server
        .query("create role reader login password 'x'; grant select on orders to reader")
        .unwrap();
    let (postgres, connection) = (Postgres::new(), connection(&server));
    for (record, word) in [
        (json!({"id": "seven"}), "seven"),
        (json!({"id": 1, "total": -1}), "check"),
        (json!({"id": 1, "day": "soon"}), "soon"),
        (json!({"id": 1, "note": "too long"}), "too long"),
        (json!({"id": 1, "city": "nul\u{0}"}), "refused the record"),
        (json!({"id": 9_999_999_999_u64}), "out of range"),
    ] {
        let fault = upsert(&postgres, &connection, &with(record.clone()))
            .await
            .unwrap_err();
        assert_eq!(fault.kind, FaultKind::Validation, "{record}: {fault}");
        assert!(fault.detail.contains(word), "{record}: {fault}");
    }
    let strict = |record: Value| {
        let mut arguments = with(record);
        arguments["create"] = json!(false);
        arguments
    };
    let table = |name: &str| {
        let mut arguments = strict(json!({"id": 1}));
        arguments["table"] = json!(name);
        arguments
    };
    for (arguments, word) in [
        (table("missing"), "missing"),
        (table("nowhere.orders"), "nowhere"),
        (table("keyless"), "UNIQUE INDEX"),
        (table("orders\"; drop table orders; --"), "does not exist"),
        (strict(json!({"id": 1, "colour": "red"})), "colour"),
    ] {
        let fault = upsert(&postgres, &connection, &arguments)
            .await
            .unwrap_err();
        assert_eq!(fault.kind, FaultKind::Configuration, "{arguments}: {fault}");
        assert!(fault.detail.contains(word), "{arguments}: {fault}");
    }
    let mut reader = connection.clone();
    reader.name = "reader".into();
    reader.settings["user"] = json!("reader");
    reader.secret = Some("x".into());
    let fault = upsert(&postgres, &reader, &with(json!({"id": 1})))
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Authorization, "{fault}");
    assert_eq!(server.query("select count(*) from orders").unwrap(), "0");
}

#[tokio::test]
async fn with_create_a_table_is_made_once_and_widened() {
    let server = Server::start(Encryption::Off).unwrap();
    let (postgres, connection) = (Arc::new(Postgres::new()), connection(&server));
    let calls = (0..8).map(|id| {
        let (postgres, connection) = (postgres.clone(), connection.clone());
        let arguments = with(json!({"id": id.to_string(), "total": 10, "lines": [{"sku": "a"}]}));
        tokio::spawn(async move { upsert(&postgres, &connection, &arguments).await })
    });
    for outcome in futures::future::join_all(calls).await {
        outcome.unwrap().unwrap();
    }
    upsert(
        &postgres,
        &connection,
        &with(json!({"id": "9", "total": 10.25, "paid": true})),
    )
    .await
    .unwrap();
    let rows = server
        .query("select id, total, lines, paid from orders where id > '7' order by id")
        .unwrap();
    assert_eq!(rows, "9|10.25||t");
    assert_eq!(server.query("select count(*) from orders").unwrap(), "9");
}

#[tokio::test]
async fn a_sink_writes_whole_batches_and_twice_is_once() {
    let server = Server::start(Encryption::Off).unwrap();
    server.query(TABLE).unwrap();
    let (postgres, connection) = (Postgres::new(), connection(&server));
    let (folders, key) = (folders(), IdempotencyKey::new("feed"));
    let invocation = Invocation {
        key: &key,
        connection: Some(&connection),
        deadline: None,
        folders: &folders,
    };
    let arguments = json!({"connection": "shop", "table": "orders", "key": ["id"]});
    let mut sink = postgres
        .sink("upsert", &arguments, invocation)
        .await
        .unwrap();
    let mut batch = records(5000);
    sink.write(&batch).await.unwrap();
    sink.write(&batch).await.unwrap();
    assert_eq!(
        server
            .query("select count(*), sum(total) from orders")
            .unwrap(),
        "5000|7500.0"
    );
    for record in &mut batch {
        record.insert("total".into(), json!(2));
    }
    batch[4321].insert("total".into(), json!("much"));
    let fault = sink.write(&batch).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Validation, "{fault}");
    assert_eq!(
        server.query("select sum(total) from orders").unwrap(),
        "7500.0",
        "all or none"
    );
    sink.write(&[]).await.unwrap();
}

#[tokio::test]
async fn a_server_that_went_away_is_worth_trying_again() {
    let server = Server::start(Encryption::Off).unwrap();
    server.query(TABLE).unwrap();
    let (postgres, connection) = (Postgres::new(), connection(&server));
    upsert(&postgres, &connection, &smallest()).await.unwrap();
    // Our own sessions are ended by the server; a call may meet a dead one, and each of them once.
    let ended = server
        .query("select count(pg_terminate_backend(pid, 10000)) from pg_stat_activity where application_name = 'mastra'")
        .unwrap();
    let mut left: u32 = ended.trim().parse().unwrap();
    assert!(left > 0);
    while let Err(fault) = upsert(&postgres, &connection, &smallest()).await {
        assert!(fault.retryable && left > 0, "{fault}");
        left -= 1;
    }
    drop(server);
    let fault = upsert(&postgres, &connection, &smallest())
        .await
        .unwrap_err();
    assert!(
        fault.retryable && fault.kind == FaultKind::Communication,
        "{fault}"
    );
}

#[tokio::test]
async fn a_call_past_its_deadline_ends_and_its_session_serves_nobody_else() {
    let server = Server::start(Encryption::Off).unwrap();
    server.query(TABLE).unwrap();
    server
        .query(
            "create function slow() returns trigger language plpgsql as \
             $$ begin perform pg_sleep(3600); return new; end $$; \
             create trigger slow before insert on orders for each row execute function slow()",
        )
        .unwrap();
    let (postgres, connection) = (Postgres::new(), connection(&server));
    let (folders, key) = (folders(), IdempotencyKey::new("run/task"));
    let deadline = Some(std::time::Instant::now() + std::time::Duration::from_millis(500));
    let invocation = Invocation {
        key: &key,
        connection: Some(&connection),
        deadline,
        folders: &folders,
    };
    let fault = postgres
        .invoke("upsert", &smallest(), invocation)
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Timeout, "{fault}");
    server
        .query("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'mastra'")
        .unwrap();
    server
        .query("alter table orders disable trigger slow")
        .unwrap();
    upsert(&postgres, &connection, &smallest()).await.unwrap();
}
