//! Carries out the calls that runs ask for: HTTP, and operations of connectors.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use flame_connector::{Connection, Fault, FaultKind, Invocation, arguments};
use flame_dsl::expression::DEPTH_MAX;
use flame_dsl::{Endpoint, Process, Script, ScriptCode, TaskKind, Workflow};
use flame_engine::{
    Call, Credentials, EffectId, Error, HttpRequest, ProcessCall, Program, Receipt, ScriptText,
    StandardError, Wanted,
};
use flame_types::{IdempotencyKey, RunId};
use serde_json::Value;
use tokio::sync::Semaphore;

use super::Options;
use super::connections::{ConnectionEntry, Connections};
use super::depth::is_too_deep;
use super::ledger::Ledger;
use super::outbound::{self, Outbound, is_named_by};
use super::process::{self, Processes, Stored};
use super::protocols::{Caller, Protocols, Taker};

#[derive(Debug)]
pub(super) struct Calls {
    outbound: Outbound,
    protocols: Protocols,
    connections: Arc<Connections>,
    processes: Arc<Processes>,
    ledger: Ledger,
    permits: Semaphore,
    under_way: AtomicUsize,
    timeout: Duration,
    connection_patience: Duration,
    begun: Instant,
}

/// One call of one run.
pub(super) struct Invoked {
    pub(super) run: RunId,
    pub(super) effect: EffectId,
    pub(super) workflow: Arc<Workflow>,
    pub(super) reference: Arc<str>,
    pub(super) key: IdempotencyKey,
    pub(super) call: Call,
}

impl Calls {
    pub(super) fn new(
        outbound: Outbound,
        connections: Arc<Connections>,
        options: &Options,
    ) -> Self {
        Self {
            outbound,
            protocols: Protocols::new(options.resources_folder.clone()),
            connections,
            processes: Arc::new(Processes::new(
                &options.processes,
                options.connection_patience,
            )),
            ledger: Ledger::default(),
            permits: Semaphore::new(options.calls_max.max(1)),
            under_way: AtomicUsize::new(0),
            timeout: options.outbound.timeout,
            connection_patience: options.connection_patience,
            begun: Instant::now(),
        }
    }

    pub(super) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    pub(super) fn under_way(&self) -> usize {
        self.under_way.load(Ordering::Relaxed)
    }

    pub(super) fn processes(&self) -> &Processes {
        &self.processes
    }

    /// Makes the call once there is room for it; gives who is to be told once its outcome is on disk.
    /// Dropping the future stops it.
    pub(super) async fn invoke(
        &self,
        invoked: &Invoked,
    ) -> (Result<Arc<Value>, Error>, Option<Stored>) {
        if let Call::Process(call) = &invoked.call {
            return self.process(invoked, call).await;
        }
        let outcome = self.make(invoked).await.and_then(|answer| {
            if is_too_deep(&answer) {
                return Err(StandardError::Communication.with(
                    "The answer is nested too deeply",
                    format!(
                        "the answer has more than {DEPTH_MAX} levels, the most that data may have"
                    ),
                ));
            }
            Ok(answer)
        });
        (outcome, None)
    }

    async fn process(&self, invoked: &Invoked, call: &ProcessCall) -> process::Outcome {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        let _counted = Counted(&self.under_way);
        let code = match &call.program {
            Program::Script(_, ScriptText::Inline(code)) => Some(Arc::clone(code)),
            Program::Script(
                _,
                ScriptText::Source {
                    address,
                    credentials,
                },
            ) => match self.script(invoked, address, credentials.clone()).await {
                Ok(code) => Some(code),
                Err(error) => return (Err(error), None),
            },
            _ => None,
        };
        let asking = process::Asking {
            run: invoked.run,
            workflow: &invoked.workflow,
            reference: &invoked.reference,
            key: &invoked.key,
            effect: invoked.effect,
        };
        self.processes.run(&asking, call, code).await
    }

