//! Runs found by fields of their input and output.

use flame_store::{Comparison, FieldCondition, Operation, Page, Payload, RunFilter, Store};
use flame_types::RunStatus;
use serde_json::{Value, json};

use crate::values::{at, new_run, open, update};

async fn create(store: &Store, number: u64, input: Value) {
    let mut run = new_run(number);
    run.input = input.to_string().into_bytes();
    store
        .commit(Operation::CreateRun(Box::new(run)))
        .await
        .unwrap();
}

fn input(pointer: &str, comparison: Comparison, values: &[Value]) -> FieldCondition {
    FieldCondition {
        payload: Payload::Input,
        pointer: pointer.to_owned(),
        comparison,
        values: values.to_vec(),
    }
}

async fn found(store: &Store, conditions: &[FieldCondition]) -> Vec<u8> {
    let found = store
        .search_runs(RunFilter::default(), conditions.to_vec(), Page::first(100))
        .await
        .unwrap();
    assert_eq!(found.next, None, "all was seen");
    let last = |id: flame_types::RunId| id.as_uuid().as_bytes()[15];
    found.runs.iter().map(|run| last(run.id)).collect()
}

#[tokio::test]
async fn a_field_is_compared_by_its_worth() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    create(
        &store,
        1,
        json!({"customer": {"id": 42}, "total": 9.5, "tags": ["a"]}),
    )
    .await;
    create(
        &store,
        2,
        json!({"customer": {"id": "42"}, "total": 100, "tags": ["b"]}),
    )
    .await;
    create(
        &store,
        3,
        json!({"customer": {"name": "Ada Lovelace"}, "day": "2026-03-01"}),
    )
    .await;
    create(&store, 4, json!("no object")).await;
    use Comparison::{Contains, Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
    let cases: [(&str, Comparison, Vec<Value>, &[u8]); 11] = [
        ("/customer/id", Equal, vec![json!(42.0)], &[1]),
        ("/customer/id", Equal, vec![json!(42), json!("42")], &[2, 1]),
        ("/customer/id", NotEqual, vec![json!(42)], &[2]),
        ("/customer/name", Contains, vec![json!("LOVE")], &[3]),
        ("/total", Less, vec![json!(100)], &[1]),
        ("/total", LessOrEqual, vec![json!(100)], &[2, 1]),
        ("/total", Greater, vec![json!(9.5)], &[2]),
        ("/total", GreaterOrEqual, vec![json!(9.5)], &[2, 1]),
        ("/day", Less, vec![json!("2026-04")], &[3]),
        ("/tags/0", Equal, vec![json!("b")], &[2]),
        ("", Equal, vec![json!("no object")], &[4]),
    ];
    for (pointer, comparison, values, expected) in cases {
        let condition = input(pointer, comparison, &values);
        assert_eq!(
            found(&store, std::slice::from_ref(&condition)).await,
            expected,
            "{condition:?}"
        );
    }
    let both = [
        input("/total", Greater, &[json!(1)]),
        input("/tags/0", Equal, &[json!("a")]),
    ];
    assert_eq!(found(&store, &both).await, [1]);
}

#[tokio::test]
async fn outputs_are_searched_and_what_is_large_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    create(&store, 1, json!({"k": 1})).await;
    create(&store, 2, json!({"k": 1, "large": "x".repeat(70_000)})).await;
    store.commit(update(1, RunStatus::Completed)).await.unwrap();
    let done = FieldCondition {
        payload: Payload::Output,
        ..input("/done", Comparison::Equal, &[json!(true)])
    };
    assert_eq!(found(&store, &[done]).await, [1]);
    let small = input("/k", Comparison::Equal, &[json!(1)]);
    assert_eq!(found(&store, &[small]).await, [1]);
    let ended = RunFilter {
        ended_from: Some(at(3)),
        ended_before: Some(at(4)),
        ..RunFilter::default()
    };
    let runs = store.runs(ended, Page::first(10)).await.unwrap();
    assert_eq!(runs.len(), 1, "the one that has ended then");
}

#[tokio::test]
async fn a_search_goes_on_behind_its_page_without_gap_or_overlap() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for number in 0..30 {
        create(&store, number, json!({"even": number % 2 == 0})).await;
    }
    let condition = input("/even", Comparison::Equal, &[json!(true)]);
    let (mut seen, mut page) = (Vec::new(), Page::first(4));
    loop {
        let found = store
            .search_runs(RunFilter::default(), vec![condition.clone()], page)
            .await
            .unwrap();
        assert!(found.runs.len() <= 4);
        seen.extend(found.runs.iter().map(|run| run.id.as_uuid().as_bytes()[15]));
        let Some(next) = found.next else { break };
        page = Page::after(next, 4);
    }
    assert_eq!(
        seen,
        (0..30).rev().filter(|n| n % 2 == 0).collect::<Vec<u8>>()
    );
}
