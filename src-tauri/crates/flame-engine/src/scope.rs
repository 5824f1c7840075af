//! The variables that an expression sees, made when it asks for them.
//!
//! Deliberately absent: what a document may name where; validation refuses what is not there.

use std::cell::{Cell, OnceCell};
use std::sync::LazyLock;

use flame_dsl::expression::{Expression, ExpressionError};
use flame_dsl::{DurationSource, Task, TaskKind, Template, Workflow, parse_duration};
use flame_types::{RunId, Timestamp};
use serde_json::{Map, Value, json};

use crate::error::{Error, StandardError};
use crate::extension;
use crate::record::FrameId;
use crate::secrets::Secrets;
use crate::size;
use crate::state::{Attempts, Phase, Progress, State};

pub(crate) static RUNTIME: LazyLock<Value> = LazyLock::new(
    || json!({"name": "mastra", "version": env!("CARGO_PKG_VERSION"), "metadata": {}}),
);

/// What never changes within a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RunView<'a> {
    pub(crate) id: RunId,
    pub(crate) workflow: &'a Workflow,
    pub(crate) state: &'a State,
    /// `$workflow`, made once per run and only when an expression uses it.
    pub(crate) descriptor: &'a OnceCell<Value>,
    pub(crate) secrets: &'a Secrets,
    /// When it is evaluated.
    pub(crate) now: Timestamp,
}

/// The task that an expression belongs to: `$task`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TaskView<'a> {
    pub(crate) task: &'a Task,
    pub(crate) raw_input: &'a Value,
    pub(crate) raw_output: Option<&'a Value>,
    pub(crate) started_at: Timestamp,
}

/// The variables at one place, and evaluation with them.
#[derive(Debug)]
pub(crate) struct Scope<'a> {
    run: RunView<'a>,
    /// What `.` is.
    subject: &'a Value,
    pub(crate) context: Option<&'a Value>,
    pub(crate) input: Option<&'a Value>,
    pub(crate) output: Option<&'a Value>,
    pub(crate) authorization: Option<&'a Value>,
    /// Whether an expression has read `$secrets`.
    asked_secrets: Cell<bool>,
    task: Option<TaskView<'a>>,
    task_descriptor: OnceCell<Value>,
    /// The parent of the task, where the place is in one: from there loops and handlers give variables.
    parent: Option<FrameId>,
    /// Variables inside of those, the innermost last.
    added: Vec<(&'a str, &'a Value)>,
}

impl<'a> Scope<'a> {
    pub(crate) fn new(run: RunView<'a>, subject: &'a Value) -> Self {
        Self {
            run,
            subject,
            context: None,
            input: None,
            output: None,
            authorization: None,
            asked_secrets: Cell::new(false),
            task: None,
            task_descriptor: OnceCell::new(),
            parent: None,
            added: Vec::new(),
        }
    }

    /// Of a task whose parent is `parent`.
    pub(crate) fn of_task(
        run: RunView<'a>,
        parent: FrameId,
        task: TaskView<'a>,
        subject: &'a Value,
    ) -> Self {
        Self {
            context: Some(&*run.state.context),
            task: Some(task),
            parent: Some(parent),
            ..Self::new(run, subject)
        }
    }

    /// Adds a variable inside of all others.
    pub(crate) fn with(mut self, name: &'a str, value: &'a Value) -> Self {
        self.added.push((name, value));
        self
    }

    /// The same place, with another `.`.
    pub(crate) fn on(mut self, subject: &'a Value) -> Self {
        self.subject = subject;
        self
    }

    fn lookup(&self, name: &str) -> Option<&Value> {
        let is_meant = |(known, _): &(&str, &Value)| *known == name;
        let added = self.added.iter().rev().copied().find(is_meant);
        let variable = added.or_else(|| self.around().into_iter().find(is_meant));
        if let Some((_, value)) = variable {
            return Some(value);
        }
        match name {
            "context" => self.context,
            "input" => self.input,
            "output" => self.output,
            "authorization" => self.authorization,
            "secrets" => {
                self.asked_secrets.set(true);
                Some(self.run.secrets.values())
            }
            "runtime" => Some(&RUNTIME),
            "workflow" => Some(self.run.descriptor.get_or_init(|| self.run.describe())),
            "task" => {
                let task = self.shown()?;
                Some(self.task_descriptor.get_or_init(|| task.describe()))
            }
            _ => None,
        }
    }

