//! A journal folded into tasks with their attempts, as the timeline draws them. Pure.

use std::collections::{HashMap, HashSet};

use flame_agent_client::api::{JournalEntry as Entry, JournalType};
use flame_dsl::{TaskKind, TaskList, Workflow};
use flame_ipc::{AttemptView, JournalEntry, Json, Moment, RunStatusView, TaskView, Whole};
use flame_types::RunStatus;

use super::error;
use crate::documents::{millis, model};

/// One entry as the journal page shows it.
pub(crate) fn journal_entry(entry: &Entry) -> JournalEntry {
    let kind = serde_json::to_value(entry.kind).ok();
    JournalEntry {
        seq: Whole::new(entry.sequence),
        at: entry.at.into(),
        kind: kind
            .and_then(|kind| kind.as_str().map(str::to_owned))
            .unwrap_or_default(),
        task: entry.task.clone(),
        data: Json(serde_json::to_value(entry).unwrap_or_default()),
    }
}

/// Tasks in the order in which they began. The entries may be the end of a journal alone: a task that began before
/// them has a row from its first entry on, without a time of start.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    tasks: Vec<TaskView>,
    /// Sequence of the first entry that was taken.
    first: Option<u64>,
    /// Rows of tasks that began before it.
    earlier: HashSet<usize>,
    /// Where the task of each execution stands.
    by_execution: HashMap<u64, usize>,
    /// Where each visit of a task stands; its attempts share it.
    by_key: HashMap<String, usize>,
}

impl Timeline {
    pub(super) fn take(&mut self, entry: &Entry) {
        self.first.get_or_insert(entry.sequence);
        match entry.kind {
            JournalType::TaskStarted | JournalType::CompensationBegan => self.begin(entry),
            JournalType::CompensationEnded => self.end_compensation(entry),
            JournalType::CompensationParked => self.park(entry),
            JournalType::TaskSkipped => self.skip(entry),
            JournalType::TaskCompleted => self.end(entry, RunStatusView::Completed),
            JournalType::TaskFaulted => self.end(entry, RunStatusView::Faulted),
            JournalType::TaskCancelled => self.end(entry, RunStatusView::Cancelled),
            JournalType::EffectRequested => self.with(entry, |task| {
                task.idempotency_key.clone_from(&entry.key);
            }),
            JournalType::TaskStubbed => self.with(entry, |task| {
                task.note = Some("given by the test".to_owned());
            }),
            JournalType::TimerArmed => self.with(entry, |task| {
                if task.kind == "wait" {
                    task.status = RunStatusView::Waiting;
                    task.note = entry.due.map(|due| format!("until {due:.0}"));
                }
            }),
            JournalType::ListenStarted => self.with(entry, |task| {
                task.status = RunStatusView::Waiting;
                task.note = Some("waits for an event".to_owned());
            }),
            JournalType::RetryScheduled => self.schedule(entry),
            JournalType::AttemptStarted => self.with(entry, |task| {
                task.status = RunStatusView::Running;
                task.error = None;
                task.note = None;
            }),
            JournalType::ErrorCaught => self.with(entry, |task| {
                task.note = entry.error.as_ref().map(|caught| {
                    format!(
                        "caught {} {}",
                        caught.status,
                        caught.title.as_deref().unwrap_or("")
                    )
                    .trim_end()
                    .to_owned()
                });
            }),
            JournalType::IterationStarted => self.with(entry, |task| {
                let index = entry.iteration.last().copied().unwrap_or_default();
                task.note = Some(format!("item {}", index + 1));
            }),
            _ => {}
        }
    }

