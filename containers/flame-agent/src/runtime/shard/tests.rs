//! A thread of runs by itself, one message after the other.

use serde_json::json;

use super::*;
use crate::runtime::{Handle, IdempotencyKey, Options, StartRequest};

const DOCUMENT: &str = "document: { dsl: '1.0.3', namespace: test, name: busy, version: '1.0.0' }\n\
                        do: [{ nap: { wait: { hours: 1 } } }]\n";

const BRIEF: &str = "document: { dsl: '1.0.3', namespace: test, name: brief, version: '1.0.0' }\n\
                     do: [{ say: { set: { said: true } } }]\n";

struct Fixture {
    shard: Shard,
    handle: Handle,
    _folder: tempfile::TempDir,
}

/// A thread that is not running, and a run of it that has not begun.
async fn fixture() -> (Fixture, RunId) {
    let folder = tempfile::tempdir().unwrap();
    let handle = Handle::open(Options::new(folder.path())).await.unwrap();
    let (deployed, _) = handle
        .deploy(DOCUMENT, "application/yaml", None)
        .await
        .unwrap();
    let request = StartRequest::new(deployed.workflow.id.clone(), json!({}));
    let shared = &handle.shared;
    let begin = Begin::of(shared, request, Vec::new()).await.unwrap();
    let run = begin.run.id();
    let (mut live, _) = Live::begin(begin, shared.admit().unwrap());
    live.inbox.clear();
    let (this, _) = std::sync::mpsc::channel();
    let mut shard = Shard::new(Arc::clone(shared), 0, this);
    shard.live.insert(run, live);
    let fixture = Fixture {
        shard,
        handle,
        _folder: folder,
    };
    (fixture, run)
}