    /// Looked for when an expression asks, which few do.
    fn around(&self) -> Vec<(&'a str, &'a Value)> {
        self.parent.map_or_else(Vec::new, |parent| {
            variables(self.run.state, self.run.workflow, parent)
        })
    }

    /// In the tasks of an extension `$task` is the one that is extended.
    fn shown(&self) -> Option<TaskView<'a>> {
        let run = &self.run;
        self.parent
            .and_then(|parent| extension::extended(run.state, run.workflow, parent))
            .or(self.task)
    }

    /// The variables that stand here, for an expression that is evaluated elsewhere.
    pub(crate) fn snapshot(&self) -> Map<String, Value> {
        let around = self.around();
        let own = around.iter().rev().chain(&self.added);
        let standard = ["context", "input", "output", "runtime", "workflow", "task"];
        standard
            .iter()
            .filter_map(|name| Some((*name, self.lookup(name)?)))
            .chain(own.map(|(name, value)| (*name, *value)))
            .map(|(name, value)| (name.to_owned(), value.clone()))
            .collect()
    }

    /// `property` names the place in the task for the error's text.
    pub(crate) fn expression(
        &self,
        expression: &Expression,
        property: &str,
    ) -> Result<Value, Error> {
        let result = expression.evaluate(self.subject, &|name| self.lookup(name));
        self.checked(result, property)
    }

    /// The error as jq has it, for who tells kinds of it apart.
    pub(crate) fn try_template(&self, template: &Template) -> Result<Value, ExpressionError> {
        template.evaluate(self.subject, &|name| self.lookup(name))
    }

    pub(crate) fn template(&self, template: &Template, property: &str) -> Result<Value, Error> {
        let result = self.try_template(template);
        let value = self.checked(result, property)?;
        size::check(&value, property).map(|()| value)
    }

    fn checked(
        &self,
        result: Result<Value, ExpressionError>,
        property: &str,
    ) -> Result<Value, Error> {
        if self.asked_secrets.get() {
            // Says more than what an expression makes of null.
            self.run.secrets.complete()?;
        }
        result.map_err(|error| failed(&error, property))
    }

    /// A secret that the document names outside of expressions.
    pub(crate) fn secret(&self, name: &str) -> Result<&Value, Error> {
        self.run.secrets.get(name)
    }

    /// The same of a condition that is asked of all kinds of tasks: on one that it can't be asked of, it
    /// does not hold.
    pub(crate) fn fits(&self, condition: &Expression, property: &str) -> Result<bool, Error> {
        let result = condition.evaluate(self.subject, &|name| self.lookup(name));
        match result {
            Err(error) if !matches!(error, ExpressionError::Budget { .. }) => Ok(false),
            result => self
                .checked(result, property)
                .map(|value| !matches!(value, Value::Null | Value::Bool(false))),
        }
    }

    /// As jq sees it: everything but null and false holds.
    pub(crate) fn holds(&self, condition: &Expression, property: &str) -> Result<bool, Error> {
        let result = self.expression(condition, property)?;
        Ok(!matches!(result, Value::Null | Value::Bool(false)))
    }

    pub(crate) fn duration(
        &self,
        source: &DurationSource,
        property: &str,
    ) -> Result<std::time::Duration, Error> {
        match source {
            DurationSource::Fixed(length) => Ok(length.since(self.run.now)),
            DurationSource::Expression(expression) => {
                let value = self.expression(expression, property)?;
                let length = parse_duration(&value);
                length
                    .map(|length| length.since(self.run.now))
                    .map_err(|problem| {
                        StandardError::Expression.with(
                            "Not a duration",
                            format!("{property} gave {}: {problem}", excerpt(&value)),
                        )
                    })
            }
        }
    }
}

impl RunView<'_> {
    fn describe(&self) -> Value {
        json!({
            "id": self.id.to_string(),
            "definition": &*self.workflow.definition,
            "input": &*self.state.input,
            "startedAt": self.state.started_at.map(date_time),
        })
    }
}

