//! What a shell runs commands on: the app of one data folder, be it open, opening or kept shut by a failure.

use std::sync::Arc;

use flame_errors::Code;
use flame_ipc::ErrorView;
use tokio::sync::{Mutex, watch};

use crate::app::{App, Options};
use crate::execute::Execute;
use crate::failure::OrView;
use crate::host::Host;

/// The app of one data folder.
pub struct Session {
    pub(crate) options: Options,
    host: Arc<dyn Host>,
    opened: watch::Sender<Option<Result<Arc<App>, ErrorView>>>,
    /// Held while the app is opened, so that it is never open twice.
    opening: Mutex<()>,
}

impl Session {
    /// Commands wait until [`Session::open`] has ended.
    pub fn new(options: Options, host: Arc<dyn Host>) -> Self {
        Self {
            options,
            host,
            opened: watch::Sender::new(None),
            opening: Mutex::default(),
        }
    }

    /// Opens the app, unless it is open.
    pub async fn open(&self) -> Result<Arc<App>, ErrorView> {
        self.open_after(|_| Ok(())).await
    }

    /// Opens the app after what keeps it shut was mended; `mend` is told what that is and may block.
    pub(crate) async fn open_after(
        &self,
        mend: impl FnOnce(&ErrorView) -> Result<(), ErrorView> + Send + 'static,
    ) -> Result<Arc<App>, ErrorView> {
        let _alone = self.opening.lock().await;
        let known = self.opened.borrow().clone();
        match known {
            Some(Ok(app)) => return Ok(app),
            Some(Err(why)) => tokio::task::spawn_blocking(move || mend(&why))
                .await
                .or_view()??,
            None => {}
        }
        let app = App::open(self.options.clone(), Arc::clone(&self.host)).await;
        if let Err(error) = &app {
            tracing::error!(%error, "the workspace could not be opened");
        }
        self.opened.send_replace(Some(app.clone()));
        app
    }

    /// Runs a command once the app is open, or lets it say why it is not.
    pub async fn run<C: Execute>(&self, command: C) -> Result<C::Output, ErrorView> {
        let mut opened = self.opened.subscribe();
        let found = opened.wait_for(Option::is_some).await;
        let found = found.ok().and_then(|found| found.clone());
        match found {
            Some(Ok(app)) => command.execute(app).await,
            Some(Err(why)) => command.without_app(self, why).await,
            None => Err(ErrorView::new(
                Code::Internal,
                "the workspace was never opened",
            )),
        }
    }

    pub(crate) fn host(&self) -> &dyn Host {
        self.host.as_ref()
    }

    /// The app if it is open now.
    pub fn app_now(&self) -> Option<Arc<App>> {
        self.opened.borrow().clone().and_then(Result::ok)
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("data_dir", &self.options.data_dir)
            .finish_non_exhaustive()
    }
}
