//! Which workflows may start programs on the agent's machine, outside of containers.

use flame_types::{Namespace, ProgramDigest, WorkflowName};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Everything that is allowed beside what the agent's command line allows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HostExecutionPut {
    /// Workflows that are not named may start nothing.
    pub workflows: Vec<HostExecutionGrant>,
}

/// The programs that a workflow may start, in every version that names them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HostExecutionGrant {
    #[schema(value_type = String, pattern = "^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$")]
    pub namespace: Namespace,
    #[schema(value_type = String, pattern = "^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$")]
    pub name: WorkflowName,
    /// SHA-256 of each program with its arguments, environment and standard input as the document writes them.
    #[schema(value_type = Vec<String>)]
    pub programs: Vec<ProgramDigest>,
}
