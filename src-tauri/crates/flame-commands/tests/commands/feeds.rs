//! A file in the inbox becomes rows; a bad row waits, is repaired and sent again.

use std::path::Path;

use flame_errors::Code;
use flame_ipc::*;

use crate::connections::sqlite;
use crate::stage::{Stage, folder};

async fn done(stage: &Stage, file: &str) -> FeedFile {
    let file = file.to_owned();
    stage
        .event(move |event| match event {
            Event::FeedProgress(progress)
                if progress.file.file == file && progress.file.state == FeedState::Done =>
            {
                Some(progress.file)
            }
            Event::FeedProgress(progress) if progress.file.state == FeedState::Failed => {
                panic!("{:?}", progress.file.error)
            }
            _ => None,
        })
        .await
}

fn letters() -> DeadLettersList {
    DeadLettersList {
        source: None,
        text: None,
        cursor: None,
        limit: 50,
    }
}

fn drop_sample(data: &Path, name: &str) {
    std::fs::copy(
        data.join("samples/customers.csv"),
        data.join("inbox").join(name),
    )
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_file_becomes_rows_and_its_bad_row_can_be_repaired() {
    let folder = folder();
    let stage = Stage::open(folder.path()).await;
    let data = folder.path().join("data");
    drop_sample(&data, "new.csv");
    let file = done(&stage, "new.csv").await;
    assert_eq!(file.bytes_done, file.bytes);
    assert!(file.rows.get() > 0);
    assert_eq!(file.rows_dead.get(), 1);

    let page = stage.run(letters()).await.unwrap();
    assert_eq!(page.total.get(), 1);
    let letter = &page.items[0];
    assert_eq!(letter.title, "Folder to table");
    assert!(letter.line.is_some() && letter.document_id.is_some() && !letter.error.is_empty());
    let found = DeadLettersList {
        text: Some("no such words".to_owned()),
        ..letters()
    };
    assert!(stage.run(found).await.unwrap().items.is_empty());

    let send = || DeadLettersSend {
        ids: vec![letter.id.clone()],
    };
    let sent = stage.run(send()).await.unwrap();
    assert_eq!(
        (sent.sent.get(), sent.came_back.get()),
        (0, 1),
        "it is still bad"
    );
    let record = "901,Repaired Row,repaired@example.com,Berlin,1.5".to_owned();
    let edit = DeadLetterEdit {
        id: letter.id.clone(),
        record,
    };
    assert!(stage.run(edit).await.unwrap().edited);
    let sent = stage.run(send()).await.unwrap();
    assert_eq!((sent.sent.get(), sent.came_back.get()), (1, 0));
    assert_eq!(stage.run(letters()).await.unwrap().total.get(), 0);

    let feeds = stage.run(FeedsList {}).await.unwrap();
    assert_eq!(feeds[0].files[0].state, FeedState::Done);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_came_while_the_app_was_closed_is_found_and_one_that_is_done_is_not_read_again()
{
    let folder = folder();
    let stage = Stage::open(folder.path()).await;
    let data = folder.path().join("data");
    drop_sample(&data, "one.csv");
    done(&stage, "one.csv").await;
    stage.close().await;

    drop_sample(&data, "two.csv");
    let stage = Stage::open(folder.path()).await;
    done(&stage, "two.csv").await;
    // The bad row of the first file was not read a second time.
    assert_eq!(stage.run(letters()).await.unwrap().total.get(), 2);
    let ids = stage
        .run(letters())
        .await
        .unwrap()
        .items
        .into_iter()
        .map(|letter| letter.id);
    let discard = DeadLettersDiscard { ids: ids.collect() };
    assert_eq!(stage.run(discard).await.unwrap().get(), 2);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_refused_for_its_connection_goes_in_once_that_is_there() {
    let folder = folder();
    let stage = Stage::open(folder.path()).await;
    let text = "pipeline: {namespace: test, name: rows, version: 1.0.0}\n\
                watch: {folder: inbox/rows, pattern: '*.csv'}\n\
                source: {csv: {header: true}}\n\
                sink: {connector: sqlite, connection: tables, table: rows, key: [id]}\n";
    let create = DocumentCreate {
        kind: DocumentKind::Pipeline,
        text: text.to_owned(),
    };
    let rows = stage.run(create).await.unwrap();
    let inbox = folder.path().join("data/inbox/rows");
    std::fs::create_dir_all(&inbox).unwrap();
    deploy(&stage, &rows).await;
    std::fs::write(inbox.join("new.csv"), "id\n1\n").unwrap();
    let refused = stage.event(|event| match event {
        Event::FeedProgress(progress) if progress.file.state == FeedState::Failed => {
            progress.file.error
        }
        _ => None,
    });
    let error = refused.await;
    assert!(error.is(Code::ConnectionUnknown), "{error}");

    let save = sqlite(folder.path(), "tables");
    stage.run(save).await.unwrap();
    assert_eq!(done(&stage, "new.csv").await.rows.get(), 1);
    stage.close().await;
}

async fn pipeline(stage: &Stage, name: &str, watched: &str) -> DocumentSummary {
    let text = format!(
        "pipeline: {{namespace: test, name: {name}, version: 1.0.0}}\n\
         watch: {{folder: {watched}, pattern: '*.csv'}}\n\
         source: {{csv: {{header: true}}}}\n\
         sink: {{connector: sqlite, database: rows.db, table: {name}, key: [id]}}\n"
    );
    let kind = DocumentKind::Pipeline;
    stage.run(DocumentCreate { kind, text }).await.unwrap()
}

async fn deploy(stage: &Stage, document: &DocumentSummary) {
    let id = document.id.clone();
    stage.run(DocumentDeploy { id }).await.unwrap();
}

fn open(document: &DocumentSummary) -> FeedOpenFolder {
    FeedOpenFolder {
        document_id: document.id.clone(),
    }
}

async fn feed(stage: &Stage, document: &DocumentSummary) -> Feed {
    let feeds = stage.run(FeedsList {}).await.unwrap();
    let found = feeds
        .into_iter()
        .find(|feed| feed.document_id == document.id);
    found.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_folder_that_opens_is_the_one_that_the_deployed_pipeline_watches() {
    let folder = folder();
    let stage = Stage::open(folder.path()).await;
    let data = folder.path().join("data");
    let elsewhere = folder.path().join("elsewhere");
    let below = pipeline(&stage, "below", "inbox/below").await;
    let outside = pipeline(&stage, "outside", elsewhere.to_str().unwrap()).await;
    deploy(&stage, &below).await;
    deploy(&stage, &outside).await;
    assert!(!elsewhere.exists());

    stage.run(open(&below)).await.unwrap();
    stage.run(open(&outside)).await.unwrap();
    assert_eq!(
        stage.opened(),
        [data.join("inbox/below"), elsewhere.clone()]
    );

    // What is typed and not deployed is not watched.
    let id = outside.id.clone();
    let text = stage.run(DocumentGet { id }).await.unwrap();
    let save = DocumentSave {
        id: outside.id.clone(),
        text: text.text.replace("/elsewhere", "/typed"),
        base_revision: text.summary.revision,
    };
    stage.run(save).await.unwrap();
    stage.run(open(&outside)).await.unwrap();
    assert_eq!(stage.opened(), [elsewhere]);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_was_missing_is_made_and_then_watched() {
    let folder = folder();
    let stage = Stage::open(folder.path()).await;
    let rows = pipeline(&stage, "rows", "rows").await;
    deploy(&stage, &rows).await;
    let told = |event| match event {
        Event::DocumentsChanged(changed) if changed.ids == [rows.id.clone()] => Some(()),
        _ => None,
    };
    while feed(&stage, &rows).await.error.is_none() {
        stage.event(told).await;
    }
    stage.run(open(&rows)).await.unwrap();
    while feed(&stage, &rows).await.error.is_some() {
        stage.event(told).await;
    }
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_folder_can_be_opened_it_is_said_why() {
    let folder = folder();
    let stage = Stage::open(folder.path()).await;
    let rows = pipeline(&stage, "rows", "in-the-way/rows").await;

    let error = stage.run(open(&rows)).await.unwrap_err();
    assert!(error.is(Code::NotFound), "{error}");
    assert!(error.detail.contains("test/rows") && error.hint.is_some());

    deploy(&stage, &rows).await;
    let file = folder.path().join("data/in-the-way");
    std::fs::write(&file, "a file").unwrap();
    let error = stage.run(open(&rows)).await.unwrap_err();
    assert!(error.is(Code::WatchFailed), "{error}");
    assert!(error.detail.contains("in-the-way/rows") && error.hint.is_some());

    let documents = stage.run(DocumentsList {}).await.unwrap();
    let orders = documents.iter().find(|known| known.name == "orders");
    let error = stage.run(open(orders.unwrap())).await.unwrap_err();
    assert!(error.is(Code::NotFound), "{error}");
    assert_eq!(stage.opened(), Vec::<std::path::PathBuf>::new());
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sample_says_which_file_comes_with_it_and_its_columns_are_all_that_a_file_needs() {
    let folder = folder();
    let stage = Stage::open(folder.path()).await;
    let data = folder.path().join("data");
    let documents = stage.run(DocumentsList {}).await.unwrap();
    let sample = documents
        .iter()
        .find(|known| known.name == "folder-to-table");
    let sample = sample.unwrap();
    let id = sample.id.clone();
    let text = stage.run(DocumentGet { id }).await.unwrap();
    let told = feed(&stage, sample).await.sample.unwrap();
    assert_eq!(Path::new(&told.path), data.join("samples/customers.csv"));
    assert_eq!(told.columns, ["id", "name", "email", "city", "spent"]);

    let file = format!(
        "{}\n7,Own,own@example.com,Berlin,1\n",
        told.columns.join(",")
    );
    std::fs::write(data.join("inbox/own.csv"), file).unwrap();
    let own = done(&stage, "own.csv").await;
    assert_eq!((own.rows.get(), own.rows_dead.get()), (1, 0));
    for column in &told.columns {
        let read = format!(".{column}");
        assert!(text.text.contains(&read), "the map does not read {read}");
    }

    // Of a sample that was changed nobody knows what it needs.
    let save = DocumentSave {
        id: sample.id.clone(),
        text: text.text.replace(".spent", ".paid"),
        base_revision: text.summary.revision,
    };
    stage.run(save).await.unwrap();
    assert!(feed(&stage, sample).await.sample.is_some(), "not deployed");
    deploy(&stage, sample).await;
    assert_eq!(feed(&stage, sample).await.sample, None);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sample_file_that_was_removed_is_not_named() {
    let folder = folder();
    let stage = Stage::open(folder.path()).await;
    std::fs::remove_file(folder.path().join("data/samples/customers.csv")).unwrap();
    let feeds = stage.run(FeedsList {}).await.unwrap();
    assert_eq!(feeds[0].sample, None);
    stage.close().await;
}
