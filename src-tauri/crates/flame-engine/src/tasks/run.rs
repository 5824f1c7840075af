//! `run`: the process or child run that a task asks for, and what of its result becomes the output.

use std::sync::Arc;
use std::time::Duration;

use flame_dsl::{
    Cleanup, Container, ExternalResource, Process, ProcessInput, ProcessReturn, RunTask,
    ScriptCode, Subflow, Task, TaskKind, Template,
};
use flame_types::{RunId, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::call::url;
use crate::action::{Call, ContainerCall, EffectId, ProcessCall, Program, ScriptText, SubflowCall};
use crate::authentication::Credentials;
use crate::error::{Error, StandardError};
use crate::key;
use crate::record::{FrameId, ParentRun};
use crate::scope::{Scope, excerpt};
use crate::secrets::Secrets;
use crate::state::{Progress, State};

/// Runs within runs. Past it a workflow most likely calls itself for ever.
const DEPTH_MAX: u32 = 64;
/// Characters of a failed process's standard error that a message shows, from its end.
const STDERR_CHARACTERS_MAX: usize = 1_000;

/// A variable of a process's environment with its name (Linux, MAX_ARG_STRLEN).
const VARIABLE_BYTES_MAX: usize = 128 * 1024;

/// The run and task execution that ask.
pub(crate) struct Asking<'a> {
    pub(crate) run: RunId,
    pub(crate) state: &'a State,
    pub(crate) frame: FrameId,
    pub(crate) task: &'a Task,
    /// It, or a run around it, listens to lifecycle events.
    pub(crate) unseen: bool,
}

pub(crate) fn evaluate(
    scope: &Scope<'_>,
    asking: &Asking<'_>,
    definition: &RunTask,
    timeout: Option<Duration>,
) -> Result<Call, Error> {
    let (program, input, variables): (_, _, &[_]) = match &definition.process {
        Process::Workflow(subflow) => {
            return child(scope, asking, definition, subflow).map(Call::Workflow);
        }
        Process::Shell(shell) => (
            Program::Shell(Arc::clone(&shell.command.text)),
            &shell.input,
            &shell.command.variables,
        ),
        Process::Script(script) => {
            let text = match &script.code {
                ScriptCode::Inline(code) => ScriptText::Inline(Arc::clone(code)),
                ScriptCode::Source(resource) => source(scope, asking, resource)?,
            };
            (Program::Script(script.language, text), &script.input, &[])
        }
        Process::Container(container) => (
            Program::Container(Box::new(container_call(scope, container)?)),
            &container.input,
            container
                .command
                .as_ref()
                .map_or(&[], |command| &command.variables),
        ),
    };
    let ProcessInput {
        stdin,
        arguments,
        environment,
    } = input;
    let mut environment = pairs(scope, environment.as_ref(), "run environment")?;
    for (name, value) in variables {
        environment.push((name.clone(), text(scope.template(value, "run command")?)));
    }
    check_variables(&environment)?;
    Ok(Call::Process(Box::new(ProcessCall {
        program,
        stdin: optional_text(scope, stdin.as_ref(), "run stdin")?,
        arguments: texts(scope, arguments.as_ref())?,
        environment,
        timeout,
        awaits: definition.awaits,
    })))
}

fn source(
    scope: &Scope<'_>,
    asking: &Asking<'_>,
    resource: &ExternalResource,
) -> Result<ScriptText, Error> {
    let input = &asking.state.frame(asking.frame).input;
    let credentials = resource.authentication.as_ref().map(|policy| {
        let property = "run.script.source.endpoint.authentication";
        Credentials::evaluate(scope, policy, property).map(Box::new)
    });
    Ok(ScriptText::Source {
        address: url(
            scope,
            &resource.endpoint,
            input,
            "run.script.source.endpoint",
        )?,
        credentials: credentials.transpose()?,
    })
}

