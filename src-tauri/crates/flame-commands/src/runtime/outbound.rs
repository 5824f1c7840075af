//! Where calls went: the agent's ledger of hosts.

use std::sync::Arc;

use flame_agent_client::api;
use flame_ipc::{ErrorView, OutboundHost, OutboundList, Whole};

use crate::app::App;
use crate::execute::Execute;
use crate::failure::OrView;

impl Execute for OutboundList {
    async fn execute(self, app: Arc<App>) -> Result<Vec<OutboundHost>, ErrorView> {
        let ledger = app.agent().await?.outbound().await.or_view()?;
        Ok(ledger.items.into_iter().map(view).collect())
    }
}

fn view(host: api::OutboundHost) -> OutboundHost {
    OutboundHost {
        host: host.host,
        calls: Whole::new(host.calls),
        failures: Whole::new(host.failures),
        last_at: host.last_at.into(),
        callers: host.callers,
    }
}
