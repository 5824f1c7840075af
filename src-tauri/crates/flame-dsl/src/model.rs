//! The validated model of a workflow: references resolved, flow targets checked, expressions compiled.
//!
//! Cheap to share: a definition is built once, put behind an `Arc`, and every run pins it.

use std::sync::Arc;
use std::time::Duration;

use flame_types::WorkflowId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::duration::Length;
use crate::expression::Expression;
use crate::lifecycle::LifecycleSet;
use crate::process::{Process, RunTask};
use crate::schema::Schema;

mod external;
mod listen;
mod protocol;

pub use external::*;
pub use listen::*;
pub use protocol::*;

/// One version of a workflow, ready to run.
#[derive(Debug, Clone)]
pub struct Workflow {
    pub id: WorkflowId,
    /// SHA-256 of the canonical JSON of the document, hex; a run is pinned to it.
    pub hash: Arc<str>,
    /// The document as JSON, as `$workflow.definition` shows it.
    pub definition: Arc<Value>,
    pub title: Option<String>,
    pub summary: Option<String>,
    pub input: Filter,
    pub output: Filter,
    pub timeout: Option<DurationSource>,
    pub schedule: Option<Schedule>,
    pub webhook: Option<Webhook>,
    /// Names of `use.secrets`, each once.
    pub secrets: Arc<[Arc<str>]>,
    pub retention: Option<Retention>,
    pub tasks: TaskList,
    /// Whether any of its tasks can be undone.
    pub compensates: bool,
    /// Whether any of its tasks is extended.
    pub extends: bool,
    /// Lifecycle events whose types its listeners or its schedule name in full.
    pub observes: LifecycleSet,
    /// Texts from outside without which no run can begin; [`link`](crate::link) puts them in.
    pub missing: Vec<External>,
    /// The texts that it was made with.
    pub externals: Arc<Externals>,
    pub foreign: Vec<Foreign>,
}

impl Workflow {
    /// The task at a JSON pointer, however deep, also among those that undo another.
    pub fn task(&self, reference: &str) -> Option<&Task> {
        self.tasks.task(reference)
    }

    /// The address of the function out of the network to which a task belongs.
    pub fn foreign(&self, reference: &str) -> Option<&str> {
        let within = |foreign: &&Foreign| {
            let below = reference.strip_prefix(&*foreign.reference);
            below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
        };
        let innermost = self
            .foreign
            .iter()
            .filter(within)
            .max_by_key(|foreign| foreign.reference.len());
        innermost.map(|foreign| &*foreign.address)
    }
}

/// `input` or `output` of a workflow or task: `schema` plus `from` or `as`.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub schema: Option<Schema>,
    /// `input.from` or `output.as`.
    pub transform: Option<Template>,
}

/// `export` of a task: what replaces `$context`.
#[derive(Debug, Clone, Default)]
pub struct Export {
    pub schema: Option<Schema>,
    pub transform: Option<Template>,
}

/// Tasks in declaration order; names are unique within a list.
#[derive(Debug, Clone, Default)]
pub struct TaskList(pub Vec<Task>);

impl TaskList {
    fn task(&self, reference: &str) -> Option<&Task> {
        self.0.iter().find_map(|task| {
            let below = reference.strip_prefix(&*task.reference)?;
            match below.chars().next() {
                None => Some(task),
                Some('/') => task.lists().find_map(|list| list.task(reference)),
                Some(_) => None,
            }
        })
    }
}

impl Task {
    /// Every list of tasks that stands in this one.
    pub(crate) fn lists(&self) -> impl Iterator<Item = &TaskList> {
        let (body, handler) = match &self.kind {
            TaskKind::Do(tasks) => (Some(tasks), None),
            TaskKind::For(definition) => (Some(&definition.tasks), None),
            TaskKind::Fork(fork) => (Some(&fork.branches), None),
            TaskKind::Listen(listen) => (listen.each.as_ref().map(|each| &each.tasks), None),
            TaskKind::CallProtocol(call) => (call.each().map(|(_, each)| &each.tasks), None),
            TaskKind::Try(definition) => (Some(&definition.tasks), definition.catch.tasks.as_ref()),
            _ => (None, None),
        };
        let around = self
            .extensions
            .iter()
            .flat_map(|extension| [&extension.before, &extension.after]);
        [body, handler, self.compensation.as_ref()]
            .into_iter()
            .flatten()
            .chain(around)
    }
}

