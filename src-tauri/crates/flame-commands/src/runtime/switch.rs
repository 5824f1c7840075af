//! The move between native and Podman: runs drain, their database is carried over, they go on there.
//!
//! Never one open database from two sides: the source is stopped before the copy and marked as handed
//! over before the target starts. Until the source is stopped the move can be given up; a failure before
//! the target has started starts the source again; after that what the target has is the truth and is
//! brought back.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use flame_errors::Code;
use flame_ipc::{
    ErrorView, Event, RuntimeMode, RuntimeSwitch, RuntimeSwitchCancel, RuntimeSwitchProgress,
    Settings, StepStatus, SwitchProgress, SwitchStep,
};
use flame_launcher::agent::{Phase, backup};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use super::container::{self, Driver};
use crate::app::{App, lock, now};
use crate::execute::Execute;
use crate::failure::{OrView, View};

/// The store's file in the agent's data folder.
const DATABASE: &str = "agent.db";
/// What belongs to the agent beside its database.
const FOLDERS: [&str; 3] = ["databases", "files", "resources"];

const TO_PODMAN: [&str; 6] = [
    "Podman found",
    "Image ready",
    "Container made",
    "Runs reach a safe point",
    "Journal handed over",
    "Runs go on in the container",
];
const TO_NATIVE: [&str; 4] = [
    "Runs reach a safe point",
    "Journal handed over",
    "Runs go on natively",
    "Container removed",
];

/// A move under way.
pub(super) struct Switching {
    cancel: Option<oneshot::Sender<()>>,
    ended: watch::Receiver<bool>,
    _task: JoinHandle<()>,
}

impl Switching {
    /// Waits for its end: halfway is no place to leave data.
    pub(super) async fn finish(mut self) {
        drop(self.cancel.take());
        let _ = self.ended.wait_for(|ended| *ended).await;
    }
}

impl Execute for RuntimeSwitch {
    async fn execute(self, app: Arc<App>) -> Result<(), ErrorView> {
        let to = self.mode;
        if app.runtime.mode() == to {
            return Ok(());
        }
        let (cancel, cancelled) = oneshot::channel();
        let (end, ended) = watch::channel(false);
        let mut switching = lock(&app.runtime.switching);
        if switching.is_some() {
            return Err(
                ErrorView::new(Code::RunNotInState, "a switch is under way already")
                    .with_hint("Wait for it, or cancel it."),
            );
        }
        let mover = Mover {
            app: Arc::clone(&app),
            progress: Progress::new(&app, to),
        };
        let task = tokio::spawn(async move {
            mover.run(to, cancelled).await;
            end.send_replace(true);
        });
        *switching = Some(Switching {
            cancel: Some(cancel),
            ended,
            _task: task,
        });
        Ok(())
    }
}

impl Execute for RuntimeSwitchCancel {
    async fn execute(self, app: Arc<App>) -> Result<(), ErrorView> {
        let is_cancellable = lock(&app.runtime.progress)
            .as_ref()
            .is_some_and(|progress| progress.cancellable);
        let cancel = lock(&app.runtime.switching)
            .as_mut()
            .and_then(|s| s.cancel.take());
        let cancel = cancel.filter(|_| is_cancellable);
        match cancel.and_then(|cancel| cancel.send(()).ok()) {
            Some(()) => Ok(()),
            None => Err(ErrorView::new(
                Code::RunNotInState,
                "the journal is being handed over; it can't be stopped halfway",
            )
            .with_hint("Wait for its end, then switch back.")),
        }
    }
}

impl Execute for RuntimeSwitchProgress {
    async fn execute(self, app: Arc<App>) -> Result<Option<SwitchProgress>, ErrorView> {
        Ok(lock(&app.runtime.progress).clone())
    }
}

/// The steps as they are told.
struct Progress {
    app: Arc<App>,
    view: SwitchProgress,
    /// What undoes a failed move is none of its steps.
    is_undoing: bool,
}

