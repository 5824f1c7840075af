//! Which workflows may start programs on the agent's machine.

use flame_agent_api::{HostExecutionPut, Operation};

use crate::Result;
use crate::client::AgentClient;

impl AgentClient {
    /// Says all that is allowed, in place of what was said before.
    pub async fn put_host_execution(&self, allowed: &HostExecutionPut) -> Result<()> {
        let request = self.request(Operation::PutHostExecution, &[]).json(allowed);
        self.send(request).await.map(drop)
    }
}