fn container_call(scope: &Scope<'_>, container: &Container) -> Result<ContainerCall, Error> {
    let image = optional_text(scope, Some(&container.image), "run.container.image")?;
    let Some(image) = image.filter(|image| !image.trim().is_empty()) else {
        return Err(invalid(
            "run.container.image gave no name of an image".to_owned(),
        ));
    };
    let ports = pairs(scope, container.ports.as_ref(), "run.container.ports")?;
    let ports = ports.iter().map(|(host, inside)| {
        let port = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0);
        port(host).zip(port(inside)).ok_or_else(|| {
            invalid(format!(
                "run.container.ports has {host}: {inside}; it needs two ports from 1 to 65535"
            ))
        })
    });
    Ok(ContainerCall {
        image,
        name: optional_text(scope, container.name.as_ref(), "run.container.name")?,
        command: container
            .command
            .as_ref()
            .map(|command| Arc::clone(&command.text)),
        ports: ports.collect::<Result<_, _>>()?,
        volumes: pairs(scope, container.volumes.as_ref(), "run.container.volumes")?,
        remove_after: match &container.cleanup {
            Cleanup::Always => Some(Duration::ZERO),
            Cleanup::Never => None,
            Cleanup::Eventually(after) => {
                Some(scope.duration(after, "run.container.lifetime.after")?)
            }
        },
        pull: container.pull,
    })
}

fn child(
    scope: &Scope<'_>,
    asking: &Asking<'_>,
    definition: &RunTask,
    subflow: &Subflow,
) -> Result<SubflowCall, Error> {
    let depth = asking.state.depth + 1;
    if depth > DEPTH_MAX {
        return Err(StandardError::Runtime.with(
            "Workflows nested too deeply",
            format!(
                "this run stands {DEPTH_MAX} runs deep, as deep as runs may; look for a workflow that \
                 runs itself without an end"
            ),
        ));
    }
    let input = match &subflow.input {
        Some(input) => scope.template(input, "run.workflow.input")?,
        None => json!({}),
    };
    Ok(SubflowCall {
        run: child_id(asking),
        namespace: subflow.namespace.clone(),
        name: subflow.name.clone(),
        version: subflow.version.clone(),
        input: Arc::new(input),
        awaits: definition.awaits,
        parent: ParentRun {
            run: asking.run,
            task: asking.task.reference.to_string(),
            depth,
            unseen: asking.unseen,
        },
    })
}

/// The id of the run that a task execution starts: the same after a crash, another in each attempt.
///
/// A UUIDv7 of the moment at which the task began, so that children sort among other runs.
pub(crate) fn child_id(asking: &Asking<'_>) -> RunId {
    let frame = asking.state.frame(asking.frame);
    let EffectId(effect) = match frame.progress {
        Progress::Effect { effect, .. } => effect,
        _ => EffectId(asking.state.next_effect),
    };
    let key = key::idempotency_key(
        asking.run,
        asking.state,
        asking.frame,
        &asking.task.reference,
    );
    let digest = Sha256::digest(format!("{}~{effect}", key.as_str()));
    let mut random = [0; 10];
    random.copy_from_slice(&digest[..10]);
    RunId::made_at(milliseconds(frame.started_at), random)
}

fn milliseconds(at: Timestamp) -> u64 {
    u64::try_from(at.as_millisecond()).unwrap_or(0)
}

/// A child's input stands in a journal of its own, so that no secret may go into it.
pub(crate) fn masked(mut call: Call, secrets: &Secrets) -> Call {
    if let Call::Workflow(subflow) = &mut call {
        secrets.mask(Arc::make_mut(&mut subflow.input));
    }
    call
}

/// Whether the task waits for a child run while its effect is in flight.
pub(crate) fn awaits(task: &Task) -> bool {
    matches!(
        &task.kind,
        TaskKind::Run(definition)
            if definition.awaits && matches!(definition.process, Process::Workflow(_))
    )
}

/// A process that has ended.
#[derive(Deserialize)]
struct Ended {
    code: i64,
    stdout: String,
    stderr: String,
}

