//! What `run` tasks start beside workflows: scripts, shell commands, containers; and who may.
//!
//! JavaScript runs in this process, everything else in a container that a worker runs, or on this machine
//! where its user allowed that for the workflow. Deliberately absent: Podman; the agent holds no socket.

mod containers;
mod group;
mod host;
mod permission;
mod script;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use flame_dsl::{PullPolicy, ScriptLanguage, Task, Workflow};
use flame_engine::{ContainerCall, EffectId, Error, ProcessCall, Program, StandardError};
use flame_errors::Code;
use flame_types::{IdempotencyKey, RunId, WorkflowId};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::{Semaphore, SemaphorePermit};

use self::containers::Containers;
pub(super) use self::containers::Stored;
pub use self::containers::{
    ContainerId, ContainerJob, ContainerOrder, ContainerOrders, ContainerOutcome,
};
pub use self::permission::{HostExecution, HostGrants};
use self::permission::{Permissions, Verdict};
use self::script::Scripts;

/// The environment variable with the key that stays the same when a crash makes a process run again.
const KEY_VARIABLE: &str = "IDEMPOTENCY_KEY";
/// Bytes that a container is given at most; a worker is told them in one message.
const JOB_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Limits of scripts and processes, and which may run on this machine.
#[derive(Debug, Clone)]
pub struct ProcessOptions {
    /// The workflows whose scripts and shell commands may run on this machine, outside of containers.
    pub host_execution: HostExecution,
    /// Whether whoever has the token may name more of them.
    pub host_execution_by_api: bool,
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
    /// Containers at once.
    pub containers_max: usize,
    /// Where Python scripts run that may not run on this machine; it must be there, nobody fetches it.
    pub python_image: String,
    /// The same of shell commands.
    pub shell_image: String,
}

/// The image of Python scripts, unless the user has another one.
pub(crate) const PYTHON_IMAGE: &str = "docker.io/library/python:3-slim";
/// The image of shell commands, unless the user has another one.
pub(crate) const SHELL_IMAGE: &str = "docker.io/library/busybox:stable";

impl Default for ProcessOptions {
    fn default() -> Self {
        Self {
            host_execution: HostExecution::Of(BTreeSet::new()),
            host_execution_by_api: false,
            timeout: Duration::from_secs(600),
            processes_max: 64,
            output_bytes_max: 10 * 1024 * 1024,
            script_timeout: Duration::from_secs(30),
            script_memory_bytes: 128 * 1024 * 1024,
            scripts_max: std::thread::available_parallelism().map_or(2, std::num::NonZero::get),
            containers_max: 16,
            python_image: PYTHON_IMAGE.to_owned(),
            shell_image: SHELL_IMAGE.to_owned(),
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
    permissions: Permissions,
    scripts: Scripts,
    containers: Arc<Containers>,
    permits: Semaphore,
    container_permits: Semaphore,
}

/// Who asks for a process.
pub(super) struct Asking<'a> {
    pub(super) run: RunId,
    pub(super) workflow: &'a Workflow,
    pub(super) reference: &'a Arc<str>,
    pub(super) key: &'a IdempotencyKey,
    pub(super) effect: EffectId,
}

impl Asking<'_> {
    fn task(&self) -> Option<&Task> {
        self.workflow.task(self.reference)
    }
}

/// What a process came to, and who is told once that is on disk.
pub(super) type Outcome = (Result<Arc<Value>, Error>, Option<Stored>);

impl Processes {
    /// `patience` is how long after a start a container waits for a worker to come, and a program on this
    /// machine for whoever allows it.
    pub(super) fn new(options: &ProcessOptions, patience: Duration) -> Self {
        let standing = options.host_execution.clone();
        Self {
            options: options.clone(),
            permissions: Permissions::new(standing, options.host_execution_by_api, patience),
            scripts: Scripts::new(options),
            containers: Arc::new(Containers::new(patience)),
            permits: Semaphore::new(options.processes_max.max(1)),
            container_permits: Semaphore::new(options.containers_max.max(1)),
        }
    }

    /// Says which programs may start on this machine beside those of the command line; false where nobody may.
    pub(super) fn permit(&self, grants: HostGrants) -> bool {
        self.permissions.tell(grants)
    }

    /// The orders for a worker.
    pub(super) fn orders(&self) -> ContainerOrders {
        self.containers.work()
    }

    /// How an ordered container came out; true once that is on disk.
    pub(super) async fn tell(&self, id: &str, outcome: ContainerOutcome) -> bool {
        self.containers.tell(id, outcome).await
    }

