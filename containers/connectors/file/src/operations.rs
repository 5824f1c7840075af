//! The operations: `write`.

use flame_connector::{Fault, Invocation, OperationSpec};
use serde_json::{Value, json};

use crate::config::WriteArguments;
use crate::write;

/// What this connector can do.
pub(crate) fn specs() -> Vec<OperationSpec> {
    vec![OperationSpec {
        name: "write",
        version: "1.0.0",
        description: "Writes a file in the workspace's output folder, whole or not at all.",
        arguments: json!({
            "type": "object",
            "required": ["path", "content"],
            "additionalProperties": false,
            "properties": {
                "path": {
                    "type": "string",
                    "minLength": 1,
                    "description": "Relative to the output folder, such as prices/today.json. \
                                    Folders are made when missing."
                },
                "content": {
                    "description": "Text is written as it is, anything else as JSON."
                }
            }
        }),
        streams: false,
    }]
}

/// Makes one call.
pub(crate) async fn invoke(
    operation: &str,
    arguments: &Value,
    invocation: Invocation<'_>,
) -> Result<Value, Fault> {
    if operation != "write" {
        return Err(Fault::configuration(format!(
            "There is no operation file.{operation}."
        )));
    }
    let (path, bytes) = WriteArguments::read(arguments, &invocation)?;
    let answer = json!({ "path": path.display(), "bytes": bytes.len() });
    let output = invocation.folders.output.clone();
    tokio::task::spawn_blocking(move || write::replace(&output, &path, &bytes))
        .await
        .unwrap_or_else(|_| Err(Fault::runtime("Writing the file was stopped.")))?;
    Ok(answer)
}
