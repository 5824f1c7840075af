//! Containers: the worker's orders, and how they came out.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use flame_agent_api::{
    ContainerFault, ContainerJob as JobView, ContainerOrder as OrderView,
    ContainerOutcome as OutcomeView, ContainerPort, ContainerPull, ContainerVolume, Operation,
};
use flame_dsl::PullPolicy;
use flame_errors::Code;

use crate::http::failure::Failure;
use crate::http::parameter::Segments;
use crate::http::router::Context;
use crate::http::{body, follow};
use crate::runtime::{ContainerJob, ContainerOrder, ContainerOutcome, Handle};

pub(in crate::http) async fn orders(
    State(context): State<Context>,
    request: Request,
) -> Result<Response, Failure> {
    body::none(Operation::TakeContainerOrders, request).await?;
    follow::containers(&context)
}

pub(in crate::http) async fn tell(
    State(runtime): State<Handle>,
    Segments(container): Segments<String>,
    request: Request,
) -> Result<StatusCode, Failure> {
    let told: Option<OutcomeView> =
        body::take_json(Operation::TellContainerOutcome, request).await?;
    let outcome = match told.unwrap_or_default() {
        OutcomeView {
            ended: Some(ended),
            fault: None,
        } => ContainerOutcome::Ended {
            code: ended.code,
            stdout: ended.stdout,
            stderr: ended.stderr,
        },
        OutcomeView {
            ended: None,
            fault:
                Some(ContainerFault {
                    code,
                    title,
                    detail,
                }),
        } => ContainerOutcome::Fault {
            code,
            title,
            detail,
        },
        _ => {
            let detail = "the outcome needs either `ended` or `fault`";
            return Err(Failure::new(Code::BodyInvalid, detail));
        }
    };
    if runtime.tell_container(&container, outcome).await {
        return Ok(StatusCode::NO_CONTENT);
    }
    let hint = "Keep the container: it is ordered again while its task waits for it.";
    Err(Failure::not_found(format_args!("task that waits for container {container:?}")).hint(hint))
}

/// An order as a worker reads it.
pub(in crate::http) fn view(order: ContainerOrder) -> OrderView {
    match order {
        ContainerOrder::Run(job) => OrderView {
            run: Some(Box::new(job_view(&job))),
            end: None,
        },
        ContainerOrder::End(id) => OrderView {
            run: None,
            end: Some(id.as_str().to_owned()),
        },
    }
}

fn job_view(job: &ContainerJob) -> JobView {
    let container = &job.container;
    let ports = container.ports.iter();
    let volumes = container.volumes.iter();
    JobView {
        id: job.id.as_str().to_owned(),
        run: job.run,
        workflow: job.workflow.clone().into(),
        task: job.task.to_string(),
        image: container.image.clone(),
        name: container.name.clone(),
        entrypoint: job.entrypoint.clone(),
        arguments: job.arguments.clone(),
        environment: job.environment.iter().cloned().collect(),
        stdin: job.stdin.clone(),
        ports: ports
            .map(|(host, container)| ContainerPort {
                host: *host,
                container: *container,
            })
            .collect(),
        volumes: volumes
            .map(|(host, container)| ContainerVolume {
                host: host.clone(),
                container: container.clone(),
            })
            .collect(),
        network: job.network,
        pull: match container.pull {
            PullPolicy::Always => ContainerPull::Always,
            PullPolicy::IfNotPresent => ContainerPull::IfNotPresent,
            PullPolicy::Never => ContainerPull::Never,
        },
        awaits: job.awaits,
        remove_after_ms: container.remove_after.map(milliseconds),
        timeout_ms: milliseconds(job.timeout),
        output_bytes_max: u64::try_from(job.output_bytes_max).unwrap_or(u64::MAX),
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