    /// All tasks; those that the definition has and the run did not reach come as pending.
    pub(super) fn finish(mut self, status: RunStatus, definition: Option<&str>) -> Vec<TaskView> {
        if status.is_terminal() {
            // What a fault or a cancel interrupted has no end of its own in the journal.
            for task in &mut self.tasks {
                if matches!(task.status, RunStatusView::Running | RunStatusView::Waiting) {
                    task.status = status.into();
                    for attempt in &mut task.attempts {
                        if attempt.status == RunStatusView::Running {
                            attempt.status = status.into();
                        }
                    }
                }
            }
        }
        let partial = self.partial();
        let mut tasks = self.in_order();
        if let Some(workflow) = definition.and_then(model) {
            name_people(&mut tasks, &workflow);
            if partial {
                set_depths(&mut tasks, &workflow);
            }
            let rest = Rest { partial, status };
            add_unreached(&mut tasks, &workflow.tasks, &mut 0, 0, None, rest);
        }
        tasks
    }

    /// Whether the journal has a beginning that was not taken.
    fn partial(&self) -> bool {
        self.first.is_some_and(|first| first > 1)
    }

    /// The rows, those of tasks that began earlier before what is below them.
    fn in_order(self) -> Vec<TaskView> {
        let mut tasks: Vec<TaskView> = Vec::with_capacity(self.tasks.len());
        for (place, task) in self.tasks.into_iter().enumerate() {
            let below = format!("{}/", task.reference);
            let inner = tasks
                .iter()
                .position(|known| known.reference.starts_with(&below))
                .filter(|_| self.earlier.contains(&place));
            tasks.insert(inner.unwrap_or(tasks.len()), task);
        }
        tasks
    }

    fn begin(&mut self, entry: &Entry) {
        let (key, parent) = self.key(entry);
        let attempt = AttemptView {
            number: 1,
            started_at: entry.at.into(),
            ended_at: None,
            status: RunStatusView::Running,
            error: None,
            backoff_ms: None,
        };
        let place = match self.by_key.get(&key) {
            Some(place) => *place,
            None => {
                let task = self.view(entry, key.clone(), parent, RunStatusView::Running);
                self.tasks.push(task);
                self.by_key.insert(key, self.tasks.len() - 1);
                self.tasks.len() - 1
            }
        };
        let task = &mut self.tasks[place];
        task.status = RunStatusView::Running;
        task.ended_at = None;
        task.error = None;
        task.input = entry.input.clone().map(Into::into).or(task.input.take());
        let number = u32::try_from(task.attempts.len() + 1).unwrap_or(u32::MAX);
        task.attempts.push(AttemptView { number, ..attempt });
        if let Some(execution) = entry.execution {
            self.by_execution.insert(execution, place);
        }
    }

    fn skip(&mut self, entry: &Entry) {
        let (key, parent) = self.key(entry);
        let mut task = self.view(entry, key, parent, RunStatusView::Cancelled);
        task.note = Some("skipped: its condition did not hold".to_owned());
        task.ended_at = Some(entry.at.into());
        self.tasks.push(task);
    }

    fn end(&mut self, entry: &Entry, status: RunStatusView) {
        self.with(entry, |task| {
            task.status = status;
            task.ended_at = Some(entry.at.into());
            task.output = entry.output.clone().map(Into::into).or(task.output.take());
            task.error = entry.error.as_ref().map(error);
            if task.kind == "listen" {
                task.note = None;
            }
            if let (Some(then), "switch") = (&entry.then, task.kind.as_str()) {
                task.note = Some(format!("goes to {then}"));
            }
            if let Some(attempt) = task.attempts.last_mut() {
                attempt.status = status;
                attempt.ended_at = Some(entry.at.into());
                attempt.error.clone_from(&task.error);
            }
        });
    }

    /// Undone, unless a person gave it up after it had failed.
    fn end_compensation(&mut self, entry: &Entry) {
        self.with(entry, |task| {
            let skipped = task.error.is_some();
            task.status = if skipped {
                RunStatusView::Cancelled
            } else {
                RunStatusView::Completed
            };
            task.note = skipped.then(|| "given up by a person".to_owned());
            task.ended_at = Some(entry.at.into());
            if let Some(attempt) = task.attempts.last_mut() {
                attempt.status = task.status;
                attempt.ended_at = Some(entry.at.into());
            }
        });
    }

