//! Lists, pages and filters; and what is stored beside runs.

use flame_store::{
    AppendedEvent, Child, DeadLetterState, Definition, DefinitionKey, Error, Feed, Operation, Page,
    RunFilter, Schedule,
};
use flame_types::RunStatus;
use serde_json::json;

use crate::values::{append, at, commit, create, letter, new_run, open, run_id, update, workflow};

#[tokio::test]
async fn runs_come_newest_first_in_pages_without_gap_or_overlap() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for number in 0..25 {
        store
            .commit(commit([create(number), append(number, 0, 3)]))
            .await
            .unwrap();
    }
    let mut seen = Vec::new();
    let mut page = Page::first(7);
    loop {
        let runs = store.runs(RunFilter::default(), page).await.unwrap();
        let Some(last) = runs.last() else { break };
        page = Page::after(last.id, 7);
        assert!(runs.iter().all(|run| run.records == 3));
        seen.extend(runs.into_iter().map(|run| run.id));
    }
    assert_eq!(seen, (0..25).rev().map(run_id).collect::<Vec<_>>());
}

#[tokio::test]
async fn filters_narrow_the_list() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for number in 0..6 {
        store
            .commit(commit([create(number), append(number, 0, 1)]))
            .await
            .unwrap();
    }
    store.commit(update(2, RunStatus::Faulted)).await.unwrap();
    store.commit(update(3, RunStatus::Completed)).await.unwrap();
    let mut other = new_run(9);
    other.workflow = workflow("returns");
    other.replay_of = Some((run_id(2), "/do/0/pay".to_owned()));
    store
        .commit(Operation::CreateRun(Box::new(other)))
        .await
        .unwrap();

    let found = async |filter: RunFilter| -> Vec<u8> {
        let runs = store.runs(filter, Page::first(100)).await.unwrap();
        runs.iter()
            .map(|run| run.id.as_uuid().as_bytes()[15])
            .collect()
    };
    let text = |text: &str| RunFilter {
        text: Some(text.to_owned()),
        ..RunFilter::default()
    };
    let statuses = vec![RunStatus::Faulted, RunStatus::Completed];
    assert_eq!(
        found(RunFilter {
            statuses,
            ..RunFilter::default()
        })
        .await,
        [3, 2]
    );
    assert_eq!(
        found(RunFilter {
            name: Some("returns".into()),
            ..RunFilter::default()
        })
        .await,
        [9]
    );
    assert_eq!(
        found(RunFilter {
            replay_of: Some(run_id(2)),
            ..RunFilter::default()
        })
        .await,
        [9]
    );
    let child = |number, awaited| {
        Operation::AddChild(Child {
            run: run_id(number),
            parent: run_id(0),
            task: "/do/0/sub".to_owned(),
            awaited,
        })
    };
    store
        .commit(commit([child(1, false), child(3, true), child(4, true)]))
        .await
        .unwrap();
    assert_eq!(
        found(RunFilter {
            parent: Some(run_id(0)),
            ..RunFilter::default()
        })
        .await,
        [4, 3, 1]
    );
    let parent = |run: Option<flame_store::Run>| run.unwrap().summary.parent;
    assert_eq!(
        parent(store.run(run_id(4)).await.unwrap()),
        Some((run_id(0), "/do/0/sub".to_owned()))
    );
    assert_eq!(parent(store.run(run_id(5)).await.unwrap()), None);
    let awaited = store.awaited_children(Page::first(10)).await.unwrap();
    let awaited: Vec<_> = awaited.iter().map(|child| child.run).collect();
    assert_eq!(
        awaited,
        [run_id(4)],
        "the others have ended, or nobody waits"
    );
    assert_eq!(found(text("order 4")).await, [4]);
    assert_eq!(found(text("BOOM")).await, [2], "in the error");
    assert_eq!(found(text("test/returns")).await, [9]);
    assert_eq!(found(text(&run_id(5).to_string())).await, [5]);
    assert_eq!(
        found(text("%")).await,
        [] as [u8; 0],
        "no pattern characters"
    );
    assert_eq!(
        found(RunFilter {
            created_from: Some(at(2)),
            ..RunFilter::default()
        })
        .await,
        [] as [u8; 0]
    );

    let live = store.live_runs(Page::first(100)).await.unwrap();
    let live: Vec<u8> = live
        .iter()
        .map(|run| run.id.as_uuid().as_bytes()[15])
        .collect();
    assert_eq!(live, [0, 1, 4, 5, 9], "oldest first, none that has ended");
    let counts = store.run_counts().await.unwrap();
    assert!(counts.contains(&(RunStatus::Running, 5)) && counts.contains(&(RunStatus::Faulted, 1)));
    let replay = store
        .run(run_id(9))
        .await
        .unwrap()
        .unwrap()
        .summary
        .replay_of;
    assert_eq!(replay, Some((run_id(2), "/do/0/pay".to_owned())));
}

