//! Files fed into pipelines over HTTP: refusals, dead letters, and `kill -9` on the way.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use flame_agent_api::{DeadLetterQuery, FeedQuery, FeedState, FeedStatus, SecretText};
use flame_agent_client::{AgentClient, Error, Format};
use flame_errors::Code;
use flame_testkit::Agent;
use futures::stream::{self, StreamExt};
use tempfile::TempDir;
use tokio::sync::Notify;

use crate::harness::program;

pub(crate) const PIPELINE: &str = "
pipeline: { name: orders, namespace: shop }
source: { csv: {} }
map: '{ id: (.id | tonumber), city, amount: (.amount | tonumber) }'
sink: { connector: sqlite, database: shop.db, table: orders, key: [id] }
";

/// Every row with this remainder is bad.
const BAD: (u64, u64) = (5_000, 4_999);
const PIECE_BYTES: usize = 64 * 1024;
/// The most that is written between two checkpoints.
const BATCH_ROWS_MAX: u64 = 2_000;

fn client(agent: &Agent) -> AgentClient {
    AgentClient::new(&agent.url, SecretText::new(agent.token.clone())).unwrap()
}

pub(crate) async fn with_pipeline(folder: &Path, text: &str) -> (Agent, AgentClient) {
    let agent = Agent::start(program(), &folder.join("data"), &[]).unwrap();
    let client = client(&agent);
    client
        .put_pipeline("shop", "orders", Format::Yaml, text)
        .await
        .unwrap();
    (agent, client)
}

/// A file of so many rows, some of them bad.
pub(crate) fn file(rows: u64) -> Bytes {
    let mut file = String::from("id,city,amount\n");
    for id in 0..rows {
        let amount = if id % BAD.0 == BAD.1 {
            "unknown".to_owned()
        } else {
            (id % 97).to_string()
        };
        file.push_str(&format!("{id},\"City of, {}\",{amount}\n", id % 1_000));
    }
    file.into()
}

fn query(offset: u64, total: usize) -> FeedQuery {
    FeedQuery {
        identity: "8:1:42".into(),
        source: Some("orders.csv".into()),
        offset,
        total: Some(total as u64),
    }
}

/// The file from `offset` on, in pieces; `sent` is told when the piece of that number goes out.
pub(crate) async fn feed(
    client: &AgentClient,
    file: &Bytes,
    offset: u64,
    notify: Option<(usize, Arc<Notify>)>,
) -> Result<FeedStatus, Error> {
    let rest = file.slice(usize::try_from(offset).unwrap()..);
    let pieces: Vec<Bytes> = (0..rest.len())
        .step_by(PIECE_BYTES)
        .map(|at| rest.slice(at..rest.len().min(at + PIECE_BYTES)))
        .collect();
    let body = stream::iter(pieces.into_iter().enumerate()).map(move |(number, piece)| {
        if let Some((at, sent)) = &notify
            && number == *at
        {
            sent.notify_one();
        }
        Ok(piece)
    });
    client
        .feed(
            "shop",
            "orders",
            &query(offset, file.len()),
            "text/csv",
            body,
        )
        .await
}

fn whole(text: &'static str) -> impl futures::Stream<Item = std::io::Result<Bytes>> {
    stream::iter([Ok(Bytes::from_static(text.as_bytes()))])
}

fn database(folder: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(folder.join("data/databases/shop.db")).unwrap()
}

fn row(folder: &Path, sql: &str) -> (u64, u64) {
    let row = database(folder).query_row(sql, [], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
    });
    let (first, second) = row.unwrap();
    (
        u64::try_from(first).unwrap(),
        u64::try_from(second).unwrap(),
    )
}