    fn park(&mut self, entry: &Entry) {
        self.with(entry, |task| {
            task.status = RunStatusView::Waiting;
            task.error = entry.error.as_ref().map(error);
            task.note = Some("waits for a person: try it again or give it up".to_owned());
        });
    }

    /// The wait before the next attempt belongs to every task below the `try` that has just failed.
    fn schedule(&mut self, entry: &Entry) {
        let Some(due) = entry.due else { return };
        let wait = millis(due.duration_since(entry.at).as_millis());
        let Some(place) = self.place(entry) else {
            return;
        };
        self.tasks[place].status = RunStatusView::Waiting;
        let below = format!("{}/", self.tasks[place].reference);
        for task in self
            .tasks
            .iter_mut()
            .filter(|task| task.reference.starts_with(&below))
        {
            if let Some(attempt) = task.attempts.last_mut()
                && attempt.status == RunStatusView::Faulted
                && attempt.backoff_ms.is_none()
            {
                attempt.backoff_ms = Some(wait);
            }
        }
    }

    fn with(&mut self, entry: &Entry, change: impl FnOnce(&mut TaskView)) {
        if let Some(place) = self.place(entry) {
            change(&mut self.tasks[place]);
        }
    }

    /// Where the task of an entry stands; one that began before the first entry gets its row now.
    fn place(&mut self, entry: &Entry) -> Option<usize> {
        let execution = entry.execution?;
        if let Some(place) = self.by_execution.get(&execution) {
            return Some(*place);
        }
        if !self.partial() || entry.task.is_none() {
            return None;
        }
        let (key, parent) = self.key(entry);
        let place = match self.by_key.get(&key) {
            Some(place) => *place,
            None => {
                let mut task = self.view(entry, key.clone(), parent, RunStatusView::Running);
                task.started_at = None;
                task.input = None;
                task.note = Some(EARLIER.to_owned());
                self.tasks.push(task);
                let place = self.tasks.len() - 1;
                self.earlier.insert(place);
                self.by_key.insert(key, place);
                place
            }
        };
        self.by_execution.insert(execution, place);
        Some(place)
    }

    /// What tells this visit of a task from any other of the run, and the same of the task around it.
    fn key(&self, entry: &Entry) -> (String, Option<String>) {
        let parent = entry
            .parent
            .and_then(|parent| self.by_execution.get(&parent));
        let parent = parent.map(|place| self.tasks[*place].key.clone());
        let iteration = iteration(entry).unwrap_or_default();
        // What undoes a task stands under the task's own reference.
        let undo = entry.compensation.filter(|_| undoes(entry));
        let key = format!(
            "{}{}{}#{iteration}#{}",
            parent
                .as_deref()
                .map(|parent| format!("{parent}>"))
                .unwrap_or_default(),
            undo.map(|number| format!("undo {number} "))
                .unwrap_or_default(),
            entry.task.as_deref().unwrap_or_default(),
            entry.visit.unwrap_or(1)
        );
        (key, parent)
    }

    fn view(
        &self,
        entry: &Entry,
        key: String,
        parent: Option<String>,
        status: RunStatusView,
    ) -> TaskView {
        let reference = entry.task.clone().unwrap_or_default();
        let around = parent.as_ref().and_then(|parent| self.by_key.get(parent));
        TaskView {
            depth: around.map_or(0, |place| self.tasks[*place].depth + 1),
            compensation: entry.compensation.is_some() || is_compensation(&reference),
            reference,
            key,
            name: entry.name.clone().unwrap_or_default(),
            kind: if undoes(entry) {
                "compensation".to_owned()
            } else {
                entry.task_kind.clone().unwrap_or_default()
            },
            parent,
            iteration: iteration(entry),
            status,
            started_at: Some(entry.at.into()),
            ended_at: None,
            input: entry.input.clone().map(Into::into),
            output: None,
            error: None,
            note: None,
            attempts: Vec::new(),
            idempotency_key: None,
        }
    }
}

/// What is said of a task whose start is in the part of the journal that was not taken.
const EARLIER: &str = "began earlier";

