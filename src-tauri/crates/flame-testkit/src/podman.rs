//! A private Podman service for one test: own storage, networks and socket.
//!
//! Needs root, as overlay storage and port publishing do on a CI machine.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tempfile::TempDir;

const READY_TIMEOUT: Duration = Duration::from_secs(20);

/// The service takes the socket that its standard input is, as one that systemd would give it. It goes before other
/// programs: while one test has its turn, the next waits.
const SERVICE: &str = "exec 3<&0 0</dev/null; LISTEN_PID=$$ LISTEN_FDS=1 \
    exec nice -n -10 podman system service --time=0";

/// The service and its folders; everything in it ends with this value.
#[derive(Debug)]
pub struct Podman {
    service: Child,
    configuration: Vec<(&'static str, PathBuf)>,
    socket: PathBuf,
    /// The second number of the addresses of its containers.
    subnet: u8,
    _run: TempDir,
    storage: TempDir,
    /// Services at once would share the machine's bridge, and the first to end takes it along.
    _turn: File,
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

    /// An address of this machine that the containers of this service reach as well: that of their bridge,
    /// which a container of this call keeps up as long as this value is there.
    pub fn address(&self) -> Ipv4Addr {
        let image = self.shell_image();
        self.must(&["run", "--detach", &image, "sleep", "86400"]);
        Ipv4Addr::new(10, self.subnet, 0, 1)
    }

    /// An image with the shell of this machine and a few programs beside it, as a name to run it by.
    pub fn shell_image(&self) -> String {
        let name = "localhost/shell:1".to_owned();
        self.import(
            &["sh", "cat", "sleep", "id", "env", "touch", "ls"],
            &[],
            &name,
        );
        name
    }

    /// An image with the Python and the shell of this machine.
    pub fn python_image(&self) -> String {
        let name = "localhost/python:1".to_owned();
        let library = std::fs::read_dir("/usr/lib")
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .find(|name| name.starts_with("python3."))
            .expect("a Python of the system");
        self.import(&["sh", "python3"], &[&format!("usr/lib/{library}")], &name);
        name
    }

    /// Gives an image another name.
    pub fn tag(&self, image: &str, name: &str) {
        self.must(&["tag", image, name]);
    }

    /// Makes an image out of another one, with one line of a Containerfile more.
    pub fn change(&self, image: &str, line: &str, name: &str) {
        let made = self.must(&["create", image, "true"]);
        self.must(&["commit", "--change", line, &made, name]);
        self.must(&["rm", &made]);
    }

    fn must(&self, arguments: &[&str]) -> String {
        let output = self.command().args(arguments).output().expect("podman");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Makes an image of programs of this machine, their libraries and these folders.
    fn import(&self, programs: &[&str], folders: &[&str], name: &str) {
        let script = r#"
            set -e; root=$(mktemp -d); trap 'rm -rf "$root"' EXIT
            mkdir -p "$root/bin" "$root/usr" "$root/tmp"; chmod 1777 "$root/tmp"; ln -s ../bin "$root/usr/bin"
            for program in $PROGRAMS; do
                for file in $(PATH=/usr/bin:/bin command -v "$program"); do
                    cp -L "$file" "$root/bin/"
                    for library in $(ldd "$file" | grep -o '/[^ ]*'); do
                        mkdir -p "$root${library%/*}"; cp -L "$library" "$root$library"
                    done
                done
            done
            for folder in $FOLDERS; do
                mkdir -p "$root/${folder%/*}"
                tar -C / -c --exclude=test --exclude='config-*' "$folder" | tar -C "$root" -x
            done
            tar -C "$root" -c . | podman import - "$NAME"
        "#;
        let made = Command::new("sh")
            .args(["-c", script])
            .env_remove("CONTAINER_HOST")
            .envs(self.configuration.iter().cloned())
            .env("PROGRAMS", programs.join(" "))
            .env("FOLDERS", folders.join(" "))
            .env("NAME", name)
            .output()
            .expect("a shell");
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
    }

    /// Once no other test has one.
    fn launch() -> std::io::Result<Self> {
        // The same for tests with other temporary folders.
        let turn = File::open("/run")?;
        turn.lock()?;
        let storage = TempDir::with_prefix("mastra-podman-")?;
        // The path of a socket is at most 108 bytes, so its folder is not the deep temporary one.
        let run = TempDir::with_prefix_in("mp-", "/run")?;
        let subnet = free_subnet();
        let configuration = configure(storage.path(), run.path(), subnet)?;
        let socket = run.path().join("podman.sock");
        // Who connects before the service is up waits in the socket's queue.
        let listener = std::os::unix::net::UnixListener::bind(&socket)?;
        let service = Command::new("sh")
            .args(["-c", SERVICE])
            .env_remove("CONTAINER_HOST")
            .envs(configuration.iter().cloned())
            .stdin(std::os::fd::OwnedFd::from(listener))
            .stdout(Stdio::null())
            .stderr(File::create(storage.path().join("service.log"))?)
            .spawn()?;
        let started = Self {
            service,
            configuration,
            socket,
            subnet,
            _run: run,
            storage,
            _turn: turn,
        };
        started.ping()?;
        Ok(started)
    }

    /// Waits for the first answer.
    fn ping(&self) -> std::io::Result<()> {
        let ask = || {
            let mut stream = std::os::unix::net::UnixStream::connect(&self.socket)?;
            stream.set_read_timeout(Some(READY_TIMEOUT))?;
            stream
                .write_all(b"GET /_ping HTTP/1.1\r\nHost: podman\r\nConnection: close\r\n\r\n")?;
            let mut answer = [0; 12];
            stream.read_exact(&mut answer)?;
            Ok::<_, std::io::Error>(answer)
        };
        match ask() {
            Ok(answer) if answer.ends_with(b"200") => Ok(()),
            outcome => {
                let log = std::fs::read_to_string(self.storage.path().join("service.log"))?;
                Err(std::io::Error::other(format!(
                    "it did not become ready ({outcome:?}): {log}"
                )))
            }
        }
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

/// Services that run at once share a bridge, so that each has addresses of its own there.
fn free_subnet() -> u8 {
    static STARTED: AtomicU32 = AtomicU32::new(0);
    let number = std::process::id().wrapping_mul(8) + STARTED.fetch_add(1, Ordering::Relaxed);
    100 + u8::try_from(number % 100).unwrap_or_default()
}

fn configure(
    storage: &Path,
    run: &Path,
    subnet: u8,
) -> std::io::Result<Vec<(&'static str, PathBuf)>> {
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
default_subnet = "10.{subnet}.0.0/16"
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