/// While the store holds a commit, whatever a run asked for answers, and its timers fire.
#[tokio::test]
async fn nothing_that_a_run_waits_for_is_dropped_while_its_commit_is_under_way() {
    let (mut fixture, run) = fixture().await;
    let shard = &mut fixture.shard;
    let live = shard.live.get_mut(&run).unwrap();
    live.pending = Some(Pending::default());
    for timer in 0..20_000 {
        let timer = TimerId(timer);
        shard.event(run, Event::TimerFired { timer }, None);
    }
    assert_eq!(shard.live[&run].inbox.len(), 20_000);
    fixture.handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn once_the_clock_is_right_again_nothing_waits_for_years() {
    const HOUR: Duration = Duration::from_secs(60 * 60);
    let (mut fixture, run) = fixture().await;
    let shard = &mut fixture.shard;
    let ahead = now() + 24 * 3650 * HOUR;
    let live = shard.live.get_mut(&run).unwrap();
    let start = Event::Start {
        input: Arc::new(json!({})),
    };
    let moment = flame_engine::Moment {
        now: ahead,
        entropy: 1,
    };
    for action in live.run.handle(start, moment).actions {
        if let Action::Arm { timer, due } = action {
            live.timers.insert(timer);
            shard.timers.push(Reverse((due, run, timer)));
        }
    }
    let (asleep, suspended) = (shard.shared.lanes.new_id(), shard.shared.lanes.new_id());
    shard.rest_until(asleep, Rest::Until(ahead + HOUR));
    shard.lay_to_rest(suspended, Rest::UntilAsked);

    shard.looked = ahead;
    shard.look_at_the_clock();

    let soon = now() + HOUR;
    let pending = shard.live[&run].pending.as_ref();
    let in_time = |action: &Action| matches!(action, Action::Arm { due, .. } if *due <= soon);
    assert!(
        pending.is_some_and(|pending| pending.actions.iter().any(in_time)),
        "it is armed once that is on disk"
    );
    assert!(
        shard.loading.contains_key(&asleep),
        "it puts that right itself"
    );
    assert!(
        shard.resting.contains_key(&suspended),
        "it waits for nobody's clock"
    );
    fixture.handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn a_run_that_ends_with_its_first_commit_is_kept_by_nobody() {
    let (mut fixture, _) = fixture().await;
    let handle = &fixture.handle;
    let (deployed, _) = handle
        .deploy(BRIEF, "application/yaml", None)
        .await
        .unwrap();
    let before = handle.load().in_flight;
    let mut changes = handle.changes();
    let mut answers = Vec::new();
    for _ in 0..3 {
        let request = StartRequest::new(deployed.workflow.id.clone(), json!({}));
        let mut begin = Begin::of(&handle.shared, request, Vec::new())
            .await
            .unwrap();
        begin.place = Some(handle.shared.admit().unwrap());
        let (reply, answer) = oneshot::channel();
        begin.reply = Some(reply);
        let run = begin.run.id();
        fixture.shard.begin(begin);
        assert!(!fixture.shard.live.contains_key(&run));
        answers.push((run, answer.await.unwrap()));
        assert_eq!(handle.load().in_flight, before, "its place is free");
        // The last one finds nobody who writes.
        if answers.len() == 2 {
            let store = handle.shared.store.clone();
            tokio::task::spawn_blocking(move || store.close())
                .await
                .unwrap();
        }
    }
    let (_, refused) = answers.pop().unwrap();
    refused.unwrap_err();
    let load = handle.load();
    assert_eq!((load.started, load.completed), (2, 2));
    for (run, _) in &answers {
        let told = changes.try_recv().unwrap();
        assert!(matches!(told, Change::Run(summary) if summary.id == *run));
    }
    changes.try_recv().unwrap_err();
    for (run, answer) in answers {
        let summary = answer.unwrap().summary;
        assert_eq!((summary.id, summary.status), (run, RunStatus::Completed));
        assert!(summary.records > 0);
    }
    fixture.handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn of_two_such_runs_with_one_key_one_is_there() {
    let (mut fixture, _) = fixture().await;
    let handle = &fixture.handle;
    let (deployed, _) = handle
        .deploy(BRIEF, "application/yaml", None)
        .await
        .unwrap();
    let mut answers = Vec::new();
    for _ in 0..2 {
        let request = StartRequest {
            idempotency: Some(IdempotencyKey {
                key: "once".to_owned(),
                body_hash: [7; 32],
            }),
            ..StartRequest::new(deployed.workflow.id.clone(), json!({}))
        };
        let mut begin = Begin::of(&handle.shared, request, Vec::new())
            .await
            .unwrap();
        begin.place = Some(handle.shared.admit().unwrap());
        let (reply, answer) = oneshot::channel();
        begin.reply = Some(reply);
        fixture.shard.begin(begin);
        answers.push(answer);
    }
    let first = answers.remove(0).await.unwrap().unwrap().summary.id;
    let second = answers.remove(0).await.unwrap().unwrap_err();
    assert!(
        matches!(&second, Error::Store(flame_store::Error::KeyTaken { run, .. }) if *run == first),
        "{second:?}"
    );
    assert_eq!(handle.load().started, 1);
    fixture.handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn a_run_that_emits_is_kept_until_its_event_is_told_of() {
    const EMITS: &str = "document: { dsl: '1.0.3', namespace: test, name: emits, version: '1.0.0' }\n\
                         do: [{ say: { emit: { event: { with: { source: 'https://a.test', type: said } } } } }]\n";
    let (mut fixture, _) = fixture().await;
    let handle = &fixture.handle;
    let (deployed, _) = handle
        .deploy(EMITS, "application/yaml", None)
        .await
        .unwrap();
    let request = StartRequest::new(deployed.workflow.id.clone(), json!({}));
    let mut begin = Begin::of(&handle.shared, request, Vec::new())
        .await
        .unwrap();
    begin.place = Some(handle.shared.admit().unwrap());
    let run = begin.run.id();
    fixture.shard.begin(begin);
    assert!(fixture.shard.live.contains_key(&run));
    fixture.handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn a_thread_is_idle_once_the_commits_of_its_brief_runs_are_answered() {
    let (mut fixture, run) = fixture().await;
    let shard = &mut fixture.shard;
    shard.live.remove(&run);
    let (told, mut idle) = oneshot::channel();
    shard.briefs.begin();
    shard.briefs.begin();
    assert!(!shard.briefs.end(), "nobody waits");
    shard.take(Message::Drain { idle: told });
    shard.tell_idle();
    idle.try_recv().unwrap_err();
    assert!(shard.briefs.end(), "the last one says so");
    shard.take(Message::BriefsEnded);
    shard.tell_idle();
    idle.try_recv().unwrap();
    fixture.handle.drain(Duration::ZERO).await;
}
