//! What `run` tasks start beside workflows: scripts, shell commands, containers; and who may.
//!
//! JavaScript runs in this process, everything else in a container that a worker runs, or on this machine
//! where its user allowed that for the workflow. Deliberately absent: Podman; the agent holds no socket.

mod host;
mod script;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use flame_dsl::ScriptLanguage;
use flame_engine::{Error, ProcessCall, Program, ScriptText, StandardError};
use flame_errors::Code;
use flame_types::{IdempotencyKey, Namespace, WorkflowId, WorkflowName};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::{Semaphore, SemaphorePermit};

use self::script::Scripts;

/// The environment variable with the key that stays the same when a crash makes a process run again.
const KEY_VARIABLE: &str = "IDEMPOTENCY_KEY";

/// Limits of scripts and processes, and which may run on this machine.
#[derive(Debug, Clone)]
pub struct ProcessOptions {
    pub host_execution: HostExecution,
    /// For a task without a timeout of its own.
    pub timeout: Duration,
    /// Processes at once.
    pub processes_max: usize,
    /// Of standard output and standard error, each; of a script, together.
    pub output_bytes_max: usize,
    /// The longest that a script may take that runs in this process.
    pub script_timeout: Duration,
    /// The most memory that such a script may have.
    pub script_memory_bytes: usize,
    /// Such scripts at once.
    pub scripts_max: usize,
}

/// The workflows whose scripts and shell commands may run on this machine, outside of containers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostExecution {
    Of(BTreeSet<(Namespace, WorkflowName)>),
    Any,
}

impl HostExecution {
    fn allows(&self, workflow: &WorkflowId) -> bool {
        match self {
            Self::Any => true,
            Self::Of(allowed) => {
                allowed.contains(&(workflow.namespace.clone(), workflow.name.clone()))
            }
        }
    }
}

impl Default for ProcessOptions {
    fn default() -> Self {
        Self {
            host_execution: HostExecution::Of(BTreeSet::new()),
            timeout: Duration::from_secs(600),
            processes_max: 64,
            output_bytes_max: 10 * 1024 * 1024,
            script_timeout: Duration::from_secs(30),
            script_memory_bytes: 128 * 1024 * 1024,
            scripts_max: std::thread::available_parallelism().map_or(2, std::num::NonZero::get),
        }
    }
}

/// What a program is called with.
#[derive(Debug, Clone)]
struct Given {
    stdin: Option<String>,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    timeout: Option<Duration>,
}

/// How a program has ended.
#[derive(Debug, Serialize)]
struct Ended {
    code: i64,
    stdout: String,
    stderr: String,
}

#[derive(Debug)]
pub(super) struct Processes {
    options: ProcessOptions,
    scripts: Scripts,
    permits: Semaphore,
}

impl Processes {
    pub(super) fn new(options: &ProcessOptions) -> Self {
        Self {
            options: options.clone(),
            scripts: Scripts::new(options),
            permits: Semaphore::new(options.processes_max.max(1)),
        }
    }

    /// Runs what a task asks for; `code` is the text of a script. What is not awaited runs on by itself,
    /// until it or the agent ends. Dropping the future ends what is awaited.
    pub(super) async fn run(
        self: &Arc<Self>,
        workflow: &WorkflowId,
        key: &IdempotencyKey,
        call: &ProcessCall,
        code: Option<Arc<str>>,
    ) -> Result<Arc<Value>, Error> {
        let runnable = self.runnable(workflow, &call.program, code)?;
        let mut environment = vec![(KEY_VARIABLE.to_owned(), key.as_str().to_owned())];
        environment.extend(call.environment.iter().cloned());
        let given = Given {
            stdin: call.stdin.clone(),
            arguments: call.arguments.clone(),
            environment,
            timeout: call.timeout,
        };
        if call.awaits {
            let ended = self.end(runnable, given).await?;
            return Ok(Arc::new(serde_json::to_value(ended).unwrap_or_default()));
        }
        let (processes, workflow) = (Arc::clone(self), workflow.clone());
        tokio::spawn(async move {
            match processes.end(runnable, given).await {
                Ok(ended) => {
                    tracing::info!(%workflow, code = ended.code, "A process that nobody awaits has ended");
                }
                Err(error) => {
                    let detail = error.detail.unwrap_or_default();
                    tracing::warn!(%workflow, detail, "A process that nobody awaits has failed");
                }
            }
        });
        Ok(Arc::default())
    }

