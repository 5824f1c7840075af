//! The agent with its partners, and one row's way through them.

use std::collections::BTreeSet;
use std::path::Path;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use flame_agent_api::{
    ConnectionPut, EventQuery, JournalEntry, JournalQuery, JournalType, RunView, SecretText,
    WorkflowRef,
};
use flame_agent_client::{AgentClient, Format, RunEvent, StartOptions};
use flame_testkit::{Agent, Counterpart};
use flame_types::{RunId, RunStatus, Timestamp, WorkflowId};
use futures::StreamExt as _;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::boxes::Boxes;
use crate::counterparts::StandIns;
use crate::partners::Partners;
use crate::row::{Expectation, Row, agrees, has, nothing};

/// Far more than any row takes: one that takes this long hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// After these entries a run may be waiting for good.
const WAITS: &[JournalType] = &[
    JournalType::ListenStarted,
    JournalType::TimerArmed,
    JournalType::IterationCompleted,
];

pub(crate) struct Stage {
    agent: Agent,
    client: AgentClient,
    partners: Partners,
    /// Ends after the agent.
    _stand_ins: StandIns,
    /// Runs containers for the agent; where there is no Podman, why not.
    boxes: Result<Boxes, String>,
    /// Removed with this value, after the agent has ended.
    _folder: TempDir,
}

/// What a run left behind.
struct Outcome {
    run: RunView,
    journal: Vec<JournalEntry>,
}

impl Stage {
    /// An agent for which the partners of these rows answer.
    pub(crate) async fn set(rows: &[(String, String, Row)]) -> Self {
        let exchanges = rows.iter().flat_map(|(_, _, row)| &row.calls);
        let partners = Partners::start(exchanges).await;
        let folder = tempfile::tempdir().unwrap();
        let authority = folder.path().join("partners.pem");
        std::fs::write(&authority, &partners.certificate).unwrap();
        let mut arguments = vec!["--ca-file", authority.to_str().unwrap()];
        let stand_ins = StandIns::start(rows.iter().map(|(_, _, row)| row), folder.path());
        for stand_in in partners.stand_ins.iter().chain(&stand_ins.hosts) {
            arguments.extend(["--stand-in", stand_in]);
        }
        let allowed: Vec<String> = rows
            .iter()
            .filter(|(_, _, row)| row.allowed)
            .map(|(_, text, _)| workflow_of(text))
            .collect();
        for workflow in &allowed {
            arguments.extend(["--allow-host-execution", workflow]);
        }
        let program: &Path = flame_testkit::agent_program().unwrap();
        let path = stand_ins.path.clone().map(|path| ("PATH", path));
        let data_dir = folder.path().join("data");
        let agent = Agent::start_with(program, &data_dir, &arguments, path.as_slice()).unwrap();
        let client = AgentClient::new(&agent.url, SecretText::new(agent.token.clone())).unwrap();
        let boxes = match rows.iter().any(|(_, _, row)| row.podman) {
            true => Boxes::set(folder.path(), &client),
            false => Err("no row needs it".to_owned()),
        };
        Self {
            agent,
            client,
            partners,
            _stand_ins: stand_ins,
            boxes,
            _folder: folder,
        }
    }

    /// Runs one row, or says why it can't be run here; the error's text says what is not as the row has it.
    pub(crate) async fn perform(&self, text: &str, row: &Row) -> Result<Option<String>, String> {
        if let (true, Err(reason)) = (row.podman, &self.boxes) {
            return Ok(Some(reason.clone()));
        }
        if row.has_counterparts() && !Counterpart::are_installed() {
            return Ok(Some("`cargo xtask test` installs what it needs".to_owned()));
        }
        let performed = tokio::time::timeout(PATIENCE, self.perform_patiently(text, row)).await;
        let performed = performed.unwrap_or_else(|_| Err("it did not end".to_owned()));
        let mut complaints = self.partners.complaints();
        match performed {
            Ok(()) if complaints.is_empty() => return Ok(None),
            Ok(()) => {}
            Err(complaint) => complaints.push(complaint),
        }
        Err(complaints.join("\n    "))
    }

