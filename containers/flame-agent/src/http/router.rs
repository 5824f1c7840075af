//! The table of operations turned into routes. An operation without a handler does not compile.

use std::convert::Infallible;
use std::ops::Deref;
use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRef, Request};
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter, on};
use flame_agent_api::{Method, Operation};
use flame_errors::Code;
use flame_types::Timestamp;
use tokio::sync::{Semaphore, watch};
use tower::ServiceExt as _;
use tower::util::MapFutureLayer;

use super::failure::Failure;
use super::guard::{self, Guard};
use super::metrics::{self, Metrics};
use super::routes::{
    agent, compensations, connections, containers, dead_letters, events, host_execution, people,
    pipelines, runs, test_runs, workflows,
};
use super::{body, failure, hook};
use crate::pipeline::Pipelines;
use crate::runtime::Handle;

/// Followers of streams at once.
const FOLLOWERS_MAX: usize = 256;

/// What handlers hold. Every request gets it several times over.
#[derive(Clone)]
pub(super) struct Context(Arc<Held>);

pub(super) struct Held {
    pub(super) runtime: Handle,
    pub(super) pipelines: Pipelines,
    pub(super) metrics: Arc<Metrics>,
    pub(super) followers: Arc<Semaphore>,
    /// Turns true when the agent stops.
    pub(super) stopping: watch::Receiver<bool>,
    pub(super) started: Timestamp,
}

impl Context {
    pub(super) fn new(runtime: Handle, stopping: watch::Receiver<bool>) -> Self {
        Self(Arc::new(Held {
            pipelines: Pipelines::new(runtime.clone()),
            runtime,
            metrics: Arc::default(),
            followers: Arc::new(Semaphore::new(FOLLOWERS_MAX)),
            stopping,
            started: Timestamp::now(),
        }))
    }
}

impl Deref for Context {
    type Target = Held;

    fn deref(&self) -> &Held {
        &self.0
    }
}

impl FromRef<Context> for Handle {
    fn from_ref(context: &Context) -> Self {
        context.runtime.clone()
    }
}

/// Everything between a connection and a handler.
#[derive(Clone)]
pub(super) struct Service {
    routes: Router,
    context: Context,
    guard: Arc<Guard>,
}

impl Service {
    pub(super) fn new(context: Context, guard: Guard) -> Self {
        Self {
            routes: routes(context.clone()),
            context,
            guard: Arc::new(guard),
        }
    }

    /// The guard and the words of refusals stand around all routes, and are no layers of them: a layer costs every
    /// request several allocations. A hook does without the router for the same reason.
    pub(super) async fn answer(self, request: Request) -> Response {
        let Self {
            routes,
            context,
            guard,
        } = self;
        let route = |request| async {
            if hook::is_called(&request) {
                let answer = hook::call(&context, request);
                return metrics::measure(&context.metrics, Operation::Hook, answer).await;
            }
            match routes.oneshot(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            }
        };
        failure::write(request, |request| guard::check(&guard, request, route)).await
    }
}

fn routes(context: Context) -> Router {
    let handled = Operation::ALL
        .iter()
        .filter_map(|operation| Some((*operation, handler(*operation)?)));
    let routes = handled.fold(Router::new(), |router, (operation, handler)| {
        let metrics = Arc::clone(&context.metrics);
        let measured = MapFutureLayer::new(move |answer| {
            let metrics = Arc::clone(&metrics);
            async move { Ok::<_, Infallible>(metrics::measure(&metrics, operation, answer).await) }
        });
        router.route(operation.description().path, handler.layer(measured))
    });
    routes
        .fallback(nothing_here)
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(context)
}

/// `None` is what is answered before the router.
fn handler(operation: Operation) -> Option<MethodRouter<Context>> {
    let method = match operation.description().method {
        Method::Get => MethodFilter::GET,
        Method::Put => MethodFilter::PUT,
        Method::Post => MethodFilter::POST,
        Method::Delete => MethodFilter::DELETE,
    };
    Some(match operation {
        Operation::Live => on(method, agent::live),
        Operation::Ready => on(method, agent::ready),
        Operation::Metrics => on(method, agent::metrics),
        Operation::OpenApi => on(method, agent::openapi),
        Operation::Status => on(method, agent::status),
        Operation::Changes => on(method, agent::changes),
        Operation::ListOutbound => on(method, agent::outbound),
        Operation::Validate => on(method, workflows::validate),
        Operation::ListWorkflows => on(method, workflows::list),
        Operation::GetWorkflow => on(method, workflows::get),
        Operation::PutWorkflow => on(method, workflows::put),
        Operation::DeleteWorkflow => on(method, workflows::delete),
        Operation::StartRun => on(method, runs::start),
        Operation::StartTest => on(method, test_runs::start),
        Operation::ListRuns => on(method, runs::list),
        Operation::GetRun => on(method, runs::get),
        Operation::GetJournal => on(method, runs::journal),
        Operation::GetLifecycle => on(method, runs::lifecycle),
        Operation::FollowRun => on(method, runs::follow),
        Operation::CancelRun => on(method, runs::cancel),
        Operation::SuspendRun => on(method, runs::suspend),
        Operation::ResumeRun => on(method, runs::resume),
        Operation::RetryRun => on(method, runs::retry),
        Operation::ReplayRun => on(method, runs::replay),
        Operation::RetryCompensation => on(method, compensations::retry),
        Operation::SkipCompensation => on(method, compensations::skip),
        Operation::ListConnectors => on(method, connections::connectors),
        Operation::ListConnections => on(method, connections::list),
        Operation::GetConnection => on(method, connections::get),
        Operation::PutConnection => on(method, connections::put),
        Operation::DeleteConnection => on(method, connections::delete),
        Operation::CheckConnection => on(method, connections::check),
        Operation::ListDeadLetters => on(method, dead_letters::list),
        Operation::GetDeadLetter => on(method, dead_letters::get),
        Operation::PutDeadLetter => on(method, dead_letters::put),
        Operation::SendDeadLetter => on(method, dead_letters::send),
        Operation::DiscardDeadLetter => on(method, dead_letters::discard),
        Operation::ListEvents => on(method, events::list),
        Operation::PostEvents => on(method, events::post),
        Operation::ListPersonTasks => on(method, people::list),
        Operation::Answer => on(method, people::answer),
        Operation::TakeContainerOrders => on(method, containers::orders),
        Operation::TellContainerOutcome => on(method, containers::tell),
        Operation::PutHostExecution => on(method, host_execution::put),
        Operation::ListPipelines => on(method, pipelines::list),
        Operation::GetPipeline => on(method, pipelines::get),
        Operation::PutPipeline => on(method, pipelines::put),
        Operation::DeletePipeline => on(method, pipelines::delete),
        Operation::Feed => on(method, pipelines::feed),
        Operation::ListFeeds => on(method, pipelines::feeds),
        Operation::Hook => return None,
    })
}

async fn nothing_here(request: Request) -> Failure {
    let failure = Failure::not_found(format_args!("address {:?}", request.uri().path()))
        .hint("GET /api/v1/openapi.json lists every address.");
    body::discard(request).await;
    failure
}

async fn method_not_allowed(request: Request) -> Failure {
    let detail = format!(
        "{} does not take {}",
        request.uri().path(),
        request.method()
    );
    body::discard(request).await;
    Failure::new(Code::MethodNotAllowed, detail).hint("The Allow header names what it takes.")
}