impl Progress {
    fn new(app: &Arc<App>, to: RuntimeMode) -> Self {
        let names: &[&str] = match to {
            RuntimeMode::Podman => &TO_PODMAN,
            RuntimeMode::Native => &TO_NATIVE,
        };
        let steps = names.iter().map(|name| SwitchStep {
            name: (*name).to_owned(),
            detail: String::new(),
            status: StepStatus::Pending,
        });
        let view = SwitchProgress {
            to,
            steps: steps.collect(),
            cancellable: to == RuntimeMode::Podman,
            done: false,
            error: None,
        };
        let progress = Self {
            app: Arc::clone(app),
            view,
            is_undoing: false,
        };
        progress.tell();
        progress
    }

    fn begin(&mut self, step: usize) {
        self.set(step, StepStatus::Running, String::new());
    }

    fn done(&mut self, step: usize, detail: impl Into<String>) {
        self.set(step, StepStatus::Ok, detail.into());
    }

    fn set(&mut self, step: usize, status: StepStatus, detail: String) {
        if !self.is_undoing {
            self.view.steps[step].status = status;
            self.view.steps[step].detail = detail;
            self.tell();
        }
    }

    fn commit(&mut self) {
        self.view.cancellable = false;
        self.tell();
    }

    fn end(&mut self, error: Option<ErrorView>) {
        for step in &mut self.view.steps {
            if step.status == StepStatus::Running {
                step.status = StepStatus::Failed;
            } else if step.status == StepStatus::Pending {
                step.status = StepStatus::Skipped;
            }
        }
        self.view.cancellable = false;
        self.view.done = true;
        self.view.error = error;
        self.tell();
    }

    fn tell(&self) {
        *lock(&self.app.runtime.progress) = Some(self.view.clone());
        self.app.emit(&Event::SwitchMoved(self.view.clone()));
    }
}

struct Mover {
    app: Arc<App>,
    progress: Progress,
}

impl Mover {
    async fn run(mut self, to: RuntimeMode, cancelled: oneshot::Receiver<()>) {
        let result = match to {
            RuntimeMode::Podman => self.switch_to_podman(cancelled).await,
            RuntimeMode::Native => self.switch_to_native().await,
        };
        drop(lock(&self.app.runtime.switching).take());
        if let Err(error) = &result {
            tracing::warn!(%error, "the switch did not come about");
        }
        self.progress.end(result.err());
        let status = self.app.runtime_status().await;
        self.app.emit(&Event::RuntimeChanged(status));
    }