    async fn perform_patiently(&self, text: &str, row: &Row) -> Result<(), String> {
        self.partners.expect(&row.calls);
        for (place, text) in &row.resources {
            let file = self.agent.data_dir().join("resources").join(place);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        }
        for (name, secret) in &row.secrets {
            self.keep_secret(name, secret).await?;
        }
        for document in &row.beside {
            self.deploy(&document.to_string(), document).await?;
        }
        let document = flame_dsl::to_json(text, flame_dsl::Format::Yaml)
            .map_err(|problems| problems[0].to_string())?;
        let deployed = self.deploy(text, &document).await;
        if let Expectation::Refused(reason) = &row.expect {
            return refused(deployed, reason);
        }
        let id = deployed?;
        let done = self.run_and_check(&id, row).await;
        // What starts by events must not hear those of the next row.
        let deleted = self.client.delete_workflow(&id).await;
        done?;
        deleted.map_err(|error| error.to_string())
    }

    async fn keep_secret(&self, name: &str, secret: &Value) -> Result<(), String> {
        let text = secret
            .as_str()
            .map_or_else(|| secret.to_string(), str::to_owned);
        let connection = ConnectionPut {
            kind: "secret".to_owned(),
            settings: json!({}),
            secret: Some(SecretText::new(text)),
        };
        let put = self.client.put_connection(name, &connection).await;
        put.map(drop).map_err(|error| error.to_string())
    }

    async fn deploy(&self, text: &str, document: &Value) -> Result<WorkflowId, String> {
        let id = workflow_id(document)?;
        let put = self.client.put_workflow(&id, Format::Yaml, text).await;
        match put {
            Ok(_) => Ok(id),
            Err(error) => Err(match error.problem() {
                Some(problem) => {
                    let messages = problem.problems.iter().map(|p| p.message.as_str());
                    format!("refused: {}", messages.collect::<Vec<_>>().join("; "))
                }
                None => error.to_string(),
            }),
        }
    }

    async fn run_and_check(&self, id: &WorkflowId, row: &Row) -> Result<(), String> {
        match &row.expect {
            Expectation::NextStart(time) => return self.next_start(id, time).await,
            Expectation::Repeats(_) => return self.repeats(id, row).await,
            _ => {}
        }
        let run = match row.starts.is_empty() {
            true => self.start(id, &row.input).await,
            false => self.start_by_events(id, &row.starts).await,
        };
        if let Expectation::NotStarted(reason) = &row.expect {
            return refused(run, reason);
        }
        let run = run?;
        let outcome = self.follow(run, row).await?;
        check_end(&row.expect, &outcome.run)?;
        check_timers(row, &outcome.journal)?;
        self.check_lifecycle(run, row).await?;
        self.check_emitted(run, row).await
    }

    async fn check_lifecycle(&self, run: RunId, row: &Row) -> Result<(), String> {
        if row.lifecycle.is_empty() {
            return Ok(());
        }
        let page = self.client.lifecycle(run, &JournalQuery::default()).await;
        let events = page.map_err(|error| error.to_string())?.items;
        let told: Vec<Value> = events.into_iter().map(|item| item.event).collect();
        let agrees = |(wanted, event): (&(String, Value), &Value)| {
            let (word, data) = wanted;
            event["type"] == format!("io.serverlessworkflow.{word}.v1") && has(data, &event["data"])
        };
        match told.len() == row.lifecycle.len() && row.lifecycle.iter().zip(&told).all(agrees) {
            true => Ok(()),
            false => Err(format!("its lifecycle is {}", Value::from(told))),
        }
    }

    async fn start(&self, id: &WorkflowId, input: &Value) -> Result<RunId, String> {
        let options = StartOptions::default();
        let started = self.client.start_run(id, input, &options).await;
        Ok(started.map_err(|error| error.to_string())?.into_run().id)
    }

    async fn start_by_events(&self, id: &WorkflowId, events: &[Value]) -> Result<RunId, String> {
        let changes = self
            .client
            .changes()
            .await
            .map_err(|error| error.to_string())?;
        let mut changes = pin!(changes);
        // The first comes at once; what happens is told from then on.
        changes.next().await;
        self.post(events).await?;
        while let Some(change) = changes.next().await {
            let change = change.map_err(|error| error.to_string())?;
            let of = |run: &&RunView| WorkflowId::from(run.workflow.clone()) == *id;
            if let Some(run) = change.runs.iter().find(of) {
                return Ok(run.id);
            }
        }
        Err("no event started a run".to_owned())
    }

    async fn post(&self, events: &[Value]) -> Result<(), String> {
        let filled: Vec<Value> = events.iter().map(filled).collect();
        let posted = self.client.post_events(&filled).await;
        posted.map(drop).map_err(|error| error.to_string())
    }