    /// Runs what a task asks for; `code` is the text of a script. What is not awaited runs on by itself,
    /// until it or the agent ends. Dropping the future ends what is awaited.
    pub(super) async fn run(
        self: &Arc<Self>,
        asking: &Asking<'_>,
        call: &ProcessCall,
        code: Option<Arc<str>>,
    ) -> Outcome {
        let runnable = match self.runnable(asking, &call.program, code).await {
            Ok(runnable) => runnable,
            Err(error) => return (Err(error), None),
        };
        let mut environment = vec![(KEY_VARIABLE.to_owned(), asking.key.as_str().to_owned())];
        environment.extend(call.environment.iter().cloned());
        let given = Given {
            stdin: call.stdin.clone(),
            arguments: call.arguments.clone(),
            environment,
            timeout: call.timeout,
        };
        let value = |ended: Ended| match call.awaits {
            true => Arc::new(serde_json::to_value(ended).unwrap_or_default()),
            false => Arc::default(),
        };
        match runnable {
            Runnable::Container(boxed) => {
                let (outcome, stored) = self.contain(asking, *boxed, given, call.awaits).await;
                (outcome.map(value), stored)
            }
            Runnable::Here(here) if call.awaits => (self.end(here, given).await.map(value), None),
            Runnable::Here(here) => {
                self.let_run(asking.workflow.id.clone(), here, given);
                (Ok(Arc::default()), None)
            }
        }
    }

    fn let_run(self: &Arc<Self>, workflow: WorkflowId, here: Here, given: Given) {
        let processes = Arc::clone(self);
        tokio::spawn(async move {
            match processes.end(here, given).await {
                Ok(ended) => {
                    tracing::info!(%workflow, code = ended.code, "A process that nobody awaits has ended");
                }
                Err(error) => {
                    let detail = error.detail.unwrap_or_default();
                    tracing::warn!(%workflow, detail, "A process that nobody awaits has failed");
                }
            }
        });
    }

    /// What is to be run and where, or why it may not.
    async fn runnable(
        &self,
        asking: &Asking<'_>,
        program: &Program,
        code: Option<Arc<str>>,
    ) -> Result<Runnable, Error> {
        let (here, what) = match (program, code) {
            (Program::Script(ScriptLanguage::JavaScript, _), Some(code)) => {
                return Ok(Runnable::Here(Here::JavaScript(code)));
            }
            (Program::Script(ScriptLanguage::Python, _), Some(code)) => {
                (Here::Python(code), "Python scripts")
            }
            (Program::Shell(command), _) => (Here::Shell(Arc::clone(command)), "shell commands"),
            (Program::Script(_, _), None) => {
                return Err(StandardError::Runtime
                    .with("The script can't be run", "its text was not fetched"));
            }
            (Program::Container(container), _) => {
                self.containers.worker().await?;
                let entrypoint = container.command.as_deref().map(shell).unwrap_or_default();
                return Ok(Runnable::Container(Box::new(Boxed {
                    container: (**container).clone(),
                    entrypoint,
                    network: true,
                    instead: None,
                })));
            }
        };
        let verdict = self.permissions.of(asking.workflow, asking.task()).await;
        if verdict == Verdict::Allowed {
            return Ok(Runnable::Here(here));
        }
        let off = self.off(asking.workflow, what, verdict);
        if self.containers.worker().await.is_ok() {
            return Ok(Runnable::Container(Box::new(self.boxed(&here, off))));
        }
        Err(off.because(
            "they run in a container, and nobody runs containers for this agent: open the Mastra app on a \
             machine with Podman",
        ))
    }

    fn off(&self, workflow: &Workflow, what: &'static str, verdict: Verdict) -> Off {
        Off {
            workflow: workflow.id.clone(),
            what,
            verdict,
            are_told: self.permissions.are_told(),
        }
    }

    /// Starts a program that a call talks to while it runs.
    pub(super) async fn converse(
        &self,
        workflow: &Workflow,
        task: Option<&Task>,
        key: &IdempotencyKey,
        command: &str,
        arguments: &[String],
        environment: &[(String, String)],
    ) -> Result<Conversation<'_>, Error> {
        let verdict = self.permissions.of(workflow, task).await;
        if verdict != Verdict::Allowed {
            let off = self.off(workflow, "the programs of calls", verdict);
            return Err(off.because("they run in no container"));
        }
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