#[tokio::test]
async fn a_journal_is_read_from_the_batch_that_holds_the_wanted_record() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store
        .commit(commit([create(1), append(1, 0, 3)]))
        .await
        .unwrap();
    store.commit(append(1, 3, 2)).await.unwrap();
    store.commit(append(1, 5, 1)).await.unwrap();
    for (from, firsts) in [
        (0, vec![0, 3, 5]),
        (2, vec![0, 3, 5]),
        (3, vec![3, 5]),
        (5, vec![5]),
        (6, vec![]),
    ] {
        let batches = store.journal(run_id(1), from).await.unwrap();
        assert_eq!(
            batches.iter().map(|batch| batch.first).collect::<Vec<_>>(),
            firsts,
            "{from}"
        );
    }
}

#[tokio::test]
async fn a_definition_stays_readable_by_its_hash() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let key = DefinitionKey::workflow(&workflow("orders"));
    let definition = |hash: &str, body: &str| {
        Operation::PutDefinition(Box::new(Definition {
            key: key.clone(),
            hash: hash.to_owned(),
            content_type: "application/yaml".to_owned(),
            body: body.into(),
            detail: json!({"cron": null}),
            updated: at(5),
        }))
    };
    store.commit(definition("one", "first")).await.unwrap();
    store.commit(definition("two", "second")).await.unwrap();
    assert_eq!(
        store.definition(key.clone()).await.unwrap().unwrap().body,
        b"second"
    );
    assert_eq!(
        store
            .definitions("workflow", Page::first(10))
            .await
            .unwrap()
            .len(),
        1
    );
    let schedule = Schedule {
        workflow: key.clone(),
        next: at(9),
        last: None,
    };
    store
        .commit(Operation::PutSchedule(schedule.clone()))
        .await
        .unwrap();
    assert_eq!(store.schedules().await.unwrap(), [schedule]);
    store
        .commit(Operation::DeleteDefinition(key.clone()))
        .await
        .unwrap();
    assert_eq!(store.definition(key).await.unwrap(), None);
    assert_eq!(store.schedules().await.unwrap(), []);
    let (_, body) = store
        .definition_text("workflow", "one")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(body, b"first");
}

#[tokio::test]
async fn events_are_read_in_order_by_run_and_type() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for (run, kind) in [(1, "a"), (2, "b"), (1, "b")] {
        let event = AppendedEvent {
            run: Some(run_id(run)),
            id: "1".to_owned(),
            kind: kind.to_owned(),
            source: "s".to_owned(),
            time: at(1),
            body: format!("{{\"type\":\"{kind}\"}}").into_bytes(),
        };
        store
            .commit(Operation::AppendEvent(Box::new(event)))
            .await
            .unwrap();
    }
    let sequences = async |run: Option<u64>, kind: Option<&str>, after: Option<u64>| -> Vec<u64> {
        let page = Page { after, limit: 10 };
        let events = store
            .events(run.map(run_id), kind.map(str::to_owned), page)
            .await
            .unwrap();
        events.into_iter().map(|event| event.sequence).collect()
    };
    assert_eq!(sequences(None, None, None).await, [1, 2, 3]);
    assert_eq!(sequences(Some(1), None, None).await, [1, 3]);
    assert_eq!(sequences(Some(1), Some("b"), None).await, [3]);
    assert_eq!(sequences(None, None, Some(2)).await, [3]);
}