    /// Sends each listener its events, ends what waits, and gives what was left.
    async fn follow(&self, run: RunId, row: &Row) -> Result<Outcome, String> {
        let mut journal = Vec::new();
        let mut batches = row.events.iter();
        let mut interrupts = row.interrupts.as_deref();
        let stream = self.client.follow_run(run, 0).await;
        let mut stream = pin!(stream.map_err(|error| error.to_string())?);
        while let Some(event) = stream.next().await {
            let entry = match event.map_err(|error| error.to_string())? {
                RunEvent::End(run) => return Ok(Outcome { run: *run, journal }),
                RunEvent::Journal(entry) => *entry,
            };
            let kind = entry.kind;
            journal.push(entry);
            if kind == JournalType::ListenStarted
                && let Some(name) = interrupts.take()
            {
                self.interrupt(name, row).await?;
            } else if kind == JournalType::ListenStarted
                && let Some(batch) = batches.next()
            {
                self.post(batch).await?;
            } else if WAITS.contains(&kind)
                && batches.len() == 0
                && let Expectation::Waits(task) = &row.expect
            {
                self.end_waiting(run, task).await?;
            }
        }
        Err(format!(
            "the stream ends without an end; the agent said: {}",
            self.agent.log()
        ))
    }

    /// Begins a run of a workflow beside, and suspends, resumes and cancels it while it waits.
    async fn interrupt(&self, name: &str, row: &Row) -> Result<(), String> {
        let of_name = |document: &&Value| document["document"]["name"] == name;
        let document = row.beside.iter().find(of_name);
        let id = workflow_id(document.ok_or("it has no such workflow beside it")?)?;
        let run = self.start(&id, &nothing()).await?;
        let stream = self.client.follow_run(run, 0).await;
        let mut stream = pin!(stream.map_err(|error| error.to_string())?);
        while let Some(event) = stream.next().await {
            match event.map_err(|error| error.to_string())? {
                RunEvent::Journal(entry) if entry.kind == JournalType::TimerArmed => break,
                RunEvent::Journal(_) => {}
                RunEvent::End(_) => return Err(format!("{name} does not wait")),
            }
        }
        let interrupted = async {
            self.client.suspend_run(run).await?;
            self.client.resume_run(run).await?;
            self.client.cancel_run(run, false).await
        };
        let interrupted = interrupted.await;
        interrupted.map(drop).map_err(|error| error.to_string())
    }

    /// Cancels the run where all that was to happen before has happened; another entry comes otherwise.
    async fn end_waiting(&self, run: RunId, task: &str) -> Result<(), String> {
        let view = self
            .client
            .run(run)
            .await
            .map_err(|error| error.to_string())?;
        let waits = view
            .current_tasks
            .iter()
            .any(|current| current.task == task);
        if view.status != RunStatus::Waiting || !waits || self.partners.are_expected() {
            return Ok(());
        }
        let cancelled = self.client.cancel_run(run, false).await;
        cancelled.map(drop).map_err(|error| error.to_string())
    }

    async fn check_emitted(&self, run: RunId, row: &Row) -> Result<(), String> {
        let query = EventQuery {
            limit: Some(999),
            ..EventQuery::default()
        };
        let page = self.client.events(&query).await;
        let page = page.map_err(|error| error.to_string())?;
        let own = page.items.into_iter().filter(|item| item.run == Some(run));
        let emitted: Vec<Value> = own.map(|item| item.event).collect();
        let agreed = emitted.len() == row.emits.len()
            && row.emits.iter().zip(&emitted).all(|(e, f)| has(e, f));
        match agreed {
            true => Ok(()),
            false => Err(format!("it emitted {}", Value::from(emitted))),
        }
    }

    /// Two runs that nobody has asked for.
    async fn repeats(&self, id: &WorkflowId, row: &Row) -> Result<(), String> {
        let changes = self.client.changes().await;
        let mut changes = pin!(changes.map_err(|error| error.to_string())?);
        let mut seen = BTreeSet::new();
        while let Some(change) = changes.next().await {
            let change = change.map_err(|error| error.to_string())?;
            for run in change.runs {
                if WorkflowId::from(run.workflow.clone()) != *id || !run.status.is_terminal() {
                    continue;
                }
                let ended = self.client.run(run.id).await;
                check_end(&row.expect, &ended.map_err(|error| error.to_string())?)?;
                seen.insert(run.id);
                if seen.len() == 2 {
                    return Ok(());
                }
            }
        }
        Err("the schedule starts nothing".to_owned())
    }

