//! How a run begins: everything that its first commit needs, put together before a shard sees it.

use std::cell::Cell;
use std::sync::Arc;

use flame_dsl::Workflow;
use flame_dsl::expression::DEPTH_MAX;
use flame_engine::{Event, Moment, NotReplayable, ReplayFrom, Run as EngineRun, Step};
use flame_store::{Child, IdempotencyClaim, Operation, Run};
use flame_types::{RunId, Timestamp, WorkflowId, json};
use serde_json::Value;
use tokio::sync::oneshot;

use super::Error;
use super::depth::is_too_deep;
use super::externals;
use super::load::Place;
use super::message::Message;
use super::misfit::{Misfit, misfits};
use super::shared::Shared;
use super::value::{StartRequest, Started, Trigger};

/// Characters of a run's subject.
const SUBJECT_CHARACTERS_MAX: usize = 120;
/// Members of an input that say what it is about, the best first.
const SUBJECT_MEMBERS: [&str; 14] = [
    "orderId",
    "order_id",
    "orderNumber",
    "order",
    "id",
    "number",
    "key",
    "reference",
    "name",
    "title",
    "subject",
    "email",
    "customer",
    "data",
];

/// A run that is about to begin.
pub(super) struct Begin {
    pub(super) run: EngineRun,
    pub(super) first: First,
    pub(super) input: Arc<Value>,
    pub(super) trigger: Trigger,
    pub(super) subject: Option<String>,
    pub(super) replay_of: Option<(RunId, String)>,
    /// Of a run that another one's task starts.
    pub(super) child: Option<Child>,
    pub(super) created: Timestamp,
    pub(super) claim: Option<IdempotencyClaim>,
    /// What is committed together with the run.
    pub(super) extra: Vec<Operation>,
    /// Its place among the runs in flight, once it is admitted.
    pub(super) place: Option<Place>,
    /// Told once the run is on disk.
    pub(super) reply: Option<oneshot::Sender<Result<Run, Error>>>,
    /// Told once the run has ended, where it has not when it is on disk.
    pub(super) end: Option<oneshot::Sender<Run>>,
}

/// How the run comes to life.
pub(super) enum First {
    Event(Event),
    /// Decided already, by a replay.
    Step(Step),
}

impl Begin {
    /// Looks the workflow up and checks the input.
    pub(super) async fn of(
        shared: &Shared,
        request: StartRequest,
        extra: Vec<Operation>,
    ) -> Result<Self, Error> {
        let workflow = shared.definitions.workflow(&request.workflow).await?;
        shared.await_secrets(&workflow).await;
        let (workflow, refusal) = complete(shared, workflow).await;
        shallow(&request.input)?;
        let plan = request.test.as_deref();
        // A task alone takes its own input, not the workflow's.
        let alone = plan.is_some_and(|plan| plan.task.is_some());
        if request.refuse_unfit && !alone {
            fits(&workflow, &request.input)?;
        }
        for given in plan
            .iter()
            .flat_map(|plan| plan.context.iter().chain(plan.pins.values()))
        {
            shallow(given)?;
        }
        let now = Timestamp::now();
        let id = shared.lanes.new_id();
        let mut run = match request.test {
            None => EngineRun::new(id, workflow),
            Some(plan) => EngineRun::testing(id, workflow, plan).map_err(|error| {
                let detail = error.to_string();
                Error::TestImpossible { detail }
            })?,
        };
        if let Some(error) = refusal {
            run.refuse(error);
        }
        let claim = request.idempotency.map(|key| IdempotencyClaim {
            scope: scope(&request.workflow),
            key: key.key,
            body_hash: key.body_hash,
            run: id,
            created: now,
        });
        Ok(Self {
            run,
            first: First::Event(Event::Start {
                input: Arc::clone(&request.input),
            }),
            subject: request.subject.or_else(|| subject(&request.input)),
            input: request.input,
            trigger: request.trigger,
            replay_of: None,
            child: None,
            created: now,
            claim,
            extra,
            place: None,
            reply: None,
            end: None,
        })
    }

