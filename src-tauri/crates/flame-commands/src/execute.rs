//! How a shell runs a command.

use std::future::Future;
use std::sync::Arc;

use flame_ipc::{Command, ErrorView};

use crate::app::App;

/// A command with its body.
pub trait Execute: Command {
    /// Does it; every failure is one that a person can read.
    fn execute(self, app: Arc<App>)
    -> impl Future<Output = Result<Self::Output, ErrorView>> + Send;
}
