//! The model of a `run` task: what it starts, and what of it becomes the output.
//!
//! Commands and code are text as it stands: a shell and JavaScript have a `${ }` of their own. What
//! changes from run to run goes in by arguments, environment and standard input.

use std::sync::Arc;

use flame_types::{Namespace, Version, WorkflowName};

use crate::{DurationSource, ExternalResource, Template};

#[derive(Debug, Clone)]
pub struct RunTask {
    pub process: Process,
    /// `await`; without it the task goes on as soon as the process has begun, with its own input.
    pub awaits: bool,
    /// `return`.
    pub returns: ProcessReturn,
}

#[derive(Debug, Clone)]
pub enum Process {
    Container(Container),
    Script(Script),
    Shell(Shell),
    Workflow(Subflow),
}

/// What of a process that has ended becomes the task's output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ProcessReturn {
    #[default]
    Stdout,
    Stderr,
    Code,
    /// `{code, stdout, stderr}`.
    All,
    None,
}

/// What every process but a workflow is given.
#[derive(Debug, Clone, Default)]
pub struct ProcessInput {
    pub stdin: Option<Template>,
    pub arguments: Option<Template>,
    pub environment: Option<Template>,
}

#[derive(Debug, Clone)]
pub struct Container {
    pub image: Template,
    pub name: Option<Template>,
    /// Run by the image's own `sh -c`, with the arguments as `$1` and so on; without it the arguments go
    /// to what the image starts by itself.
    pub command: Option<ShellCommand>,
    pub input: ProcessInput,
    /// Port of this machine to port of the container.
    pub ports: Option<Template>,
    /// Path on this machine to path in the container.
    pub volumes: Option<Template>,
    pub cleanup: Cleanup,
    pub pull: PullPolicy,
}

/// What becomes of a container that has ended.
#[derive(Debug, Clone, Default)]
pub enum Cleanup {
    /// Removed at once; also where the document says nothing.
    #[default]
    Always,
    Never,
    Eventually(DurationSource),
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PullPolicy {
    #[default]
    IfNotPresent,
    Always,
    Never,
}

#[derive(Debug, Clone)]
pub struct Script {
    pub language: ScriptLanguage,
    pub code: ScriptCode,
    pub input: ProcessInput,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScriptLanguage {
    JavaScript,
    Python,
}

impl ScriptLanguage {
    /// By the names that documents use.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        match name {
            "js" | "javascript" => Some(Self::JavaScript),
            "python" => Some(Self::Python),
            _ => None,
        }
    }
}

#[derive(Debug, Clone)]
pub enum ScriptCode {
    Inline(Arc<str>),
    /// Fetched when the task runs.
    Source(Box<ExternalResource>),
}

#[derive(Debug, Clone)]
pub struct Shell {
    pub command: ShellCommand,
    pub input: ProcessInput,
}

/// A command as a shell takes it. For each `${ }` of the document it has a variable: the shell expands that, and so
/// no value is ever read as a command.
#[derive(Debug, Clone)]
pub struct ShellCommand {
    pub text: Arc<str>,
    /// The variables and what is in them.
    pub variables: Vec<(String, Template)>,
}

/// A workflow that runs as a child of this one.
#[derive(Debug, Clone)]
pub struct Subflow {
    pub namespace: Namespace,
    pub name: WorkflowName,
    /// `None` is the newest one when the child starts.
    pub version: Option<Version>,
    pub input: Option<Template>,
}