    /// What is to be run and where, or why it may not.
    fn runnable(
        &self,
        workflow: &WorkflowId,
        program: &Program,
        code: Option<Arc<str>>,
    ) -> Result<Runnable, Error> {
        let (runnable, what) = match (program, code) {
            (Program::Script(ScriptLanguage::JavaScript, _), Some(code)) => {
                return Ok(Runnable::JavaScript(code));
            }
            (Program::Script(ScriptLanguage::Python, _), Some(code)) => {
                (Runnable::Python(code), "Python scripts")
            }
            (Program::Shell(command), _) => {
                (Runnable::Shell(Arc::clone(command)), "shell commands")
            }
            (Program::Script(_, ScriptText::Inline(_) | ScriptText::Source(_)), None) => {
                return Err(StandardError::Runtime
                    .with("The script can't be run", "its text was not fetched"));
            }
            (Program::Container(container), _) => {
                return Err(refused(
                    Code::PodmanMissing,
                    &format!(
                        "the container {:?} needs Podman, and nobody runs containers for this agent",
                        container.image
                    ),
                ));
            }
        };
        self.permitted(workflow, what)?;
        Ok(runnable)
    }

    /// Whether a workflow may start processes on this machine.
    fn permitted(&self, workflow: &WorkflowId, what: &str) -> Result<(), Error> {
        if self.options.host_execution.allows(workflow) {
            return Ok(());
        }
        let (namespace, name) = (&workflow.namespace, &workflow.name);
        Err(refused(
            Code::HostExecutionOff,
            &format!(
                "{what} of {namespace}/{name} may not run on this machine; to allow it start the agent \
                 with --allow-host-execution {namespace}/{name}"
            ),
        ))
    }

    /// Starts a program that a call talks to while it runs.
    pub(super) async fn converse(
        &self,
        workflow: &WorkflowId,
        key: &IdempotencyKey,
        command: &str,
        arguments: &[String],
        environment: &[(String, String)],
    ) -> Result<Conversation<'_>, Error> {
        self.permitted(workflow, "the programs of calls")?;
        let Ok(permit) = self.permits.acquire().await else {
            return Err(shutting_down());
        };
        let key = (KEY_VARIABLE.to_owned(), key.as_str().to_owned());
        let environment: Vec<_> = std::iter::once(key)
            .chain(environment.iter().cloned())
            .collect();
        Ok(Conversation {
            program: host::Conversation::begin(
                command,
                arguments,
                &environment,
                self.options.output_bytes_max,
            )?,
            _permit: permit,
        })
    }

    async fn end(&self, runnable: Runnable, given: Given) -> Result<Ended, Error> {
        let program = match &runnable {
            Runnable::JavaScript(code) => {
                return self.scripts.run(Arc::clone(code), given).await;
            }
            Runnable::Python(code) => host::Program::Python(code),
            Runnable::Shell(command) => host::Program::Shell(command),
        };
        let Ok(_permit) = self.permits.acquire().await else {
            return Err(shutting_down());
        };
        let limits = host::Limits {
            time: given.timeout.unwrap_or(self.options.timeout),
            output_bytes: self.options.output_bytes_max,
        };
        host::run(&program, &given, limits).await
    }
}

/// A program that runs beside a call; it ends with this value.
pub(super) struct Conversation<'p> {
    program: host::Conversation,
    _permit: SemaphorePermit<'p>,
}

impl Conversation<'_> {
    /// Says a line.
    pub(super) async fn say(&mut self, line: &str) {
        self.program.say(line).await;
    }

    /// The next line, or `None` where there are no more.
    pub(super) async fn hear(&mut self) -> Result<Option<String>, Error> {
        self.program.hear().await
    }

    /// Closes its input and gives it a moment to end by itself.
    pub(super) async fn end(mut self) {
        self.program.end().await;
    }

    /// The last that it wrote to its standard error.
    pub(super) async fn errors(&mut self) -> String {
        self.program.errors().await
    }
}

enum Runnable {
    JavaScript(Arc<str>),
    Python(Arc<str>),
    Shell(Arc<str>),
}

/// A refusal whose help page says what to do.
fn refused(code: Code, detail: &str) -> Error {
    StandardError::Configuration.with(code.title(), format!("{code}: {detail}"))
}

fn shutting_down() -> Error {
    StandardError::Runtime.with("The process was not run", "the agent is shutting down")
}

fn timed_out(what: &str, after: Duration) -> Error {
    StandardError::Timeout.with(
        "Timed out",
        format!("{what} took longer than {} ms", after.as_millis()),
    )
}

fn too_much_output(bytes_max: usize) -> Error {
    StandardError::Runtime.with(
        "Too much output",
        format!(
            "it wrote more than {bytes_max} bytes, the most that is kept; write to a file instead"
        ),
    )
}