/// Whether an entry is about the undoing of a task, not about one of the tasks that undo it.
fn undoes(entry: &Entry) -> bool {
    matches!(
        entry.kind,
        JournalType::CompensationBegan
            | JournalType::CompensationParked
            | JournalType::CompensationEnded
    )
}

/// Rows whose parent has none have the depth that the definition gives them.
fn set_depths(tasks: &mut [TaskView], workflow: &Workflow) {
    for view in tasks.iter_mut().filter(|view| view.parent.is_none()) {
        let around = view.reference.match_indices('/').map(|(at, _)| at);
        let around = around.filter(|at| workflow.task(&view.reference[..*at]).is_some());
        view.depth = u32::try_from(around.count()).unwrap_or_default();
    }
}

/// A task that listens for a person's answer says so.
fn name_people(tasks: &mut [TaskView], workflow: &Workflow) {
    for view in tasks {
        let asks = |task: &flame_dsl::Task| matches!(&task.kind, TaskKind::Listen(listen) if listen.person.is_some());
        if view.status == RunStatusView::Waiting && workflow.task(&view.reference).is_some_and(asks)
        {
            view.note = Some("waits for a person".to_owned());
        }
    }
}

/// Whether a task that completed can be undone. `partial` tells that there are tasks beyond these: one of them may be.
pub(super) fn undoable(tasks: &[TaskView], partial: bool, definition: Option<&str>) -> bool {
    let Some(workflow) = definition.and_then(model) else {
        return false;
    };
    let mut completed = tasks
        .iter()
        .filter(|task| task.status == RunStatusView::Completed);
    workflow.compensates
        && (partial
            || completed.any(|task| {
                let task = workflow.task(&task.reference);
                task.is_some_and(|task| task.compensation.is_some())
            }))
}

fn iteration(entry: &Entry) -> Option<String> {
    let parts: Vec<String> = entry.iteration.iter().map(u64::to_string).collect();
    (!parts.is_empty()).then(|| parts.join("."))
}

/// Whether a task stands in a `catch.do`.
fn is_compensation(reference: &str) -> bool {
    reference.contains("/catch/do/")
}

/// What is known of tasks that have no row.
#[derive(Debug, Clone, Copy)]
struct Rest {
    /// They may have run in the part of the journal that was not taken.
    partial: bool,
    status: RunStatus,
}

/// Puts tasks that were not reached behind those they follow in the definition.
fn add_unreached(
    tasks: &mut Vec<TaskView>,
    list: &TaskList,
    place: &mut usize,
    depth: u32,
    parent: Option<&str>,
    rest: Rest,
) {
    let is_at = |view: &TaskView, reference: &str, below: &str| {
        (*view.reference == *reference || view.reference.starts_with(below)) && !is_undo(view)
    };
    // What stands before the last one that has a row has run, or was left out by the flow, earlier.
    let last_reached = list.0.iter().rposition(|task| {
        let below = format!("{}/", task.reference);
        tasks
            .iter()
            .any(|view| is_at(view, &task.reference, &below))
    });
    for (index, task) in list.0.iter().enumerate() {
        let below = format!("{}/", task.reference);
        let first = tasks
            .iter()
            .find(|view| *view.reference == *task.reference && !view.compensation);
        let reached = first.map(|view| view.key.clone());
        let last = tasks
            .iter()
            .rposition(|view| is_at(view, &task.reference, &below));
        match (reached, last) {
            (Some(key), Some(last)) => {
                let mut inner = last + 1;
                // Inside a loop or a handler "not reached" says nothing a person could use.
                if let TaskKind::Do(inside) = &task.kind {
                    add_unreached(tasks, inside, &mut inner, depth + 1, Some(&key), rest);
                }
                if let TaskKind::Try(body) = &task.kind {
                    add_unreached(tasks, &body.tasks, &mut inner, depth + 1, Some(&key), rest);
                }
                *place = (*place).max(inner);
            }
            (_, Some(last)) if rest.partial => {
                // Tasks inside it have rows, so it is under way since before the first of them.
                let first = tasks
                    .iter()
                    .position(|view| is_at(view, &task.reference, &below))
                    .unwrap_or(last);
                let mut view = unreached(task, depth, parent);
                view.status = match rest.status.is_terminal() {
                    true => rest.status.into(),
                    false => RunStatusView::Running,
                };
                view.note = Some(EARLIER.to_owned());
                tasks.insert(first, view);
                *place = (*place).max(last + 2);
            }
            _ if rest.partial && last_reached.is_none_or(|reached| index < reached) => {}
            _ => {
                let view = unreached(task, depth, parent);
                tasks.insert((*place).min(tasks.len()), view);
                *place += 1;
            }
        }
    }
}

