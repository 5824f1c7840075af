//! Feeds into real databases, cut and broken in every way.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use connector_postgres::Postgres;
use connector_sqlite::Sqlite;
use flame_connector::{Connection, Connector, Fault, Folders, Invocation, Record, Sink};
use flame_dsl::{Format, Pipeline, parse_pipeline};
use flame_store::{Feed, Options, Page, Store};
use flame_testkit::{Encryption, Postgres as Server};
use flame_types::{IdempotencyKey, Timestamp};
use futures::future::BoxFuture;
use proptest::prelude::*;
use serde_json::json;
use tempfile::TempDir;

use super::error::Error;
use super::feed::{self, Feeding};
use super::frame::{Framer, Framing, Place};
use super::handle::FeedRequest;
use super::letter;

const PIPELINE: &str = r#"
pipeline: { name: orders, namespace: shop }
source: { csv: {} }
map: 'if .sku == "" then null else { id: (.id | tonumber), sku, amount: (.amount | tonumber) } end'
sink: { connector: sqlite, database: orders.db, table: orders, key: [id] }
"#;

/// A store and the folders of a workspace.
struct Agent {
    folder: TempDir,
    store: Store,
    sqlite: Sqlite,
    pipeline: Pipeline,
}

impl Agent {
    fn new(document: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Options::new(
            folder.path().join("data"),
            flame_types::Timestamp::now,
        ))
        .unwrap();
        std::fs::create_dir(folder.path().join("databases")).unwrap();
        Self {
            folder,
            store,
            sqlite: Sqlite::new(),
            pipeline: parse_pipeline(document, Format::Yaml).unwrap(),
        }
    }

    fn folders(&self) -> Folders {
        let databases = self.folder.path().join("databases");
        Folders {
            output: databases.clone(),
            databases,
        }
    }

    async fn sink(&self) -> Box<dyn Sink> {
        let (folders, key) = (self.folders(), IdempotencyKey::new("shop/orders"));
        let invocation = Invocation {
            key: &key,
            connection: None,
            deadline: None,
            folders: &folders,
        };
        self.sqlite
            .sink("upsert", &self.pipeline.sink.arguments(), invocation)
            .await
            .unwrap()
    }

    async fn begin(&self, offset: u64, total: Option<u64>) -> Result<Feeding, Error> {
        let request = FeedRequest {
            namespace: self.pipeline.namespace.clone(),
            name: self.pipeline.name.clone(),
            identity: "1:42".into(),
            source: Some("orders.csv".into()),
            offset,
            total,
            media: String::new(),
        };
        Feeding::begin(&self.store, self.pipeline.clone(), &request).await
    }

    /// Feeds `file` from `offset` in pieces, and ends the body early where `until` says so.
    async fn feed_into(
        &self,
        sink: &mut dyn Sink,
        file: &[u8],
        offset: u64,
        until: usize,
        piece_bytes: usize,
    ) -> (Feed, Result<(), Error>) {
        let feeding = self.begin(offset, Some(file.len() as u64)).await.unwrap();
        let rest = &file[usize::try_from(offset).unwrap()..until];
        let pieces: Vec<Result<Bytes, std::io::Error>> = rest
            .chunks(piece_bytes.max(1))
            .map(|piece| Ok(Bytes::copy_from_slice(piece)))
            .collect();
        let body = futures::stream::iter(pieces);
        feed::run(feeding, &self.store, sink, body, &|_, _| {}, &|| true).await
    }

    async fn feed(&self, file: &[u8]) -> (Feed, Result<(), Error>) {
        let mut sink = self.sink().await;
        self.feed_into(sink.as_mut(), file, 0, file.len(), 64 * 1024)
            .await
    }

    fn rows(&self, sql: &str) -> Vec<String> {
        rows(&self.folder.path().join("databases/orders.db"), sql)
    }

    /// Line and reason of each dead letter, oldest first.
    async fn letters(&self) -> Vec<(u64, String)> {
        let mut letters: Vec<(u64, String)> = self
            .store
            .dead_letters(None, None, Page::first(1000))
            .await
            .unwrap()
            .iter()
            .map(|letter| {
                let detail = letter.error["detail"].as_str().unwrap().to_owned();
                (letter.detail["line"].as_u64().unwrap(), detail)
            })
            .collect();
        letters.reverse();
        letters
    }
}