    /// A new run that goes on from a task of an old one; an empty task is the start.
    pub(super) async fn replay(
        shared: &Shared,
        old: &Run,
        task: &str,
        input: Option<Value>,
        context: Option<Value>,
    ) -> Result<Self, Error> {
        for value in input.iter().chain(&context) {
            shallow(value)?;
        }
        let summary = &old.summary;
        let impossible = |detail: String| Error::ReplayImpossible {
            run: summary.id,
            task: task.to_owned(),
            detail,
        };
        let workflow = shared.pinned(&summary.hash).await?;
        let recorded: Arc<Value> =
            Arc::new(json::from_slice(&old.input).map_err(|error| impossible(error.to_string()))?);
        let (id, now) = (shared.lanes.new_id(), Timestamp::now());
        let (run, first, run_input) = if task.is_empty() || task == "/" {
            if summary.trigger == Trigger::Test.as_str() {
                let detail = "it is a test; start another test with the input that you want";
                return Err(impossible(detail.to_owned()));
            }
            if context.is_some() {
                let detail =
                    "the start makes its context of the input; edit the input, or name a task";
                return Err(impossible(detail.to_owned()));
            }
            let input = input.map_or(recorded, Arc::new);
            let event = Event::Start {
                input: Arc::clone(&input),
            };
            let (workflow, refusal) = complete(shared, workflow).await;
            let mut run = EngineRun::new(id, workflow);
            if let Some(error) = refusal {
                run.refuse(error);
            }
            (run, First::Event(event), input)
        } else {
            let moment = Moment {
                now,
                entropy: entropy(),
            };
            let from = ReplayFrom {
                reference: task,
                iteration: None,
                input: input.map(Arc::new),
                context: context.map(Arc::new),
            };
            shared.await_secrets(&workflow).await;
            // Its last execution: looked for from the end backwards, a snapshot at a time.
            let mut end = summary.records;
            let (run, step) = loop {
                let mut base = shared
                    .base(summary.id, &workflow, end.saturating_sub(1))
                    .await?;
                base.publish(shared.definitions.observed());
                let begin = base.sequence();
                let secrets = shared.secrets(&workflow).unwrap_or_default();
                let records = shared.records(summary.id, begin, end).await?;
                match EngineRun::replay_knowing(id, base, records, &from, moment, secrets) {
                    Err(NotReplayable::NotReached(_)) if begin > 0 => end = begin,
                    outcome => break outcome.map_err(|error| impossible(error.to_string()))?,
                }
            };
            (run, First::Step(step), recorded)
        };
        Ok(Self {
            run,
            first,
            subject: summary.subject.clone(),
            input: run_input,
            trigger: Trigger::Replay,
            replay_of: Some((summary.id, task.to_owned())),
            child: None,
            created: now,
            claim: None,
            extra: Vec::new(),
            place: None,
            reply: None,
            end: None,
        })
    }

    /// Hands the run to its shard and waits until it is on disk.
    pub(super) async fn send(mut self, shared: &Shared) -> Result<Started, Error> {
        if self.place.is_none() {
            self.place = Some(shared.admit()?);
        }
        let (reply, begun) = oneshot::channel();
        self.reply = Some(reply);
        let claim = self.claim.clone();
        shared.send(self.run.id(), Message::Begin(Box::new(self)));
        match begun.await.unwrap_or(Err(Error::ShuttingDown)) {
            Ok(run) => Ok(Started {
                run,
                existing: false,
            }),
            Err(Error::Store(flame_store::Error::KeyTaken {
                run,
                same_body: true,
                ..
            })) => {
                let run = shared.stored(run).await?;
                Ok(Started {
                    run,
                    existing: true,
                })
            }
            Err(Error::Store(flame_store::Error::KeyTaken { run, .. })) => {
                Err(Error::IdempotencyConflict {
                    key: claim.map(|claim| claim.key).unwrap_or_default(),
                    run,
                })
            }
            Err(error) => Err(error),
        }
    }
}

/// The workflow with what it needs from outside, or why that can't be had.
pub(super) async fn complete(
    shared: &Shared,
    workflow: Arc<Workflow>,
) -> (Arc<Workflow>, Option<flame_engine::Error>) {
    if workflow.missing.is_empty() {
        return (workflow, None);
    }
    match Box::pin(externals::linked(shared, Arc::clone(&workflow))).await {
        Ok(linked) => (linked, None),
        Err(error) => (workflow, Some(error)),
    }
}

/// What an idempotency key is unique within.
pub(super) fn scope(workflow: &WorkflowId) -> String {
    format!("workflow/{workflow}")
}

/// Dice for one decision: jitter, nothing that must not be guessed. Seeded once per thread, since a
/// decision is too short for a call into the system.
pub(super) fn entropy() -> u64 {
    thread_local! {
        static DICE: Cell<u64> = Cell::new(seed());
    }
    DICE.with(|dice| {
        let state = dice.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
        dice.set(state);
        // SplitMix64.
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    })
}

/// Without the system's dice there is still the clock, which is enough for jitter.
fn seed() -> u64 {
    getrandom::u64()
        .unwrap_or_else(|_| u64::from(Timestamp::now().subsec_nanosecond().unsigned_abs()))
}

fn shallow(input: &Value) -> Result<(), Error> {
    if !is_too_deep(input) {
        return Ok(());
    }
    let problem = format!("it has more than {DEPTH_MAX} levels, the most that data may have");
    Err(Error::InputInvalid {
        problems: vec![Misfit::of_whole(problem)],
    })
}

fn fits(workflow: &Workflow, input: &Value) -> Result<(), Error> {
    let Some(schema) = &workflow.input.schema else {
        return Ok(());
    };
    let problems = misfits(schema, input, "the input");
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Error::InputInvalid { problems })
    }
}

/// The first member that tells this input from others, at the top or one level below.
pub(super) fn subject(input: &Value) -> Option<String> {
    let text = |value: &Value| match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let of = |object: &Value| {
        SUBJECT_MEMBERS
            .iter()
            .find_map(|member| text(object.get(member)?))
    };
    let found = of(input).or_else(|| {
        SUBJECT_MEMBERS
            .iter()
            .filter_map(|member| input.get(member))
            .find_map(of)
    })?;
    Some(found.chars().take(SUBJECT_CHARACTERS_MAX).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_subject_is_what_tells_inputs_apart() {
        for (input, expected) in [
            (json!({"id": "A-1", "name": "x"}), Some("A-1")),
            (json!({"order": {"id": 7}}), Some("7")),
            (json!({"orderId": "", "email": "a@b.c"}), Some("a@b.c")),
            (json!({"amount": 7}), None),
            (json!([1, 2]), None),
            (json!(null), None),
        ] {
            assert_eq!(subject(&input).as_deref(), expected, "{input}");
        }
    }
}
