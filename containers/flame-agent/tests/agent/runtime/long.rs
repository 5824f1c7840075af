//! Runs with long journals: snapshots on the way, so that nothing is read from its beginning.

use std::time::Duration;

use flame_agent::runtime::Handle;
use flame_engine::Record;
use flame_store::Operation;
use flame_types::{RunId, RunStatus};
use serde_json::json;

use super::{deploy, open, output, run, start, until};

/// Sequences of the records that are left, which have no gap.
async fn left(handle: &Handle, run: RunId) -> std::ops::RangeInclusive<u64> {
    let start = handle.store().journal_start(run).await.unwrap();
    let (mut last, mut first) = (start, None);
    loop {
        let page = handle.journal(run, last, 5_000).await.unwrap();
        for entry in &page {
            assert_eq!(entry.sequence, last + 1);
            first.get_or_insert(entry.sequence);
            last = entry.sequence;
        }
        if page.is_empty() {
            return first.unwrap()..=last;
        }
    }
}

/// 9,000 records and a wait. Without its beginning, which the store is made to forget, it goes on after a
/// restart, and its last round is replayed.
#[tokio::test]
async fn a_long_run_is_taken_up_and_replayed_from_its_snapshots() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let tasks = "
- count:
    for: { each: n, in: '${ [range(3000)] }' }
    do:
      - add: { set: { sum: '${ (.sum // 0) + $n }' } }
- nap: { wait: { seconds: 2 } }
- say: { set: { sum: '${ .sum }' } }";
    let workflow = deploy(&handle, "sum", tasks).await;
    let long = start(&handle, &workflow, json!({})).await;
    until(&handle, long, RunStatus::Waiting).await;
    let snapshot = handle.store().snapshot(long, u64::MAX).await.unwrap();
    let sequence = snapshot.unwrap().sequence;
    assert!(sequence >= 4_000, "{sequence}");
    let forget = Operation::Compact { run: long, keep: 0 };
    handle.store().commit(forget).await.unwrap();
    handle.drain(Duration::ZERO).await;
    drop(handle);

    let handle = open(folder.path()).await;
    let ended = until(&handle, long, RunStatus::Completed).await;
    assert_eq!(output(&ended), json!({"sum": 4_498_500}));
    assert_eq!(
        left(&handle, long).await,
        sequence + 1..=ended.summary.records
    );
    let task = "/do/0/count/do/0/add";
    let again = handle
        .replay(long, task, Some(json!({"sum": 1})), None)
        .await;
    let again = again.unwrap().summary.id;
    let ended = until(&handle, again, RunStatus::Completed).await;
    assert_eq!(output(&ended), json!({"sum": 3_000}));
    let error = handle
        .replay(long, "/do/7/none", None, None)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("never began"), "{error}");
    handle.drain(Duration::ZERO).await;
}

/// A polling run keeps its recent history and goes on for ever.
#[tokio::test]
async fn a_loop_without_end_takes_bounded_space() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let tasks = "
- work:
    for: { each: n, in: '${ [range(2000)] }' }
    do:
      - add: { set: { round: '${ .round // 0 }', n: '${ $n }' } }
- nap: { wait: { milliseconds: 1 }, output: { as: '{round: (.round + 1)}' } }
- again: { switch: [{ more: { when: .round < 14, then: work } }] }";
    let workflow = deploy(&handle, "poll", tasks).await;
    let ended = run(&handle, &workflow, json!({})).await;
    assert_eq!(output(&ended), json!({"round": 14}));
    let left = left(&handle, ended.summary.id).await;
    assert!(ended.summary.records > 84_000, "{}", ended.summary.records);
    assert!(*left.start() > 10_000, "{left:?}");
    let kept = ended.summary.records - left.start();
    assert!((50_000..80_000).contains(&kept), "{kept} records are kept");
    let page = handle
        .journal(ended.summary.id, left.start() - 1, 90_000)
        .await;
    let continued = page
        .unwrap()
        .into_iter()
        .filter_map(|entry| match entry.record {
            Record::RunContinued { generation, .. } => Some(generation),
            _ => None,
        });
    let generations: Vec<u64> = continued.collect();
    assert!(generations.len() > 2, "{generations:?}");
    let replayed = handle
        .replay(
            ended.summary.id,
            "/do/1/nap",
            Some(json!({"round": 13})),
            None,
        )
        .await
        .unwrap();
    let replayed = until(&handle, replayed.summary.id, RunStatus::Completed).await;
    assert_eq!(output(&replayed), json!({"round": 14}));
    handle.drain(Duration::ZERO).await;
}
