//! Calls: the intent is journalled, the call follows from it as an action, its answer is the output.

use std::sync::Arc;
use std::time::Duration;

use flame_dsl::{
    Endpoint, FunctionCall, HttpCall, Task, TaskKind, Template, UriTemplate, UriTemplateMisfit,
};
use flame_types::RunStatus;
use serde_json::{Map, Value};

use super::run::Asking;
use crate::action::{Call, EffectId, HttpRequest};
use crate::authentication::Credentials;
use crate::data_flow::transform;
use crate::error::{Error, StandardError};
use crate::event::Moment;
use crate::key;
use crate::record::{FrameId, Record};
use crate::scope::{RunView, Scope, TaskView, excerpt};
use crate::state::{Frame, Progress};
use crate::tasks::protocol;
use crate::turn::{Turn, task_scope};

pub(crate) fn advance(turn: &mut Turn<'_>, id: FrameId, task: &Task) {
    match evaluate(turn.view(), id, task, turn.moment) {
        Ok(call) => {
            let test = turn.state.test.as_ref();
            if let Some(answer) = test.and_then(|test| test.mocked(task, &call)) {
                turn.emit(Record::TaskStubbed {
                    frame: id,
                    at: turn.moment.now,
                });
                return answered(turn, id, task, answer);
            }
            let effect = EffectId(turn.state.next_effect);
            let key = key::idempotency_key(turn.id, turn.state, id, &task.reference);
            let attempt = key::attempt(turn.state, id);
            turn.calls.insert(effect, call);
            turn.emit(Record::EffectRequested {
                frame: id,
                effect,
                key,
                attempt,
                at: turn.moment.now,
            });
        }
        Err(error) => turn.fault(id, error),
    }
}

/// What came for a call is an error of its task; a suspended run keeps it until it goes on.
pub(crate) fn failed(turn: &mut Turn<'_>, id: FrameId, effect: EffectId, error: Error) {
    if turn.state.status != RunStatus::Suspended {
        return turn.fault(id, error);
    }
    turn.emit(Record::EffectHeld {
        frame: id,
        effect,
        output: None,
        error: Some(error),
        at: turn.moment.now,
    });
}

pub(crate) fn answered(
    turn: &mut Turn<'_>,
    id: FrameId,
    task: &Task,
    answer: Result<Arc<Value>, Error>,
) {
    let answer = match &task.kind {
        TaskKind::Run(definition) => {
            answer.and_then(|answer| super::run::output(turn.state, id, definition, answer))
        }
        _ => answer,
    };
    match answer {
        Ok(output) => turn.complete(id, task, output, task.then),
        Err(error) => turn.fault(id, error),
    }
}

/// The call with every expression evaluated; the same again after a crash.
pub(crate) fn evaluate(
    view: RunView<'_>,
    id: FrameId,
    task: &Task,
    moment: Moment,
) -> Result<Call, Error> {
    let frame = view.state.frame(id);
    let timeout = frame.timeout.map(|timer| {
        Duration::try_from(timer.due.duration_since(moment.now)).unwrap_or(Duration::ZERO)
    });
    let context = match &frame.progress {
        Progress::Effect { context, .. } => context,
        Progress::Receiving(state) => &state.context,
        _ => &view.state.context,
    };
    let input = input(view, frame, task)?;
    let asking = Asking {
        run: view.id,
        state: view.state,
        frame: id,
        task,
        unseen: view.state.unseen || !view.workflow.observes.is_empty(),
    };
    let mut scope = task_scope(view, id, task).on(&input);
    scope.input = Some(&input);
    scope.context = Some(context);
    match &task.kind {
        TaskKind::CallHttp(call) => http(scope, call, &input, timeout).map(Call::Http),
        TaskKind::CallFunction(call) => function(&scope, call),
        TaskKind::CallProtocol(call) => {
            let after = match &frame.progress {
                Progress::Receiving(state) => state.mark.clone(),
                _ => None,
            };
            protocol::request(scope, call, &input, timeout, after).map(Call::Protocol)
        }
        TaskKind::Run(definition) => super::run::evaluate(&scope, &asking, definition, timeout)
            .map(|call| super::run::masked(call, view.secrets)),
        kind => Err(StandardError::Runtime.with(
            "Not a call",
            format!("a {} task makes no call", kind.name()),
        )),
    }
}

/// The task's input. Where `input.from` took a secret, the journal holds its mask: what it stands for is
/// evaluated again.
fn input(view: RunView<'_>, frame: &Frame, task: &Task) -> Result<Arc<Value>, Error> {
    let known = Arc::clone(&frame.input);
    if view.secrets.is_empty() || task.input.transform.is_none() {
        return Ok(known);
    }
    let shown = TaskView {
        task,
        raw_input: &frame.raw,
        raw_output: None,
        started_at: frame.started_at,
    };
    let parent = frame.parent.unwrap_or(FrameId::ROOT);
    let scope = Scope::of_task(view, parent, shown, &frame.raw);
    let whole = transform(
        task.input.transform.as_ref(),
        &frame.raw,
        &scope,
        "input.from",
    )?;
    let mut masked = (*whole).clone();
    view.secrets.mask(&mut masked);
    // The context may have moved on since the task began; what was begun with counts.
    Ok(if masked == *known { whole } else { known })
}

