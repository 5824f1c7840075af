//! Nothing is lost on a move into a container and back: what people and runs keep in folders, and runs
//! that are in the middle of something.
//!
//! Wants root, Podman and a static agent; says so and passes over the test where one is missing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use flame_ipc::*;
use flame_testkit::Effects;

use crate::podman::{real, run_orders, switch};
use crate::stage::{Stage, folder};

/// Moves; all went well.
async fn moved(stage: &Stage, mode: RuntimeMode) -> SwitchProgress {
    let progress = switch(stage, mode).await;
    assert_eq!(progress.error, None, "{progress:?}");
    progress
}

/// Starts a run of a new workflow, whose tasks these are.
async fn start(stage: &Stage, name: &str, tasks: &str) -> String {
    let text = format!(
        "document: {{ dsl: '1.0.3', namespace: test, name: {name}, version: 1.0.0 }}\ndo:\n{tasks}"
    );
    let create = DocumentCreate {
        kind: DocumentKind::Workflow,
        text,
    };
    let id = stage.run(create).await.unwrap().id;
    let deploy = DocumentDeploy { id: id.clone() };
    stage.run(deploy).await.unwrap();
    let start = RunStart {
        document_id: id,
        input: "{}".to_owned(),
    };
    stage.run(start).await.unwrap().id
}

/// The run once it is as wanted.
async fn reached(stage: &Stage, id: &str, wanted: impl Fn(&RunSummary) -> bool) -> RunSummary {
    loop {
        let run = RunGet { id: id.to_owned() };
        let summary = stage.run(run).await.unwrap().summary;
        if wanted(&summary) {
            return summary;
        }
        let changed = |event| matches!(event, Event::RunsChanged(_)).then_some(());
        stage.event(changed).await;
    }
}

async fn completed(stage: &Stage, id: &str) {
    let ended = reached(stage, id, |run| run.ended_at.is_some()).await;
    assert_eq!(ended.status, RunStatusView::Completed, "{:?}", ended.error);
}