    async fn switch_to_podman(
        &mut self,
        mut cancelled: oneshot::Receiver<()>,
    ) -> Result<(), ErrorView> {
        let found = tokio::select! {
            found = self.find() => found,
            Ok(()) = &mut cancelled => Err(given_up()),
        };
        let driver = found?;
        let made = self.make(&driver).await;
        // Whoever cancelled while the container was made did so in time; later is too late.
        cancelled.close();
        let made = match cancelled.try_recv() {
            Ok(()) => made.and(Err(given_up())),
            Err(_) => made,
        };
        if let Err(error) = made {
            remove(&driver).await;
            return Err(error);
        }
        self.progress.commit();
        if let Err(error) = self.hand_over(&driver).await {
            // Nothing has run there yet.
            self.app.runtime.container.forget();
            remove(&driver).await;
            self.save_mode(RuntimeMode::Native).await?;
            take_back(&self.native_dir())?;
            self.app.runtime.start().await;
            return Err(error.with_kept("The agent goes on natively with all its runs."));
        }
        match self.go_on(&driver).await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.undo(&driver, error).await),
        }
    }

    /// Podman, with the image of this version; the native agent works meanwhile.
    async fn find(&mut self) -> Result<Arc<Driver>, ErrorView> {
        let container = Arc::clone(&self.app.runtime.container);
        self.progress.begin(0);
        let driver = container.locate().await?;
        let kind = if driver.place.rootless {
            "rootless"
        } else {
            "rootful"
        };
        self.progress
            .done(0, format!("{}, {kind}", driver.place.version));
        self.progress.begin(1);
        let image = container.image(&driver).await?;
        let id: String = image
            .id
            .trim_start_matches("sha256:")
            .chars()
            .take(12)
            .collect();
        self.progress
            .done(1, format!("{id} holds this version's agent"));
        Ok(driver)
    }

    /// The container, not started; the native agent works meanwhile.
    async fn make(&mut self, driver: &Arc<Driver>) -> Result<(), ErrorView> {
        self.progress.begin(2);
        // What an earlier switch left in the volume is stale.
        driver.container.remove().await.or_view()?;
        self.app.runtime.container.create(driver).await?;
        self.progress.done(2, driver.container.spec().container());
        Ok(())
    }

    async fn hand_over(&mut self, driver: &Arc<Driver>) -> Result<(), ErrorView> {
        let runtime = &self.app.runtime;
        self.progress.begin(3);
        self.app.set_agent(None);
        runtime.launcher.stop().await;
        self.progress
            .done(3, "each run stopped after its current task");
        self.progress.begin(4);
        let passage = fresh_folder(container::passage(&self.app.options.data_dir))?;
        let copy = passage.join(DATABASE);
        let native = self.native_dir();
        let program = runtime.options().native.program;
        backup(&program, &native, &copy).await.map_err(View::view)?;
        driver.container.import(&copy, DATABASE).await.or_view()?;
        for name in FOLDERS {
            let folder = native.join(name);
            if folder.is_dir() {
                driver.container.import(&folder, name).await.or_view()?;
            }
        }
        let bytes = copy.metadata().map_or(0, |file| file.len());
        remove_folder(&passage)?;
        self.save_mode(RuntimeMode::Podman).await?;
        give_away(&native)?;
        self.progress
            .done(4, format!("{} KB, checked by SQLite", bytes / 1024));
        Ok(())
    }

    async fn go_on(&mut self, driver: &Arc<Driver>) -> Result<(), ErrorView> {
        let container = Arc::clone(&self.app.runtime.container);
        self.progress.begin(5);
        let endpoint = container.run(driver).await?;
        container::wait_until_ready(driver, &endpoint)
            .await
            .map_err(View::view)?;
        container.adopt(Arc::clone(driver));
        self.app.runtime.start().await;
        self.progress.done(5, endpoint.base);
        Ok(())
    }

    /// After a start that failed: the agent may have worked there, so its data is brought back, not
    /// taken from before. Where that fails too, it stays where it is. Gives the error to tell.
    async fn undo(&mut self, driver: &Arc<Driver>, error: ErrorView) -> ErrorView {
        tracing::warn!(%error, "the agent's data is brought back");
        self.progress.is_undoing = true;
        let container = Arc::clone(&self.app.runtime.container);
        let undone = async {
            if driver.container.state().await.or_view()?.is_none() {
                // One that was not protected is gone; its volume is read through another.
                container.create(driver).await?;
            }
            self.bring_back(driver).await
        };
        let Err(stuck) = undone.await else {
            container.forget();
            remove(driver).await;
            return error.with_kept("The agent goes on natively with all its runs.");
        };
        tracing::error!(%stuck, "the agent's data could not be brought back");
        self.stay_in_podman().await.err().unwrap_or(error).with_kept(
            "All runs are in the container's volume, and the agent is started there again. Mend Podman, \
             then switch back.",
        )
    }

    async fn stay_in_podman(&self) -> Result<(), ErrorView> {
        self.save_mode(RuntimeMode::Podman).await?;
        give_away(&self.native_dir())?;
        self.app.runtime.start().await;
        Ok(())
    }

    async fn switch_to_native(&mut self) -> Result<(), ErrorView> {
        let container = Arc::clone(&self.app.runtime.container);
        let driver = container.locate().await?;
        if let Err(error) = self.bring_back(&driver).await {
            self.stay_in_podman().await?;
            return Err(error.with_kept("The agent goes on in the container with all its runs."));
        }
        self.progress.begin(3);
        driver.container.remove().await.or_view()?;
        container.forget();
        self.progress.done(3, "with its volume and token");
        Ok(())
    }

    async fn bring_back(&mut self, driver: &Driver) -> Result<(), ErrorView> {
        let container = Arc::clone(&self.app.runtime.container);
        self.progress.begin(0);
        self.app.set_agent(None);
        container.end_keeper();
        driver.container.stop().await.or_view()?;
        self.progress
            .done(0, "each run stopped after its current task");
        self.progress.begin(1);
        let passage = fresh_folder(container::passage(&self.app.options.data_dir))?;
        let exported = fresh_folder(passage.join("data"))?;
        driver.container.export("", &exported).await.or_view()?;
        let copy = passage.join(DATABASE);
        let program = self.app.runtime.options().native.program;
        backup(&program, &exported, &copy)
            .await
            .map_err(View::view)?;
        let native = self.native_dir();
        give_away(&native)?;
        let kept = set_aside(&native)?;
        rename(&copy, &native.join(DATABASE))?;
        for name in FOLDERS {
            if exported.join(name).is_dir() {
                rename(&exported.join(name), &native.join(name))?;
            }
        }
        remove_folder(&passage)?;
        self.progress.done(1, handed_back(&kept));
        self.progress.begin(2);
        self.save_mode(RuntimeMode::Native).await?;
        self.app.runtime.start().await;
        let mut state = self.app.runtime.launcher.state();
        let reached = state
            .wait_for(|state| matches!(state.phase, Phase::Ready | Phase::Failed))
            .await
            .map(|state| (state.phase, state.failure.clone()));
        match reached {
            Ok((Phase::Ready, _)) => {}
            Ok((_, failure)) => return Err(super::failure_view(failure)),
            Err(error) => return Err(ErrorView::new(Code::Internal, error.to_string())),
        }
        self.progress.done(2, "the agent is ready");
        Ok(())
    }

    async fn save_mode(&self, mode: RuntimeMode) -> Result<(), ErrorView> {
        self.app.runtime.set_mode(mode);
        let settings = Settings {
            runtime_mode: mode,
            ..self.app.settings()
        };
        self.app.save_settings(settings.clone()).await?;
        self.app.emit(&Event::SettingsChanged(settings));
        Ok(())
    }

    fn native_dir(&self) -> PathBuf {
        self.app.runtime.options().native.data_dir
    }
}

