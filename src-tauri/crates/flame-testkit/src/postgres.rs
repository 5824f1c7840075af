//! A real PostgreSQL server in a folder of its own, for the time of a test.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::Certificate;

/// Whether the server offers TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    Off,
    /// With a certificate that is good for `localhost` and signed by itself.
    On,
}

/// A running server; dropping it stops it and removes its files.
#[derive(Debug)]
pub struct Postgres {
    child: Child,
    folder: TempDir,
    port: u16,
    certificate: Option<String>,
}

/// The account that PostgreSQL refuses to run without: anybody but root.
#[derive(Debug, Clone, Copy)]
struct Account {
    user: u32,
    group: u32,
}

impl Postgres {
    /// The superuser of the server.
    pub const USER: &'static str = "orders_app";
    /// Its password.
    pub const PASSWORD: &'static str = "correct horse battery staple";
    /// The database that is there.
    pub const DATABASE: &'static str = "postgres";

    /// Starts a server on a free port of 127.0.0.1 and waits until it takes sessions.
    ///
    /// It never syncs: a test's data need not survive a power cut.
    pub fn start(encryption: Encryption) -> Result<Self, String> {
        Self::start_with(encryption, &["fsync=off"])
    }

    /// The same with these settings, such as `fsync=off`; the server's defaults without.
    pub fn start_with(encryption: Encryption, settings: &[&str]) -> Result<Self, String> {
        let programs = programs()?;
        let folder = TempDir::with_prefix("mastra-postgres-").map_err(text)?;
        let account = account()?;
        own(folder.path(), account)?;
        let password = folder.path().join("password");
        std::fs::write(&password, Self::PASSWORD).map_err(text)?;
        own(&password, account)?;
        initialise(&programs, folder.path(), &password, account)?;
        let certificate = match encryption {
            Encryption::Off => None,
            Encryption::On => Some(certify(&folder.path().join("data"), account)?),
        };
        // Somebody may take the port between our look and the server's: then try another.
        let mut last = String::new();
        for _ in 0..5 {
            let port = free_port()?;
            match serve(
                &programs,
                folder.path(),
                port,
                encryption,
                settings,
                account,
            ) {
                Ok(child) => {
                    return Ok(Self {
                        child,
                        folder,
                        port,
                        certificate,
                    });
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Folder of the Unix socket.
    pub fn socket_folder(&self) -> &Path {
        self.folder.path()
    }

    /// PEM of the server's certificate, where it offers TLS.
    pub fn certificate(&self) -> Option<&str> {
        self.certificate.as_deref()
    }

    /// Runs SQL through `psql` and gives its rows, one a line, columns parted by `|`.
    pub fn query(&self, sql: &str) -> Result<String, String> {
        let answer = Command::new("psql")
            .args([
                "-X",
                "-q",
                "-A",
                "-t",
                "-v",
                "ON_ERROR_STOP=1",
                "-h",
                "127.0.0.1",
                "-p",
            ])
            .arg(self.port.to_string())
            .args(["-U", Self::USER, "-d", Self::DATABASE, "-c", sql])
            .env("PGPASSWORD", Self::PASSWORD)
            .stdin(Stdio::null())
            .output()
            .map_err(text)?;
        if !answer.status.success() {
            return Err(String::from_utf8_lossy(&answer.stderr).into_owned());
        }
        Ok(String::from_utf8_lossy(&answer.stdout)
            .trim_end()
            .to_owned())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // SIGINT: sessions are ended and files are closed; nothing is left behind in shared memory.
        if let Ok(pid) = i32::try_from(self.child.id())
            && let Some(pid) = rustix::process::Pid::from_raw(pid)
        {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
        }
        let _ = self.child.wait();
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// The newest installed server's programs; Debian keeps them off the path.
fn programs() -> Result<PathBuf, String> {
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let version = path.file_name()?.to_str()?.parse().ok()?;
            path.join("bin/initdb")
                .is_file()
                .then(|| (version, path.join("bin")))
        })
        .collect();
    found.sort();
    found.pop().map(|(_, path)| path).ok_or_else(|| {
        "PostgreSQL is not installed; `apt-get install postgresql` brings it".to_owned()
    })
}

/// `postgres` where the test runs as root, ourselves otherwise.
fn account() -> Result<Option<Account>, String> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let accounts = std::fs::read_to_string("/etc/passwd").map_err(text)?;
    let fields: Vec<&str> = accounts
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields.first() == Some(&"postgres"))
        .ok_or("there is no account `postgres`, and PostgreSQL does not run as root")?;
    let number = |at: usize| fields.get(at).and_then(|field| field.parse().ok());
    match (number(2), number(3)) {
        (Some(user), Some(group)) => Ok(Some(Account { user, group })),
        _ => Err("the account `postgres` has no numbers in /etc/passwd".to_owned()),
    }
}

fn own(path: &Path, account: Option<Account>) -> Result<(), String> {
    account.map_or(Ok(()), |account| {
        chown(path, Some(account.user), Some(account.group)).map_err(text)
    })
}

/// A command that runs as the account.
fn command(program: &Path, account: Option<Account>) -> Command {
    let Some(account) = account else {
        return Command::new(program);
    };
    let mut command = Command::new("setpriv");
    command
        .arg(format!("--reuid={}", account.user))
        .arg(format!("--regid={}", account.group))
        .args(["--clear-groups", "--"])
        .arg(program);
    command
}

fn initialise(
    programs: &Path,
    folder: &Path,
    password: &Path,
    account: Option<Account>,
) -> Result<(), String> {
    let made = command(&programs.join("initdb"), account)
        .current_dir(folder)
        .args([
            "--no-sync",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--username",
        ])
        .arg(Postgres::USER)
        .arg("--pwfile")
        .arg(password)
        .arg("--pgdata")
        .arg(folder.join("data"))
        .stdin(Stdio::null())
        .output()
        .map_err(text)?;
    if made.status.success() {
        return Ok(());
    }
    Err(format!("initdb: {}", String::from_utf8_lossy(&made.stderr)))
}

/// Writes key and certificate where the server looks for them, and gives the certificate.
fn certify(data: &Path, account: Option<Account>) -> Result<String, String> {
    use std::os::unix::fs::PermissionsExt;
    let made = Certificate::of_localhost().map_err(text)?;
    for (name, content) in [("server.key", &made.key), ("server.crt", &made.text)] {
        let path = data.join(name);
        std::fs::write(&path, content).map_err(text)?;
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).map_err(text)?;
        own(&path, account)?;
    }
    Ok(made.text)
}

fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(text)?;
    Ok(listener.local_addr().map_err(text)?.port())
}

