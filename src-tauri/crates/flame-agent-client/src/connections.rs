//! Connections and connectors.

use flame_agent_api::{
    ConnectionCheck, ConnectionList, ConnectionPut, ConnectionView, ConnectorList, Operation,
};

use crate::Result;
use crate::client::AgentClient;

impl AgentClient {
    /// Kinds of systems that the agent can speak to.
    pub async fn connectors(&self) -> Result<ConnectorList> {
        Ok(self
            .fetch(self.request(Operation::ListConnectors, &[]))
            .await?
            .1)
    }

    pub async fn connections(&self) -> Result<ConnectionList> {
        Ok(self
            .fetch(self.request(Operation::ListConnections, &[]))
            .await?
            .1)
    }

    pub async fn connection(&self, name: &str) -> Result<ConnectionView> {
        Ok(self
            .fetch(self.request(Operation::GetConnection, &[name]))
            .await?
            .1)
    }

    pub async fn put_connection(
        &self,
        name: &str,
        connection: &ConnectionPut,
    ) -> Result<ConnectionView> {
        let request = self
            .request(Operation::PutConnection, &[name])
            .json(connection);
        Ok(self.fetch(request).await?.1)
    }

    pub async fn delete_connection(&self, name: &str) -> Result<()> {
        self.send(self.request(Operation::DeleteConnection, &[name]))
            .await
            .map(drop)
    }

    /// Tries a connection step by step: as it is set, or as `instead` says, which is not kept.
    pub async fn check_connection(
        &self,
        name: &str,
        instead: Option<&ConnectionPut>,
    ) -> Result<ConnectionCheck> {
        let request = self.request(Operation::CheckConnection, &[name]);
        let request = match instead {
            Some(connection) => request.json(connection),
            None => request,
        };
        Ok(self.fetch(request).await?.1)
    }
}
