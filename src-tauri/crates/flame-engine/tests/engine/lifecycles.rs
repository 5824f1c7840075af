//! Lifecycle events: the same from a run that decides and out of its journal.

use std::sync::Arc;

use flame_dsl::{Lifecycle, LifecycleSet};
use flame_engine::{Event, LifecycleEvents, Record};
use serde_json::{Value, json};

use crate::driver::{Driver, RUN, communication, run_id, workflow};

/// What a run's journal says.
pub(crate) fn told(driver: &Driver) -> Vec<Value> {
    let mut events = LifecycleEvents::new(run_id(RUN), Arc::clone(&driver.workflow));
    let told = driver
        .records()
        .into_iter()
        .flat_map(|record| events.push(&record).unwrap());
    told.collect()
}

fn publishing(rest: &str) -> Driver {
    Driver::new(workflow(rest)).publishing(LifecycleSet::ALL)
}

/// Type, task and status, as one text each.
fn lines(events: &[Value]) -> Vec<String> {
    let line = |event: &Value| {
        let kind = Lifecycle::of_kind(event["type"].as_str().unwrap()).unwrap();
        let data = &event["data"];
        let more = ["task", "status"].map(|key| data[key].as_str().unwrap_or_default());
        format!("{} {}", kind.word(), more.join(" ").trim())
            .trim()
            .to_owned()
    };
    events.iter().map(line).collect()
}

#[test]
fn a_run_tells_its_story_in_order() {
    let mut driver = publishing("do: [{a: {set: {v: 1}}}, {w: {wait: PT1S}}]");
    driver.start(json!({}));
    driver.handle(Event::Suspend);
    driver.handle(Event::Resume);
    driver.fire();
    assert_eq!(
        lines(&driver.published),
        [
            "workflow.started",
            "workflow.status-changed running",
            "task.created /do/0/a",
            "task.started /do/0/a",
            "task.status-changed /do/0/a running",
            "task.completed /do/0/a",
            "task.status-changed /do/0/a completed",
            "task.created /do/1/w",
            "task.started /do/1/w",
            "task.status-changed /do/1/w running",
            "workflow.status-changed waiting",
            "task.status-changed /do/1/w waiting",
            "workflow.suspended",
            "workflow.status-changed suspended",
            "task.suspended /do/1/w",
            "task.status-changed /do/1/w suspended",
            "workflow.resumed",
            "workflow.status-changed waiting",
            "task.resumed /do/1/w",
            "task.status-changed /do/1/w waiting",
            "workflow.status-changed running",
            "task.completed /do/1/w",
            "task.status-changed /do/1/w completed",
            "workflow.completed",
            "workflow.status-changed completed",
        ]
    );
    assert_eq!(driver.published, told(&driver));
    let started = &driver.published[0];
    let at = "2023-11-14T22:13:20Z";
    assert_eq!(
        *started,
        json!({
            "specversion": "1.0", "id": format!("{RUN}/1/workflow.started"),
            "source": "/test/sample/1.0.0", "subject": RUN,
            "type": "io.serverlessworkflow.workflow.started.v1", "time": at,
            "datacontenttype": "application/json",
            "data": {
                "name": format!("sample-{RUN}.test"), "startedAt": at,
                "definition": {"name": "sample", "namespace": "test", "version": "1.0.0"},
            },
        })
    );
    assert_eq!(driver.published[5]["data"]["output"], json!({"v": 1}));
    let completed = &driver.published[23]["data"];
    assert_eq!(completed["output"], json!({"v": 1}));
    assert!(completed["completedAt"].is_string());
    let mut ids: Vec<&Value> = driver.published.iter().map(|event| &event["id"]).collect();
    let all = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), all);
}

