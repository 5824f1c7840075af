//! `run`: one workflow from a file, to its end.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::time::Duration;

use flame_dsl::DocumentKind;
use flame_engine::StandardError;
use flame_store::{Error as StoreError, Page, Run};
use flame_types::RunStatus;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::watch;

use super::arguments::Run as Arguments;
use super::{Exit, signals, source, stopped, terminal, validate};
use crate::runtime::{Error, Handle, Held, StartRequest};

/// How long calls that are under way may go on after the run has ended.
const PATIENCE: Duration = Duration::from_secs(5);
/// One wait for the end; as often as it takes.
const WAIT: Duration = Duration::from_secs(3_600);
/// Unfinished runs that are counted.
const UNFINISHED_MAX: usize = 1_000;

pub(super) async fn run(arguments: Arguments) -> Exit {
    match try_run(&arguments).await {
        Ok(exit) => exit,
        Err(detail) => {
            terminal::complain(&detail);
            Exit::Stopped
        }
    }
}

async fn try_run(arguments: &Arguments) -> Result<Exit, String> {
    check_stdin(arguments)?;
    let file = &arguments.file;
    let bytes = source::definition(file)?;
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let problems = flame_dsl::parse_bytes(error.as_bytes(), source::format(file));
            validate::tell(file, &problems.err().unwrap_or_default());
            return Ok(Exit::Invalid);
        }
    };
    if flame_dsl::document_kind(&text, source::format(file)) == DocumentKind::Pipeline {
        return Err(format!(
            "{} is a pipeline, and `run` takes a workflow; put it to an agent that serves, and feed it there",
            file.display()
        ));
    }
    let examined = flame_dsl::examine(&text, source::format(file));
    validate::tell(file, &examined.problems);
    let Some(workflow) = examined.value else {
        return Ok(Exit::Invalid);
    };
    let input = source::input(&arguments.input)?;
    let request = match arguments.test.plan()? {
        None => StartRequest::new(workflow.id, input),
        Some(plan) => StartRequest::test(workflow.id, input, plan),
    };
    let (folder, temporary) = data_folder(arguments)?;
    let mut options = arguments.options(folder);
    for (name, from) in &arguments.secret {
        options.secrets.push((name.clone(), source::secret(from)?));
    }
    let output_folder = options.output_folder.clone();
    let stop =
        signals::listen().map_err(|error| format!("signals can't be listened for: {error}"))?;
    let handle = Handle::open(options).await.map_err(stopped)?;
    report_unfinished(&handle).await;
    let finished = tokio::select! {
        // First, so that what held the run is said to be over before the run ends.
        biased;
        never = tell_of_holds(handle.held()) => match never {},
        finished = drive(&handle, &text, file, request) => finished.map_err(stopped),
        signal = stop => Err(interrupted(signal, is_held(&handle.held().borrow()), arguments)),
    };
    handle.drain(PATIENCE).await;
    if arguments.loses_files() && has_files(&output_folder) {
        terminal::say(
            "note: the files that the workflow wrote go with the temporary folder; keep them with \
             --output-dir or --data-dir",
        );
    }
    // A temporary folder goes before the last word, which must stay the last.
    drop(temporary);
    finished.and_then(|run| tell(&run))
}

/// The first reader of stdin takes it all; the others would get nothing, without a word.
fn check_stdin(arguments: &Arguments) -> Result<(), String> {
    let secrets = arguments.secret.iter().filter(|(_, from)| from == "-");
    let readers = usize::from(arguments.input == "-") + secrets.count();
    if readers <= 1 {
        return Ok(());
    }
    Err(format!(
        "stdin can be read once, and `-` is given {readers} times in --input and --secret; give the others \
         as @FILE"
    ))
}

