//! Tasks that wait for a person: which there are, and how an answer gets to one of them.
//!
//! An answer goes to its task alone, past the event log's dispatch: it is taken in the commit that stores it
//! as an event, or refused because the task waits no more.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use flame_dsl::{Person, TaskKind, Workflow};
use flame_engine::{Ask, FrameId, Interest};
use flame_types::{RunId, Timestamp, WorkflowId};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::Error;
use super::depth::is_too_deep;
use super::message::Message;
use super::misfit::{Misfit, misfits};
use super::shared::{Shared, now};
use super::value::PersonTask;

/// Who is asked what.
#[derive(Debug, Default)]
pub(super) struct People {
    open: Mutex<BTreeMap<(RunId, FrameId), Question>>,
}

#[derive(Debug)]
struct Question {
    workflow: Arc<Workflow>,
    reference: Arc<str>,
    ask: Ask,
    since: Timestamp,
}

impl Question {
    fn person(&self) -> Option<&Person> {
        match &self.workflow.task(&self.reference)?.kind {
            TaskKind::Listen(listen) => listen.person.as_ref(),
            _ => None,
        }
    }
}

impl People {
    pub(super) fn listen(
        &self,
        run: RunId,
        frame: FrameId,
        workflow: &Arc<Workflow>,
        interest: &Interest,
    ) {
        if let Interest::Person {
            reference,
            ask,
            since,
        } = interest
        {
            let question = Question {
                workflow: Arc::clone(workflow),
                reference: Arc::clone(reference),
                ask: ask.clone(),
                since: *since,
            };
            self.locked(|open| open.insert((run, frame), question));
        }
    }

    pub(super) fn unlisten(&self, run: RunId, frame: FrameId) {
        self.locked(|open| open.remove(&(run, frame)));
    }

    /// Oldest run first.
    pub(super) fn list(&self) -> Vec<PersonTask> {
        self.locked(|open| {
            let task = |((run, _), question): (&(RunId, FrameId), &Question)| {
                let person = question.person()?;
                Some(PersonTask {
                    run: *run,
                    workflow: WorkflowId::clone(&question.workflow.id),
                    reference: Arc::clone(&question.reference),
                    kind: Arc::clone(&person.kind),
                    title: question.ask.title.clone(),
                    description: question.ask.description.clone(),
                    assignee: question.ask.assignee.clone(),
                    schema: Arc::clone(&person.schema.source),
                    since: question.since,
                })
            };
            open.iter().filter_map(task).collect()
        })
    }

    /// The task of a run that waits for this answer, and the event that the answer becomes.
    fn question(
        &self,
        run: RunId,
        reference: &str,
        data: &Value,
    ) -> Result<Option<(FrameId, Value)>, Error> {
        self.locked(|open| {
            let mut of_run = open.range((run, FrameId(0))..=(run, FrameId(u64::MAX)));
            let found = of_run.find(|(_, question)| *question.reference == *reference);
            let Some(((_, frame), question)) = found else {
                return Ok(None);
            };
            let Some(person) = question.person() else {
                return Ok(None);
            };
            fits(person, data)?;
            let event = json!({
                "specversion": "1.0",
                "id": uuid::Uuid::now_v7().to_string(),
                "source": format!("/runs/{run}"),
                "type": &*person.kind,
                "subject": reference,
                "time": now().to_string(),
                "datacontenttype": "application/json",
                "data": data,
            });
            Ok(Some((*frame, event)))
        })
    }

    fn locked<T>(&self, work: impl FnOnce(&mut BTreeMap<(RunId, FrameId), Question>) -> T) -> T {
        work(&mut self.open.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn fits(person: &Person, data: &Value) -> Result<(), Error> {
    let mut problems = misfits(&person.schema, data, "the answer");
    if is_too_deep(data) {
        let message = "the answer has more levels than data may have";
        problems.push(Misfit::of_whole(message));
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Error::InputInvalid { problems })
    }
}

/// Gives a task the answer that it waits for; the answer is on disk when this returns.
pub(super) async fn answer(
    shared: &Shared,
    run: RunId,
    reference: &str,
    data: &Value,
) -> Result<(), Error> {
    let answered = || Error::AnswerUnwanted {
        run,
        task: reference.to_owned(),
    };
    let Some((frame, event)) = shared.people.question(run, reference, data)? else {
        return Err(answered());
    };
    let (reply, outcome) = oneshot::channel();
    shared.send(
        run,
        Message::Answer {
            run,
            frame,
            event: Arc::new(event),
            reply,
        },
    );
    match outcome.await.unwrap_or(Err(Error::ShuttingDown))? {
        true => Ok(()),
        false => Err(answered()),
    }
}