fn rows(database: &Path, sql: &str) -> Vec<String> {
    let reader = rusqlite::Connection::open(database).unwrap();
    let mut statement = reader.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

/// Every kind of bad row among good ones, with a quoted line break before them.
const FILE: &[u8] = b"\xEF\xBB\xBFid,sku,amount\r\n\
1,\"a\n\"\"b\"\"\",1.5\r\n\
2,b,2\r\n\
3,c\r\n\
4,\xFFd,4\r\n\
5,e,much\r\n\
\r\n\
6,,6\r\n\
7,g,7,extra\r\n\
8,\"open,8\r\n\
9,i,9";

#[tokio::test]
async fn bad_rows_are_set_aside_with_their_line_and_the_rest_is_written() {
    let agent = Agent::new(PIPELINE);
    let (feed, outcome) = agent.feed(FILE).await;
    outcome.unwrap();
    assert!(feed.complete);
    assert_eq!(
        (feed.offset, feed.records, feed.dead),
        (FILE.len() as u64, 3, 5)
    );
    assert_eq!(
        agent.rows("select id || ' ' || sku || ' ' || amount from orders order by id"),
        ["1 a\n\"b\" 1.5", "2 b 2.0", "9 i 9.0"]
    );
    let letters = agent.letters().await;
    let expected = [
        (5, "2 columns"),
        (6, "not UTF-8 at its byte 3"),
        (7, "much"),
        (10, "4 columns"),
        (11, "quote"),
    ];
    assert_eq!(letters.len(), expected.len(), "{letters:?}");
    for ((line, error), (expected_line, word)) in letters.iter().zip(expected) {
        assert_eq!(*line, expected_line, "{error}");
        assert!(error.contains(word), "line {line}: {error}");
    }
}

#[tokio::test]
async fn a_body_that_does_not_start_at_the_checkpoint_is_refused_with_the_right_place() {
    let agent = Agent::new(PIPELINE);
    let mut sink = agent.sink().await;
    let (feed, outcome) = agent.feed_into(sink.as_mut(), FILE, 0, 40, 7).await;
    outcome.unwrap();
    assert!(
        !feed.complete && feed.offset <= 40 && feed.offset > 3,
        "{feed:?}"
    );
    for wrong in [0, feed.offset + 1, 10_000] {
        let refused = agent.begin(wrong, None).await.err().unwrap();
        let Error::FeedOffset { expected, .. } = refused else {
            panic!("{refused}")
        };
        assert_eq!(expected, feed.offset);
    }
    let (feed, outcome) = agent
        .feed_into(sink.as_mut(), FILE, feed.offset, FILE.len(), 7)
        .await;
    outcome.unwrap();
    assert!(
        feed.complete && feed.records == 3 && feed.dead == 5,
        "{feed:?}"
    );
    let changed = agent.begin(feed.offset, Some(feed.offset + 1)).await;
    assert!(matches!(
        changed.err(),
        Some(Error::ParameterInvalid { .. })
    ));
    let again = agent.begin(feed.offset, Some(feed.offset)).await.unwrap();
    let nothing = futures::stream::iter(Vec::<Result<Bytes, std::io::Error>>::new());
    let (again, outcome) = feed::run(
        again,
        &agent.store,
        sink.as_mut(),
        nothing,
        &|_, _| {},
        &|| true,
    )
    .await;
    outcome.unwrap();
    assert_eq!(again.records, 3);
}

#[tokio::test]
async fn a_file_that_is_no_table_says_so_and_is_not_guessed_at() {
    for (file, word) in [
        (b"\xFF\xFEi\0d\0".to_vec(), "UTF-16"),
        (b"id,sku,id\n1,2,3\n".to_vec(), "twice"),
        (b"id,\xFF\n1,2\n".to_vec(), "UTF-8"),
        (vec![b'x'; 3 * 1024 * 1024], "1 MiB"),
        ([vec![b','; 5000], b"\n".to_vec()].concat(), "columns"),
    ] {
        let agent = Agent::new(PIPELINE);
        let (feed, outcome) = agent.feed(&file).await;
        let error = outcome.unwrap_err();
        assert!(
            matches!(error, Error::FileInvalid { line: 1, .. }),
            "{error}"
        );
        assert!(error.to_string().contains(word), "{error}");
        let stored = agent
            .store
            .feed("shop/orders", "1:42")
            .await
            .unwrap()
            .unwrap();
        assert_eq!(stored.detail["error"], json!(error.to_string()));
        assert_eq!((feed.offset, feed.records), (0, 0));
    }
}

#[tokio::test]
async fn an_open_quote_costs_its_own_line_and_no_other() {
    let agent = Agent::new(PIPELINE);
    let mut file = b"id,sku,amount\n1,\"open,1\n".to_vec();
    for id in 2..60_002 {
        file.extend(format!("{id},some stock keeping unit,{id}\n").bytes());
    }
    let (feed, outcome) = agent.feed(&file).await;
    outcome.unwrap();
    assert!(feed.complete);
    assert_eq!((feed.records, feed.dead), (60_000, 1));
    assert_eq!(agent.letters().await[0].0, 2);
}

#[tokio::test]
async fn a_map_that_refuses_every_row_stops_the_feed() {
    let agent = Agent::new(PIPELINE);
    let mut file = b"id,sku,amount\n".to_vec();
    file.extend((0..20_000).flat_map(|_| b"x,y,z\n".iter().copied()));
    let (feed, outcome) = agent.feed(&file).await;
    let error = outcome.unwrap_err();
    assert!(matches!(error, Error::TooManyDeadLetters { .. }), "{error}");
    assert!(
        feed.dead > 10_000 && feed.dead < 20_000 && !feed.complete,
        "{feed:?}"
    );
}

#[tokio::test]
async fn without_a_header_columns_have_numbers_and_json_lines_need_none() {
    let agent = Agent::new(
        "pipeline: { name: orders, namespace: shop }\n\
         source: { csv: { header: false, delimiter: ';' } }\n\
         sink: { connector: sqlite, database: orders.db, table: orders, key: [c1] }\n",
    );
    let (feed, outcome) = agent.feed(b"1;a\n2;\"b;c\"\n3\n").await;
    outcome.unwrap();
    assert_eq!((feed.records, feed.dead), (2, 1));
    assert_eq!(
        agent.rows("select c1 || c2 from orders order by c1"),
        ["1a", "2b;c"]
    );

    let agent = Agent::new(
        "pipeline: { name: orders, namespace: shop }\nsource: { ndjson: {} }\n\
         sink: { connector: sqlite, database: orders.db, table: orders, key: [id] }\n",
    );
    let (feed, outcome) = agent
        .feed(b"{\"id\":1}\n\n{\"id\":2\n[3]\n{\"no\":4}\r\n{\"id\":\"5\"}")
        .await;
    outcome.unwrap();
    assert_eq!((feed.records, feed.dead), (2, 3));
    let lines: Vec<u64> = agent
        .letters()
        .await
        .into_iter()
        .map(|(line, _)| line)
        .collect();
    assert_eq!(lines, [3, 4, 5]);
}

#[tokio::test]
async fn a_dead_letter_is_edited_and_sent_again() {
    let agent = Agent::new(PIPELINE);
    let (_, outcome) = agent.feed(b"id,sku,amount\nx,a,1\n").await;
    outcome.unwrap();
    let mut sink = agent.sink().await;
    let stored = agent
        .store
        .dead_letters(None, None, Page::first(1))
        .await
        .unwrap()
        .remove(0);
    assert_eq!(letter::pipeline_of(&stored).unwrap().1, agent.pipeline.name);
    let mut attempt = async |record: &str| {
        let edited = letter::edited(&stored, record, Timestamp::now()).unwrap();
        letter::send(&edited, agent.pipeline.clone(), sink.as_mut())
            .await
            .unwrap()
    };
    for bad in ["x,a,1", "", "1,a", "1,a,1\n2,b,2", "1,\"a,1"] {
        assert!(attempt(bad).await.is_some(), "{bad:?}");
    }
    assert_eq!(attempt("7,\"fixed, now\",1").await, None);
    assert_eq!(attempt("8,,left out").await, None);
    assert_eq!(agent.rows("select id || sku from orders"), ["7fixed, now"]);
    let refused = letter::edited(&stored, &"x".repeat(2 << 20), Timestamp::now());
    assert!(matches!(refused, Err(Error::ParameterInvalid { .. })));
}

#[tokio::test]
async fn progress_is_announced_after_each_commit() {
    let agent = Agent::new(PIPELINE);
    let mut file = b"id,sku,amount\n".to_vec();
    file.extend((0..10_000).flat_map(|id| format!("{id},a,1\n").into_bytes()));
    let seen = Mutex::new(Vec::new());
    let mut sink = agent.sink().await;
    let feeding = agent.begin(0, Some(file.len() as u64)).await.unwrap();
    let total = file.len() as u64;
    let body = futures::stream::iter([Ok::<_, std::io::Error>(Bytes::from(file))]);
    let announce = |feed: &Feed, _: bool| {
        let status = super::feed_status(feed);
        seen.lock()
            .unwrap()
            .push((status.offset, status.rows, status.total));
    };
    let (_, outcome) = feed::run(
        feeding,
        &agent.store,
        sink.as_mut(),
        body,
        &announce,
        &|| true,
    )
    .await;
    outcome.unwrap();
    let seen = seen.into_inner().unwrap();
    assert!(seen.len() >= 5, "{seen:?}");
    assert!(seen.is_sorted() && seen.iter().all(|(_, _, of)| *of == total));
    assert_eq!(seen.last().unwrap(), &(total, 10_000, total));
}

/// Takes everything, slowly, and looks at how far the body was read.
struct SlowSink {
    read: Arc<AtomicU64>,
    written: u64,
    ahead_max: u64,
}

impl Sink for SlowSink {
    fn write<'a>(&'a mut self, records: &'a [Record]) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move {
            for _ in 0..200 {
                tokio::task::yield_now().await;
            }
            let ahead = self
                .read
                .load(Ordering::SeqCst)
                .saturating_sub(self.written);
            self.ahead_max = self.ahead_max.max(ahead);
            self.written += records
                .iter()
                .map(|record| record["c1"].to_string().len() as u64)
                .sum::<u64>();
            Ok(())
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_sink_holds_the_body_back() {
    let agent = Agent::new(
        "pipeline: { name: orders, namespace: shop }\nsource: { csv: { header: false } }\n\
         sink: { connector: sqlite, database: orders.db, table: orders, key: [c1] }\n",
    );
    let read = Arc::new(AtomicU64::new(0));
    let mut sink = SlowSink {
        read: read.clone(),
        written: 0,
        ahead_max: 0,
    };
    // 64 MiB of rows of 1 KiB.
    let piece = Bytes::from(format!("{}\n", "x".repeat(1023)).repeat(64));
    let body = futures::stream::iter((0..1024).map(move |_| {
        read.fetch_add(piece.len() as u64, Ordering::SeqCst);
        Ok::<_, std::io::Error>(piece.clone())
    }));
    let feeding = agent.begin(0, None).await.unwrap();
    let (feed, outcome) =
        feed::run(feeding, &agent.store, &mut sink, body, &|_, _| {}, &|| true).await;
    outcome.unwrap();
    assert_eq!(feed.records, 64 * 1024);
    // Three batches of 2 MiB and a few pieces, whatever the size of the file.
    assert!(
        sink.ahead_max < 8 * 1024 * 1024,
        "{} bytes ahead",
        sink.ahead_max
    );
}

#[tokio::test]
async fn an_agent_that_stops_takes_no_more_and_keeps_its_place() {
    let agent = Agent::new(PIPELINE);
    let mut sink = agent.sink().await;
    let feeding = agent.begin(0, None).await.unwrap();
    let body = futures::stream::pending::<Result<Bytes, std::io::Error>>();
    let (feed, outcome) = feed::run(
        feeding,
        &agent.store,
        sink.as_mut(),
        body,
        &|_, _| {},
        &|| false,
    )
    .await;
    assert!(matches!(outcome, Err(Error::ShuttingDown)));
    assert_eq!(feed.offset, 0);
}

#[tokio::test]
async fn rows_that_postgres_refuses_are_found_within_their_batch() {
    let server = Server::start(Encryption::Off).unwrap();
    server
        .query("create table orders (id int primary key, sku text, amount numeric check (amount < 1000))")
        .unwrap();
    let agent = Agent::new(
        &PIPELINE
            .replace("database: orders.db", "connection: db")
            .replace("sqlite", "postgres"),
    );
    let connection = Connection {
        name: "db".into(),
        kind: "postgres".into(),
        settings: json!({
            "host": "127.0.0.1", "port": server.port(), "database": Server::DATABASE, "user": Server::USER
        }),
        secret: Some(Server::PASSWORD.into()),
    };
    let (postgres, folders) = (Arc::new(Postgres::new()), agent.folders());
    let key = IdempotencyKey::new("shop/orders");
    let invocation = Invocation {
        key: &key,
        connection: Some(&connection),
        deadline: None,
        folders: &folders,
    };
    let mut sink = postgres
        .sink("upsert", &agent.pipeline.sink.arguments(), invocation)
        .await
        .unwrap();
    let mut file = b"id,sku,amount\n".to_vec();
    for id in 0..5_000 {
        let amount = if id % 500 == 7 { 5_000 } else { 5 };
        file.extend(format!("{id},a,{amount}\n").bytes());
    }
    let (feed, outcome) = agent
        .feed_into(sink.as_mut(), &file, 0, file.len(), 64 * 1024)
        .await;
    outcome.unwrap();
    assert_eq!((feed.records, feed.dead), (4_990, 10));
    assert_eq!(
        server
            .query("select count(*), max(amount) from orders")
            .unwrap(),
        "4990|5"
    );
    let lines: Vec<u64> = agent
        .letters()
        .await
        .into_iter()
        .map(|(line, _)| line)
        .collect();
    assert_eq!(
        lines,
        (0..10).map(|at| at * 500 + 7 + 2).collect::<Vec<u64>>()
    );

    drop(server);
    let mut more = file.clone();
    more.extend(b"1,a,1\n");
    let (_, outcome) = {
        let request = FeedRequest {
            namespace: agent.pipeline.namespace.clone(),
            name: agent.pipeline.name.clone(),
            identity: "another".into(),
            source: None,
            offset: 0,
            total: None,
            media: String::new(),
        };
        let feeding = Feeding::begin(&agent.store, agent.pipeline.clone(), &request)
            .await
            .unwrap();
        let body = futures::stream::iter([Ok::<_, std::io::Error>(Bytes::from(more))]);
        feed::run(
            feeding,
            &agent.store,
            sink.as_mut(),
            body,
            &|_, _| {},
            &|| true,
        )
        .await
    };
    let error = outcome.unwrap_err();
    assert!(
        matches!(error, Error::Sink(_)),
        "a server that is gone is no fault of the rows: {error}"
    );
    let kept = agent
        .store
        .feed("shop/orders", "another")
        .await
        .unwrap()
        .unwrap();
    assert_eq!((kept.offset, kept.dead), (0, 0));
}

/// All frames of `bytes`, pushed in pieces of these sizes, with the place behind each.
fn frames(framing: Framing, bytes: &[u8], pieces: &[usize]) -> Vec<(Vec<u8>, u64, bool, Place)> {
    let mut framer = Framer::new(framing, Place { offset: 0, line: 1 });
    let (mut found, mut rest, mut at) = (Vec::new(), bytes, 0);
    loop {
        let take = pieces
            .get(at)
            .copied()
            .unwrap_or(rest.len())
            .min(rest.len());
        let (piece, after) = rest.split_at(take);
        (rest, at) = (after, at + 1);
        framer.push(piece);
        let last = rest.is_empty();
        while let Some(frame) = framer.next(last).unwrap() {
            let (bytes, line, unclosed) = (frame.bytes.to_vec(), frame.line, frame.unclosed);
            found.push((bytes, line, unclosed, framer.place()));
        }
        if last {
            assert_eq!(
                framer.place().offset,
                bytes.len() as u64,
                "every byte is accounted for"
            );
            return found;
        }
    }
}

fn csv_bytes() -> impl Strategy<Value = Vec<u8>> {
    let symbol = prop_oneof![
        Just(b"a".as_slice()),
        Just(b",".as_slice()),
        Just(b"\"".as_slice()),
        Just(b"\n".as_slice()),
        Just(b"\r\n".as_slice()),
        Just(b"\r".as_slice()),
        Just("ö".as_bytes()),
    ];
    let marked = any::<bool>();
    (marked, proptest::collection::vec(symbol, 0..60)).prop_map(|(marked, symbols)| {
        let mark: &[u8] = if marked { b"\xEF\xBB\xBF" } else { b"" };
        [mark, &symbols.concat()].concat()
    })
}

proptest! {
    /// Law: how bytes are cut into pieces changes neither records nor places.
    #[test]
    fn pieces_do_not_matter(
        bytes in csv_bytes(),
        pieces in proptest::collection::vec(1_usize..9, 0..80),
        lines in any::<bool>(),
    ) {
        let framing = if lines { Framing::Lines } else { Framing::Csv { delimiter: b',' } };
        prop_assert_eq!(frames(framing, &bytes, &pieces), frames(framing, &bytes, &[]));
    }

    /// Law: where no quote is left open, the records are those of the `csv` crate.
    #[test]
    fn records_are_those_of_the_csv_crate(bytes in csv_bytes()) {
        let ours = frames(Framing::Csv { delimiter: b',' }, &bytes, &[]);
        prop_assume!(ours.iter().all(|(_, _, unclosed, _)| !unclosed));
        let mut fields = super::columns::Fields::new(b',');
        let ours: Vec<Vec<String>> = ours
            .iter()
            .map(|(record, ..)| {
                let text = std::str::from_utf8(record).unwrap();
                fields.split(text).into_iter().map(str::to_owned).collect()
            })
            .collect();
        let theirs: Vec<Vec<String>> = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .from_reader(&bytes[..])
            .records()
            .map(|record| record.unwrap().iter().map(str::to_owned).collect())
            .collect();
        prop_assert_eq!(ours, theirs);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Law: a body that breaks off anywhere, any number of times, and goes on at the checkpoint
    /// leaves the rows and the dead letters that one whole body leaves.
    #[test]
    fn interruptions_do_not_matter(
        rows in proptest::collection::vec((0_u32..40, "[a\n\"]{0,4}", any::<bool>()), 0..60),
        cuts in proptest::collection::vec(0.0_f64..1.0, 0..5),
        piece_bytes in 1_usize..50,
        terminator in any::<bool>(),
    ) {
        let mut file = b"id,sku,amount\n".to_vec();
        for (id, sku, bad) in &rows {
            let quoted = sku.replace('"', "\"\"");
            let amount = if *bad { "bad" } else { "1" };
            file.extend(format!("{id},\"{quoted}\",{amount}\n").bytes());
        }
        if !terminator {
            file.pop();
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async {
            let (whole, broken) = (Agent::new(PIPELINE), Agent::new(PIPELINE));
            let (expected, outcome) = whole.feed(&file).await;
            outcome.unwrap();
            let mut sink = broken.sink().await;
            let mut ends: Vec<usize> = cuts.iter().map(|cut| (cut * file.len() as f64) as usize).collect();
            ends.sort_unstable();
            ends.push(file.len());
            let mut offset = 0;
            let mut last = None;
            for end in ends {
                if end as u64 >= offset {
                    let (feed, outcome) = broken.feed_into(sink.as_mut(), &file, offset, end, piece_bytes).await;
                    outcome.unwrap();
                    offset = feed.offset;
                    last = Some(feed);
                }
            }
            let last = last.unwrap();
            assert!(last.complete, "{last:?}");
            assert_eq!((last.offset, last.records, last.dead), (expected.offset, expected.records, expected.dead));
            assert_eq!(broken.letters().await, whole.letters().await);
            let sql = "select coalesce(group_concat(id || ' ' || sku || ' ' || amount, ';'), '') from (select * from orders order by id)";
            if expected.records > 0 {
                assert_eq!(broken.rows(sql), whole.rows(sql));
            }
        });
    }
}
