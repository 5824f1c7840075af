//! A private Podman service for one test: own storage, networks and socket.
//!
//! Needs root, as overlay storage and port publishing do on a CI machine.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

const READY_TIMEOUT: Duration = Duration::from_secs(20);

/// The service and its folders; everything in it ends with this value.
#[derive(Debug)]
pub struct Podman {
    service: Child,
    configuration: Vec<(&'static str, PathBuf)>,
    socket: PathBuf,
    _run: TempDir,
    storage: TempDir,
}

impl Podman {
    /// Starts the service, or says why this machine can't.
    pub fn start() -> Result<Self, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("a private Podman service needs root".to_owned());
        }
        Self::launch().map_err(|error| format!("no private Podman service: {error}"))
    }

    /// The socket to set as the person's own.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The folder that holds everything of this service.
    pub fn storage(&self) -> &Path {
        self.storage.path()
    }

    /// A `podman` command on the same storage, for looking from outside.
    pub fn command(&self) -> Command {
        let mut command = Command::new("podman");
        command
            .env_remove("CONTAINER_HOST")
            .envs(self.configuration.iter().cloned());
        command
    }

    fn launch() -> std::io::Result<Self> {
        let storage = TempDir::with_prefix("mastra-podman-")?;
        // The path of a socket is at most 108 bytes, so its folder is not the deep temporary one.
        let run = TempDir::with_prefix_in("mp-", "/run")?;
        let configuration = configure(storage.path(), run.path())?;
        let socket = run.path().join("podman.sock");
        let service = Command::new("podman")
            .args(["system", "service", "--time=0"])
            .arg(format!("unix://{}", socket.display()))
            .env_remove("CONTAINER_HOST")
            .envs(configuration.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(storage.path().join("service.log"))?)
            .spawn()?;
        let started = Self {
            service,
            configuration,
            socket,
            _run: run,
            storage,
        };
        started.until_ready()?;
        Ok(started)
    }

    fn until_ready(&self) -> std::io::Result<()> {
        let begin = Instant::now();
        while std::os::unix::net::UnixStream::connect(&self.socket).is_err() {
            if begin.elapsed() > READY_TIMEOUT {
                let log = std::fs::read_to_string(self.storage.path().join("service.log"))?;
                return Err(std::io::Error::other(format!(
                    "it did not become ready: {log}"
                )));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        // Best effort on the way out: the storage below is of this test alone.
        let _ = self
            .command()
            .args(["rm", "--force", "--all", "--time", "1"])
            .output();
        let _ = self.command().args(["volume", "prune", "--force"]).output();
        let _ = self.service.kill();
        let _ = self.service.wait();
        let _ = Command::new("umount")
            .arg(self.storage.path().join("graph/overlay"))
            .output();
    }
}

fn configure(storage: &Path, run: &Path) -> std::io::Result<Vec<(&'static str, PathBuf)>> {
    let (storage_text, run_text) = (storage.display(), run.display());
    std::fs::create_dir(storage.join("networks"))?;
    let containers = storage.join("containers.conf");
    std::fs::write(
        &containers,
        format!(
            r#"[containers]
default_ulimits = ["nofile=20000:20000", "nproc=4096:4096"]
log_driver = "k8s-file"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
tmp_dir = "{run_text}/libpod"
static_dir = "{storage_text}/graph/libpod"
volume_path = "{storage_text}/graph/volumes"
[network]
network_config_dir = "{storage_text}/networks"
default_subnet = "10.211.0.0/16"
default_subnet_pools = [ {{"base" = "10.212.0.0/16", "size" = 24}} ]
"#
        ),
    )?;
    let graph = storage.join("storage.conf");
    std::fs::write(
        &graph,
        format!(
            "[storage]\ndriver = \"overlay\"\ngraphroot = \"{storage_text}/graph\"\nrunroot = \"{run_text}/run\"\n"
        ),
    )?;
    Ok(vec![
        ("CONTAINERS_CONF", containers),
        ("CONTAINERS_STORAGE_CONF", graph),
    ])
}
