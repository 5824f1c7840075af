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
    speeds.sort_by(|a: &Speed, b| a.steps.total_cmp(&b.steps));
    println!("\nSteps of the interpreter alone, one core (nothing is kept)");
    let Speed { steps, tasks } = speeds[speeds.len() / 2];
    println!("  {steps:>9.0} steps/s, {tasks:>9.0} of them tasks with an expression each");
    Ok(())
}

/// By the second.
#[derive(Clone, Copy)]
struct Speed {
    /// What the step limit counts: tasks and iterations.
    steps: f64,
    tasks: f64,
}

fn round(workflow: &Arc<flame_dsl::Workflow>) -> Result<Speed> {
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
    let (mut tasks, mut iterations) = (0_u64, 0_u64);
    let mut event = Event::Start {
        input: Arc::new(json!({"n": 0})),
    };
    loop {
        let step = run.handle(event, moment);
        for record in &step.records {
            match record {
                Record::TaskCompleted { .. } => tasks += 1,
                Record::IterationStarted { .. } => iterations += 1,
                _ => {}
            }
        }
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
    let by_second = |count: u64| count as f64 / took.as_secs_f64();
    Ok(Speed {
        steps: by_second(tasks + iterations),
        tasks: by_second(tasks),
    })
}
