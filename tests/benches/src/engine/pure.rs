//! Steps of the interpreter alone: one thread, no store, no clock, records made and dropped.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use flame_engine::{Action, Event, Limits, Moment, Record, Run};
use flame_types::{RunId, RunStatus, Timestamp};
use serde_json::json;

use crate::Method;

const DOCUMENT: &str = r"
document: { dsl: '1.0.3', namespace: bench, name: pure, version: 1.0.0 }
do:
  - count:
      for: { in: '${ [range(100000)] }' }
      do:
        - one: { set: { n: '${ .n + 1 }' } }
        - two: { set: { n: '${ .n + 1 }' } }
";

pub fn measure(method: &Method) -> Result<()> {
    let workflow = flame_dsl::parse(DOCUMENT, flame_dsl::Format::Yaml)
        .map_err(|problems| anyhow!("{problems:?}"))?;
    let workflow = Arc::new(workflow);
    let mut speeds = Vec::new();
    for _ in 0..method.rounds {
        speeds.push(round(&workflow)?);
    }
    speeds.sort_by(f64::total_cmp);
    println!("\nSteps of the interpreter alone, one core (nothing is kept)");
    println!("  {:>9.0} tasks/s", speeds[speeds.len() / 2]);
    Ok(())
}

fn round(workflow: &Arc<flame_dsl::Workflow>) -> Result<f64> {
    let id: RunId = "01900000-0000-7000-8000-000000000001".parse()?;
    let limits = Limits {
        steps_max: u64::MAX,
        ..Limits::default()
    };
    let mut run = Run::new(id, Arc::clone(workflow)).with_limits(limits);
    let moment = Moment {
        now: Timestamp::now(),
        entropy: 1,
    };
    let begin = Instant::now();
    let mut tasks = 0_u64;
    let mut event = Event::Start {
        input: Arc::new(json!({"n": 0})),
    };
    loop {
        let step = run.handle(event, moment);
        let completed = |record: &&Record| matches!(record, Record::TaskCompleted { .. });
        tasks += step.records.iter().filter(completed).count() as u64;
        if !step.actions.contains(&Action::Yield) {
            break;
        }
        event = Event::Continue;
    }
    let took: Duration = begin.elapsed();
    anyhow::ensure!(
        run.status() == RunStatus::Completed,
        "the run ended {}: {:?}",
        run.status(),
        run.error()
    );
    Ok(tasks as f64 / took.as_secs_f64())
}