/// One task with what every kind shares.
#[derive(Debug, Clone)]
pub struct Task {
    pub name: Arc<str>,
    /// JSON pointer of the task in the document, such as `/do/0/tryGetPet/try/0/getPet`. The body of a
    /// loop is `/do/0/loop/do/0/x`, a caught error's `/do/0/t/catch/do/0/x`, a branch
    /// `/do/0/f/fork/branches/0/x`.
    pub reference: Arc<str>,
    /// The task's own definition as JSON: `$task.definition`.
    pub definition: Arc<Value>,
    pub condition: Option<Expression>,
    pub input: Filter,
    pub output: Filter,
    pub export: Export,
    pub timeout: Option<DurationSource>,
    pub then: Flow,
    pub metadata: Map<String, Value>,
    /// `metadata."mastra.io/compensate"`: the tasks that undo this one.
    pub compensation: Option<TaskList>,
    /// Extensions of its kind, in the document's order: the first is the outermost.
    pub extensions: Vec<Extension>,
    pub kind: TaskKind,
}

/// An extension of `use.extensions`, as it stands around one task.
#[derive(Debug, Clone)]
pub struct Extension {
    pub name: Arc<str>,
    /// Asked once, on the task's input.
    pub when: Option<Expression>,
    pub before: TaskList,
    pub after: TaskList,
}

/// Where the flow goes after a task; names are resolved to places in the same list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    Continue,
    /// Leaves the current list.
    Exit,
    /// Ends the workflow.
    End,
    /// Goes to the task at this index of the same list.
    To(usize),
}

#[derive(Debug, Clone)]
pub enum TaskKind {
    Do(TaskList),
    Set(Template),
    Switch(Vec<Case>),
    For(For),
    Try(Box<Try>),
    Raise(ErrorTemplate),
    Wait(DurationSource),
    Fork(Fork),
    /// `emit.event.with`: CloudEvents attributes and data.
    Emit(Template),
    CallHttp(Box<HttpCall>),
    CallFunction(FunctionCall),
    Listen(Box<Listen>),
    CallProtocol(Box<ProtocolCall>),
    Run(Box<RunTask>),
}

impl TaskKind {
    /// The word that the timeline shows.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Do(_) => "do",
            Self::Set(_) => "set",
            Self::Switch(_) => "switch",
            Self::For(_) => "for",
            Self::Try(_) => "try",
            Self::Raise(_) => "raise",
            Self::Wait(_) => "wait",
            Self::Fork(_) => "fork",
            Self::Emit(_) => "emit",
            Self::CallHttp(_) => "call http",
            Self::CallFunction(_) => "call function",
            Self::Listen(_) => "listen",
            Self::CallProtocol(call) => call.protocol.task_name(),
            Self::Run(task) => match task.process {
                Process::Container(_) => "run container",
                Process::Script(_) => "run script",
                Process::Shell(_) => "run shell",
                Process::Workflow(_) => "run workflow",
            },
        }
    }
}

#[derive(Debug, Clone)]
pub struct Case {
    pub name: Arc<str>,
    /// `None` is the default case.
    pub when: Option<Expression>,
    pub then: Flow,
}

#[derive(Debug, Clone)]
pub struct For {
    /// Variable name of the item, without `$`; `item` by default.
    pub each: Arc<str>,
    /// Variable name of the index, without `$`; `index` by default. Counts from 0.
    pub at: Arc<str>,
    pub items: Template,
    pub condition: Option<Expression>,
    pub tasks: TaskList,
}

#[derive(Debug, Clone)]
pub struct Try {
    pub tasks: TaskList,
    pub catch: Catch,
}