    /// A script or shell command in a container without network, of an image that is there.
    fn boxed(&self, here: &Here, instead: Off) -> Boxed {
        let (image, entrypoint) = match here {
            Here::Python(code) | Here::JavaScript(code) => (
                &self.options.python_image,
                ["python3", "-c", code].map(str::to_owned).into(),
            ),
            Here::Shell(command) => (&self.options.shell_image, shell(command)),
        };
        Boxed {
            container: ContainerCall {
                image: image.clone(),
                name: None,
                command: None,
                ports: Vec::new(),
                volumes: Vec::new(),
                remove_after: Some(Duration::ZERO),
                pull: PullPolicy::Never,
            },
            entrypoint,
            network: false,
            instead: Some(instead),
        }
    }

    async fn contain(
        &self,
        asking: &Asking<'_>,
        boxed: Boxed,
        given: Given,
        awaits: bool,
    ) -> (Result<Ended, Error>, Option<Stored>) {
        let Ok(_permit) = self.container_permits.acquire().await else {
            return (Err(shutting_down()), None);
        };
        let timeout = given.timeout.unwrap_or(self.options.timeout);
        let job = ContainerJob {
            id: ContainerId::of(asking.key, asking.effect),
            run: asking.run,
            workflow: asking.workflow.id.clone(),
            task: Arc::clone(asking.reference),
            container: boxed.container,
            entrypoint: boxed.entrypoint,
            arguments: given.arguments,
            environment: given.environment,
            stdin: given.stdin,
            network: boxed.network,
            awaits,
            timeout,
            output_bytes_max: self.options.output_bytes_max,
        };
        let bytes = job.size();
        if bytes > JOB_BYTES_MAX {
            let detail = format!(
                "its input, arguments, environment and code have {bytes} bytes, more than the \
                 {JOB_BYTES_MAX} that a container is given; put them into a file of a volume"
            );
            let error = StandardError::Configuration.with("The container can't be run", detail);
            return (Err(error), None);
        }
        let outcome = tokio::time::timeout(timeout, self.containers.run(job)).await;
        let Ok((outcome, stored)) = outcome else {
            return (Err(timed_out("the container", timeout)), None);
        };
        let outcome = outcome.map_err(|fault| match (boxed.instead, fault.code) {
            (Some(off), Some(code)) if WITHOUT_PODMAN.contains(&code) => off.because(&format!(
                "they run in a container, and Podman runs none ({code}: {})",
                fault.detail
            )),
            _ => fault.into(),
        });
        (outcome, stored)
    }

    async fn end(&self, here: Here, given: Given) -> Result<Ended, Error> {
        let program = match &here {
            Here::JavaScript(code) => {
                return self.scripts.run(Arc::clone(code), given).await;
            }
            Here::Python(code) => host::Program::Python(code),
            Here::Shell(command) => host::Program::Shell(command),
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
    Here(Here),
    Container(Box<Boxed>),
}

/// What runs in this process or on this machine.
enum Here {
    JavaScript(Arc<str>),
    Python(Arc<str>),
    Shell(Arc<str>),
}

/// What runs in a container.
struct Boxed {
    container: ContainerCall,
    entrypoint: Vec<String>,
    network: bool,
    /// Of what could run on this machine too.
    instead: Option<Off>,
}

/// What says that there is no Podman to run a container at all.
const WITHOUT_PODMAN: [Code; 4] = [
    Code::PodmanMissing,
    Code::PodmanNotRunning,
    Code::PodmanUnsupported,
    Code::PodmanPermission,
];

/// Programs that may not run on this machine.
struct Off {
    workflow: WorkflowId,
    what: &'static str,
    verdict: Verdict,
    are_told: bool,
}

impl Off {
    fn because(&self, why: &str) -> Error {
        let WorkflowId {
            namespace, name, ..
        } = &self.workflow;
        let (what, app) = (self.what, self.are_told);
        let others = match self.verdict {
            Verdict::OthersAllowed => " (what was allowed for it are other commands than this one)",
            Verdict::Allowed | Verdict::Off => "",
        };
        let there = if app {
            "on its page in the Mastra app, or "
        } else {
            ""
        };
        let detail = format!(
            "{what} of {namespace}/{name} may not run on this machine{others}; {why}. Allow them {there}with \
             --allow-host-execution {namespace}/{name} when the agent is started"
        );
        refused(Code::HostExecutionOff, &detail)
    }
}

/// A command as a shell takes it; what follows are its arguments, from `$1` on.
fn shell(command: &str) -> Vec<String> {
    ["sh", "-c", command, "sh"].map(str::to_owned).into()
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