fn given_up() -> ErrorView {
    ErrorView::new(Code::RunNotInState, "the switch was cancelled")
        .with_kept("The agent goes on natively; nothing was moved.")
}

/// Removes container, volume and token; what is left of them is in nobody's way.
async fn remove(driver: &Driver) {
    if let Err(error) = driver.container.remove().await {
        tracing::warn!(%error, "the container could not be removed");
    }
}

/// Ends of the names of what was handed over.
const GIVEN: &str = ".handed-over-";

/// Puts the native data aside, so that never two sides own the runs. Only the newest set is kept.
fn give_away(native: &Path) -> Result<(), ErrorView> {
    if !native.join(DATABASE).exists() {
        return make_folder(native);
    }
    for old in given(native)? {
        remove_any(&old)?;
    }
    let stamp = now().as_second();
    let wal = ["agent.db-wal", "agent.db-shm"];
    for name in [DATABASE].into_iter().chain(wal).chain(FOLDERS) {
        let path = native.join(name);
        if path.exists() {
            rename(&path, &native.join(format!("{name}{GIVEN}{stamp}")))?;
        }
    }
    Ok(())
}

/// Puts aside what somebody put where the container's folders go, for good; gives its new names.
fn set_aside(native: &Path) -> Result<Vec<String>, ErrorView> {
    let mut kept = Vec::new();
    for name in FOLDERS {
        let path = native.join(name);
        let is_empty_folder = std::fs::remove_dir(&path).is_ok();
        if is_empty_folder || path.symlink_metadata().is_err() {
            continue;
        }
        let aside = format!("{name}.found-{}", now().as_second());
        rename(&path, &native.join(&aside))?;
        kept.push(aside);
    }
    Ok(kept)
}

