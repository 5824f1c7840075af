//! A journal as people read it.

use std::sync::Arc;

use flame_engine::Timeline;
use serde_json::{Value, json};

use crate::driver::{Driver, communication, scripted};

fn timeline(driver: &Driver) -> Vec<Value> {
    let mut timeline = Timeline::new(Arc::clone(&driver.workflow));
    let entries = driver
        .records()
        .into_iter()
        .map(|record| timeline.push(&record).unwrap());
    entries
        .map(|entry| serde_json::to_value(entry).unwrap())
        .collect()
}

#[test]
fn entries_carry_what_records_leave_out() {
    let driver = scripted(
        "do: [{l: {for: {in: '[1, 2]'}, do: [{t: {try: [{a: {call: http, with: {method: get, endpoint: 'http://x.test/'}}}], \
         catch: {retry: {delay: {seconds: 1}, limit: {attempt: {count: 3}}}}}}]}}, {n: {if: 'false', set: {e: 1}}}, {s: {switch: [{c: {then: e}}]}}, {e: {set: {x: 1}}}]",
        json!({"in": true}),
        [(
            "a",
            vec![Ok(json!("one")), Err(communication(503)), Ok(json!("two"))],
        )],
    );
    let entries = timeline(&driver);
    let find = |kind: &str, name: &str| -> Vec<&Value> {
        entries
            .iter()
            .filter(|entry| entry["kind"] == kind && (name.is_empty() || entry["name"] == name))
            .collect()
    };
    let started = find("taskStarted", "a");
    assert_eq!(started.len(), 3);
    assert_eq!(started[0]["input"], json!({"in": true}));
    assert_eq!(
        (
            &started[1]["input"],
            &started[1]["iteration"],
            &started[1]["attempt"]
        ),
        (&json!("one"), &json!([1]), &json!(1))
    );
    assert_eq!(
        (&started[2]["attempt"], &started[2]["taskKind"]),
        (&json!(2), &json!("call http"))
    );
    assert_eq!(find("taskCompleted", "a")[1]["output"], json!("two"));
    assert_eq!(find("taskCompleted", "t")[1]["output"], json!("two"));
    assert_eq!(find("taskCompleted", "l")[0]["output"], json!("two"));
    assert_eq!(
        find("taskCompleted", "l")[0]["execution"],
        find("taskStarted", "l")[0]["execution"]
    );
    assert_eq!(find("taskFaulted", "a")[0]["error"]["status"], 503);
    let retry = find("retryScheduled", "t")[0];
    assert!(
        retry["due"].is_string() && retry["error"]["status"] == 503,
        "{retry}"
    );
    assert_eq!(find("taskSkipped", "n")[0]["reference"], "/do/1/n");
    assert_eq!(find("taskCompleted", "s")[0]["then"], "e");
    assert!(
        find("effectRequested", "a")[0]["idempotencyKey"]
            .as_str()
            .unwrap()
            .ends_with("#0[0].0.0")
    );
    assert_eq!(find("runCompleted", "")[0]["output"], json!({"x": 1}));
    let sequences: Vec<u64> = entries
        .iter()
        .map(|entry| entry["sequence"].as_u64().unwrap())
        .collect();
    assert_eq!(sequences, (0..entries.len() as u64).collect::<Vec<_>>());
}