fn function(scope: &Scope<'_>, call: &FunctionCall) -> Result<Call, Error> {
    Ok(Call::Function {
        connector: Arc::clone(&call.connector),
        operation: Arc::clone(&call.operation),
        version: Arc::clone(&call.version),
        arguments: Arc::new(scope.template(&call.arguments, "with")?),
    })
}

fn http(
    scope: Scope<'_>,
    call: &HttpCall,
    input: &Value,
    timeout: Option<Duration>,
) -> Result<HttpRequest, Error> {
    let credentials = match &call.authentication {
        None => None,
        Some(policy) => Some(Box::new(Credentials::evaluate(
            &scope,
            policy,
            "with.endpoint.authentication",
        )?)),
    };
    let authorization = credentials.as_deref().and_then(Credentials::authorization);
    let mut scope = scope;
    scope.authorization = authorization.as_ref();
    let scope = &scope;
    let method = scope.template(&call.method, "with.method")?;
    let Some(method) = method.as_str().filter(|method| is_token(method)) else {
        return Err(invalid(format!(
            "with.method gave {}; it needs a method such as get",
            excerpt(&method)
        )));
    };
    let body = match &call.body {
        None => None,
        Some(body) => Some(scope.template(body, "with.body")?).filter(|body| !body.is_null()),
    };
    Ok(HttpRequest {
        method: method.to_ascii_uppercase(),
        url: http_url(scope, &call.endpoint, input, "with.endpoint")?,
        headers: pairs(scope, call.headers.as_ref(), "with.headers")?,
        query: pairs(scope, call.query.as_ref(), "with.query")?,
        body: body.map(Arc::new),
        credentials,
        output: call.output,
        redirect: call.redirect,
        timeout,
    })
}

/// What an endpoint stands for; `property` names it in messages.
pub(crate) fn url(
    scope: &Scope<'_>,
    endpoint: &Endpoint,
    input: &Value,
    property: &str,
) -> Result<String, Error> {
    match endpoint {
        Endpoint::UriTemplate(template) => {
            expanded(template, input, &format!("{property} {template:?}"))
        }
        Endpoint::Expression(expression) => match scope.expression(expression, property)? {
            Value::String(url) => Ok(url),
            other => Err(invalid(format!(
                "{property} gave {}; it needs a URL",
                excerpt(&other)
            ))),
        },
    }
}

/// A template over its input; `what` names it in messages.
pub(crate) fn expanded(template: &str, input: &Value, what: &str) -> Result<String, Error> {
    let detail = |problem: &dyn std::fmt::Display| format!("{what}: {problem}");
    UriTemplate::parse(template)
        .map_err(|error| invalid(detail(&error)))?
        .expand(input)
        .map_err(|misfit| match misfit {
            // DSL 1.0.3, "URI Template".
            UriTemplateMisfit::NotScalar(_) | UriTemplateMisfit::Nested(_) => {
                StandardError::Expression.with("The address can't be made", detail(&misfit))
            }
            UriTemplateMisfit::Step(_) => invalid(detail(&misfit)),
        })
}

fn http_url(
    scope: &Scope<'_>,
    endpoint: &Endpoint,
    input: &Value,
    property: &str,
) -> Result<String, Error> {
    let url = url(scope, endpoint, input, property)?;
    let scheme = url
        .split_once("://")
        .map(|(scheme, _)| scheme.to_ascii_lowercase());
    if !matches!(scheme.as_deref(), Some("http" | "https")) {
        return Err(invalid(format!(
            "{property} gave {url:?}; it needs an http:// or https:// URL"
        )));
    }
    Ok(url)
}

/// Names and values of headers or query parameters: a list repeats the name, null leaves it out.
fn pairs(
    scope: &Scope<'_>,
    template: Option<&Template>,
    property: &str,
) -> Result<Vec<(String, String)>, Error> {
    let members = match template
        .map(|template| scope.template(template, property))
        .transpose()?
    {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(members)) => members,
        Some(other) => {
            return Err(invalid(format!(
                "{property} gave {}; it needs an object",
                excerpt(&other)
            )));
        }
    };
    let mut pairs = Vec::with_capacity(members.len());
    for (name, value) in members {
        let values = match value {
            Value::Array(values) => values,
            value => vec![value],
        };
        for value in values {
            match value {
                Value::Null => {}
                Value::String(text) => pairs.push((name.clone(), text)),
                Value::Number(_) | Value::Bool(_) => pairs.push((name.clone(), value.to_string())),
                other => {
                    return Err(invalid(format!(
                        "{property}.{name} gave {}; it needs a text, a number or a boolean",
                        excerpt(&other)
                    )));
                }
            }
        }
    }
    Ok(pairs)
}

/// RFC 9110 "token".
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

pub(crate) fn invalid(detail: String) -> Error {
    StandardError::Configuration.with("The call can't be made", detail)
}
