//! Commits: all or nothing, compare and set, and no commit pays for another.

use std::io::Read as _;
use std::sync::mpsc;

use flame_store::{Error, IdempotencyClaim, Operation, Options, Page, Store};
use flame_types::RunStatus;

use crate::values::{append, at, commit, create, journal, letter, open, options, run_id, update};

#[tokio::test]
async fn a_journal_takes_no_gap_no_overlap_and_no_empty_batch() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store
        .commit(commit([create(1), append(1, 0, 2)]))
        .await
        .unwrap();
    for (first, count) in [(0, 3), (1, 1), (3, 1), (9, 1), (2, 0)] {
        let error = store.commit(append(1, first, count)).await.unwrap_err();
        assert!(
            matches!(error, Error::Sequence { found: 2, .. }),
            "{first}+{count}: {error}"
        );
    }
    store.commit(append(1, 2, 1)).await.unwrap();
    assert_eq!(journal(&store, 1).await, [0, 1, 2]);
}

#[tokio::test]
async fn a_commit_whose_outcome_was_unknown_may_come_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let whole = commit([
        create(1),
        append(1, 0, 2),
        Operation::AddDeadLetter(Box::new(letter("x"))),
    ]);
    store.commit(whole.clone()).await.unwrap();
    store.commit(whole).await.unwrap();
    assert_eq!(journal(&store, 1).await, [0, 1]);
    assert_eq!(
        store
            .dead_letters(None, None, Page::first(10))
            .await
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn a_refused_commit_leaves_nothing_and_harms_no_other_in_its_group() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let (sender, outcomes) = mpsc::channel();
    // Many at once, so that the writer takes them as groups.
    for number in 0..300 {
        let broken = number % 7 == 3;
        let first = if broken { 5 } else { 0 };
        let sender = sender.clone();
        store.submit(
            commit([create(number), append(number, first, 1)]),
            move |outcome| {
                sender.send((number, outcome.is_ok())).unwrap();
            },
        );
    }
    drop(sender);
    for (number, taken) in outcomes {
        assert_eq!(taken, number % 7 != 3, "{number}");
    }
    for number in 0..300 {
        let stored = store.run(run_id(number)).await.unwrap();
        assert_eq!(stored.is_some(), number % 7 != 3, "{number}");
    }
    assert!(store.health().transactions < 300, "commits were grouped");
}

#[tokio::test]
async fn a_refused_commit_comes_back_whole() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let (sender, outcome) = mpsc::channel();
    let wrong = commit([append(1, 4, 1)]);
    store.submit(wrong.clone(), move |refused| sender.send(refused).unwrap());
    let refused = outcome.recv().unwrap().unwrap_err();
    assert_eq!(refused.commit, wrong);
}

#[tokio::test]
async fn a_terminal_status_is_set_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store
        .commit(commit([create(1), append(1, 0, 1)]))
        .await
        .unwrap();
    store.commit(update(1, RunStatus::Faulted)).await.unwrap();
    let error = store
        .commit(update(1, RunStatus::Completed))
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::Terminal {
                status: RunStatus::Faulted,
                ..
            }
        ),
        "{error}"
    );
    let Operation::UpdateRun { id, state, .. } = update(1, RunStatus::Running) else {
        unreachable!()
    };
    store
        .commit(Operation::UpdateRun {
            id,
            state,
            reopen: true,
        })
        .await
        .unwrap();
    store.commit(update(1, RunStatus::Completed)).await.unwrap();
    let unknown = store
        .commit(update(2, RunStatus::Completed))
        .await
        .unwrap_err();
    assert!(matches!(unknown, Error::RunUnknown { .. }), "{unknown}");
}

#[tokio::test]
async fn a_run_id_is_taken_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store
        .commit(commit([create(1), append(1, 0, 1)]))
        .await
        .unwrap();
    let error = store
        .commit(commit([create(1), append(1, 1, 1)]))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::RunExists { .. }), "{error}");
    assert_eq!(journal(&store, 1).await, [0]);
}

#[tokio::test]
async fn an_idempotency_key_stands_for_one_run_across_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let claim = |number, body| {
        Operation::ClaimKey(IdempotencyClaim {
            scope: "w".to_owned(),
            key: "k".to_owned(),
            body_hash: [body; 32],
            run: run_id(number),
            created: at(1),
        })
    };
    let store = open(folder.path());
    store
        .commit(commit([claim(1, 7), create(1), append(1, 0, 1)]))
        .await
        .unwrap();
    store.close();
    drop(store);
    let store = open(folder.path());
    for (body, same) in [(7, true), (8, false)] {
        let error = store
            .commit(commit([claim(2, body), create(2), append(2, 0, 1)]))
            .await
            .unwrap_err();
        let Error::KeyTaken { run, same_body, .. } = error else {
            panic!("{error}")
        };
        assert_eq!((run, same_body), (run_id(1), same));
    }
    assert_eq!(store.run(run_id(2)).await.unwrap(), None);
    assert_eq!(
        store.idempotency("w", "k").await.unwrap(),
        Some((run_id(1), [7; 32]))
    );
    assert_eq!(store.idempotency("v", "k").await.unwrap(), None);
}

#[tokio::test]
async fn a_queue_that_is_full_refuses_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&Options {
        queue_max: 0,
        ..options(folder.path())
    })
    .unwrap();
    let error = store.commit(create(1)).await.unwrap_err();
    assert!(matches!(error, Error::Busy { .. }), "{error}");
    assert!(error.is_transient());
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.close();
    let error = store.commit(create(1)).await.unwrap_err();
    assert!(matches!(error, Error::Closed), "{error}");
}

#[tokio::test]
async fn what_is_too_large_is_refused_with_both_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let Operation::CreateRun(mut run) = create(1) else {
        unreachable!()
    };
    run.input = vec![b' '; 33 * 1024 * 1024];
    let error = store.commit(Operation::CreateRun(run)).await.unwrap_err();
    assert!(
        matches!(error, Error::TooLarge { what: "input", .. }),
        "{error}"
    );
    assert!(error.to_string().contains("34603008"), "{error}");
}

#[tokio::test]
async fn the_log_moves_into_the_database_and_begins_anew_while_commits_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let log = store.path().with_extension("db-wal");
    // SQLite counts there how often it began the log anew.
    let begun = || {
        let mut head = [0; 16];
        std::fs::File::open(&log)
            .unwrap()
            .read_exact(&mut head)
            .unwrap();
        u32::from_be_bytes(head[12..].try_into().unwrap())
    };
    let large = "x".repeat(32 * 1024);
    let put = async |payload: &str| {
        let letter = Box::new(letter(payload));
        store
            .commit(Operation::AddDeadLetter(letter))
            .await
            .unwrap();
    };
    put(&large).await;
    let first = begun();
    // More than the log may hold: nobody closes the store or asks for anything.
    for _ in 0..600 {
        put(&large).await;
    }
    let mut small = 0;
    while begun() == first {
        put("x").await;
        small += 1;
        assert!(small < 100_000, "the log only grows");
    }
    assert!(std::fs::metadata(store.path()).unwrap().len() > 600 * 32 * 1024);
    let counts = store.dead_letter_counts().await.unwrap();
    assert_eq!(counts[0].2, 601 + small);
}