    async fn next_start(&self, id: &WorkflowId, time: &str) -> Result<(), String> {
        let view = self
            .client
            .workflow(id)
            .await
            .map_err(|error| error.to_string())?;
        let next = view.schedule.and_then(|schedule| schedule.next);
        let next = next.ok_or("it is not scheduled")?;
        let ahead = next.duration_since(Timestamp::now()).as_secs();
        let day = 24 * 60 * 60;
        match (0..=day).contains(&ahead) && next.to_string().ends_with(&format!("T{time}Z")) {
            true => Ok(()),
            false => Err(format!("its next start is {next}")),
        }
    }
}

fn workflow_id(document: &Value) -> Result<WorkflowId, String> {
    let head = &document["document"];
    let head = json!({
        "namespace": head["namespace"],
        "name": head["name"],
        "version": head["version"],
    });
    let id: WorkflowRef = serde_json::from_value(head).map_err(|error| error.to_string())?;
    Ok(WorkflowId::from(id))
}

/// Namespace and name of a document.
fn workflow_of(text: &str) -> String {
    let document = flame_dsl::to_json(text, flame_dsl::Format::Yaml).unwrap();
    let word = |key: &str| document["document"][key].as_str().unwrap().to_owned();
    format!("{}/{}", word("namespace"), word("name"))
}

fn refused<T>(outcome: Result<T, String>, reason: &str) -> Result<(), String> {
    match outcome {
        Ok(_) => Err("it is not refused; its row must say what it does now".to_owned()),
        Err(text) if text.contains(reason) => Ok(()),
        Err(text) => Err(text),
    }
}

fn check_end(expected: &Expectation, run: &RunView) -> Result<(), String> {
    let error = json!(run.error);
    let output = run.output.clone().unwrap_or_default();
    let agreed = match expected {
        Expectation::Output(value) | Expectation::Repeats(value) => {
            run.status == RunStatus::Completed && agrees(value, &output)
        }
        Expectation::Error(value) => run.status == RunStatus::Faulted && has(value, &error),
        Expectation::Waits(_) => run.status == RunStatus::Cancelled,
        // These end before there is a run.
        Expectation::Refused(_) | Expectation::NotStarted(_) | Expectation::NextStart(_) => false,
    };
    match agreed {
        true => Ok(()),
        false => Err(format!(
            "it is {}: output {output}, error {error}",
            run.status
        )),
    }
}

fn check_timers(row: &Row, journal: &[JournalEntry]) -> Result<(), String> {
    let Some(expected) = &row.timers_ms else {
        return Ok(());
    };
    let set = journal
        .iter()
        .filter_map(|entry| Some((entry.at, entry.due?)));
    let found: Vec<u64> = set
        .map(|(at, due)| u64::try_from(due.duration_since(at).as_millis()).unwrap_or_default())
        .collect();
    match found == *expected {
        true => Ok(()),
        false => Err(format!("its timers were set to {found:?} ms")),
    }
}

/// What every event has to have, where the row does not name it.
fn filled(event: &Value) -> Value {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let id = NEXT.fetch_add(1, Ordering::Relaxed).to_string();
    let mut event = event.clone();
    let members = event.as_object_mut().unwrap();
    for (key, value) in [("specversion", "1.0"), ("source", "/test"), ("id", &id)] {
        members.entry(key).or_insert(Value::from(value));
    }
    event
}

/// Performs the rows one after the other and tells all that failed; rows that have a reason tell it.
pub(crate) async fn perform_all(rows: &[(String, String, Row)]) {
    let stage = Stage::set(rows).await;
    let mut failed = Vec::new();
    for (name, text, row) in rows {
        match stage.perform(text, row).await {
            Ok(Some(reason)) => flame_testkit::skipped(format_args!("{name}: {reason}")),
            Ok(None) => {
                if let Some(reason) = &row.because {
                    flame_testkit::tell(format_args!("{name}: {reason}"));
                }
            }
            Err(complaint) => failed.push(format!("{name}:\n    {complaint}")),
        }
    }
    assert!(
        failed.is_empty(),
        "{} of {} rows:\n{}",
        failed.len(),
        rows.len(),
        failed.join("\n")
    );
}
