//! The examples of the offline help give what their pages say.

use std::time::Duration;

use flame_agent::runtime::StartRequest;
use serde_json::Value;

use crate::runtime::{PATIENCE, open, output};

#[tokio::test]
async fn every_example_of_the_help_gives_what_its_page_says() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    for page in flame_dsl::help_pages() {
        let example = page.example().expect("a page has an example");
        let (deployed, _) = handle
            .deploy(example.document, "application/yaml", None)
            .await
            .unwrap_or_else(|error| panic!("{}: {error}", page.keyword));
        let input: Value = serde_json::from_str(example.input).unwrap();
        let expected: Value = serde_json::from_str(example.output).unwrap();
        let request = StartRequest::new(deployed.workflow.id.clone(), input);
        let ended = handle.start_and_wait(request, PATIENCE).await.unwrap().run;
        assert_eq!(output(&ended), expected, "{}", page.keyword);
    }
    handle.drain(Duration::ZERO).await;
}
