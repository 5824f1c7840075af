//! Calls that another document describes, each against a server that others wrote, and against ones that
//! misbehave.

mod a2a;
mod asyncapi;
mod authentication;
mod grpc;
mod mcp;
mod openapi;

use flame_agent::runtime::Handle;
use serde_json::Value;

use super::{deploy, error, run};

/// A task `call` of this kind with these lines below `with:`.
fn call(kind: &str, with: &str) -> String {
    let with: String = with
        .trim_matches('\n')
        .lines()
        .map(|line| format!("      {line}\n"))
        .collect();
    format!("- call:\n    call: {kind}\n    with:\n{with}")
}

/// Runs a task to its fault and gives the last step of the error's type and its detail.
async fn fault(handle: &Handle, tasks: &str, input: Value) -> (String, String) {
    let workflow = deploy(handle, "call", tasks).await;
    let ended = run(handle, &workflow, input).await;
    let error = error(&ended);
    assert_ne!(error, Value::Null, "{:?}", ended.output);
    let text = |key: &str| error[key].as_str().unwrap().to_owned();
    let kind = text("type");
    (kind.rsplit('/').next().unwrap().to_owned(), text("detail"))
}