/// What of an answer becomes the task's output. A process that failed is an error, unless its code is
/// what the document asks for.
pub(crate) fn output(
    state: &State,
    frame: FrameId,
    definition: &RunTask,
    answer: Arc<Value>,
) -> Result<Arc<Value>, Error> {
    if !definition.awaits {
        return Ok(Arc::clone(&state.frame(frame).input));
    }
    if matches!(definition.process, Process::Workflow(_)) {
        return Ok(answer);
    }
    let Ended {
        code,
        stdout,
        stderr,
    } = Ended::deserialize(&*answer).map_err(|error| {
        StandardError::Runtime.with("Not the result of a process", error.to_string())
    })?;
    let (stdout, stderr) = (line_end_removed(stdout), line_end_removed(stderr));
    let output = match definition.returns {
        ProcessReturn::Code => Value::from(code),
        ProcessReturn::All => json!({"code": code, "stdout": stdout, "stderr": stderr}),
        _ if code != 0 => return Err(failed(code, &stderr)),
        ProcessReturn::Stdout => Value::String(stdout),
        ProcessReturn::Stderr => Value::String(stderr),
        ProcessReturn::None => Value::Null,
    };
    Ok(Arc::new(output))
}

fn failed(code: i64, stderr: &str) -> Error {
    let skipped = stderr.chars().count().saturating_sub(STDERR_CHARACTERS_MAX);
    let said: String = stderr.chars().skip(skipped).collect();
    let detail = match said.trim() {
        "" => format!("it ended with code {code} and wrote nothing to its standard error"),
        said => format!("it ended with code {code}: {said}"),
    };
    StandardError::Runtime.with("The process failed", detail)
}

/// Without one final newline.
fn line_end_removed(mut text: String) -> String {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    text
}

fn optional_text(
    scope: &Scope<'_>,
    template: Option<&Template>,
    property: &str,
) -> Result<Option<String>, Error> {
    let value = template
        .map(|template| scope.template(template, property))
        .transpose()?;
    Ok(value.filter(|value| !value.is_null()).map(text))
}

fn texts(scope: &Scope<'_>, template: Option<&Template>) -> Result<Vec<String>, Error> {
    let Some(template) = template else {
        return Ok(Vec::new());
    };
    match scope.template(template, "run arguments")? {
        Value::Array(items) => Ok(items.into_iter().map(text).collect()),
        other => Err(invalid(format!(
            "run arguments gave {}; it needs a list",
            excerpt(&other)
        ))),
    }
}

/// Names and values; null leaves a name out.
fn pairs(
    scope: &Scope<'_>,
    template: Option<&Template>,
    property: &str,
) -> Result<Vec<(String, String)>, Error> {
    let members = match template
        .map(|template| scope.template(template, property))
        .transpose()?
    {
        None => Map::new(),
        Some(Value::Object(members)) => members,
        Some(other) => {
            return Err(invalid(format!(
                "{property} gave {}; it needs an object",
                excerpt(&other)
            )));
        }
    };
    let given = members.into_iter().filter(|(_, value)| !value.is_null());
    Ok(given.map(|(name, value)| (name, text(value))).collect())
}

/// What no process is started with: Linux takes 128 KiB for each variable, and none with a NUL in it.
fn check_variables(environment: &[(String, String)]) -> Result<(), Error> {
    for (name, value) in environment {
        let problem = if value.contains('\0') {
            "a NUL in it".to_owned()
        } else if name.len() + value.len() + 2 > VARIABLE_BYTES_MAX {
            format!("{} bytes", value.len())
        } else {
            continue;
        };
        return Err(invalid(format!(
            "the value of the variable {name} has {problem}; a variable takes less than {VARIABLE_BYTES_MAX} \
             bytes and no NUL: give it by stdin"
        )));
    }
    Ok(())
}

/// Text as it is, anything else as JSON.
fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

fn invalid(detail: String) -> Error {
    StandardError::Configuration.with("The task can't be run", detail)
}