#[tokio::test]
async fn what_can_not_be_fed_is_refused_with_its_code() {
    let folder = TempDir::new().unwrap();
    let (_agent, client) = with_pipeline(folder.path(), PIPELINE).await;
    let text = "id,city,amount\n1,a,1\n";
    let refused = async |name: &str, query: FeedQuery, media: &str| {
        let outcome = client.feed("shop", name, &query, media, whole(text)).await;
        outcome.unwrap_err()
    };
    assert_eq!(
        refused("none", query(0, 21), "text/csv").await.code(),
        Code::NotFound
    );
    let wrong_type = refused("orders", query(0, 21), "application/x-ndjson").await;
    assert_eq!(wrong_type.code(), Code::UnsupportedMediaType);
    let wrong_type = refused("orders", query(0, 21), "application/json").await;
    assert_eq!(wrong_type.code(), Code::UnsupportedMediaType);
    let behind = refused("orders", query(7, 28), "text/csv").await;
    assert_eq!(behind.code(), Code::FeedOffset);
    assert_eq!(behind.problem().unwrap().expected_offset, Some(0));
    let shorter = refused("orders", query(0, 20), "text/csv").await;
    assert_eq!(shorter.code(), Code::ParameterInvalid);
    let nameless = FeedQuery {
        identity: String::new(),
        ..query(0, 21)
    };
    assert_eq!(
        refused("orders", nameless, "text/csv").await.code(),
        Code::ParameterInvalid
    );

    let elsewhere = PIPELINE.replace("sqlite, database: shop.db", "postgres, connection: missing");
    client
        .put_pipeline("shop", "orders", Format::Yaml, &elsewhere)
        .await
        .unwrap();
    let unknown = refused("orders", query(0, 21), "text/csv").await;
    assert_eq!(unknown.code(), Code::ConnectionUnknown);
    let broken = client
        .put_pipeline("shop", "orders", Format::Yaml, "pipeline: { name: orders }")
        .await;
    assert_eq!(broken.unwrap_err().code(), Code::DefinitionInvalid);
}

#[tokio::test]
async fn a_bad_row_is_corrected_and_sent_again() {
    let folder = TempDir::new().unwrap();
    let (_agent, client) = with_pipeline(folder.path(), PIPELINE).await;
    let text = "id,city,amount\n1,a,1\n2,b,none\n3,c,3\n";
    let status = client
        .feed(
            "shop",
            "orders",
            &query(0, text.len()),
            "text/csv",
            whole(text),
        )
        .await
        .unwrap();
    assert_eq!(
        (status.state, status.rows, status.dead_letters),
        (FeedState::Completed, 2, 1)
    );

    let of_pipeline = DeadLetterQuery {
        pipeline: Some("shop/orders".into()),
        ..Default::default()
    };
    let page = client.dead_letters(&of_pipeline).await.unwrap();
    let letter = &page.items[0];
    assert_eq!(
        (page.total, letter.record.as_str(), letter.attempts),
        (1, "2,b,none", 1)
    );
    assert!(
        !letter.edited && letter.error.contains("none"),
        "{letter:?}"
    );
    let json = serde_json::to_value(&letter.origin).unwrap();
    assert_eq!(
        (&json["line"], &json["source"]),
        (&3.into(), &"orders.csv".into())
    );

    let again = client.send_dead_letter(letter.id).await.unwrap().unwrap();
    assert_eq!(again.attempts, 2);
    let edited = client.put_dead_letter(letter.id, "2,b,2").await.unwrap();
    assert!(edited.edited);
    assert!(client.send_dead_letter(letter.id).await.unwrap().is_none());
    assert_eq!(
        client.dead_letter(letter.id).await.unwrap_err().code(),
        Code::NotFound
    );
    assert_eq!(
        row(folder.path(), "select count(*), sum(amount) from orders"),
        (3, 6)
    );
}

#[tokio::test]
async fn a_sender_that_goes_away_frees_its_feed() {
    let folder = TempDir::new().unwrap();
    let (_agent, client) = with_pipeline(folder.path(), PIPELINE).await;
    let text = "id,city,amount\n1,a,1\n2,b,2\n";
    let taken = Arc::new(Notify::new());
    let first = tokio::spawn({
        let (client, taken) = (client.clone(), taken.clone());
        async move {
            let begun = stream::iter([Ok(Bytes::from_static(b"id,city,amount\n1,a,1\n2,"))]);
            let body = begun.chain(stream::once(async move {
                taken.notify_one();
                std::future::pending().await
            }));
            client
                .feed("shop", "orders", &query(0, text.len()), "text/csv", body)
                .await
        }
    });
    taken.notified().await;
    first.abort();
    // The agent learns of it in its own time; until then the file counts as being fed.
    let status = loop {
        let offset = checkpoint(&client).await;
        let rest = &text[usize::try_from(offset).unwrap()..];
        let query = query(offset, text.len());
        match client
            .feed("shop", "orders", &query, "text/csv", whole(rest))
            .await
        {
            Ok(status) => break status,
            Err(error) => {
                let code = error.code();
                assert!(
                    matches!(code, Code::TooManyRequests | Code::FeedOffset),
                    "{error}"
                );
                tokio::task::yield_now().await;
            }
        }
    };
    assert_eq!(
        (status.state, status.rows, status.dead_letters),
        (FeedState::Completed, 2, 0)
    );
}

