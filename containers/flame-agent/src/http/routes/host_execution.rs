//! Which workflows may start programs on this machine.

use std::collections::BTreeMap;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use flame_agent_api::{HostExecutionPut, Operation};
use flame_errors::Code;

use crate::http::body;
use crate::http::failure::Failure;
use crate::runtime::{Handle, HostGrants};

pub(in crate::http) async fn put(
    State(runtime): State<Handle>,
    request: Request,
) -> Result<StatusCode, Failure> {
    let put: Option<HostExecutionPut> =
        body::take_json(Operation::PutHostExecution, request).await?;
    let put = put.ok_or_else(|| Failure::new(Code::BodyInvalid, "the request has no body"))?;
    let mut grants: HostGrants = BTreeMap::new();
    for granted in put.workflows {
        let programs = grants.entry((granted.namespace, granted.name)).or_default();
        programs.extend(granted.programs);
    }
    if runtime.permit_host_execution(grants) {
        return Ok(StatusCode::NO_CONTENT);
    }
    let detail = "this agent takes permissions from its command line alone";
    let hint =
        "Start it with --allow-host-execution NAMESPACE/NAME, or with --host-execution-by-api.";
    Err(Failure::new(Code::HostExecutionOff, detail).hint(hint))
}