impl TaskView<'_> {
    /// The definition's own keys stand beside the descriptor's, which win.
    fn describe(&self) -> Value {
        let mut descriptor = match &*self.task.definition {
            Value::Object(definition) => definition.clone(),
            _ => Map::new(),
        };
        descriptor.insert("name".to_owned(), json!(&*self.task.name));
        descriptor.insert("reference".to_owned(), json!(&*self.task.reference));
        descriptor.insert("definition".to_owned(), (*self.task.definition).clone());
        descriptor.insert("input".to_owned(), self.raw_input.clone());
        if let Some(output) = self.raw_output {
            descriptor.insert("output".to_owned(), output.clone());
        } else {
            descriptor.remove("output");
        }
        descriptor.insert("startedAt".to_owned(), date_time(self.started_at));
        Value::Object(descriptor)
    }
}

/// The date-time descriptor of DSL 1.0.3.
fn date_time(at: Timestamp) -> Value {
    json!({
        "iso8601": at.to_string(),
        "epoch": {"seconds": at.as_second(), "milliseconds": at.as_millisecond()},
    })
}

/// Loop and error variables that stand for tasks of this parent, from the inside out.
pub(crate) fn variables<'a>(
    state: &'a State,
    workflow: &'a Workflow,
    parent: FrameId,
) -> Vec<(&'a str, &'a Value)> {
    let mut found = Vec::new();
    for (id, frame) in state.outwards(parent) {
        if state.is_undo(id) {
            // The tasks that undo see what the task that they undo had and gave, and stood among.
            found.push(("input", &*frame.raw));
            found.push(("output", &*frame.input));
            let completed = state.compensation.as_ref().and_then(|c| c.task.as_ref());
            let variables = completed.into_iter().flat_map(|task| &task.variables);
            found.extend(variables.map(|(name, value)| (&**name, value)));
            continue;
        }
        match &frame.progress {
            Progress::Loop(progress) if progress.pass.is_some() => {
                if let Some(TaskKind::For(task)) = state.task(workflow, id).map(|task| &task.kind) {
                    found.extend(
                        progress
                            .items
                            .get(progress.index)
                            .map(|item| (&*task.each, item)),
                    );
                    found.push((&*task.at, &progress.at));
                }
            }
            Progress::Listening(progress) if progress.pass.is_some() => {
                if let Some(TaskKind::Listen(task)) =
                    state.task(workflow, id).map(|task| &task.kind)
                    && let Some(each) = &task.each
                {
                    let item = progress.gathering.events.get(progress.next);
                    found.extend(item.map(|item| (&*each.item, &**item)));
                    found.push((&*each.at, &progress.at));
                }
            }
            Progress::Receiving(progress) if progress.pass.is_some() => {
                if let Some(TaskKind::CallProtocol(call)) =
                    state.task(workflow, id).map(|task| &task.kind)
                    && let Some((_, each)) = call.each()
                {
                    found.extend(
                        progress
                            .message
                            .as_ref()
                            .map(|message| (&*each.item, &**message)),
                    );
                    found.push((&*each.at, &progress.at));
                }
            }
            Progress::Try(Attempts {
                phase: Phase::Handler { error, .. },
                ..
            }) => {
                if let Some(TaskKind::Try(task)) = state.task(workflow, id).map(|task| &task.kind) {
                    found.push((&*task.catch.name, error));
                }
            }
            _ => {}
        }
    }
    found
}

pub(crate) fn failed(error: &ExpressionError, property: &str) -> Error {
    let title = match error {
        ExpressionError::Budget { .. } => "Expression used more than it may",
        _ => "Expression failed",
    };
    // jq quotes the values at hand, which may be the whole input.
    let message = cut(error.to_string(), 400);
    StandardError::Expression.with(title, format!("{property}: {message}"))
}

/// The beginning of a value, for a message.
pub(crate) fn excerpt(value: &Value) -> String {
    cut(value.to_string(), 120)
}

fn cut(text: String, characters_max: usize) -> String {
    match text.char_indices().nth(characters_max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
