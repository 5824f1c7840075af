//! Runs: started with one click, read task by task, cancelled, replayed.

use flame_errors::Code;
use flame_ipc::*;

use crate::stage::{Stage, folder};

async fn orders(stage: &Stage) -> DocumentSummary {
    let all = stage.run(DocumentsList {}).await.unwrap();
    all.into_iter()
        .find(|document| document.name == "orders")
        .unwrap()
}

async fn ended(stage: &Stage, id: &str) -> RunSummary {
    let id = id.to_owned();
    stage
        .event(move |event| match event {
            Event::RunsChanged(changed) => changed
                .runs
                .into_iter()
                .find(|run| run.id == id && run.ended_at.is_some()),
            _ => None,
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_runs_with_one_click_on_the_first_start() {
    let folder = folder();
    let stage = Stage::open(folder.path()).await;
    let info = stage.run(AppInfo {}).await.unwrap();
    assert!(info.first_start);
    let sample = orders(&stage).await;
    assert_eq!(
        (sample.problems.get(), sample.changed, sample.sample),
        (0, false, true)
    );
    let input = stage
        .run(DocumentSampleInput {
            id: sample.id.clone(),
        })
        .await
        .unwrap();
    assert_eq!(input.origin, SampleOrigin::Sample);

    let start = RunStart {
        document_id: sample.id.clone(),
        input: input.text.clone(),
    };
    let started = stage.run(start).await.unwrap();
    let run = ended(&stage, &started.id).await;
    assert_eq!(run.status, RunStatusView::Completed, "{:?}", run.error);
    assert_eq!(run.title, "Orders");

    let detail = stage.run(RunGet { id: run.id.clone() }).await.unwrap();
    assert!(detail.output.is_some() && detail.definition.is_some());
    assert!(detail.journal_length.get() > 0);
    let first = &detail.tasks[0];
    assert_eq!(first.status, RunStatusView::Completed);
    assert!(first.input.is_some() && first.output.is_some() && first.ended_at.is_some());
    let call = detail
        .tasks
        .iter()
        .find(|task| task.kind == "call http")
        .unwrap();
    assert!(call.idempotency_key.is_some() && !call.attempts.is_empty());

    let filter = RunsList {
        statuses: vec![RunStatusView::Completed],
        workflow: Some("samples/orders".to_owned()),
        text: None,
        since: None,
        cursor: None,
        limit: 10,
    };
    assert_eq!(stage.run(filter.clone()).await.unwrap().items.len(), 1);
    for (text, found) in [("input/customer~ada", 1), ("input/customer=nobody", 0)] {
        let filter = RunsList {
            text: Some(text.to_owned()),
            ..filter.clone()
        };
        assert_eq!(
            stage.run(filter).await.unwrap().items.len(),
            found,
            "{text}"
        );
    }
    let journal = RunJournal {
        id: run.id.clone(),
        after: None,
        limit: 5,
    };
    let page = stage.run(journal).await.unwrap();
    assert_eq!(
        (page.items.len(), page.items[0].kind.as_str()),
        (5, "runStarted")
    );
    let overview = stage
        .run(OverviewGet {
            window: OverviewWindow::Hour,
        })
        .await
        .unwrap();
    assert_eq!((overview.runs.get(), overview.completed.get()), (1, 1));
    assert!(overview.duration_p95_ms.is_some());
    let called = stage.run(OutboundList {}).await.unwrap();
    assert_eq!(called.len(), 1, "{called:?}");
    assert_eq!(called[0].host, "warehouse.example:80");
    assert!(called[0].calls.get() > 0 && called[0].failures.get() == 0);
    assert!(called[0].last_at.get() >= run.created_at.get());
    assert!(called[0].callers[0].starts_with("samples/orders/"));
    let input = stage
        .run(DocumentSampleInput {
            id: sample.id.clone(),
        })
        .await
        .unwrap();
    assert_eq!(input.origin, SampleOrigin::LastRun);
    assert_eq!(orders(&stage).await.last_runs.len(), 1);
    let hits = stage
        .run(Search {
            text: "ORDERS".to_owned(),
            limit: 10,
        })
        .await
        .unwrap();
    assert!(
        hits.iter()
            .any(|hit| hit.kind == SearchKind::Workflow && hit.id == sample.id)
    );
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_is_a_new_run_that_names_the_old_and_takes_the_edited_input() {
    let folder = folder();
    let stage = Stage::open(folder.path()).await;
    let sample = orders(&stage).await;
    let input = stage
        .run(DocumentSampleInput {
            id: sample.id.clone(),
        })
        .await
        .unwrap()
        .text;
    let start = RunStart {
        document_id: sample.id.clone(),
        input,
    };
    let old = stage.run(start).await.unwrap();
    ended(&stage, &old.id).await;

    let task = RunTaskInput {
        id: old.id.clone(),
        task: Some("/do/0/Compute totals".to_owned()),
    };
    let had = stage.run(task).await.unwrap();
    assert!(had.context.is_some(), "a task has a context");
    let text = had.input;
    let edited = text.replace("Ada Lovelace", "Grace Hopper");
    let test = RunTest {
        id: old.id.clone(),
        task: "/do/0/Compute totals".to_owned(),
        input: edited.clone(),
        context: had.context.clone(),
    };
    let test = stage.run(test).await.unwrap();
    assert!(test.test && !old.test);
    let test = ended(&stage, &test.id).await;
    assert_eq!(test.status, RunStatusView::Completed, "{:?}", test.error);
    let detail = stage.run(RunGet { id: test.id }).await.unwrap();
    let reached = |task: &&TaskView| task.started_at.is_some();
    assert_eq!(detail.tasks.iter().filter(reached).count(), 1);
    let window = OverviewWindow::Hour;
    let figures = stage.run(OverviewGet { window }).await.unwrap();
    assert_eq!(figures.runs.get(), 1, "a test is no run that counts");
    assert_eq!(orders(&stage).await.last_runs.len(), 1);
    let again = stage
        .run(DocumentSampleInput { id: sample.id })
        .await
        .unwrap();
    assert!(
        again.text.contains("Ada Lovelace"),
        "the input of a test is none to begin with: {}",
        again.text
    );
    assert_ne!(edited, text);
    let replay = RunReplay {
        id: old.id.clone(),
        task: Some("/do/0/Compute totals".to_owned()),
        input: edited,
        context: had.context,
    };
    let new = stage.run(replay).await.unwrap();
    assert_eq!(new.started_by.replay_of.as_deref(), Some(old.id.as_str()));
    let run = ended(&stage, &new.id).await;
    assert_eq!(run.status, RunStatusView::Completed, "{:?}", run.error);
    let detail = stage.run(RunGet { id: new.id }).await.unwrap();
    assert!(
        serde_json::to_string(&detail.output)
            .unwrap()
            .contains("Grace Hopper")
    );
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_followed_run_tells_its_entries_and_a_cancel_ends_it() {
    let folder = folder();
    let stage = Stage::open(folder.path()).await;
    let text = "document: {dsl: 1.0.3, namespace: test, name: long, version: 1.0.0}\n\
                do:\n  - rest: {wait: {hours: 1}}\n";
    let create = DocumentCreate {
        kind: DocumentKind::Workflow,
        text: text.to_owned(),
    };
    let document = stage.run(create).await.unwrap();
    let start = RunStart {
        document_id: document.id,
        input: "{}".to_owned(),
    };
    let run = stage.run(start).await.unwrap();
    stage.run(RunFollow { id: run.id.clone() }).await.unwrap();
    let id = run.id.clone();
    let halted = stage.run(RunSuspend { id: id.clone() }).await.unwrap();
    assert_eq!(halted.status, RunStatusView::Suspended);
    let again = stage.run(RunSuspend { id: id.clone() }).await.unwrap_err();
    assert!(again.is(Code::RunNotInState), "{again}");
    let on = stage.run(RunResume { id }).await.unwrap();
    assert_eq!(on.status, RunStatusView::Waiting);
    let cancelled = stage
        .run(RunCancel {
            id: run.id.clone(),
            compensate: false,
        })
        .await
        .unwrap();
    assert_eq!(cancelled.status, RunStatusView::Cancelled);
    let entries = stage
        .event(|event| match event {
            Event::RunEntries(entries) if !entries.entries.is_empty() => Some(entries),
            _ => None,
        })
        .await;
    assert_eq!(entries.run, run.id);
    let again = stage
        .run(RunCancel {
            id: run.id,
            compensate: false,
        })
        .await
        .unwrap_err();
    assert!(again.is(Code::RunNotInState), "{again}");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_refused_with_the_value() {
    let folder = folder();
    let stage = Stage::open(folder.path()).await;
    let sample = orders(&stage).await;
    let start = |input: &str| RunStart {
        document_id: sample.id.clone(),
        input: input.to_owned(),
    };
    let error = stage.run(start("{")).await.unwrap_err();
    assert!(
        error.is(Code::BodyInvalid) && error.hint.is_some(),
        "{error}"
    );
    let error = stage.run(start("{\"id\": 7}")).await;
    let refused = match error {
        Err(error) => error.is(Code::InputInvalid),
        Ok(run) => ended(&stage, &run.id).await.status == RunStatusView::Faulted,
    };
    assert!(refused, "an order without a customer is none");
    let error = stage
        .run(RunGet {
            id: "nonsense".to_owned(),
        })
        .await
        .unwrap_err();
    assert_eq!(
        (error.is(Code::ParameterInvalid), error.value.as_deref()),
        (true, Some("nonsense"))
    );
    let missing = "0192d3a4-7c1e-7e6b-9a51-3f2b8c1d4e5f".to_owned();
    let error = stage.run(RunGet { id: missing }).await.unwrap_err();
    assert!(error.is(Code::NotFound), "{error}");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_undoes_what_the_run_did_and_the_timeline_shows_it() {
    let folder = folder();
    let stage = Stage::open(folder.path()).await;
    let text = "document: {dsl: 1.0.3, namespace: test, name: undo, version: 1.0.0}\n\
                do:\n  - book:\n      set: {booked: true}\n      metadata:\n        \
                mastra.io/compensate: [{release: {set: {was: '${ $output.booked }'}}}]\n  \
                - rest: {wait: {hours: 1}}\n";
    let create = DocumentCreate {
        kind: DocumentKind::Workflow,
        text: text.to_owned(),
    };
    let document = stage.run(create).await.unwrap();
    let start = RunStart {
        document_id: document.id,
        input: "{}".to_owned(),
    };
    let run = stage.run(start).await.unwrap();
    let detail = stage.run(RunGet { id: run.id.clone() }).await.unwrap();
    assert!(detail.undoable && detail.compensation.is_none());
    let cancel = RunCancel {
        id: run.id.clone(),
        compensate: true,
    };
    stage.run(cancel).await.unwrap();
    assert_eq!(
        ended(&stage, &run.id).await.status,
        RunStatusView::Cancelled
    );
    let detail = stage.run(RunGet { id: run.id.clone() }).await.unwrap();
    let compensation = detail.compensation.unwrap();
    assert_eq!((compensation.undone.get(), compensation.left.get()), (1, 0));
    let undoing: Vec<&str> = detail
        .tasks
        .iter()
        .filter(|task| task.compensation)
        .map(|task| task.name.as_str())
        .collect();
    assert_eq!(undoing, ["book", "release"]);
    let number = Whole::new(1);
    let nothing = RunCompensation {
        id: run.id,
        number,
        skip: true,
    };
    let error = stage.run(nothing).await.unwrap_err();
    assert!(error.is(Code::RunNotInState), "{error}");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_more_entries_than_a_timeline_holds_shows_its_end() {
    const ITEMS: u64 = 1_400;
    let folder = folder();
    let stage = Stage::open(folder.path()).await;
    let text = format!(
        "document: {{dsl: 1.0.3, namespace: test, name: many, version: 1.0.0}}\n\
         do:\n  \
         - before: {{set: {{n: -1}}}}\n  \
         - loop:\n      \
             for: {{each: item, in: '${{ [range({ITEMS})] }}'}}\n      \
             do:\n        \
             - note: {{set: {{n: '${{ $item }}'}}}}\n  \
         - stop: {{raise: {{error: {{type: https://example.com/stop, status: 418, title: Enough}}}}}}\n  \
         - never: {{set: {{n: 0}}}}\n"
    );
    let create = DocumentCreate {
        kind: DocumentKind::Workflow,
        text,
    };
    let document = stage.run(create).await.unwrap();
    let start = RunStart {
        document_id: document.id,
        input: "{}".to_owned(),
    };
    let started = stage.run(start).await.unwrap();
    let run = ended(&stage, &started.id).await;
    assert_eq!(run.status, RunStatusView::Faulted);

    let detail = stage.run(RunGet { id: run.id.clone() }).await.unwrap();
    let length = detail.journal_length.get();
    assert!(length > 4_000, "{length} entries");
    assert_eq!(detail.entries_omitted.get(), length - 3_000);
    let last = |name: &str| {
        let mut rows = detail.tasks.iter().filter(|task| task.name == name);
        rows.next_back()
    };
    let stop = last("stop").expect("where it faulted");
    assert_eq!(stop.status, RunStatusView::Faulted);
    assert_eq!(stop.error.as_ref().unwrap().status, 418);
    let around = last("loop").expect("it began earlier and ended here");
    assert_eq!(
        (around.status, around.started_at.is_none()),
        (RunStatusView::Completed, true)
    );
    let note = last("note").expect("the last item");
    assert_eq!(note.iteration.as_deref(), Some("1399"));
    assert_eq!(last("never").unwrap().status, RunStatusView::Pending);
    assert!(
        last("before").is_none(),
        "it ran, and its entries are not here"
    );

    let task = RunTaskInput {
        id: run.id.clone(),
        task: Some(note.reference.clone()),
    };
    let had = stage.run(task).await.unwrap();
    let input: serde_json::Value = serde_json::from_str(&had.input).unwrap();
    assert_eq!(
        input,
        serde_json::json!({"n": ITEMS - 2}),
        "of the last item"
    );

    let pin = PinAdd {
        run: run.id,
        task: note.key.clone(),
    };
    let pins = stage.run(pin).await.unwrap();
    assert_eq!(pins[0].output.0, serde_json::json!({"n": ITEMS - 1}));
    stage.close().await;
}
