//! An app on a folder of its own, the events it tells, and a way to wait for them.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use flame_commands::{App, Execute, Host, Options, Session};
use flame_ipc::{ErrorView, Event, VaultUnlock};
use tempfile::TempDir;
use tokio::sync::{Mutex, mpsc};

const PATIENCE: Duration = Duration::from_secs(60);

/// Records what the window would see, and which folders the file manager would show.
struct Recorder {
    events: mpsc::UnboundedSender<Event>,
    opened: Arc<std::sync::Mutex<Vec<PathBuf>>>,
}

impl Host for Recorder {
    fn emit(&self, event: &Event) {
        let _ = self.events.send(event.clone());
    }

    fn open_folder(&self, folder: &Path) -> std::io::Result<()> {
        assert!(folder.is_dir(), "{} is no folder", folder.display());
        self.opened.lock().unwrap().push(folder.to_owned());
        Ok(())
    }
}

/// An open app.
pub(crate) struct Stage {
    pub(crate) app: Arc<App>,
    events: Mutex<mpsc::UnboundedReceiver<Event>>,
    opened: Arc<std::sync::Mutex<Vec<PathBuf>>>,
}

impl Stage {
    pub(crate) async fn open(folder: &Path) -> Self {
        Self::try_open(options(folder)).await.unwrap()
    }

    pub(crate) async fn try_open(options: Options) -> Result<Self, ErrorView> {
        let (events, seen) = mpsc::unbounded_channel();
        let opened = Arc::default();
        let host = Recorder {
            events,
            opened: Arc::clone(&opened),
        };
        let app = App::open(options, Arc::new(host)).await?;
        Ok(Self {
            app,
            events: Mutex::new(seen),
            opened,
        })
    }

    /// A session that nobody has opened yet; its events go nowhere.
    pub(crate) fn session(options: Options) -> Session {
        let (events, _) = mpsc::unbounded_channel();
        let opened = Arc::default();
        Session::new(options, Arc::new(Recorder { events, opened }))
    }

    pub(crate) async fn run<C: Execute>(&self, command: C) -> Result<C::Output, ErrorView> {
        command.execute(Arc::clone(&self.app)).await
    }

    /// The next event that fits.
    pub(crate) async fn event<T>(&self, wanted: impl Fn(Event) -> Option<T>) -> T {
        let found = async {
            let mut events = self.events.lock().await;
            loop {
                let event = events.recv().await.expect("the app lives");
                if let Some(found) = wanted(event) {
                    return found;
                }
            }
        };
        tokio::time::timeout(PATIENCE, found)
            .await
            .expect("the event comes")
    }

    /// Forgets what the app has said so far.
    pub(crate) async fn forget_events(&self) {
        let mut events = self.events.lock().await;
        while events.try_recv().is_ok() {}
    }

    /// The folders that were shown since this was last asked.
    pub(crate) fn opened(&self) -> Vec<PathBuf> {
        std::mem::take(&mut self.opened.lock().unwrap())
    }

    pub(crate) async fn close(self) {
        self.app.close().await;
    }
}

pub(crate) fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

pub(crate) fn options(folder: &Path) -> Options {
    Options {
        data_dir: folder.join("data"),
        runtime_dir: folder.join("run"),
        agent_program: flame_testkit::agent_program().unwrap().to_owned(),
        static_agent_programs: Vec::new(),
        podman: None,
        agent_port: None,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        vault_service: "io.mastra.test".to_owned(),
    }
}

/// Runs one of the ignored cases of this program where no session offers a keychain, so that nobody's
/// own is touched.
pub(crate) fn without_keychain(case: &str) {
    let mut test = Command::new(std::env::current_exe().unwrap());
    test.env_remove("DBUS_SESSION_BUS_ADDRESS")
        .env("XDG_RUNTIME_DIR", "/nonexistent");
    inside(test, case);
}

/// The same in a session with a keychain of its own, unlocked, where one can be had.
pub(crate) fn with_keychain(case: &str) {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let is_installed =
        |program: &str| std::env::split_paths(&paths).any(|path| path.join(program).is_file());
    if !(is_installed("dbus-run-session") && is_installed("gnome-keyring-daemon")) {
        flame_testkit::skipped("dbus-run-session or gnome-keyring-daemon is not installed");
        return;
    }
    let unlock = "printf %s test-password \
        | gnome-keyring-daemon --unlock --components=secrets --daemonize >/dev/null && \"$@\"";
    let home = tempfile::tempdir().unwrap();
    let mut test = Command::new("dbus-run-session");
    test.args(["--", "sh", "-c", unlock, "sh"])
        .arg(std::env::current_exe().unwrap())
        .env("HOME", home.path())
        .env("XDG_DATA_HOME", home.path().join("data"))
        .env("XDG_CONFIG_HOME", home.path().join("config"))
        .env("XDG_CACHE_HOME", home.path().join("cache"))
        .env("XDG_RUNTIME_DIR", home.path())
        .env_remove("DBUS_SESSION_BUS_ADDRESS")
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .stdin(Stdio::null());
    inside(test, case);
}

/// The same where no program is on the path, and no session has a service.
pub(crate) fn without_programs(case: &str) {
    let mut test = Command::new(std::env::current_exe().unwrap());
    test.env("PATH", "/nonexistent")
        .env("XDG_RUNTIME_DIR", "/nonexistent")
        .env_remove("CONTAINER_HOST");
    inside(test, case);
}

fn inside(mut test: Command, case: &str) {
    let output = test
        .args(["--exact", case, "--ignored", "--nocapture"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}\n{errors}"
    );
}

/// Opens the vault, or makes it.
pub(crate) async fn unlock(stage: &Stage) {
    let unlock = VaultUnlock {
        passphrase: "correct horse".to_owned(),
    };
    stage.run(unlock).await.unwrap();
}

/// Where [`an_app_until_it_is_killed`] finds its folder.
const FOLDER: &str = "MASTRA_TEST_FOLDER";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by the tests of an app's death, which kill it"]
async fn an_app_until_it_is_killed() {
    let folder = std::env::var(FOLDER).unwrap();
    let folder = Path::new(&folder);
    let stage = Stage::open(folder).await;
    if folder.join("data/vault.json").exists() {
        unlock(&stage).await;
    }
    std::future::pending::<()>().await;
}

/// An app in a process of its own. Dropping it kills it.
pub(crate) struct AppProcess {
    child: Child,
}

impl AppProcess {
    pub(crate) fn start(folder: &Path) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "stage::an_app_until_it_is_killed"])
            .arg("--ignored")
            .env(FOLDER, folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self { child }
    }

    /// `kill -9`, and waits for the end of it.
    pub(crate) fn kill(self) {
        drop(self);
    }
}

impl Drop for AppProcess {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
