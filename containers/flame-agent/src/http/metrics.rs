//! Metrics in Prometheus text format 0.0.4.

use std::fmt::Write as _;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::response::{IntoResponse, Response};
use flame_agent_api::Operation;

use super::process;
use super::router::Context;

/// Upper bounds of the duration histogram, in microseconds, with their text in seconds.
const BUCKETS: [(u64, &str); 11] = [
    (1_000, "0.001"),
    (2_500, "0.0025"),
    (5_000, "0.005"),
    (10_000, "0.01"),
    (25_000, "0.025"),
    (50_000, "0.05"),
    (100_000, "0.1"),
    (250_000, "0.25"),
    (500_000, "0.5"),
    (1_000_000, "1"),
    (5_000_000, "5"),
];

const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// Counters of the server, by operation.
#[derive(Debug)]
pub(super) struct Metrics {
    operations: Vec<OperationMetrics>,
}

#[derive(Debug, Default)]
struct OperationMetrics {
    answers: [AtomicU64; CLASSES.len()],
    /// Each counts what falls into it alone; the sums are made when they are written.
    buckets: [AtomicU64; BUCKETS.len() + 1],
    sum_us: AtomicU64,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            operations: Operation::ALL
                .iter()
                .map(|_| OperationMetrics::default())
                .collect(),
        }
    }
}

impl Metrics {
    fn count(&self, operation: Operation, status: u16, elapsed: Duration) {
        let metrics = &self.operations[operation as usize];
        let class = usize::from(status / 100).clamp(1, CLASSES.len()) - 1;
        let elapsed_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        let bucket = BUCKETS.partition_point(|(bound, _)| *bound < elapsed_us);
        metrics.answers[class].fetch_add(1, Ordering::Relaxed);
        metrics.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        metrics.sum_us.fetch_add(elapsed_us, Ordering::Relaxed);
    }
}

/// Counts one operation's answer once it comes. A stream counts when its head goes out.
pub(super) async fn measure<R: IntoResponse>(
    metrics: &Metrics,
    operation: Operation,
    answer: impl Future<Output = R>,
) -> Response {
    let begun = Instant::now();
    let response = answer.await.into_response();
    metrics.count(operation, response.status().as_u16(), begun.elapsed());
    response
}

/// Everything, as text.
pub(super) fn exposition(context: &Context) -> String {
    let mut text = Exposition::default();
    agent(&mut text, context);
    runs(&mut text, context);
    store(&mut text, context);
    requests(&mut text, &context.metrics);
    text.0
}

fn agent(text: &mut Exposition, context: &Context) {
    let memory = process::memory();
    let version = format!("version=\"{}\"", env!("CARGO_PKG_VERSION"));
    text.family("flame_build_info", "gauge", "The agent's version.");
    text.sample("flame_build_info", &version, 1.0);
    let started = context.started.as_millisecond() as f64 / 1_000.0;
    text.gauge(
        "process_start_time_seconds",
        "When the agent started, in seconds since 1970.",
        started,
    );
    text.gauge(
        "process_resident_memory_bytes",
        "Memory of the agent's process.",
        memory.rss_bytes as f64,
    );
}

fn runs(text: &mut Exposition, context: &Context) {
    let load = context.runtime.load();
    text.family(
        "flame_runs",
        "gauge",
        "Runs that have not ended, by status.",
    );
    for (status, runs) in [
        ("running", load.running),
        ("waiting", load.waiting),
        ("suspended", load.suspended),
    ] {
        text.sample("flame_runs", &format!("status=\"{status}\""), runs as f64);
    }
    text.gauge(
        "flame_runs_held",
        "Runs that wait for the store.",
        load.held as f64,
    );
    text.gauge(
        "flame_calls",
        "Calls to the outside that are under way.",
        load.calls as f64,
    );
    text.counter(
        "flame_runs_started_total",
        "Runs started since the agent's start.",
        load.started,
    );
    text.family(
        "flame_runs_ended_total",
        "counter",
        "Runs ended since the agent's start.",
    );
    for (status, runs) in [
        ("completed", load.completed),
        ("faulted", load.faulted),
        ("cancelled", load.cancelled),
    ] {
        text.sample(
            "flame_runs_ended_total",
            &format!("status=\"{status}\""),
            runs as f64,
        );
    }
}

