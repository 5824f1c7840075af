//! The connector through its public face, in real folders.

use std::path::Path;

use flame_connector::{Connector, Fault, FaultKind, Folders, Invocation};
use flame_types::IdempotencyKey;
use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::File;

/// A workspace whose output folder stands beside a folder that nobody may touch.
struct Workspace {
    folder: TempDir,
    folders: Folders,
}

impl Workspace {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let folders = Folders {
            output: folder.path().join("output"),
            databases: folder.path().join("databases"),
        };
        for made in ["output", "databases", "outside"] {
            std::fs::create_dir(folder.path().join(made)).unwrap();
        }
        Self { folder, folders }
    }

    async fn write(&self, path: &str, content: Value) -> Result<Value, Fault> {
        let key = IdempotencyKey::new("run/task");
        let invocation = Invocation {
            key: &key,
            connection: None,
            deadline: None,
            folders: &self.folders,
        };
        File::new()
            .invoke(
                "write",
                &json!({ "path": path, "content": content }),
                invocation,
            )
            .await
    }

    fn outside_is_empty(&self) -> bool {
        std::fs::read_dir(self.folder.path().join("outside"))
            .unwrap()
            .next()
            .is_none()
            && std::fs::read_dir(self.folder.path()).unwrap().count() == 3
    }
}

fn files_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn paths_that_leave_the_folder_are_refused() {
    let workspace = Workspace::new();
    let long = "x".repeat(256);
    let deep = "a/".repeat(16) + "b";
    for path in [
        "",
        "/",
        "/etc/passwd",
        "..",
        ".",
        "../x",
        "a/../../x",
        "a/..",
        "a//b",
        "a/",
        "./a",
        "a\\b",
        "C:\\x",
        "c:x",
        "a\0b",
        "a\nb",
        long.as_str(),
        deep.as_str(),
    ] {
        let fault = workspace.write(path, json!("x")).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Validation, "{path:?}: {fault}");
    }
    assert!(workspace.outside_is_empty());
    assert!(files_in(&workspace.folders.output).is_empty());
}

#[cfg(unix)]
#[tokio::test]
async fn links_do_not_lead_out_of_the_folder() {
    use std::os::unix::fs::symlink;
    let workspace = Workspace::new();
    let output = &workspace.folders.output;
    let outside = workspace.folder.path().join("outside");
    symlink(&outside, output.join("absolute")).unwrap();
    symlink("../outside", output.join("relative")).unwrap();
    symlink("loop", output.join("loop")).unwrap();
    for path in ["absolute/x", "relative/x", "relative/made/x", "loop/x"] {
        let fault = workspace.write(path, json!("x")).await.unwrap_err();
        assert_ne!(fault.kind, FaultKind::Communication, "{path}: {fault}");
    }
    assert!(workspace.outside_is_empty());

    // A link in the file's own place is replaced; what it pointed to is not written.
    let victim = outside.join("victim");
    std::fs::write(&victim, "kept").unwrap();
    symlink(&victim, output.join("file.txt")).unwrap();
    workspace.write("file.txt", json!("new")).await.unwrap();
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "kept");
    assert_eq!(
        std::fs::read_to_string(output.join("file.txt")).unwrap(),
        "new"
    );
    assert!(!output.join("file.txt").is_symlink());
}

#[tokio::test]
async fn wrong_arguments_name_what_is_wrong() {
    let workspace = Workspace::new();
    let key = IdempotencyKey::new("run/task");
    let invocation = Invocation {
        key: &key,
        connection: None,
        deadline: None,
        folders: &workspace.folders,
    };
    for (arguments, word) in [
        (json!({}), "path"),
        (json!({"path": "a"}), "content"),
        (json!({"path": 1, "content": 1}), "string"),
        (json!({"path": "a", "content": 1, "append": true}), "append"),
    ] {
        let fault = File::new()
            .invoke("write", &arguments, invocation)
            .await
            .unwrap_err();
        assert!(fault.detail.contains(word), "{arguments}: {fault}");
    }
    let huge = "x".repeat(crate::config::CONTENT_BYTES_MAX + 1);
    assert_eq!(
        workspace.write("a", json!(huge)).await.unwrap_err().kind,
        FaultKind::Validation
    );
}

#[tokio::test]
async fn text_is_kept_json_is_indented_and_only_the_file_is_left() {
    let workspace = Workspace::new();
    let output = &workspace.folders.output;
    let answer = workspace
        .write("reports/2026/a.json", json!({"b": 1, "a": [2]}))
        .await
        .unwrap();
    let text = std::fs::read_to_string(output.join("reports/2026/a.json")).unwrap();
    assert_eq!(text, "{\n  \"b\": 1,\n  \"a\": [\n    2\n  ]\n}\n");
    assert_eq!(
        answer,
        json!({"path": "reports/2026/a.json", "bytes": text.len()})
    );
    workspace
        .write("reports/2026/a.json", json!("no newline added"))
        .await
        .unwrap();
    let text = std::fs::read_to_string(output.join("reports/2026/a.json")).unwrap();
    assert_eq!(text, "no newline added");
    assert_eq!(files_in(&output.join("reports/2026")), ["a.json"]);
}

#[tokio::test]
async fn a_folder_or_file_in_the_way_is_kept() {
    let workspace = Workspace::new();
    workspace.write("folder/a.txt", json!("a")).await.unwrap();
    let fault = workspace.write("folder", json!("x")).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Validation, "{fault}");
    let fault = workspace
        .write("folder/a.txt/b", json!("x"))
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Validation, "{fault}");
    assert_eq!(
        std::fs::read_to_string(workspace.folders.output.join("folder/a.txt")).unwrap(),
        "a"
    );
}

#[tokio::test]
async fn a_reader_sees_the_old_file_or_the_new_one() {
    let workspace = Workspace::new();
    let contents = [json!("a".repeat(1 << 20)), json!("b".repeat(1 << 20))];
    workspace.write("big", contents[0].clone()).await.unwrap();
    let file = workspace.folders.output.join("big");
    let reader = tokio::task::spawn_blocking(move || {
        for _ in 0..50 {
            let text = std::fs::read(&file).unwrap();
            assert!(text.len() == 1 << 20 && text.iter().all(|byte| *byte == text[0]));
        }
    });
    while !reader.is_finished() {
        for content in &contents {
            workspace.write("big", content.clone()).await.unwrap();
        }
    }
    reader.await.unwrap();
}

#[tokio::test]
async fn the_check_says_when_the_folder_is_gone() {
    let mut workspace = Workspace::new();
    assert!(crate::check::run(&workspace.folders).await.passed());
    assert!(files_in(&workspace.folders.output).is_empty());
    workspace.folders.output = workspace.folder.path().join("gone");
    assert!(!crate::check::run(&workspace.folders).await.passed());
    let fault = workspace.write("a", json!(1)).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Configuration, "{fault}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Law: whatever the path, either it is refused or exactly that file is below the folder.
    #[test]
    fn nothing_is_ever_written_outside(path in "[a./\\\\: ~\u{e4}]{0,12}") {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let workspace = Workspace::new();
            let written = workspace.write(&path, json!("x")).await;
            assert!(workspace.outside_is_empty());
            if written.is_ok() {
                let file = workspace.folders.output.join(&path);
                assert!(file.is_file(), "{path:?}");
            }
        });
    }
}