    async fn make(&self, invoked: &Invoked) -> Result<Arc<Value>, Error> {
        let Ok(_permit) = self.permits.acquire().await else {
            return Err(
                StandardError::Runtime.with("The call was not made", "the agent is shutting down")
            );
        };
        self.under_way.fetch_add(1, Ordering::Relaxed);
        let _counted = Counted(&self.under_way);
        match &invoked.call {
            Call::Http(request) => self.http(invoked, request).await.map(Arc::new),
            Call::Function {
                connector,
                operation,
                version,
                arguments,
            } => self
                .function(connector, operation, version, arguments, &invoked.key)
                .await
                .map(Arc::new)
                .map_err(into_error),
            Call::Protocol(request) => {
                let name = invoked.workflow.id.to_string();
                let caller = self.caller(invoked, &name);
                let outcome = self.protocols.call(&caller, request).await;
                outcome.map(Arc::new)
            }
            Call::Process(_) | Call::Workflow(_) => Err(StandardError::Runtime.with(
                "Not a call",
                "processes and child runs are started elsewhere",
            )),
        }
    }

    fn caller<'c>(&'c self, invoked: &'c Invoked, name: &'c str) -> Caller<'c> {
        Caller {
            outbound: &self.outbound,
            origin: outbound::Caller {
                ledger: &self.ledger,
                name,
            },
            processes: &self.processes,
            key: &invoked.key,
            workflow: &invoked.workflow,
            task: invoked.workflow.task(&invoked.reference),
            foreign: invoked.workflow.foreign(&invoked.reference),
        }
    }

    /// Hands over the messages of a subscription one by one, until that fails.
    ///
    /// It takes no room among the calls: it may last for ever, and the calls of its own tasks need some.
    pub(super) async fn feed(&self, invoked: &Invoked, taker: &Taker<'_>) -> Error {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        let _counted = Counted(&self.under_way);
        let Call::Protocol(request) = &invoked.call else {
            return StandardError::Runtime.with("Not a subscription", "it receives no messages");
        };
        let after = match &request.receipt {
            Some(Receipt::Singly { after }) => after.as_ref(),
            _ => None,
        };
        let name = invoked.workflow.id.to_string();
        let caller = self.caller(invoked, &name);
        match self.protocols.feed(&caller, request, after, taker).await {
            Ok(never) => match never {},
            Err(error) => error,
        }
    }

    async fn http(&self, invoked: &Invoked, request: &HttpRequest) -> Result<Value, Error> {
        let named = names_host(&invoked.workflow, &invoked.reference, &request.url);
        let caller = outbound::Caller {
            ledger: &self.ledger,
            name: &invoked.workflow.id.to_string(),
        };
        self.outbound
            .call(request, &invoked.key, named, caller)
            .await
    }

    /// A text that a run needs before it begins.
    pub(super) async fn text(&self, workflow: &Workflow, wanted: &Wanted) -> Result<String, Error> {
        let key = IdempotencyKey::new("text");
        let caller = Caller {
            outbound: &self.outbound,
            origin: outbound::Caller {
                ledger: &self.ledger,
                name: &workflow.id.to_string(),
            },
            processes: &self.processes,
            key: &key,
            workflow,
            task: None,
            foreign: None,
        };
        self.protocols.text(&caller, wanted).await
    }

    /// The text of a script that stands somewhere else.
    async fn script(
        &self,
        invoked: &Invoked,
        address: &str,
        credentials: Option<Box<Credentials>>,
    ) -> Result<Arc<str>, Error> {
        let name = invoked.workflow.id.to_string();
        let caller = self.caller(invoked, &name);
        let named = names_host(&invoked.workflow, &invoked.reference, address);
        let script = self.protocols.script(&caller, address, credentials, named);
        let script = tokio::time::timeout(self.timeout, script).await;
        script.map_err(|_| {
            StandardError::Timeout.with(
                "No answer in time",
                format!(
                    "{address}: the script did not come within {} ms",
                    self.timeout.as_millis()
                ),
            )
        })?
    }

    async fn function(
        &self,
        kind: &str,
        operation: &str,
        version: &str,
        arguments: &Value,
        key: &IdempotencyKey,
    ) -> Result<Value, Fault> {
        let connectors = self.connections.connectors();
        let Some(connector) = connectors.get(kind) else {
            return Err(Fault::configuration(format!(
                "There is no connector {kind:?}. This agent has {}.",
                connectors.kinds()
            )));
        };
        flame_connector::operation(connector.as_ref(), operation, version)?;
        let connection = match arguments::connection_name(arguments) {
            Some(name) => Some(self.connection(name, kind).await?),
            None => None,
        };
        let invocation = Invocation {
            key,
            connection: connection.as_deref(),
            deadline: Some(Instant::now() + self.timeout),
            folders: self.connections.folders(),
        };
        match tokio::time::timeout(
            self.timeout,
            connector.invoke(operation, arguments, invocation),
        )
        .await
        {
            Ok(outcome) => outcome,
            Err(_) => Err(Fault::timeout(format!(
                "{kind}.{operation} gave no answer within {} ms.",
                self.timeout.as_millis()
            ))),
        }
    }

    /// The connection of that name. Shortly after a start, whoever puts it gets a moment.
    pub(super) async fn awaited(&self, name: &str) -> Option<ConnectionEntry> {
        let patience = self
            .connection_patience
            .saturating_sub(self.begun.elapsed());
        let found = tokio::time::timeout(patience, self.connections.named(name)).await;
        // Time is up: one last look, for the common case of no patience at all.
        found.ok().or_else(|| self.connections.get(name))
    }

    async fn connection(&self, name: &str, kind: &str) -> Result<Arc<Connection>, Fault> {
        let entry = self.awaited(name).await;
        let connection = entry
            .ok_or_else(|| Fault::connection_unknown(name))?
            .connection;
        if connection.kind != kind {
            return Err(Fault::configuration(format!(
                "The connection {name:?} is of kind {:?}; {kind} operations need one of kind {kind:?}.",
                connection.kind
            )));
        }
        Ok(connection)
    }
}