fn serve(
    programs: &Path,
    folder: &Path,
    port: u16,
    encryption: Encryption,
    settings: &[&str],
    account: Option<Account>,
) -> Result<Child, String> {
    let ssl = if encryption == Encryption::On {
        "on"
    } else {
        "off"
    };
    let mut child = command(&programs.join("postgres"), account)
        .current_dir(folder)
        .arg("-D")
        .arg(folder.join("data"))
        .arg("-p")
        .arg(port.to_string())
        .arg("-k")
        .arg(folder)
        .args(["-c", "listen_addresses=127.0.0.1", "-c"])
        .arg(format!("ssl={ssl}"))
        .args(settings.iter().flat_map(|setting| ["-c", setting]))
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(text)?;
    let log = child.stderr.take().ok_or("stderr is piped")?;
    let mut said = String::new();
    let mut lines = BufReader::new(log).lines();
    while let Some(Ok(line)) = lines.next() {
        if line.contains("ready to accept connections") {
            // Read on, or the server blocks once the pipe is full. The thread ends with the server.
            std::thread::spawn(move || lines.for_each(drop));
            return Ok(child);
        }
        said.push_str(&line);
        said.push('\n');
    }
    let _ = child.wait();
    Err(format!("postgres did not start:\n{said}"))
}