/// The files below a folder with what they hold.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut ahead = vec![folder.to_owned()];
    while let Some(path) = ahead.pop() {
        for entry in std::fs::read_dir(&path).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                ahead.push(path);
            } else {
                let below = path.strip_prefix(folder).unwrap().to_owned();
                found.insert(below, std::fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// The orders in the sample's database, each as one line.
fn orders(native: &Path) -> Vec<String> {
    let database = rusqlite::Connection::open(native.join("databases/orders.db")).unwrap();
    let mut query = database
        .prepare("SELECT id, status, total FROM orders ORDER BY id")
        .unwrap();
    let rows = query.query_map([], |row| {
        let (id, status): (String, String) = (row.get(0)?, row.get(1)?);
        Ok(format!("{id} {status} {}", row.get::<_, f64>(2)?))
    });
    rows.unwrap().map(Result::unwrap).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_file_and_every_row_comes_back_from_two_moves() {
    let folder = folder();
    let Some((_podman, options)) = real(folder.path()) else {
        return;
    };
    let native = folder.path().join("data/agent");
    let stage = Stage::try_open(options).await.unwrap();
    run_orders(&stage).await;
    for (place, content) in [
        ("files/report.json", "top"),
        ("files/prices/2026/monday.json", "deep"),
        ("resources/warehouse.proto", "syntax = \"proto3\";"),
        ("resources/apis/prices/openapi.yaml", "openapi: 3.1.0"),
    ] {
        let path = native.join(place);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    let rows = orders(&native);
    assert_eq!(rows.len(), 1);
    let resources = files(&native.join("resources"));
    let mut written = files(&native.join("files"));
    for name in ["first", "second"] {
        moved(&stage, RuntimeMode::Podman).await;
        let write = format!(
            "  - write: {{ call: 'file.write:1.0.0@default', with: {{ path: made/{name}/inside.txt, \
             content: {name} }} }}\n"
        );
        let run = start(&stage, name, &write).await;
        completed(&stage, &run).await;
        written.insert(format!("made/{name}/inside.txt").into(), name.into());
        moved(&stage, RuntimeMode::Native).await;
        assert_eq!(files(&native.join("files")), written, "{name}");
        assert_eq!(files(&native.join("resources")), resources, "{name}");
        assert_eq!(orders(&native), rows, "{name}");
    }
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn output_is_copied_out_and_what_stands_in_its_way_is_kept() {
    let folder = folder();
    let Some((_podman, options)) = real(folder.path()) else {
        return;
    };
    let native = folder.path().join("data/agent");
    let stage = Stage::try_open(options).await.unwrap();
    run_orders(&stage).await;
    moved(&stage, RuntimeMode::Podman).await;
    let open = OpenFolder {
        folder: Folder::Output,
    };
    stage.run(open.clone()).await.unwrap();
    let info = stage.run(AppInfo {}).await.unwrap();
    let copy = PathBuf::from(info.output_folder.unwrap());
    assert_eq!(files(&copy), BTreeMap::new());
    for name in ["first", "second"] {
        let write = format!(
            "  - write: {{ call: 'file.write:1.0.0@default', with: {{ path: prices/{name}.txt, \
             content: {name} }} }}\n"
        );
        let run = start(&stage, name, &write).await;
        completed(&stage, &run).await;
        stage.run(open.clone()).await.unwrap();
        let made = copy.join(format!("prices/{name}.txt"));
        assert_eq!(std::fs::read_to_string(made).unwrap(), name);
    }
    let written = files(&copy);
    assert_eq!(written.len(), 2);
    let mode = |path: &str| copy.join(path).metadata().unwrap().permissions();
    assert!(mode("prices/first.txt").readonly());

    std::fs::create_dir_all(native.join("resources")).unwrap();
    std::fs::create_dir_all(native.join("files/prices")).unwrap();
    std::fs::write(native.join("files/prices/first.txt"), "mine").unwrap();
    let progress = moved(&stage, RuntimeMode::Native).await;
    assert_eq!(files(&native.join("files")), written);
    let kept = std::fs::read_dir(&native)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.to_string_lossy().contains("files.found-"))
        .unwrap();
    let mine = BTreeMap::from([("prices/first.txt".into(), b"mine".to_vec())]);
    assert_eq!(files(&kept), mine);
    let told = &progress.steps[1].detail;
    assert!(
        told.contains("files.found-") && !told.contains("resources"),
        "{told}"
    );
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_that_wait_or_call_go_on_over_each_move_and_end_once() {
    let folder = folder();
    let Some((podman, options)) = real(folder.path()) else {
        return;
    };
    let native = folder.path().join("data/agent");
    let address = podman.address().into();
    let slow = Effects::start_on(address).await.unwrap();
    let quick = Effects::start_on(address).await.unwrap();
    let stage = Stage::try_open(options).await.unwrap();
    run_orders(&stage).await;
    let rows = orders(&native);
    for (mode, round) in [
        (RuntimeMode::Podman, "there"),
        (RuntimeMode::Native, "back"),
    ] {
        slow.hold();
        let before = slow.count();
        let calling = start(&stage, &format!("calling-{round}"), &call(&slow, round)).await;
        slow.reached(before + 1).await;
        // Longer than it takes until nothing is decided here any more.
        let wait = format!(
            "  - pause: {{ wait: {{ seconds: 20 }} }}\n{}",
            call(&quick, round)
        );
        let waiting = start(&stage, &format!("waiting-{round}"), &wait).await;
        reached(&stage, &waiting, |run| run.status == RunStatusView::Waiting).await;

        moved(&stage, mode).await;
        slow.release();
        completed(&stage, &calling).await;
        completed(&stage, &waiting).await;
        assert_eq!(asked(&slow, round), [2], "on both sides, under one key");
        assert_eq!(asked(&quick, round), [1]);
    }
    let runs = stage.run(all_runs()).await.unwrap().items;
    assert_eq!(runs.len(), 5);
    assert!(
        runs.iter()
            .all(|run| run.status == RunStatusView::Completed)
    );
    assert_eq!(orders(&native), rows);
    stage.close().await;
}

/// A task that calls `/<path>`, however long the answer takes.
fn call(server: &Effects, path: &str) -> String {
    let url = server.url();
    format!(
        "  - {path}: {{ timeout: {{ after: {{ hours: 1 }} }}, call: http, with: {{ method: post, endpoint: \
         {url}/{path} }} }}\n"
    )
}

/// How often `/<path>` was asked for under each idempotency key.
fn asked(server: &Effects, path: &str) -> Vec<usize> {
    let path = format!("/{path}");
    let effects = server.by_key();
    let keys = effects.iter().filter(|(_, paths)| paths.contains(&path));
    keys.map(|(key, paths)| {
        assert!(!key.is_empty() && paths.iter().all(|other| *other == path));
        paths.len()
    })
    .collect()
}

fn all_runs() -> RunsList {
    RunsList {
        statuses: Vec::new(),
        workflow: None,
        text: None,
        since: None,
        cursor: None,
        limit: 50,
    }
}
