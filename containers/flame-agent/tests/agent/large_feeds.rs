//! A file that is larger than the agent may ever be, streamed into both databases.

use std::collections::BTreeSet;
use std::path::Path;

use bytes::Bytes;
use flame_agent_api::{ConnectionPut, FeedQuery, FeedState, FeedStatus, SecretText};
use flame_agent_client::AgentClient;
use flame_testkit::{Encryption, Postgres};
use futures::stream::{self, StreamExt};
use serde_json::json;
use tempfile::TempDir;

use crate::feeds::{PIPELINE, with_pipeline};

const ROWS: u64 = 100_000;
/// With its line break. Together they are 200 MB.
const ROW_BYTES: usize = 2_000;
const HEAD: &str = "id,city,amount,note\n";
/// Every row with this remainder is bad.
const BAD: (u64, u64) = (5_000, 4_999);
/// Rows that are made and sent at once; nobody holds more of the file than a few of these.
const ROWS_OF_A_PIECE: u64 = 32;
/// The most that the agent may have had, ever: less than the file.
const PEAK_KILOBYTES_MAX: u64 = 150 * 1024;
/// The whole rows, as both databases sum them up.
const SUMS: &str = "select count(*), sum(amount), sum(length(note)) from orders";

/// A row up to its note.
fn start(id: u64) -> String {
    let amount = match id % BAD.0 == BAD.1 {
        true => "unknown".to_owned(),
        false => (id % 97).to_string(),
    };
    format!("{id},\"City of, {}\",{amount},", id % 1_000)
}

/// How long a row's note is: all rows are equally long.
fn note_bytes(start: &str) -> usize {
    ROW_BYTES - 1 - start.len()
}

/// What [`SUMS`] gives for the whole file.
fn sums() -> [u64; 3] {
    let taken = (0..ROWS).filter(|id| id % BAD.0 != BAD.1);
    taken.fold([0; 3], |[count, amounts, notes], id| {
        let note = note_bytes(&start(id)) as u64;
        [count + 1, amounts + id % 97, notes + note]
    })
}

/// Sends the file; each piece is made when it is asked for.
async fn send(client: &AgentClient) -> FeedStatus {
    let note = "Some of what a note says. ".repeat(ROW_BYTES / 20);
    let piece = move |first: u64| {
        let mut piece = if first == 0 {
            HEAD.to_owned()
        } else {
            String::new()
        };
        for id in first..ROWS.min(first + ROWS_OF_A_PIECE) {
            let start = start(id);
            piece.push_str(&start);
            piece.push_str(&note[..note_bytes(&start)]);
            piece.push('\n');
        }
        Ok(Bytes::from(piece))
    };
    let body = stream::iter((0..ROWS).step_by(ROWS_OF_A_PIECE as usize)).map(piece);
    let query = FeedQuery {
        identity: "8:1:42".into(),
        source: Some("orders.csv".into()),
        offset: 0,
        total: Some(HEAD.len() as u64 + ROWS * ROW_BYTES as u64),
    };
    let sent = client.feed("shop", "orders", &query, "text/csv", body);
    sent.await.unwrap()
}

/// The same, and in how many steps the feed was seen to get to its end.
async fn send_and_follow(client: &AgentClient) -> (FeedStatus, usize) {
    let mut changes = std::pin::pin!(client.changes().await.unwrap());
    let mut seen = BTreeSet::new();
    let following = async {
        while let Some(change) = changes.next().await {
            for status in change.unwrap().feeds {
                seen.insert(status.offset);
                if status.state == FeedState::Completed {
                    return;
                }
            }
        }
    };
    let (status, ()) = tokio::join!(send(client), following);
    (status, seen.len())
}

/// The most memory that a process ever had.
fn peak_kilobytes(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Feeds the file into the sink that `prepare` has set up; what came of it is summed up by `read`.
async fn passes_in_bounded_memory(
    folder: &Path,
    sink: &str,
    connection: Option<ConnectionPut>,
    read: impl FnOnce() -> [u64; 3],
) {
    let document = PIPELINE
        .replace("{ connector: sqlite, database: shop.db,", sink)
        .replace("city,", "city, note,");
    let (agent, client) = with_pipeline(folder, &document).await;
    if let Some(connection) = connection {
        client.put_connection("shop", &connection).await.unwrap();
    }
    let (status, steps) = send_and_follow(&client).await;
    let bad = ROWS / BAD.0;
    assert_eq!((status.rows, status.dead_letters), (ROWS - bad, bad));
    assert_eq!(read(), sums());
    assert!(steps > 3, "progress was seen {steps} times");
    let peak = peak_kilobytes(agent.pid());
    assert!(peak < PEAK_KILOBYTES_MAX, "the agent's peak was {peak} kB");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_rows_pass_into_sqlite_in_bounded_memory_with_progress() {
    let folder = TempDir::new().unwrap();
    let read = || {
        let database = folder.path().join("data/databases/shop.db");
        let database = rusqlite::Connection::open(database).unwrap();
        let sums = database.query_row(SUMS, [], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?]));
        sums.unwrap().map(|sum: i64| sum.unsigned_abs())
    };
    let sink = "{ connector: sqlite, database: shop.db,";
    passes_in_bounded_memory(folder.path(), sink, None, read).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_rows_pass_into_postgresql_in_bounded_memory_with_progress() {
    let server = Postgres::start(Encryption::Off).unwrap();
    let folder = TempDir::new().unwrap();
    let connection = ConnectionPut {
        kind: "postgres".into(),
        settings: json!({
            "host": "127.0.0.1", "port": server.port(), "database": Postgres::DATABASE,
            "user": Postgres::USER
        }),
        secret: Some(SecretText::new(Postgres::PASSWORD)),
    };
    let read = || {
        let sums = server.query(SUMS).unwrap();
        let sums: Vec<u64> = sums.split('|').map(|sum| sum.parse().unwrap()).collect();
        sums.try_into().unwrap()
    };
    let sink = "{ connector: postgres, connection: shop,";
    passes_in_bounded_memory(folder.path(), sink, Some(connection), read).await;
}
