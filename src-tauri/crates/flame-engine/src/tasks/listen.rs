//! `listen`: takes the events that its strategy wants, hands them to `foreach` one after the other, and
//! gives an array.

use std::collections::BTreeMap;
use std::sync::Arc;

use flame_dsl::{EventIterator, EventStrategy, Listen, Person, Task, Template, Until};
use serde_json::Value;

use crate::data_flow::{check, transform, unless_same};
use crate::error::Error;
use crate::event::Arrived;
use crate::gathering::{Gathering, Subject, read};
use crate::record::{Ask, FrameId, Record, Slot};
use crate::scope::{Scope, TaskView, failed};
use crate::state::{Listening, Progress};
use crate::tasks::do_list;
use crate::turn::Turn;

pub(crate) fn advance(turn: &mut Turn<'_>, id: FrameId, task: &Task, listen: &Listen) {
    let Progress::Listening(state) = &turn.state.frame(id).progress else {
        return begin(turn, id, task, listen);
    };
    if state.pass.is_some() {
        if !do_list::next(turn, id, Slot::Body)
            && let Some(each) = &listen.each
        {
            end_iteration(turn, id, task, each);
        }
        return;
    }
    if state.next < state.gathering.events.len() && listen.each.is_some() {
        let index = state.next;
        return turn.emit(Record::IterationStarted {
            frame: id,
            index,
            at: turn.moment.now,
        });
    }
    let output = turn.state.own_output(id);
    turn.complete(id, task, output, task.then);
}

fn begin(turn: &mut Turn<'_>, id: FrameId, task: &Task, listen: &Listen) {
    let ask = listen
        .person
        .as_ref()
        .map(|person| ask(turn, id, task, person))
        .transpose();
    match ask {
        Ok(ask) => turn.emit(Record::ListenStarted {
            frame: id,
            ask,
            at: turn.moment.now,
        }),
        Err(error) => turn.fault(id, error),
    }
}

/// What a person is asked, with its expressions evaluated once.
fn ask(turn: &Turn<'_>, id: FrameId, task: &Task, person: &Person) -> Result<Ask, Error> {
    let text = |template: &Template, property: &str| {
        let value = turn.scope(id, task).template(template, property)?;
        Ok(match value {
            Value::String(text) => text,
            other => other.to_string(),
        })
    };
    let optional = |template: &Option<Template>, property: &str| {
        template
            .as_ref()
            .map(|template| text(template, property))
            .transpose()
    };
    Ok(Ask {
        title: text(&person.title, "mastra.io/person.title")?,
        description: optional(&person.description, "mastra.io/person.description")?,
        assignee: optional(&person.assignee, "mastra.io/person.assignee")?,
    })
}

/// Offers an event to a task that listens.
pub(crate) fn offer(turn: &mut Turn<'_>, id: FrameId, arrived: &Arrived) {
    let Some(task) = turn.state.task(turn.workflow, id) else {
        return;
    };
    let (flame_dsl::TaskKind::Listen(listen), Progress::Listening(state)) =
        (&task.kind, &turn.state.frame(id).progress)
    else {
        return;
    };
    let seen = arrived
        .sequence
        .is_some_and(|sequence| sequence <= state.taken);
    if seen || state.gathering.complete {
        return;
    }
    match decide(turn, id, task, listen, &state.gathering, arrived) {
        Ok(Some(record)) => turn.emit(record),
        Ok(None) => {}
        Err(error) => turn.fault(id, error),
    }
}

fn decide(
    turn: &Turn<'_>,
    id: FrameId,
    task: &Task,
    listen: &Listen,
    gathering: &Gathering,
    arrived: &Arrived,
) -> Result<Option<Record>, Error> {
    let evaluate = |template: &Template, subject: Subject<'_>| {
        let scope = turn.scope(id, task);
        match subject {
            Subject::Own => scope.try_template(template),
            Subject::Of(value) => scope.on(value).try_template(template),
        }
    };
    let taking = gathering
        .judge(&listen.to, &arrived.event, &evaluate)
        .map_err(|error| failed(&error, "listen.to"))?;
    let Some(mut taking) = taking else {
        return Ok(None);
    };
    let item = (!taking.until).then(|| read(&arrived.event, listen.read));
    if let EventStrategy::Any {
        until: Some(Until::Condition(condition)),
        ..
    } = &listen.to
    {
        let mut events = gathering.events.clone();
        events.extend(item.clone());
        let events = crate::gathering::array(&events);
        taking.completes = turn
            .scope(id, task)
            .on(&events)
            .holds(condition, "listen.to.any.until")?;
    }
    Ok(Some(Record::EventConsumed {
        frame: id,
        sequence: arrived.sequence,
        item,
        filter: taking.filter,
        correlations: taking.correlations,
        completes: taking.completes,
        at: turn.moment.now,
    }))
}

/// `foreach.output` and `foreach.export` over what its tasks gave; `false` where that fails.
pub(crate) fn end_iteration(
    turn: &mut Turn<'_>,
    id: FrameId,
    task: &Task,
    each: &EventIterator,
) -> bool {
    match leave_iteration(turn, id, task, each) {
        Ok((output, context)) => {
            turn.emit(Record::IterationCompleted {
                frame: id,
                output,
                context,
                at: turn.moment.now,
            });
            true
        }
        Err(error) => {
            turn.fault(id, error);
            false
        }
    }
}

type Left = (Option<Arc<Value>>, Option<Arc<Value>>);

fn leave_iteration(
    turn: &Turn<'_>,
    id: FrameId,
    task: &Task,
    each: &EventIterator,
) -> Result<Left, Error> {
    let frame = turn.state.frame(id);
    let raw = match frame.progress.pass() {
        Some(pass) => Arc::clone(&pass.data),
        None => return Ok((None, None)),
    };
    // Inside the iteration, so that the event and its index are in scope.
    let view = TaskView {
        task,
        raw_input: &frame.raw,
        raw_output: None,
        started_at: frame.started_at,
    };
    let scope_on = |subject| {
        let mut scope = Scope::of_task(turn.view(), id, view, subject);
        scope.input = Some(&frame.input);
        scope
    };
    let output = transform(
        each.output.transform.as_ref(),
        &raw,
        &scope_on(&raw),
        "foreach.output.as",
    )?;
    check(
        each.output.schema.as_ref(),
        &output,
        "foreach.output.schema",
    )?;
    let context = match &each.export.transform {
        None => None,
        Some(export) => {
            let mut scope = scope_on(&output);
            scope.output = Some(&output);
            Some(Arc::new(scope.template(export, "foreach.export.as")?))
        }
    };
    let exported = context.as_deref().unwrap_or(&turn.state.context);
    check(
        each.export.schema.as_ref(),
        exported,
        "foreach.export.schema",
    )?;
    let context = context.and_then(|context| unless_same(context, &turn.state.context));
    Ok((unless_same(output, &raw), context))
}

/// What the fold makes of a record that took an event.
pub(crate) fn take(
    state: &mut Listening,
    sequence: Option<u64>,
    item: Option<&Arc<Value>>,
    filter: usize,
    correlations: &BTreeMap<String, Value>,
    completes: bool,
) {
    state.taken = sequence.unwrap_or(state.taken).max(state.taken);
    let taking = crate::gathering::Taking {
        filter,
        until: item.is_none(),
        correlations: correlations.clone(),
        completes,
    };
    state.gathering.take(&taking, item.cloned());
}