#[derive(Debug, Clone)]
pub struct Catch {
    /// `errors.with`: each given field must equal the error's; types match by alias.
    pub filter: ErrorFilter,
    /// Variable name of the caught error, without `$`; `error` by default.
    pub name: Arc<str>,
    pub when: Option<Expression>,
    pub except_when: Option<Expression>,
    pub retry: Option<RetryPolicy>,
    pub tasks: Option<TaskList>,
    /// `catch.then` (an addition of `next`); `None` takes the try task's own `then`.
    pub then: Option<Flow>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct ErrorFilter {
    pub kind: Option<String>,
    pub status: Option<u16>,
    pub instance: Option<String>,
    pub title: Option<String>,
    pub detail: Option<String>,
}

/// A retry policy, inline or out of `use.retries`.
#[derive(Debug, Clone, Default)]
pub struct RetryPolicy {
    pub when: Option<Expression>,
    pub except_when: Option<Expression>,
    pub delay: Option<DurationSource>,
    pub backoff: Backoff,
    pub jitter: Option<(DurationSource, DurationSource)>,
    /// Attempts in all, the first not counted as a retry (DSL: `limit.attempt.count`).
    pub attempts_max: Option<u32>,
    pub attempt_duration_max: Option<DurationSource>,
    pub duration_max: Option<DurationSource>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum Backoff {
    #[default]
    Constant,
    Linear,
    Exponential,
}

/// `raise.error`, inline or out of `use.errors`.
#[derive(Debug, Clone)]
pub struct ErrorTemplate {
    pub kind: Template,
    pub status: Template,
    pub title: Option<Template>,
    pub detail: Option<Template>,
    pub instance: Option<Template>,
}

#[derive(Debug, Clone)]
pub struct Fork {
    /// Each branch is one task of the declared list.
    pub branches: TaskList,
    pub compete: bool,
}

#[derive(Debug, Clone)]
pub struct HttpCall {
    pub method: Template,
    pub endpoint: Endpoint,
    pub authentication: Option<Authentication>,
    pub headers: Option<Template>,
    pub query: Option<Template>,
    pub body: Option<Template>,
    pub output: HttpOutput,
    /// `true`: answers 300 to 399 are taken as they are; `false`: they are errors (DSL 1.0.3).
    pub redirect: bool,
}

/// How a call proves who makes it, inline or out of `use.authentications`.
#[derive(Debug, Clone)]
pub struct Authentication {
    pub scheme: AuthenticationScheme,
    pub settings: AuthenticationSettings,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthenticationScheme {
    Basic,
    Bearer,
    Digest,
    OAuth2,
    Oidc,
}

/// Where the settings of a scheme are.
#[derive(Debug, Clone)]
pub enum AuthenticationSettings {
    /// As the document writes them, such as `{username, password}`.
    Inline(Template),
    /// In this secret of `use.secrets`, in the same form.
    Secret(Arc<str>),
}

/// Where an HTTP call goes.
#[derive(Debug, Clone)]
pub enum Endpoint {
    /// RFC 6570 template over the top-level names of the task's input.
    UriTemplate(Arc<str>),
    Expression(Expression),
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum HttpOutput {
    /// Body bytes as base64.
    Raw,
    /// Body, parsed when it is JSON.
    #[default]
    Content,
    /// `{request, statusCode, headers, content}`.
    Response,
}

/// A call into the default catalog, such as `sqlite.upsert:1.0.0@default`.
#[derive(Debug, Clone)]
pub struct FunctionCall {
    /// Connector, such as `sqlite`.
    pub connector: Arc<str>,
    /// Operation, such as `upsert`.
    pub operation: Arc<str>,
    pub version: Arc<str>,
    pub arguments: Template,
}

#[derive(Debug, Clone)]
pub enum DurationSource {
    Fixed(Length),
    /// An expression that gives an ISO 8601 duration or a duration object.
    Expression(Expression),
}

#[derive(Debug, Clone)]
pub enum Schedule {
    /// Five fields, optionally led by `CRON_TZ=Area/City `; UTC otherwise.
    Cron(Arc<str>),
    /// A run at each interval, whether or not the one before has ended.
    Every(Duration),
    /// A run this long after the one before has ended.
    After(Duration),
    /// A run for the events that the strategy takes; its input is the array of them.
    On(Box<EventTrigger>),
}

/// A cron expression as it is, the others in words: `every PT1H`.
impl std::fmt::Display for Schedule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let iso = |duration: Duration| {
            jiff::SignedDuration::try_from(duration).unwrap_or(jiff::SignedDuration::MAX)
        };
        match self {
            Self::Cron(cron) => f.write_str(cron),
            Self::Every(every) => write!(f, "every {}", iso(*every)),
            Self::After(after) => write!(f, "{} after each run", iso(*after)),
            Self::On(trigger) => match trigger.to.types() {
                Some(types) => write!(f, "on {}", types.join(", ")),
                None => f.write_str("on events"),
            },
        }
    }
}

/// `document.metadata."mastra.io/retention"`: what is kept of runs that have ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// Those that ended longer ago go.
    pub days: Option<u32>,
    /// The newest; older ones go.
    pub runs: Option<u64>,
}

impl Retention {
    /// What this leaves open as the other says.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            days: self.days.or(other.days),
            runs: self.runs.or(other.runs),
        }
    }
}

/// `document.metadata."mastra.io/webhook"`.
#[derive(Debug, Clone, PartialEq)]
pub struct Webhook {
    /// Below `/hooks/`, without a leading slash.
    pub path: String,
    pub method: String,
    pub content_type: String,
    pub protection: WebhookProtection,
    pub answer: WebhookAnswer,
}

#[derive(Debug, Clone, PartialEq)]
pub enum WebhookProtection {
    None,
    /// The named connection's secret must stand in the `Authorization: Bearer` header.
    Secret {
        connection: String,
    },
    /// Standard Webhooks signature with the named connection's secret.
    StandardWebhooks {
        connection: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebhookAnswer {
    /// 202 with the run id, once the run is committed.
    Accepted,
    /// The run's output, once it has ended.
    Output,
}

/// JSON in which expressions may stand anywhere.
#[derive(Debug, Clone)]
pub enum Template {
    Literal(Arc<Value>),
    Expression(Expression),
    /// Text with `${ }` inside: parts are joined, non-strings as JSON.
    Text(Vec<TextPart>),
    Array(Vec<Template>),
    Object(Vec<(String, Template)>),
    /// What the text gives in loose mode; where it fails, the text itself.
    Loose(Box<(String, Template)>),
}

#[derive(Debug, Clone)]
pub enum TextPart {
    Literal(String),
    Expression(Expression),
}
