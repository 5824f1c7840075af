//! How a shell runs a command.

use std::future::Future;
use std::sync::Arc;

use flame_ipc::{Command, ErrorView};

use crate::app::App;
use crate::session::Session;

/// A command with its body.
pub trait Execute: Command {
    /// Does it; every failure is one that a person can read.
    fn execute(self, app: Arc<App>)
    -> impl Future<Output = Result<Self::Output, ErrorView>> + Send;

    /// Its answer where the app could not be opened: as a rule, why.
    fn without_app(
        self,
        _session: &Session,
        why: ErrorView,
    ) -> impl Future<Output = Result<Self::Output, ErrorView>> + Send
    where
        Self: Sized,
    {
        async { Err(why) }
    }
}