/// The given folder, or one that goes when the command ends.
fn data_folder(arguments: &Arguments) -> Result<(PathBuf, Option<TempDir>), String> {
    if let Some(folder) = &arguments.data_dir {
        return Ok((folder.clone(), None));
    }
    let temporary = tempfile::Builder::new()
        .prefix("flame-agent-")
        .tempdir()
        .map_err(|error| stopped(flame_store::failed("create", &std::env::temp_dir(), &error)))?;
    Ok((temporary.path().to_owned(), Some(temporary)))
}

/// Starts the run and waits for its end.
async fn drive(
    handle: &Handle,
    text: &str,
    file: &Path,
    request: StartRequest,
) -> Result<Run, Error> {
    let content_type = match source::format(file) {
        flame_dsl::Format::Json => "application/json",
        flame_dsl::Format::Yaml => "application/yaml",
    };
    handle.deploy(text, content_type, None).await?;
    let mut run = handle.start_and_wait(request, WAIT).await?.run;
    while !run.summary.status.is_terminal() {
        run = handle.wait(run.summary.id, WAIT).await?;
    }
    Ok(run)
}

/// Says when what was decided can't be written, and when it can again.
async fn tell_of_holds(mut held: watch::Receiver<Held>) -> Infallible {
    while let Ok(why) = held.wait_for(is_held).await.map(|held| held.why.clone()) {
        let why = why.map(|why| format!("{}: {why}", why.code()));
        terminal::say(&format!(
            "note: the run is held: {}; it goes on by itself once it can be written, or is ended with Ctrl-C",
            why.unwrap_or_default()
        ));
        if held.wait_for(|held| held.runs == 0).await.is_ok() {
            terminal::say("note: the run goes on: it can be written again");
        }
    }
    // The runtime is gone, and nobody has more to tell.
    std::future::pending().await
}

/// Whether runs wait for more than their turn.
fn is_held(held: &Held) -> bool {
    held.why
        .as_ref()
        .is_some_and(|why| !matches!(why, StoreError::Busy { .. }))
}

/// What a person is told whose signal ended the command, and what became of the run.
fn interrupted(signal: &str, is_held: bool, arguments: &Arguments) -> String {
    let when = if is_held {
        "while the run was held"
    } else {
        "before the end"
    };
    match &arguments.data_dir {
        Some(folder) => format!(
            "{signal} came {when}; nothing is lost, the next `flame-agent run` or `flame-agent serve` with \
             --data-dir {} goes on with it",
            folder.display()
        ),
        None => format!(
            "{signal} came {when}, and the run went with its temporary folder; with --data-dir the next \
             start of the folder goes on with it"
        ),
    }
}

async fn report_unfinished(handle: &Handle) {
    match handle.store().live_runs(Page::first(UNFINISHED_MAX)).await {
        Ok(runs) if runs.is_empty() => {}
        Ok(runs) => terminal::say(&format!(
            "note: {}{} unfinished run(s) of this data folder go on as well",
            runs.len(),
            if runs.len() == UNFINISHED_MAX {
                " or more"
            } else {
                ""
            }
        )),
        Err(error) => terminal::complain(&error.to_string()),
    }
}

/// The output on stdout, or the error object as the last line of stderr.
fn tell(run: &Run) -> Result<Exit, String> {
    let text = |bytes: &Option<Vec<u8>>| {
        bytes
            .as_deref()
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    };
    match run.summary.status {
        RunStatus::Completed => {
            let output = text(&run.output).unwrap_or_else(|| Value::Null.to_string());
            terminal::deliver(&output).map_err(|error| {
                format!(
                    "run {} completed, and its output is lost: {error}",
                    run.summary.id
                )
            })?;
            Ok(Exit::Done)
        }
        RunStatus::Faulted => {
            terminal::say(&text(&run.summary.error).unwrap_or_default());
            Ok(Exit::Faulted)
        }
        status => {
            let error =
                StandardError::Runtime.with("The run did not complete", format!("it was {status}"));
            terminal::say(&serde_json::to_string(&error).unwrap_or_default());
            Ok(Exit::Faulted)
        }
    }
}

fn has_files(folder: &Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some())
}