#[test]
fn errors_retries_cancellations_and_correlations_are_told() {
    let mut driver = publishing(
        "do: [{t: {try: [{c: {call: http, with: {method: get, endpoint: 'http://x.test/'}}}], \
         catch: {retry: {delay: PT1S, limit: {attempt: {count: 1}}}}}}]",
    );
    driver.start(json!({}));
    driver.settle(|_| Err(communication(503)));
    let told_of = |word: &str| {
        let kind = format!("io.serverlessworkflow.{word}.v1");
        let found = driver
            .published
            .iter()
            .filter(|event| event["type"] == *kind);
        found.map(|event| event["data"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(told_of("task.retried").len(), 1);
    assert_eq!(told_of("task.retried")[0]["task"], "/do/0/t");
    assert_eq!(told_of("task.faulted").len(), 3);
    assert_eq!(told_of("task.faulted")[0]["error"]["status"], 503);
    assert_eq!(
        told_of("workflow.faulted")[0]["error"]["instance"],
        "/do/0/t/try/0/c"
    );
    assert_eq!(driver.published, told(&driver));

    let mut driver = publishing(
        "do: [{l: {listen: {to: {one: {with: {type: t.a}, correlate: {order: {from: .data.id}}}}}}}, {w: {wait: PT1S}}]",
    );
    driver.start(json!({}));
    driver.post(json!({"type": "t.a", "data": {"id": 7}}));
    driver.handle(Event::Cancel);
    let words = lines(&driver.published);
    for word in [
        "workflow.correlation-started",
        "workflow.correlation-completed",
        "task.cancelled /do/1/w",
        "workflow.cancelled",
    ] {
        assert!(words.iter().any(|known| known == word), "{word}: {words:?}");
    }
    let keys = driver
        .published
        .iter()
        .find_map(|event| event["data"].get("correlationKeys"));
    assert_eq!(keys, Some(&json!({"order": 7})));
    assert_eq!(driver.published, told(&driver));
}

/// What the workflow's status was, one after the other.
fn statuses(driver: &Driver) -> Vec<&str> {
    assert_eq!(driver.published, told(driver));
    let of_run = driver
        .published
        .iter()
        .filter(|event| event["type"] == "io.serverlessworkflow.workflow.status-changed.v1");
    of_run
        .map(|event| event["data"]["status"].as_str().unwrap())
        .collect()
}

const CALL: &str = "{c: {call: http, with: {method: get, endpoint: 'http://x.test/'}}}";

#[test]
fn waiting_is_told_each_time_that_nothing_is_at_work_and_no_more() {
    let mut fork = publishing(&format!(
        "do: [{{f: {{fork: {{branches: [{CALL}, {{w: {{wait: PT1H}}}}]}}}}}}]"
    ));
    fork.start(json!({}));
    assert_eq!(statuses(&fork), ["running"], "a call is under way");
    fork.answer_named("c", Ok(json!(1)));
    assert_eq!(statuses(&fork), ["running", "waiting"]);
    fork.crash();
    fork.fire();
    assert_eq!(
        statuses(&fork),
        ["running", "waiting", "running", "completed"]
    );

    let mut retried = publishing(&format!(
        "do: [{{t: {{try: [{CALL}], catch: {{retry: {{delay: PT1S, limit: {{attempt: {{count: 1}}}}}}}}}}}}]"
    ));
    retried.start(json!({}));
    retried.settle(|_| Err(communication(503)));
    assert_eq!(
        statuses(&retried),
        ["running", "waiting", "running", "faulted"]
    );

    let mut each = publishing(
        "do: [{l: {listen: {to: {any: [{with: {type: t}}], until: '${ length == 2 }'}}, foreach: {}}}]",
    );
    each.start(json!({}));
    each.post(json!({"type": "t", "data": 1}));
    each.post(json!({"type": "t", "data": 2}));
    let (waiting, running) = ("waiting", "running");
    assert_eq!(
        statuses(&each),
        [running, waiting, running, waiting, running, "completed"]
    );
    let listens = lines(&each.published);
    let listens = listens
        .iter()
        .filter(|line| line.starts_with("task.status-changed"));
    assert_eq!(
        listens
            .map(|line| line.rsplit(' ').next().unwrap())
            .collect::<Vec<_>>(),
        [running, waiting, running, waiting, running, "completed"]
    );

    let mut timed = publishing(
        "do: [{t: {try: [{w: {do: [{x: {wait: PT1H}}], timeout: {after: PT1S}}}], catch: {}}}]",
    );
    timed.start(json!({}));
    timed.fire();
    assert_eq!(
        statuses(&timed),
        ["running", "waiting", "running", "completed"]
    );

    let mut cancelled = publishing("do: [{d: {do: [{x: {wait: PT1H}}]}}]");
    cancelled.start(json!({}));
    cancelled.handle(Event::Cancel);
    assert_eq!(statuses(&cancelled), ["running", "waiting", "cancelled"]);
}

#[test]
fn each_of_the_eighteen_is_told_with_its_data() {
    let mut completed = publishing("do: [{w: {wait: PT1S}}]");
    completed.start(json!({}));
    completed.handle(Event::Suspend);
    completed.handle(Event::Resume);
    completed.fire();
    let mut faulted = publishing(&format!(
        "do: [{{t: {{try: [{CALL}], catch: {{retry: {{limit: {{attempt: {{count: 1}}}}}}}}}}}}]"
    ));
    faulted.start(json!({}));
    faulted.settle(|_| Err(communication(503)));
    let mut cancelled = publishing(
        "do: [{l: {listen: {to: {one: {with: {type: t}, correlate: {order: {from: .data.id}}}}}}}, {w: {wait: PT1S}}]",
    );
    cancelled.start(json!({}));
    cancelled.post(json!({"type": "t", "data": {"id": 7}}));
    cancelled.handle(Event::Cancel);
    let drivers = [completed, faulted, cancelled];
    let events: Vec<&Value> = drivers
        .iter()
        .flat_map(|driver| &driver.published)
        .collect();
    let expected: [(Lifecycle, &[&str]); 18] = [
        (
            Lifecycle::WorkflowStarted,
            &["definition", "name", "startedAt"],
        ),
        (Lifecycle::WorkflowSuspended, &["name", "suspendedAt"]),
        (Lifecycle::WorkflowResumed, &["name", "resumedAt"]),
        (
            Lifecycle::WorkflowCorrelationStarted,
            &["name", "startedAt"],
        ),
        (
            Lifecycle::WorkflowCorrelationCompleted,
            &["completedAt", "correlationKeys", "name"],
        ),
        (Lifecycle::WorkflowCancelled, &["cancelledAt", "name"]),
        (Lifecycle::WorkflowFaulted, &["error", "faultedAt", "name"]),
        (
            Lifecycle::WorkflowCompleted,
            &["completedAt", "name", "output"],
        ),
        (
            Lifecycle::WorkflowStatusChanged,
            &["name", "status", "updatedAt"],
        ),
        (Lifecycle::TaskCreated, &["createdAt", "task", "workflow"]),
        (Lifecycle::TaskStarted, &["startedAt", "task", "workflow"]),
        (
            Lifecycle::TaskSuspended,
            &["suspendedAt", "task", "workflow"],
        ),
        (Lifecycle::TaskResumed, &["resumedAt", "task", "workflow"]),
        (Lifecycle::TaskRetried, &["retriedAt", "task", "workflow"]),
        (
            Lifecycle::TaskCancelled,
            &["cancelledAt", "task", "workflow"],
        ),
        (
            Lifecycle::TaskFaulted,
            &["error", "faultedAt", "task", "workflow"],
        ),
        (
            Lifecycle::TaskCompleted,
            &["completedAt", "output", "task", "workflow"],
        ),
        (
            Lifecycle::TaskStatusChanged,
            &["status", "task", "updatedAt", "workflow"],
        ),
    ];
    for (kind, keys) in expected {
        let found: Vec<_> = events
            .iter()
            .filter(|event| event["type"] == *kind.kind())
            .collect();
        assert!(!found.is_empty(), "{}", kind.word());
        for event in found {
            let mut held: Vec<&str> = event["data"]
                .as_object()
                .unwrap()
                .keys()
                .map(String::as_str)
                .collect();
            held.sort_unstable();
            assert_eq!(held, keys, "{event}");
        }
    }
    let mut ids: Vec<&str> = drivers[0]
        .published
        .iter()
        .map(|event| event["id"].as_str().unwrap())
        .collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all, "each once");
}

#[test]
fn nobody_hears_of_who_listens_to_them() {
    let rest = "do: [{l: {listen: {to: {any: [{with: {type: io.serverlessworkflow.task.created.v1}}, {with: {type: t.a}}]}}}}, \
                {r: {run: {workflow: {namespace: n, name: child, version: '1.0.0'}}}}]";
    let mut driver = publishing(rest);
    assert!(driver.workflow.observes.contains(Lifecycle::TaskCreated));
    driver.start(json!({}));
    driver.post(json!({"type": "t.a"}));
    assert_eq!(driver.published, Vec::<Value>::new());
    let flame_engine::Call::Workflow(call) = driver.in_flight.values().next().unwrap().call.clone()
    else {
        panic!("a child is started");
    };
    assert!(call.parent.unseen);
    let mut child = publishing("do: [{a: {set: {v: 1}}}]");
    child.handle(Event::StartChild {
        input: Arc::new(json!({})),
        parent: call.parent,
    });
    assert_eq!(
        child.published,
        Vec::<Value>::new(),
        "nor of what they start"
    );
    assert!(!told(&child).is_empty(), "the journal can always be read");
}

#[test]
fn a_pattern_takes_none_of_them() {
    let mut driver = publishing("do: [{l: {listen: {to: {one: {with: {type: '.*'}}}}}}]");
    assert!(driver.workflow.observes.is_empty());
    driver.start(json!({}));
    driver.post(json!({"type": "io.serverlessworkflow.task.created.v1", "data": 1}));
    driver.post(json!({"type": "t.a", "data": 2}));
    assert_eq!(driver.output(), json!([2]));
}

#[test]
fn a_large_output_stays_in_the_journal() {
    let mut driver = publishing("do: [{a: {set: '${ {v: (\"x\" * 70000)} }'}}]");
    driver.start(json!({}));
    let place = |of: &str| {
        let completed = driver.published.iter().find(|event| {
            event["type"] == format!("io.serverlessworkflow.{of}.completed.v1").as_str()
        });
        let data = &completed.unwrap()["data"];
        assert!(data.get("output").is_none());
        data["outputUri"].as_str().unwrap().to_owned()
    };
    let run = format!("/api/v1/runs/{RUN}");
    let records = driver.records();
    let after = records
        .iter()
        .position(|record| matches!(record, Record::TaskCompleted { .. }))
        .unwrap();
    assert_eq!(
        place("task"),
        format!("{run}/journal?after={after}&limit=1")
    );
    assert_eq!(place("workflow"), run);
}
