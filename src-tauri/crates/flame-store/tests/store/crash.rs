//! `kill -9` at random points: nothing acknowledged is lost, no journal has a gap.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::values::{append, commit, create, journal, open, run_id};

const FOLDER: &str = "FLAME_STORE_TEST_FOLDER";
const ROUNDS: u64 = 12;
const WRITERS: u64 = 8;

/// Writes until it is killed, and says on stdout what was acknowledged. Started by the test below.
#[test]
#[ignore = "the child of the test below"]
fn child_that_writes() {
    let folder = std::env::var(FOLDER).unwrap();
    let round: u64 = std::env::var("ROUND").unwrap().parse().unwrap();
    let reactor = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    reactor.block_on(async {
        let store = open(Path::new(&folder));
        let writers = (0..WRITERS).map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                let run = round * WRITERS + writer;
                store
                    .commit(commit([create(run), append(run, 0, 1)]))
                    .await
                    .unwrap();
                say(run, 1);
                for step in 0.. {
                    let (first, count) = (1 + step * 2, 2);
                    store.commit(append(run, first, count)).await.unwrap();
                    say(run, first + u64::from(count));
                }
            })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.unwrap();
        }
    });
}

/// One write, so that a kill leaves no half line before a whole one.
fn say(run: u64, end: u64) {
    std::io::stdout()
        .lock()
        .write_all(format!("\n{run} {end} .").as_bytes())
        .unwrap();
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_by_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = BTreeMap::<u64, u64>::new();
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "crash::child_that_writes",
                "--ignored",
                "--nocapture",
            ])
            .env(FOLDER, folder.path())
            .env("ROUND", round.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // Another moment in every round: between a few and a few hundred acknowledgements.
        let wanted = 3 + round * round * 5;
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut seen = 0;
        while seen < wanted {
            let line = lines
                .next()
                .expect("the child writes until it is killed")
                .unwrap();
            seen += u64::from(note(&line, &mut acknowledged));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What it still said before it died was acknowledged too.
        for line in lines.map_while(Result::ok) {
            note(&line, &mut acknowledged);
        }
        let store = open(folder.path());
        for (run, end) in &acknowledged {
            let records = journal(&store, *run).await;
            assert!(
                records.len() as u64 >= *end,
                "run {run} lost {end}: {}",
                records.len()
            );
            assert_eq!(records, (0..records.len() as u64).collect::<Vec<_>>());
            assert!(store.run(run_id(*run)).await.unwrap().is_some());
        }
        store.close();
    }
    assert!(
        acknowledged.len() as u64 > ROUNDS,
        "several runs were written"
    );
}

fn note(line: &str, acknowledged: &mut BTreeMap<u64, u64>) -> bool {
    let parts: Vec<&str> = line.split(' ').collect();
    let [run, end, "."] = parts[..] else {
        return false;
    };
    let (Ok(run), Ok(end)) = (run.parse(), end.parse()) else {
        return false;
    };
    acknowledged.insert(run, end);
    true
}
