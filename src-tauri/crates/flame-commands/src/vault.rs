//! Where secrets are kept.

use std::sync::Arc;

use flame_ipc::{ErrorView, VaultState, VaultStatus, VaultStatusView, VaultStore, VaultUnlock};
use flame_vault::{Place, State, Status};
use secrecy::SecretString;

use crate::app::App;
use crate::execute::Execute;
use crate::{connections, feeds};

impl Execute for VaultStatus {
    async fn execute(self, app: Arc<App>) -> Result<VaultStatusView, ErrorView> {
        Ok(view(app.with_vault(|vault| Ok(vault.status())).await?))
    }
}

impl Execute for VaultUnlock {
    async fn execute(self, app: Arc<App>) -> Result<VaultStatusView, ErrorView> {
        let passphrase = SecretString::from(self.passphrase);
        let status = app
            .with_vault(move |vault| {
                vault.unlock(&passphrase)?;
                Ok(vault.status())
            })
            .await?;
        // Secrets that could not be read at the start can be given to the agent now, and files that were refused
        // for want of them go in.
        if let Some(agent) = app.agent_now() {
            connections::deploy_all(&app, &agent).await;
            feeds::try_again(&app).await;
        }
        Ok(view(status))
    }
}

fn view(status: Status) -> VaultStatusView {
    VaultStatusView {
        store: match status.place {
            Place::Keychain => VaultStore::Keychain,
            Place::File => VaultStore::Vault,
        },
        state: match status.state {
            State::Ready => VaultState::Ready,
            State::Locked => VaultState::Locked,
            State::New => VaultState::New,
        },
        detail: status.detail,
    }
}
