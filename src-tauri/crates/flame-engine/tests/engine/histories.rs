//! Journals as earlier builds wrote them: each folds, reads as a timeline, and goes on.
//!
//! Files in `histories/` are only ever added. `ENGINE_HISTORY=name` writes a new one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use flame_dsl::{Format, Workflow};
use flame_engine::{Record, Run, Timeline};
use serde_json::json;

use crate::driver::{Driver, RUN, run_id, workflow};
use crate::laws::saga;
use crate::simulation::World;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/engine/histories")
}

/// Names of the histories, with their definition and records.
fn histories() -> Vec<(String, Arc<Workflow>, Vec<Record>)> {
    let files = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path());
    files
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "jsonl")
        })
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            let text = std::fs::read_to_string(path.with_extension("yaml")).unwrap();
            let definition = flame_dsl::parse(&text, Format::Yaml).unwrap();
            let journal = std::fs::read_to_string(&path).unwrap();
            let records = journal
                .lines()
                .map(|line| serde_json::from_str(line).unwrap());
            (name, Arc::new(definition), records.collect())
        })
        .collect()
}

#[test]
fn earlier_journals_still_fold() {
    let histories = histories();
    assert!(!histories.is_empty());
    for (name, workflow, records) in histories {
        let mut timeline = Timeline::new(Arc::clone(&workflow));
        for record in &records {
            timeline
                .push(record)
                .unwrap_or_else(|problem| panic!("{name}: {problem}"));
        }
        let last = records.last().unwrap().ends_run();
        let run = Run::resume(run_id(RUN), workflow, records).unwrap();
        assert_eq!(run.status().is_terminal(), last, "{name}");
    }
}

/// Cut between two commits, an earlier journal goes on to an end. Records of one commit bear one time.
#[test]
fn earlier_journals_go_on() {
    for (name, workflow, records) in histories() {
        let cuts = (1..records.len()).filter(|at| records[*at].at() != records[at - 1].at());
        for length in cuts {
            let run = Run::resume(
                run_id(RUN),
                Arc::clone(&workflow),
                records[..length].to_vec(),
            );
            let mut driver = Driver::of(Arc::clone(&workflow), run.unwrap());
            driver.now = records[length].at();
            let lines = records[..length]
                .iter()
                .map(|record| serde_json::to_string(record).unwrap());
            driver.rewrite(lines.collect());
            driver.crash();
            driver.settle(|_| Ok(json!(1)));
            assert!(driver.status().is_terminal(), "{name}, cut after {length}");
        }
    }
}

#[test]
fn write_a_new_history_when_asked() {
    let Ok(name) = std::env::var("ENGINE_HISTORY") else {
        return;
    };
    let mut driver = Driver::new(workflow(&saga()));
    driver.start(json!({"orders": [1, 2]}));
    let mut world = World::new(4);
    while world.advance(&mut driver).is_some() {}
    let path = folder().join(name);
    let head = "document: {dsl: '1.0.3', namespace: test, name: sample, version: '1.0.0'}\n";
    std::fs::write(path.with_extension("yaml"), format!("{head}{}", saga())).unwrap();
    std::fs::write(
        path.with_extension("jsonl"),
        driver.journal.join("\n") + "\n",
    )
    .unwrap();
}