/// Counts down however a call ends, also when it is dropped.
struct Counted<'c>(&'c AtomicUsize);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether the document itself names the host that a task calls.
fn names_host(workflow: &Workflow, reference: &str, url: &str) -> bool {
    let Some(task) = workflow.task(reference) else {
        return false;
    };
    let endpoint = match &task.kind {
        TaskKind::CallHttp(call) => &call.endpoint,
        TaskKind::Run(task) => match &task.process {
            Process::Script(Script {
                code: ScriptCode::Source(resource),
                ..
            }) => &resource.endpoint,
            _ => return false,
        },
        _ => return false,
    };
    // What a function out of the network names is data, but for its own host.
    names(endpoint, url) && belongs(workflow, reference, url)
}

/// Whether a task of the document itself, or a function on the same host, calls there.
pub(super) fn belongs(workflow: &Workflow, reference: &str, url: &str) -> bool {
    workflow
        .foreign(reference)
        .is_none_or(|address| is_named_by(address, url))
}

/// Whether an endpoint, as it was written, names the host of a URL.
pub(super) fn names(endpoint: &Endpoint, url: &str) -> bool {
    match endpoint {
        Endpoint::UriTemplate(template) => is_named_by(template, url),
        Endpoint::Expression(expression) => is_named_by(expression.source(), url),
    }
}

/// A connector's fault in the terms of the DSL.
fn into_error(fault: Fault) -> Error {
    let standard = match fault.kind {
        FaultKind::Configuration => StandardError::Configuration,
        FaultKind::Validation => StandardError::Validation,
        FaultKind::Authentication => StandardError::Authentication,
        FaultKind::Authorization => StandardError::Authorization,
        FaultKind::Timeout => StandardError::Timeout,
        FaultKind::Communication => StandardError::Communication,
        FaultKind::Runtime => StandardError::Runtime,
    };
    Error {
        status: fault.status,
        ..standard.with(&fault.title, fault.detail)
    }
}