fn store(text: &mut Exposition, context: &Context) {
    let store = context.runtime.store();
    let health = store.health();
    text.counter(
        "flame_store_commits_total",
        "Commits answered with success.",
        health.commits,
    );
    text.counter(
        "flame_store_transactions_total",
        "Transactions on disk.",
        health.transactions,
    );
    text.gauge(
        "flame_store_queue_depth",
        "Commits that wait for the writer.",
        health.queue_depth as f64,
    );
    text.gauge(
        "flame_store_sync_seconds",
        "Time a transaction takes to reach the disk, moving average.",
        health.sync_average.as_secs_f64(),
    );
    text.gauge(
        "flame_store_bytes",
        "Size of the database and its log.",
        store.file_bytes() as f64,
    );
    let well = !health.full && health.failure.is_none();
    text.gauge(
        "flame_store_healthy",
        "1 while the store takes writes.",
        f64::from(u8::from(well)),
    );
}

fn requests(text: &mut Exposition, metrics: &Metrics) {
    let used: Vec<(&str, &OperationMetrics)> = Operation::ALL
        .iter()
        .map(|operation| {
            (
                operation.description().id,
                &metrics.operations[*operation as usize],
            )
        })
        .filter(|(_, metrics)| load(&metrics.answers).iter().any(|count| *count > 0))
        .collect();
    text.family(
        "flame_http_requests_total",
        "counter",
        "Answers by operation and status class.",
    );
    for (id, metrics) in &used {
        for (class, count) in CLASSES
            .iter()
            .zip(load(&metrics.answers))
            .filter(|(_, n)| *n > 0)
        {
            let labels = format!("operation=\"{id}\",status=\"{class}\"");
            text.sample("flame_http_requests_total", &labels, count as f64);
        }
    }
    let name = "flame_http_request_duration_seconds";
    text.family(name, "histogram", "Time until the head of the answer.");
    for (id, metrics) in used {
        let mut below = 0;
        let bounds = BUCKETS.iter().map(|(_, text)| *text).chain(["+Inf"]);
        for (bound, count) in bounds.zip(load(&metrics.buckets)) {
            below += count;
            let labels = format!("operation=\"{id}\",le=\"{bound}\"");
            text.sample(&format!("{name}_bucket"), &labels, below as f64);
        }
        let labels = format!("operation=\"{id}\"");
        let sum = metrics.sum_us.load(Ordering::Relaxed) as f64 / 1_000_000.0;
        text.sample(&format!("{name}_sum"), &labels, sum);
        text.sample(&format!("{name}_count"), &labels, below as f64);
    }
}

fn load(counters: &[AtomicU64]) -> Vec<u64> {
    counters
        .iter()
        .map(|counter| counter.load(Ordering::Relaxed))
        .collect()
}

/// Text in the making. Names and labels are ours alone, so nothing needs to be escaped.
#[derive(Default)]
struct Exposition(String);

impl Exposition {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    fn sample(&mut self, name: &str, labels: &str, value: f64) {
        match labels {
            "" => self.line(format_args!("{name} {value}")),
            labels => self.line(format_args!("{name}{{{labels}}} {value}")),
        }
    }

    fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.family(name, "gauge", help);
        self.sample(name, "", value);
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.family(name, "counter", help);
        self.sample(name, "", value as f64);
    }

    fn line(&mut self, text: std::fmt::Arguments<'_>) {
        writeln!(self.0, "{text}").expect("writing to a string never fails");
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use flame_agent_api::Operation;

    use super::{Exposition, Metrics, requests};

    #[test]
    fn buckets_add_up_and_unused_operations_are_absent() {
        let metrics = Metrics::default();
        for (status, micros) in [(200, 900), (201, 1_000), (404, 1_001), (500, 9_000_000)] {
            metrics.count(Operation::StartRun, status, Duration::from_micros(micros));
        }
        let mut text = Exposition::default();
        requests(&mut text, &metrics);
        let text = text.0;
        for line in [
            "flame_http_requests_total{operation=\"startRun\",status=\"2xx\"} 2",
            "flame_http_requests_total{operation=\"startRun\",status=\"4xx\"} 1",
            "flame_http_request_duration_seconds_bucket{operation=\"startRun\",le=\"0.001\"} 2",
            "flame_http_request_duration_seconds_bucket{operation=\"startRun\",le=\"5\"} 3",
            "flame_http_request_duration_seconds_bucket{operation=\"startRun\",le=\"+Inf\"} 4",
            "flame_http_request_duration_seconds_count{operation=\"startRun\"} 4",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
        assert!(!text.contains("listRuns"));
    }
}