#[tokio::test]
async fn a_dead_letter_is_changed_by_whoever_saw_it_last() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store
        .commit(Operation::AddDeadLetter(Box::new(letter("7;x"))))
        .await
        .unwrap();
    store
        .commit(Operation::AddDeadLetter(Box::new(letter("8;y"))))
        .await
        .unwrap();
    let letters = store
        .dead_letters(None, None, Page::first(10))
        .await
        .unwrap();
    assert_eq!(
        letters.iter().map(|letter| letter.id).collect::<Vec<_>>(),
        [2, 1],
        "newest first"
    );
    let mut edited = letters[1].clone();
    edited.payload = b"7;1".to_vec();
    edited.revision = 2;
    edited.state = DeadLetterState::Sent;
    let update = |expected_revision| Operation::UpdateDeadLetter {
        letter: Box::new(edited.clone()),
        expected_revision,
    };
    store.commit(update(1)).await.unwrap();
    let error = store.commit(update(1)).await.unwrap_err();
    assert!(
        matches!(error, Error::DeadLetterChanged { id: 1 }),
        "{error}"
    );
    let held = store.dead_letter(1).await.unwrap().unwrap();
    assert_eq!(
        (held.payload.as_slice(), held.original.as_slice()),
        (&b"7;1"[..], &b"7;x"[..])
    );
    let open_ones = store
        .dead_letters(Some(DeadLetterState::Open), None, Page::first(10))
        .await
        .unwrap();
    assert_eq!(open_ones.len(), 1);
    let counts = store.dead_letter_counts().await.unwrap();
    assert!(counts.contains(&("pipeline/shop/orders".to_owned(), DeadLetterState::Sent, 1)));
    let delete = |expected_revision| Operation::DeleteDeadLetter {
        id: 2,
        expected_revision,
    };
    let error = store.commit(delete(7)).await.unwrap_err();
    assert!(
        matches!(error, Error::DeadLetterChanged { id: 2 }),
        "what was changed since is not removed: {error}"
    );
    store.commit(delete(1)).await.unwrap();
    assert_eq!(store.dead_letter(2).await.unwrap(), None);
    store.commit(delete(1)).await.unwrap();
}

#[tokio::test]
async fn a_feed_moves_on_from_where_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let advance = |offset, expected_offset| Operation::AdvanceFeed {
        feed: Box::new(Feed {
            pipeline: "shop/orders".to_owned(),
            source: "orders.csv".to_owned(),
            offset,
            records: offset / 10,
            dead: 0,
            complete: false,
            detail: json!({"header": "a;b"}),
            updated: at(1),
        }),
        expected_offset,
    };
    store.commit(advance(100, 0)).await.unwrap();
    store.commit(advance(250, 100)).await.unwrap();
    let error = store.commit(advance(300, 100)).await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::FeedOffset {
                expected: 100,
                found: 250,
                ..
            }
        ),
        "{error}"
    );
    let feed = store
        .feed("shop/orders", "orders.csv")
        .await
        .unwrap()
        .unwrap();
    assert_eq!((feed.offset, feed.records), (250, 25));
    assert_eq!(store.feeds(None, 10).await.unwrap().len(), 1);
    store
        .commit(Operation::DeleteFeed {
            pipeline: "shop/orders".into(),
            source: "orders.csv".into(),
        })
        .await
        .unwrap();
    assert_eq!(store.feed("shop/orders", "orders.csv").await.unwrap(), None);
}
