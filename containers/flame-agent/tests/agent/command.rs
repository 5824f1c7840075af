//! The command line: what stands on stdout and stderr, and the exit code.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use flame_store::{Options, Store};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::runtime::document;
use crate::server::{Server, json as answer};

const HELLO: &str = "
- greet: { set: { message: '${ \"Hello \" + .name }', n: 3 } }
- choose:
    switch:
      - big: { when: .n > 2, then: large }
      - small: { then: end }
- large: { set: { size: large, was: '${ .message }' } }";

pub(crate) fn agent() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flame-agent"));
    command.stdin(Stdio::null());
    command
}

/// A folder with a definition in it.
struct Place {
    folder: tempfile::TempDir,
    file: PathBuf,
}

impl Place {
    fn with(text: impl AsRef<[u8]>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("workflow.yaml");
        std::fs::write(&file, text).unwrap();
        Self { folder, file }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        agent()
            .arg("run")
            .arg(&self.file)
            .args(arguments)
            .output()
            .unwrap()
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }
}

fn stdout(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(0), "{}", stderr(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn last_line(output: &Output) -> Value {
    let text = stderr(output);
    serde_json::from_str(text.lines().last().unwrap())
        .unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn a_run_prints_its_output_and_nothing_else() {
    let place = Place::with(document("hello", HELLO));
    let output = place.run(&["--input", r#"{"name":"Ann"}"#]);
    assert_eq!(
        stdout(&output),
        json!({"size": "large", "was": "Hello Ann"})
    );
    assert_eq!(stderr(&output), "");
}

#[test]
fn an_input_comes_from_the_line_a_file_or_stdin() {
    let place = Place::with(document("echo", "- say: { set: { got: '${ .name }' } }"));
    let input = place.folder.path().join("input.json");
    std::fs::write(&input, r#"{"name":"file"}"#).unwrap();
    let given = format!("@{}", input.display());
    assert_eq!(
        stdout(&place.run(&["--input", &given])),
        json!({"got": "file"})
    );
    let mut child = agent()
        .arg("run")
        .arg(&place.file)
        .args(["--input", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(br#"{"name":"stdin"}"#)
        .unwrap();
    assert_eq!(
        stdout(&child.wait_with_output().unwrap()),
        json!({"got": "stdin"})
    );
    for bad in ["{", "@/nowhere/at/all.json", "@"] {
        let output = place.run(&["--input", bad]);
        assert_eq!(output.status.code(), Some(3), "{bad}");
        assert!(
            stderr(&output).contains("input") || stderr(&output).contains("can't be read"),
            "{bad}"
        );
    }
}

#[test]
fn a_secret_comes_from_a_file_and_is_not_printed() {
    let text = document(
        "hidden",
        "- say: { set: { got: 'is ${ $secrets.key.part }' } }",
    );
    let place = Place::with(format!("{text}use: {{ secrets: [key] }}\n"));
    let file = place.folder.path().join("key.json");
    std::fs::write(&file, "{\"part\": \"canary-4711\"}\n").unwrap();
    let given = format!("key=@{}", file.display());
    let output = place.run(&["--secret", &given]);
    assert_eq!(stdout(&output), json!({"got": "is ***"}));
    let output = place.run(&[]);
    assert_eq!(output.status.code(), Some(1));
    let detail = last_line(&output)["detail"].to_string();
    assert!(detail.contains("--secret key=@FILE"), "{detail}");
    let output = place.run(&["--secret", "key=plain"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).contains("apiKey=@key.txt"));
}

#[test]
fn a_fault_is_the_last_line_of_stderr() {
    let raise = "- stop: { raise: { error: { type: 'https://shop.example/sold-out', status: 409, title: Sold out, detail: 'none left' } } }";
    let place = Place::with(document("stop", raise));
    let output = place.run(&[]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(output.stdout, b"");
    let error = last_line(&output);
    assert_eq!(error["type"], "https://shop.example/sold-out");
    assert_eq!(
        (&error["status"], &error["instance"]),
        (&json!(409), &json!("/do/0/stop"))
    );
    assert_eq!(
        (&error["title"], &error["detail"]),
        (&json!("Sold out"), &json!("none left"))
    );
}

#[test]
fn an_invalid_definition_names_every_problem_with_its_place() {
    let broken = document(
        "broken",
        "- a: { set: { x: 1 }, then: nowhere }\n- a: { sett: { x: 1 } }",
    );
    let place = Place::with(broken);
    for output in [
        place.run(&[]),
        agent().arg("validate").arg(&place.file).output().unwrap(),
    ] {
        assert_eq!(output.status.code(), Some(2));
        assert_eq!(output.stdout, b"");
        let text = stderr(&output);
        assert!(
            text.contains("workflow.yaml:3:") && text.contains("workflow.yaml:4:"),
            "{text}"
        );
        assert!(text.contains("nowhere") && text.contains("sett"), "{text}");
    }
}

#[test]
fn bad_definitions_are_refused_in_bounded_time() {
    let nested = format!("do: {}", "[".repeat(10_000));
    let large = vec![b'#'; 100 * 1024 * 1024];
    for (text, word) in [
        (b"document: {".to_vec(), "not closed"),
        (nested.into_bytes(), "deep"),
        (large, "bytes"),
        (vec![0xff, 0xfe, 0x00], "UTF-8"),
        (Vec::new(), "workflow.yaml:1"),
    ] {
        let place = Place::with(&text);
        for output in [
            place.run(&[]),
            agent().arg("validate").arg(&place.file).output().unwrap(),
        ] {
            assert_eq!(output.status.code(), Some(2), "{word}");
            let told = stderr(&output);
            assert!(told.contains(word) && told.len() < 20_000, "{word}: {told}");
        }
    }
}

#[test]
fn validate_tells_of_every_file() {
    let good = Place::with(document("hello", HELLO));
    let bad = Place::with("document: {}");
    let run = |files: &[&Path]| agent().arg("validate").args(files).output().unwrap();
    let output = run(&[&good.file]);
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stdout).contains("valid"));
    assert_eq!(run(&[&bad.file, &good.file]).status.code(), Some(2));
    let nowhere = Path::new("/nowhere/at/all.yaml");
    let output = run(&[nowhere, &bad.file]);
    assert_eq!(output.status.code(), Some(3));
    assert!(
        stderr(&output).contains("/nowhere/at/all.yaml")
            && stderr(&output).contains("workflow.yaml:")
    );
}

#[test]
fn what_stops_the_command_is_exit_3() {
    let place = Place::with(document("hello", HELLO));
    for arguments in [
        &["run", "/nowhere/at/all.yaml"][..],
        &["run"],
        &["dance"],
        &["run", "--log", "=="],
        &["serve", "--data-dir", "/nowhere", "--in-flight-max", "0"],
        &[
            "run",
            place.file.to_str().unwrap(),
            "--input",
            "-",
            "--secret",
            "a=-",
        ],
    ] {
        assert_eq!(
            agent().args(arguments).output().unwrap().status.code(),
            Some(3),
            "{arguments:?}"
        );
    }
    assert_eq!(
        agent().arg("--help").output().unwrap().status.code(),
        Some(0)
    );
    let data = place.data();
    let store = Store::open(&Options::new(&data, flame_types::Timestamp::now)).unwrap();
    let output = place.run(&["--data-dir", data.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).contains("MD-304"), "{}", stderr(&output));
    store.close();
}

/// What the run gave is gone then, so the command must not look well.
#[cfg(target_os = "linux")]
#[test]
fn an_output_that_can_not_be_written_is_exit_3() {
    let place = Place::with(document("hello", HELLO));
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let output = agent()
        .arg("run")
        .arg(&place.file)
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("output is lost"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_pipeline_is_no_workflow_to_run() {
    let sample = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../src-tauri/crates/flame-workspace/samples/folder-to-table.yaml"
    );
    let output = agent().args(["run", sample]).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(
        stderr(&output).contains("is a pipeline"),
        "{}",
        stderr(&output)
    );
    assert_eq!(stderr(&output).lines().count(), 1);
}

/// Journals hold what the workflows were given: nobody else on the machine reads them.
#[cfg(unix)]
#[test]
fn a_data_folder_and_its_database_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::with(document("hello", HELLO));
    let data = place.data();
    stdout(&place.run(&["--data-dir", data.to_str().unwrap()]));
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    assert_eq!(mode(&data.join(flame_store::FILE_NAME)), 0o600);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_goes_out_and_its_answer_comes_back() {
    let server = Server::saying(answer("200 OK", r#"{"stock": 4}"#)).await;
    let tasks = format!(
        "- ask: {{ call: http, with: {{ method: get, endpoint: '{}' }} }}",
        server.url("/s")
    );
    let place = Place::with(document("ask", &tasks));
    let output = tokio::task::spawn_blocking(move || place.run(&[]))
        .await
        .unwrap();
    assert_eq!(stdout(&output), json!({"stock": 4}));
    assert_eq!(server.asked()[0].path(), "/s");
}

/// `kill -9` of a run whose call is under way: the next command on the folder says that something is
/// unfinished, and takes it to its end under the same key.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_kill_left_unfinished_goes_on_with_the_folder() {
    let (said, ended) = tokio::sync::watch::channel(false);
    let server = Server::start(move |number, asked, mut stream| {
        let (said, mut ended) = (said.clone(), ended.clone());
        async move {
            match asked.path() {
                "/last" => {
                    said.send_replace(true);
                }
                // The second command's own run ends after the first one has.
                "/other" => {
                    let _ = ended.wait_for(|ended| *ended).await;
                }
                _ if number == 0 => std::future::pending().await,
                _ => {}
            }
            let _ = stream.write_all(&answer("200 OK", "{}")).await;
        }
    })
    .await;
    let tasks = format!(
        "- first: {{ call: http, with: {{ method: post, endpoint: '{}' }} }}\n- last: {{ call: http, with: {{ method: post, endpoint: '{}' }} }}",
        server.url("/first"),
        server.url("/last")
    );
    let place = Place::with(document("two", &tasks));
    let data = place.data();
    let mut child = agent()
        .arg("run")
        .arg(&place.file)
        .arg("--data-dir")
        .arg(&data)
        .spawn()
        .unwrap();
    server.until(1).await;
    child.kill().unwrap();
    child.wait().unwrap();
    let wait = Place::with(document(
        "wait",
        &format!(
            "- ask: {{ call: http, with: {{ method: get, endpoint: '{}' }} }}",
            server.url("/other")
        ),
    ));
    let again = tokio::task::spawn_blocking(move || {
        agent()
            .args(["run", "--data-dir"])
            .arg(&data)
            .arg(&wait.file)
            .output()
            .unwrap()
    });
    let output = tokio::time::timeout(crate::runtime::PATIENCE, again)
        .await
        .unwrap()
        .unwrap();
    assert!(
        stderr(&output).contains("1 unfinished"),
        "{}",
        stderr(&output)
    );
    stdout(&output);
    let keys: Vec<_> = server
        .asked()
        .iter()
        .filter(|asked| asked.path() == "/first")
        .map(|asked| asked.header("idempotency-key"))
        .collect();
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0], keys[1]);
}

#[test]
fn a_tour_shows_every_task_and_the_rows_on_a_terminal() {
    let output = agent().arg("tour").output().unwrap();
    let told = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    for task in [
        "Compute totals",
        "Choose shipping",
        "Ship small order",
        "Fulfil",
        "Reserve stock",
        "Upsert order",
        "Ship order",
        "Write result",
    ] {
        for side in [format!("\n> {task}  ("), format!("\n< {task}  (")] {
            let (_, rest) = told.split_once(&side).unwrap_or_else(|| panic!("{told}"));
            let shown = rest.lines().nth(1).unwrap();
            assert!(shown.starts_with("    "), "{side} shows its value: {told}");
        }
    }
    let (_, rows) = told
        .split_once("\nRows in orders.db, table orders:\n")
        .unwrap();
    assert!(rows.contains("ord-1001"), "{rows}");
}

#[test]
fn files_that_would_be_lost_are_mentioned() {
    let write =
        "- write: { call: 'file.write:1.0.0@default', with: { path: a.json, content: { x: 1 } } }";
    let place = Place::with(document("write", write));
    let output = place.run(&[]);
    stdout(&output);
    assert!(
        stderr(&output).contains("--output-dir"),
        "{}",
        stderr(&output)
    );
    let kept = place.folder.path().join("kept");
    let output = place.run(&["--output-dir", kept.to_str().unwrap()]);
    stdout(&output);
    assert!(kept.join("a.json").is_file());
    assert_eq!(stderr(&output), "");
}

#[test]
fn a_backup_restores_a_damaged_folder() {
    let place = Place::with(document("hello", HELLO));
    let data = place.data();
    let data_text = data.to_str().unwrap();
    stdout(&place.run(&["--data-dir", data_text, "--input", r#"{"name":"Ann"}"#]));
    let copy = place.folder.path().join("copy.db");
    let backup = || {
        agent()
            .args(["backup", "--data-dir", data_text])
            .arg(&copy)
            .output()
            .unwrap()
    };
    assert_eq!(backup().status.code(), Some(0));
    assert_eq!(
        backup().status.code(),
        Some(3),
        "an existing file is not overwritten"
    );
    std::fs::write(
        data.join(flame_store::FILE_NAME),
        "not a database, but long enough to look like one",
    )
    .unwrap();
    let output = place.run(&["--data-dir", data_text]);
    assert_eq!(output.status.code(), Some(3));
    assert!(
        stderr(&output).contains("MD-302") && stderr(&output).contains("backups"),
        "{}",
        stderr(&output)
    );
    let restored = agent()
        .args(["restore", "--data-dir", data_text, "--from"])
        .arg(&copy)
        .output()
        .unwrap();
    assert_eq!(restored.status.code(), Some(0), "{}", stderr(&restored));
    stdout(&place.run(&["--data-dir", data_text, "--input", r#"{"name":"Ann"}"#]));
}
