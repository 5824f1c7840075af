//! A file in the inbox becomes rows; a bad row waits, is repaired and sent again.

use std::path::Path;

use flame_ipc::*;

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