/// Below the tasks of the workflow: they stand there for all that was undone.
fn is_undo(view: &TaskView) -> bool {
    view.kind == "compensation" || view.reference.contains("/metadata/mastra.io~1compensate/")
}

fn unreached(task: &flame_dsl::Task, depth: u32, parent: Option<&str>) -> TaskView {
    TaskView {
        reference: task.reference.to_string(),
        key: format!("{}#unreached", task.reference),
        name: task.name.to_string(),
        kind: task.kind.name().to_owned(),
        depth,
        parent: parent.map(str::to_owned),
        iteration: None,
        status: RunStatusView::Pending,
        started_at: None::<Moment>,
        ended_at: None,
        input: None,
        output: None,
        error: None,
        note: None,
        attempts: Vec::new(),
        idempotency_key: None,
        compensation: is_compensation(&task.reference),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const TEXT: &str = "
document: {dsl: 1.0.3, namespace: shop, name: orders, version: 1.0.0}
do:
  - total: {set: {total: 1}}
  - pay:
      try:
        - charge: {call: http, with: {method: post, endpoint: 'http://localhost/charge'}}
        - note: {set: {paid: true}}
      catch:
        retry: {delay: {seconds: 2}, limit: {attempt: {count: 2}}}
        do:
          - release: {set: {released: true}}
  - confirm: {set: {done: true}}
";

    fn entries(list: Value) -> Vec<Entry> {
        let mut sequence = 0;
        list.as_array()
            .unwrap()
            .iter()
            .map(|fields| {
                sequence += 1;
                let mut entry = json!({
                    "sequence": sequence,
                    "at": format!("2026-01-02T03:04:{sequence:02}Z"),
                });
                for (key, value) in fields.as_object().unwrap() {
                    entry[key] = value.clone();
                }
                serde_json::from_value(entry).unwrap()
            })
            .collect()
    }

    fn charge(kind: &str, execution: u64, attempt: u64) -> Value {
        json!({"type": kind, "task": "/do/1/pay/try/0/charge", "name": "charge",
            "taskKind": "call http", "execution": execution, "parent": 2, "visit": 1,
            "attempt": attempt, "key": "k",
            "error": if kind == "taskFaulted" { json!({"type": "t", "status": 503}) } else { Value::Null }})
    }

    fn pay(kind: &str, rest: Value) -> Value {
        let mut entry = json!({"type": kind, "task": "/do/1/pay", "name": "pay",
            "taskKind": "try", "execution": 2, "visit": 1});
        for (key, value) in rest.as_object().unwrap() {
            entry[key] = value.clone();
        }
        entry
    }

    fn fold(list: Value, status: RunStatus) -> Vec<TaskView> {
        let mut timeline = Timeline::default();
        for entry in entries(list) {
            timeline.take(&entry);
        }
        timeline.finish(status, Some(TEXT))
    }

    /// The end of a journal, as the newest entries of a long run.
    fn fold_end(mut list: Value, status: RunStatus) -> Vec<TaskView> {
        for (index, entry) in list.as_array_mut().unwrap().iter_mut().enumerate() {
            entry["sequence"] = json!(9_001 + index);
        }
        fold(list, status)
    }

    #[test]
    fn a_task_that_began_before_the_end_of_a_journal_has_its_row_around_what_is_in_it() {
        let tasks = fold_end(
            json!([
                charge("taskStarted", 3, 1),
                charge("taskFaulted", 3, 1),
                pay("taskFaulted", json!({"error": {"type": "t", "status": 503}})),
                {"type": "runFaulted"},
            ]),
            RunStatus::Faulted,
        );
        let rows: Vec<_> = tasks
            .iter()
            .map(|task| (task.name.as_str(), task.depth, task.status))
            .collect();
        assert_eq!(
            rows,
            [
                ("pay", 0, RunStatusView::Faulted),
                ("charge", 1, RunStatusView::Faulted),
                ("note", 1, RunStatusView::Pending),
                ("confirm", 0, RunStatusView::Pending),
            ],
            "total ran before these entries, so nothing is known of it"
        );
        assert_eq!(tasks[0].started_at, None);
        assert_eq!(tasks[0].note.as_deref(), Some("began earlier"));
        assert!(tasks[0].error.is_some() && tasks[1].started_at.is_some());
    }

    #[test]
    fn a_task_that_says_nothing_in_the_end_of_a_journal_stands_around_its_tasks() {
        let tasks = fold_end(
            json!([charge("taskStarted", 3, 1), charge("taskCompleted", 3, 1)]),
            RunStatus::Running,
        );
        let rows: Vec<_> = tasks
            .iter()
            .map(|task| (task.name.as_str(), task.depth, task.status))
            .collect();
        assert_eq!(
            rows,
            [
                ("pay", 0, RunStatusView::Running),
                ("charge", 1, RunStatusView::Completed),
                ("confirm", 0, RunStatusView::Pending),
            ]
        );
    }

    #[test]
    fn attempts_of_a_task_share_a_row_and_carry_their_backoff() {
        let tasks = fold(
            json!([
                {"type": "runStarted", "input": {}},
                {"type": "taskStarted", "task": "/do/0/total", "name": "total", "taskKind": "set",
                 "execution": 1, "visit": 1, "input": {"a": 1}},
                {"type": "taskCompleted", "task": "/do/0/total", "execution": 1, "output": {"total": 1}},
                pay("taskStarted", json!({})),
                charge("taskStarted", 3, 1),
                charge("effectRequested", 3, 1),
                charge("taskFaulted", 3, 1),
                pay("retryScheduled", json!({"due": "2026-01-02T03:04:10Z"})),
                pay("attemptStarted", json!({})),
                charge("taskStarted", 4, 2),
            ]),
            RunStatus::Running,
        );
        let names: Vec<_> = tasks
            .iter()
            .map(|task| (task.name.as_str(), task.depth, task.status))
            .collect();
        use RunStatusView::{Completed, Pending, Running};
        assert_eq!(
            names,
            [
                ("total", 0, Completed),
                ("pay", 0, Running),
                ("charge", 1, Running),
                ("note", 1, Pending),
                ("confirm", 0, Pending),
            ]
        );
        assert_eq!(tasks[0].output, Some(Json(json!({"total": 1}))));
        let attempts = &tasks[2].attempts;
        assert_eq!(attempts.len(), 2);
        assert_eq!(attempts[0].backoff_ms, Some(Whole::new(2_000)));
        assert_eq!(attempts[0].error.as_ref().unwrap().status, 503);
        assert_eq!(attempts[1].status, Running);
        assert_eq!(tasks[2].idempotency_key.as_deref(), Some("k"));
    }

    #[test]
    fn what_a_fault_interrupted_is_not_shown_as_running() {
        let tasks = fold(
            json!([pay("taskStarted", json!({})), charge("taskStarted", 3, 1)]),
            RunStatus::Cancelled,
        );
        let pay = tasks.iter().find(|task| task.name == "pay").unwrap();
        assert_eq!(pay.status, RunStatusView::Cancelled);
        assert_eq!(tasks[0].name, "total", "an unreached task keeps its place");
    }

    #[test]
    fn a_task_that_listens_waits_and_says_for_whom() {
        const ASKS: &str = "
document: {dsl: 1.0.3, namespace: shop, name: ask, version: 1.0.0}
do:
  - approve:
      listen: {to: {one: {with: {type: io.mastra.approval.v1}}}}
      metadata: {mastra.io/person: {title: Ship it?}}
";
        let approve = |kind: &str| {
            json!({"type": kind, "task": "/do/0/approve", "name": "approve",
                "taskKind": "listen", "execution": 1, "visit": 1})
        };
        let seen = |list: Value, definition: Option<&str>| {
            let mut timeline = Timeline::default();
            for entry in entries(list) {
                timeline.take(&entry);
            }
            let task = timeline.finish(RunStatus::Waiting, definition).remove(0);
            (task.status, task.note)
        };
        let begun = json!([approve("taskStarted"), approve("listenStarted")]);
        let waits = |who: &str| (RunStatusView::Waiting, Some(format!("waits for {who}")));
        assert_eq!(seen(begun.clone(), Some(ASKS)), waits("a person"));
        assert_eq!(seen(begun, None), waits("an event"));
        let answered = json!([
            approve("taskStarted"),
            approve("listenStarted"),
            approve("taskCompleted")
        ]);
        assert_eq!(seen(answered, Some(ASKS)), (RunStatusView::Completed, None));
    }

    #[test]
    fn what_undoes_a_task_is_a_row_of_its_own_below_all_others() {
        let total = |kind: &str, execution: u64, rest: Value| {
            let mut entry = json!({"type": kind, "task": "/do/0/total", "name": "total",
                "taskKind": "set", "execution": execution, "visit": 1});
            for (key, value) in rest.as_object().unwrap() {
                entry[key] = value.clone();
            }
            entry
        };
        let undo = |kind: &str, execution: u64| {
            json!({"type": kind, "task": "/do/0/total/metadata/mastra.io~1compensate/0/undo",
                "name": "undo", "taskKind": "set", "execution": execution, "parent": 7, "visit": 1,
                "compensation": 1})
        };
        let number = json!({"compensation": 1});
        let failed = json!({"compensation": 1, "error": {"type": "t", "status": 503}});
        let tasks = fold(
            json!([
                total("taskStarted", 1, json!({})),
                total("taskCompleted", 1, json!({})),
                total("compensationBegan", 7, number.clone()),
                undo("taskStarted", 8),
                undo("taskFaulted", 8),
                total("compensationParked", 7, failed),
            ]),
            RunStatus::Running,
        );
        let rows: Vec<_> = tasks
            .iter()
            .map(|task| {
                (
                    task.name.as_str(),
                    task.kind.as_str(),
                    task.status,
                    task.compensation,
                )
            })
            .collect();
        use RunStatusView::{Completed, Faulted, Pending, Waiting};
        assert_eq!(rows[0], ("total", "set", Completed, false));
        assert!(rows[1..3].iter().all(|row| row.2 == Pending), "{rows:?}");
        assert_eq!(
            rows[3..],
            [
                ("total", "compensation", Waiting, true),
                ("undo", "set", Faulted, true)
            ]
        );
        assert_eq!(tasks[4].parent.as_deref(), Some(tasks[3].key.as_str()));
        assert_eq!(tasks[3].error.as_ref().unwrap().status, 503);
    }

    #[test]
    fn iterations_and_visits_are_rows_of_their_own_and_handlers_are_marked() {
        let row = |execution: u64, iteration: u64, visit: u64| {
            json!({"type": "taskStarted", "task": "/do/9/x", "name": "x", "taskKind": "set",
                "execution": execution, "iteration": [iteration], "visit": visit})
        };
        let release = json!({"type": "taskStarted", "task": "/do/1/pay/catch/do/0/release",
            "name": "release", "taskKind": "set", "execution": 9, "visit": 1});
        let mut timeline = Timeline::default();
        for entry in entries(json!([row(1, 0, 1), row(2, 1, 1), row(3, 1, 2), release])) {
            timeline.take(&entry);
        }
        let tasks = timeline.finish(RunStatus::Running, None);
        assert_eq!(tasks.len(), 4);
        assert_eq!(tasks[2].iteration.as_deref(), Some("1"));
        assert!(tasks[3].compensation && !tasks[0].compensation);
    }
}