fn handed_back(kept: &[String]) -> String {
    if kept.is_empty() {
        return "checked by SQLite".to_owned();
    }
    let names = kept.join(", ");
    format!("checked by SQLite; what was put there meanwhile is kept as {names}")
}

/// Puts back what was put aside last, where nothing has taken its place.
fn take_back(native: &Path) -> Result<(), ErrorView> {
    for path in given(native)? {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let Some((name, _)) = name.split_once(GIVEN) else {
            continue;
        };
        let place = native.join(name);
        if !place.exists() {
            rename(&path, &place)?;
        }
    }
    Ok(())
}

fn given(native: &Path) -> Result<Vec<PathBuf>, ErrorView> {
    let entries = std::fs::read_dir(native).map_err(refused("read", native))?;
    let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let is_given = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default();
        name.to_string_lossy().contains(GIVEN)
    };
    Ok(paths.filter(is_given).collect())
}

pub(super) fn fresh_folder(path: PathBuf) -> Result<PathBuf, ErrorView> {
    remove_folder(&path)?;
    make_folder(&path)?;
    Ok(path)
}

fn make_folder(path: &Path) -> Result<(), ErrorView> {
    std::fs::create_dir_all(path).map_err(refused("make", path))
}

pub(super) fn remove_folder(path: &Path) -> Result<(), ErrorView> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(refused("remove", path)(error))
        }
        _ => Ok(()),
    }
}

fn remove_any(path: &Path) -> Result<(), ErrorView> {
    if path.is_dir() {
        return remove_folder(path);
    }
    std::fs::remove_file(path).map_err(refused("remove", path))
}

pub(super) fn rename(from: &Path, to: &Path) -> Result<(), ErrorView> {
    std::fs::rename(from, to).map_err(refused("move", from))
}

fn refused<'p>(
    action: &'static str,
    path: &'p Path,
) -> impl FnOnce(std::io::Error) -> ErrorView + 'p {
    move |error| {
        let code = match error.kind() {
            std::io::ErrorKind::StorageFull => Code::StorageFull,
            _ => Code::StorageFailed,
        };
        ErrorView::new(code, format!("can't {action} {}: {error}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn what_was_handed_over_comes_back_and_only_the_newest_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let native = folder.path();
        std::fs::write(native.join(DATABASE), "runs").unwrap();
        std::fs::create_dir(native.join("databases")).unwrap();
        std::fs::write(native.join("other"), "stays").unwrap();
        give_away(native).unwrap();
        assert!(!native.join(DATABASE).exists() && !native.join("databases").exists());
        take_back(native).unwrap();
        assert_eq!(names(native), ["agent.db", "databases", "other"]);
        assert_eq!(
            std::fs::read_to_string(native.join(DATABASE)).unwrap(),
            "runs"
        );

        give_away(native).unwrap();
        std::fs::write(native.join(DATABASE), "newer").unwrap();
        give_away(native).unwrap();
        let kept = names(native)
            .iter()
            .filter(|name| name.contains(GIVEN))
            .count();
        assert_eq!(kept, 1, "{:?}", names(native));
        take_back(native).unwrap();
        assert_eq!(
            std::fs::read_to_string(native.join(DATABASE)).unwrap(),
            "newer"
        );
    }

    #[test]
    fn nothing_that_took_the_place_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(DATABASE), "old").unwrap();
        give_away(folder.path()).unwrap();
        std::fs::write(folder.path().join(DATABASE), "new").unwrap();
        take_back(folder.path()).unwrap();
        assert_eq!(
            std::fs::read_to_string(folder.path().join(DATABASE)).unwrap(),
            "new"
        );
    }
}
