//! Connections: their secrets in the vault, never in a document, given to the agent.

use std::path::Path;

use flame_errors::Code;
use flame_ipc::*;
use flame_testkit::{Encryption, Postgres};
use serde_json::json;

use crate::podman::run_orders;
use crate::stage::{Stage, folder, with_keychain, without_keychain};

pub(crate) fn sqlite(folder: &Path, name: &str) -> ConnectionSave {
    ConnectionSave {
        id: None,
        name: name.to_owned(),
        kind: "sqlite".to_owned(),
        settings: json!({"path": folder.join("own.db")}).into(),
        secret: None,
        base_revision: None,
    }
}

pub(crate) fn postgres(secret: Option<&str>) -> ConnectionSave {
    let settings =
        json!({"host": "127.0.0.1", "port": 1, "database": "orders", "user": "ada"}).into();
    ConnectionSave {
        id: None,
        name: "orders-db".to_owned(),
        kind: "postgres".to_owned(),
        settings,
        secret: secret.map(str::to_owned),
        base_revision: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_saved_checked_used_deleted_and_brought_back() {
    let folder = folder();
    let stage = Stage::open(folder.path()).await;
    let kinds = stage.run(ConnectionKinds {}).await.unwrap();
    for kind in ["sqlite", "postgres"] {
        assert!(kinds.iter().any(|known| known.kind == kind), "{kind}");
    }
    let saved = stage.run(sqlite(folder.path(), "tables")).await.unwrap();
    assert_eq!(saved.state, ConnectionState::Unchecked);
    let check = ConnectionCheck {
        id: Some(saved.id.clone()),
        name: saved.name.clone(),
        kind: saved.kind.clone(),
        settings: saved.settings.clone(),
        secret: None,
    };
    let report = stage.run(check).await.unwrap();
    assert!(report.healthy && !report.steps.is_empty(), "{report:?}");

    let text = "document: {dsl: 1.0.3, namespace: test, name: user, version: 1.0.0}\ndo:\n  - w:\n      \
                call: sqlite.upsert:1.0.0@default\n      with: {connection: tables, table: t, key: [id], \
                record: {id: 1}}\n";
    let create = DocumentCreate {
        kind: DocumentKind::Workflow,
        text: text.to_owned(),
    };
    let user = stage.run(create).await.unwrap();
    let listed = stage.run(ConnectionsList {}).await.unwrap();
    assert_eq!(listed[0].state, ConnectionState::Healthy);
    assert_eq!(listed[0].used_by[0].document_id, user.id);

    let twin = stage
        .run(sqlite(folder.path(), "tables"))
        .await
        .unwrap_err();
    assert_eq!(twin.value.as_deref(), Some("tables"), "{twin}");
    let bad = stage
        .run(sqlite(folder.path(), "my tables"))
        .await
        .unwrap_err();
    assert!(bad.is(Code::ParameterInvalid), "{bad}");
    let undo = stage
        .run(ConnectionDelete {
            id: saved.id.clone(),
        })
        .await
        .unwrap();
    assert!(stage.run(ConnectionsList {}).await.unwrap().is_empty());
    let back = stage
        .run(ConnectionRestore {
            undo_token: undo.undo_token,
        })
        .await
        .unwrap();
    assert_eq!(back.name, "tables");
    stage.close().await;
}

#[test]
fn a_secret_needs_the_passphrase_where_there_is_no_keychain() {
    without_keychain("connections::inside_without_a_keychain");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs inside an environment without a keychain"]
async fn inside_without_a_keychain() {
    let folder = folder();
    let stage = Stage::open(folder.path()).await;
    // Without a secret nobody is asked for anything.
    let plain = stage.run(sqlite(folder.path(), "tables")).await.unwrap();
    assert!(!plain.has_secret);
    assert!(!folder.path().join("data/vault.json").exists());

    let refused = stage.run(postgres(Some("canary-7"))).await.unwrap_err();
    assert!(
        refused.is(Code::VaultLocked) && refused.hint.is_some(),
        "{refused}"
    );
    let unlock = |passphrase: &str| VaultUnlock {
        passphrase: passphrase.to_owned(),
    };
    let status = stage.run(unlock("correct horse")).await.unwrap();
    assert_eq!(
        (status.store, status.state),
        (VaultStore::Vault, VaultState::Ready)
    );
    let saved = stage.run(postgres(Some("canary-7"))).await.unwrap();
    assert!(saved.has_secret);
    let draft = ConnectionCheck {
        id: Some(saved.id.clone()),
        name: saved.name.clone(),
        kind: saved.kind.clone(),
        settings: saved.settings.clone(),
        secret: None,
    };
    let report = stage.run(draft).await.unwrap();
    assert!(!report.healthy, "nothing listens on port 1");
    stage.close().await;
    assert_eq!(found_in(folder.path(), b"canary-7"), Vec::<String>::new());

    let stage = Stage::open(folder.path()).await;
    let status = stage.run(VaultStatus {}).await.unwrap();
    assert_eq!(status.state, VaultState::Locked);
    let wrong = stage.run(unlock("wrong horse")).await.unwrap_err();
    assert!(wrong.is(Code::VaultPassphrase), "{wrong}");
    assert_eq!(
        stage.run(unlock("correct horse")).await.unwrap().state,
        VaultState::Ready
    );
    let report = stage.run(DoctorCheck {}).await.unwrap();
    assert!(report.checks.iter().any(|check| check.id == "keychain"));
    stage.close().await;
}

#[test]
fn a_password_goes_by_the_keychain_to_postgresql_also_for_the_next_app() {
    with_keychain("connections::inside_with_a_keychain");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs inside an environment with a keychain"]
async fn inside_with_a_keychain() {
    let server = Postgres::start(Encryption::Off).unwrap();
    let folder = folder();
    let stage = Stage::open(folder.path()).await;
    let status = stage.run(VaultStatus {}).await.unwrap();
    assert_eq!(status.store, VaultStore::Keychain, "{status:?}");
    let settings = json!({
        "host": "127.0.0.1", "port": server.port(),
        "database": Postgres::DATABASE, "user": Postgres::USER,
    });
    let mut save = ConnectionSave {
        settings: settings.into(),
        ..postgres(Some("wrong"))
    };
    let saved = stage.run(save.clone()).await.unwrap();
    assert!(!is_healthy(&stage, &saved).await, "the password counts");
    save.id = Some(saved.id.clone());
    save.secret = Some(Postgres::PASSWORD.to_owned());
    save.base_revision = Some(saved.revision);
    let saved = stage.run(save).await.unwrap();
    assert!(saved.has_secret && is_healthy(&stage, &saved).await);
    write_orders_to_postgresql(&stage).await;
    run_orders(&stage).await;
    let rows = "SELECT id || ' ' || status FROM orders";
    assert!(server.query(rows).unwrap().ends_with(" shipped"));
    stage.close().await;
    assert!(!folder.path().join("data/vault.json").exists());
    let password = Postgres::PASSWORD.as_bytes();
    assert_eq!(found_in(folder.path(), password), Vec::<String>::new());

    let stage = Stage::open(folder.path()).await;
    assert!(is_healthy(&stage, &saved).await);
    server.query("DELETE FROM orders").unwrap();
    run_orders(&stage).await;
    assert!(server.query(rows).unwrap().ends_with(" shipped"));
    stage.close().await;
}

/// Checks the connection as it is saved.
async fn is_healthy(stage: &Stage, saved: &Connection) -> bool {
    let check = ConnectionCheck {
        id: Some(saved.id.clone()),
        name: saved.name.clone(),
        kind: saved.kind.clone(),
        settings: saved.settings.clone(),
        secret: None,
    };
    stage.run(check).await.unwrap().healthy
}

/// Changes the Orders sample as its comment says.
async fn write_orders_to_postgresql(stage: &Stage) {
    let all = stage.run(DocumentsList {}).await.unwrap();
    let orders = all.into_iter().find(|document| document.name == "orders");
    let id = orders.unwrap().id;
    let document = stage.run(DocumentGet { id: id.clone() }).await.unwrap();
    let text = document
        .text
        .replace("sqlite.upsert:1.0.0", "postgres.upsert:1.0.0")
        .replace("database: orders.db", "connection: orders-db");
    assert!(!text.contains("call: sqlite") && !text.contains("database:"));
    let save = DocumentSave {
        id: id.clone(),
        text,
        base_revision: document.summary.revision,
    };
    let saved = stage.run(save).await.unwrap();
    assert_eq!(saved.problems.get(), 0);
    stage.run(DocumentDeploy { id }).await.unwrap();
}

/// Files below a folder that hold these bytes.
fn found_in(folder: &Path, wanted: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(found_in(&path, wanted));
        } else if std::fs::read(&path)
            .unwrap()
            .windows(wanted.len())
            .any(|part| part == wanted)
        {
            found.push(path.display().to_string());
        }
    }
    found
}
