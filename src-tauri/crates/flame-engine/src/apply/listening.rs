//! The records of tasks that take what comes one by one: events of the log, messages of a subscription.

use std::sync::Arc;

use flame_dsl::TaskKind;
use serde_json::Value;

use super::{Fold, Folding};
use crate::gathering::Gathering;
use crate::record::{Ask, FrameId, Record};
use crate::state::{Listening, Progress, Receiving};
use crate::subscription;
use crate::tasks;

impl Folding<'_> {
    pub(super) fn listen_started(&mut self, id: FrameId, ask: Option<&Ask>) -> Fold {
        self.state.waited = true;
        let iterates = matches!(
            self.state.task(self.workflow, id).map(|task| &task.kind),
            Some(TaskKind::Listen(listen)) if listen.each.is_some()
        );
        self.frame(id)?.progress = Progress::Listening(Box::new(Listening {
            gathering: Gathering::default(),
            taken: 0,
            ask: ask.cloned(),
            next: 0,
            at: Value::from(0),
            pass: None,
            outputs: Vec::new(),
            iterates,
        }));
        self.refresh(id);
        Ok(())
    }

    pub(super) fn event_consumed(&mut self, record: &Record) -> Fold {
        let Record::EventConsumed {
            frame,
            sequence,
            item,
            filter,
            correlations,
            completes,
            ..
        } = record
        else {
            return Err("it is not about an event".to_owned());
        };
        // Each event that is kept takes memory, so it counts against the limit of steps.
        self.state.steps += 1;
        let listening = self.listening(*frame)?;
        tasks::listen::take(
            listening,
            *sequence,
            item.as_ref(),
            *filter,
            correlations,
            *completes,
        );
        self.refresh(*frame);
        Ok(())
    }

    pub(super) fn listening(&mut self, id: FrameId) -> Result<&mut Listening, String> {
        match &mut self.frame(id)?.progress {
            Progress::Listening(state) => Ok(state),
            _ => Err(format!("task execution {} does not listen", id.0)),
        }
    }

    pub(super) fn message_taken(&mut self, record: &Record) -> Fold {
        let Record::MessageTaken {
            frame,
            message,
            mark,
            last,
            ..
        } = record
        else {
            return Err("it is not about a message".to_owned());
        };
        // What becomes of it is kept, so it counts against the limit of steps.
        self.state.steps += 1;
        let remembers = matches!(
            self.state.task(self.workflow, *frame).map(|task| &task.kind),
            Some(TaskKind::CallProtocol(call))
                if call.each().is_some_and(|(subscription, _)| subscription::remembers(subscription))
        );
        let state = self.receiving(*frame)?;
        if !state.wants() {
            return Err("no message is taken there".to_owned());
        }
        state.taken += 1;
        state.message = Some(Arc::clone(message));
        if remembers {
            state.messages.push(Arc::clone(message));
        }
        state.mark = mark.clone().or(state.mark.take());
        state.complete = *last;
        self.refresh(*frame);
        Ok(())
    }

    pub(super) fn receiving(&mut self, id: FrameId) -> Result<&mut Receiving, String> {
        match &mut self.frame(id)?.progress {
            Progress::Receiving(state) => Ok(state),
            _ => Err(format!("task execution {} receives nothing", id.0)),
        }
    }
}