/// A kill is tied to what the sender sees: the moment a random piece of the file goes out. The table is the
/// same however often a row was written; the audit that the database keeps of it is not.
#[tokio::test(flavor = "multi_thread")]
async fn kills_on_the_way_lose_no_row_and_double_none() {
    const ROWS: u64 = 100_000;
    const KILLS: usize = 12;
    let folder = TempDir::new().unwrap();
    let file = file(ROWS);
    let pieces = file.len() / PIECE_BYTES;
    let (mut agent, first) = with_pipeline(folder.path(), PIPELINE).await;
    drop(first);
    database(folder.path())
        .execute_batch(&format!(
            "create table orders (id integer primary key, city text, amount integer); {}",
            flame_testkit::sqlite_audit("orders", &["city", "amount"])
        ))
        .unwrap();
    let mut deaths = Vec::new();
    for kill in 0..KILLS {
        let life = client(&agent);
        let offset = checkpoint(&life).await;
        if kill > 0 {
            deaths.push(rows_before(&file, offset));
        }
        let left = (file.len() - usize::try_from(offset).unwrap()) / PIECE_BYTES;
        // Spread over the file: each life gets a little further, and never to the end.
        let at = (kill * 7919 % (pieces / KILLS + 3)).min(left.saturating_sub(1));
        let sent = Arc::new(Notify::new());
        let feeding = tokio::spawn({
            let (file, sent) = (file.clone(), sent.clone());
            async move { feed(&life, &file, offset, Some((at, sent))).await }
        });
        sent.notified().await;
        agent.kill();
        // Cut off, or done just before: both may happen, and neither matters.
        let _ = feeding.await.unwrap();
        agent = Agent::start(program(), &folder.path().join("data"), &[]).unwrap();
    }
    let last = client(&agent);
    let offset = checkpoint(&last).await;
    deaths.push(rows_before(&file, offset));
    let status = feed(&last, &file, offset, None).await.unwrap();
    assert_whole(folder.path(), &last, &status, ROWS).await;
    let database = database(folder.path());
    let mut statement = database.prepare(flame_testkit::CHANGES).unwrap();
    let changes = statement.query_map([], |row| {
        Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?])
    });
    let changes: Vec<[u32; 4]> = changes.unwrap().map(Result::unwrap).collect();
    assert_eq!(changes.len() as u64, status.rows);
    flame_testkit::once(&changes, &deaths, BATCH_ROWS_MAX).unwrap();
}

/// Rows of [`file`] that lie before this byte.
fn rows_before(file: &Bytes, offset: u64) -> u64 {
    let before = &file[..usize::try_from(offset).unwrap()];
    let lines = before.iter().filter(|byte| **byte == b'\n').count() as u64;
    // The first is the header.
    lines.saturating_sub(1)
}

/// Every row is in the table or among the dead letters, once.
pub(crate) async fn assert_whole(
    folder: &Path,
    client: &AgentClient,
    status: &FeedStatus,
    rows: u64,
) {
    let bad = rows / BAD.0;
    assert_eq!(status.state, FeedState::Completed);
    assert_eq!((status.rows, status.dead_letters), (rows - bad, bad));
    let expected: u64 = (0..rows)
        .filter(|id| id % BAD.0 != BAD.1)
        .map(|id| id % 97)
        .sum();
    assert_eq!(
        row(folder, "select count(*), sum(amount) from orders"),
        (rows - bad, expected)
    );

    let all = DeadLetterQuery {
        limit: Some(200),
        ..Default::default()
    };
    let letters = client.dead_letters(&all).await.unwrap();
    let records: BTreeSet<String> = letters
        .items
        .iter()
        .map(|letter| letter.record.clone())
        .collect();
    assert_eq!(
        (letters.items.len() as u64, records.len() as u64),
        (bad, bad)
    );
}

pub(crate) async fn checkpoint(client: &AgentClient) -> u64 {
    match client.feeds("shop", "orders", Some("8:1:42")).await {
        Ok(feeds) => feeds.items[0].offset,
        Err(error) => {
            assert_eq!(error.code(), Code::NotFound, "{error}");
            0
        }
    }
}
