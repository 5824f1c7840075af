//! `schedule`: by the clock, after a run, or by events.

use std::time::Duration;

use super::Lowering;
use super::listen::read_as;
use crate::problem::{Problem, Rule};
use crate::source::{Node, pointer_step};
use crate::{DurationSource, EventTrigger, ReadAs, Schedule};

const KINDS: [&str; 4] = ["every", "cron", "after", "on"];

/// What expressions see where no run is.
const VARIABLES: [&str; 2] = ["workflow", "runtime"];

impl Lowering<'_> {
    pub(super) fn schedule(&mut self, node: &Node, pointer: &str) -> Option<Option<Schedule>> {
        let given: Vec<&str> = KINDS
            .into_iter()
            .filter(|kind| node.get(kind).is_some())
            .collect();
        if let [_, second, ..] = given.as_slice()
            && let Some(entry) = node.entry(second)
        {
            let message = format!("a schedule has one of {}", KINDS.join(", "));
            let pointer = pointer_step(pointer, second);
            let problem = Problem::new(Rule::Strict, entry.key_span, &pointer, message);
            return self.refuse(problem.hint("deploy the workflow once for each of them"));
        }
        if let Some(read) = node.entry("read")
            && given != ["on"]
        {
            let pointer = pointer_step(pointer, "read");
            let message = "'read' stands with 'on' alone";
            let problem = Problem::new(Rule::Shape, read.key_span, &pointer, message);
            return self.refuse(problem.hint("remove it"));
        }
        match given.first() {
            Some(&"cron") => self.optional(node, "cron", pointer, Self::cron),
            Some(&"every") => {
                let every = self.optional(node, "every", pointer, Self::interval)?;
                Some(every.map(Schedule::Every))
            }
            Some(&"after") => {
                let after = self.optional(node, "after", pointer, Self::interval)?;
                Some(after.map(Schedule::After))
            }
            Some(&"on") => {
                let outer = std::mem::take(&mut self.scope);
                self.scope = VARIABLES.map(str::to_owned).into();
                let to = self.required(node, "on", pointer, Self::event_strategy);
                self.scope = outer;
                // The examples of both releases read `.data` of the events, so they are whole.
                let read = read_as(node).unwrap_or(ReadAs::Envelope);
                Some(Some(Schedule::On(Box::new(EventTrigger { to: to?, read }))))
            }
            _ => Some(None),
        }
    }

    fn interval(&mut self, node: &Node, pointer: &str) -> Option<Duration> {
        match self.duration(node, pointer)? {
            DurationSource::Fixed(length) => match length.fixed() {
                Some(Duration::ZERO) => self.strict(
                    node,
                    pointer,
                    "a schedule without a pause",
                    "write a duration that is longer than 0",
                ),
                None => self.strict(
                    node,
                    pointer,
                    "a schedule by months, which differ in length",
                    "write days, or a cron expression such as '0 7 1 * *' for the first of each month",
                ),
                interval => interval,
            },
            DurationSource::Expression(_) => self.strict(
                node,
                pointer,
                "an expression, where there is no run to evaluate it",
                "write a duration such as PT1H",
            ),
        }
    }
}
