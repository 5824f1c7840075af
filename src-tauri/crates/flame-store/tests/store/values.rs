//! Values that the tests put into a store. Ids and instants come from a counter, not from a clock.

use std::path::Path;

use flame_store::{
    Commit, DeadLetter, DeadLetterState, JournalBatch, NewRun, Operation, Options, RunState, Store,
};
use flame_types::{Durability, RunId, RunStatus, Timestamp, WorkflowId};
use serde_json::json;
use uuid::Uuid;

pub(crate) fn open(folder: &Path) -> Store {
    Store::open(&options(folder)).unwrap()
}

/// Tests do not pull the plug, so they need not wait for it.
pub(crate) fn options(folder: &Path) -> Options {
    Options {
        durability: Durability::Normal,
        ..Options::new(folder, Timestamp::now)
    }
}

pub(crate) fn run_id(number: u64) -> RunId {
    RunId::new(Uuid::from_u64_pair(
        0x0192_0000_0000_7000,
        0x8000_0000_0000_0000 | number,
    ))
}

pub(crate) fn at(microsecond: i64) -> Timestamp {
    Timestamp::from_microsecond(microsecond).unwrap()
}

pub(crate) fn workflow(name: &str) -> WorkflowId {
    WorkflowId {
        namespace: "test".parse().unwrap(),
        name: name.parse().unwrap(),
        version: "1.0.0".parse().unwrap(),
    }
}

pub(crate) fn state(status: RunStatus) -> RunState {
    RunState {
        status,
        task: None,
        updated: at(2),
        ended: status.is_terminal().then(|| at(3)),
        wakes: None,
        output: (status == RunStatus::Completed).then(|| b"{\"done\":true}".to_vec()),
        error: (status == RunStatus::Faulted).then(|| b"{\"type\":\"boom\"}".to_vec()),
    }
}

pub(crate) fn create(number: u64) -> Operation {
    Operation::CreateRun(Box::new(new_run(number)))
}

pub(crate) fn new_run(number: u64) -> NewRun {
    NewRun {
        id: run_id(number),
        workflow: workflow("orders"),
        hash: "h".to_owned(),
        trigger: "api".to_owned(),
        subject: Some(format!("Order {number}")),
        replay_of: None,
        created: at(1),
        input: b"{}".to_vec(),
        state: state(RunStatus::Running),
    }
}

/// A run that ends with its first commit.
pub(crate) fn create_ended(number: u64) -> Operation {
    Operation::CreateRun(Box::new(NewRun {
        state: state(RunStatus::Completed),
        ..new_run(number)
    }))
}

/// Records are their own sequence numbers, so that a reader can tell what it got.
pub(crate) fn append(number: u64, first: u64, count: u32) -> Operation {
    let records: Vec<u64> = (first..first + u64::from(count)).collect();
    Operation::Append(JournalBatch {
        run: run_id(number),
        first,
        count,
        records: serde_json::to_vec(&records).unwrap(),
    })
}

pub(crate) fn update(number: u64, status: RunStatus) -> Operation {
    Operation::UpdateRun {
        id: run_id(number),
        state: Box::new(state(status)),
        reopen: false,
    }
}

pub(crate) fn letter(payload: &str) -> DeadLetter {
    DeadLetter {
        id: 0,
        origin: "pipeline/shop/orders".to_owned(),
        payload: payload.into(),
        original: payload.into(),
        content_type: "text/csv".to_owned(),
        error: json!({"detail": "no number"}),
        detail: json!({"line": 7}),
        state: DeadLetterState::Open,
        attempts: 1,
        revision: 1,
        created: at(1),
        updated: at(1),
    }
}

/// The whole journal of a run, with its gaplessness checked on the way.
pub(crate) async fn journal(store: &Store, number: u64) -> Vec<u64> {
    let mut records = Vec::new();
    loop {
        let batches = store
            .journal(run_id(number), records.len() as u64)
            .await
            .unwrap();
        if batches.is_empty() {
            return records;
        }
        for batch in batches {
            assert_eq!(
                batch.first,
                records.len() as u64,
                "a gap in the journal of run {number}"
            );
            let part: Vec<u64> = serde_json::from_slice(&batch.records).unwrap();
            assert_eq!(part.len(), batch.count as usize);
            records.extend(part);
        }
    }
}

pub(crate) fn commit(operations: impl IntoIterator<Item = Operation>) -> Commit {
    Commit {
        operations: operations.into_iter().collect(),
    }
}
