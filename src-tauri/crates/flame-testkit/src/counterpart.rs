//! Programs that we did not write at the other end of a test: an OpenID provider, and a server that asks
//! for passwords. Their package managers install them once, below the target folder.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A running counterpart; dropping it stops it.
#[derive(Debug)]
pub struct Counterpart {
    child: Child,
    /// Such as `http://127.0.0.1:4711`.
    pub url: String,
}

impl Counterpart {
    /// npm `oidc-provider` with clients of every kind, and a resource that wants its tokens. `None`, with
    /// the reason printed, where it can't be had.
    pub fn oidc_provider() -> Option<Self> {
        had("oidc-provider", || {
            let folder = installed("oidc-provider", |folder| {
                let mut npm = Command::new("npm");
                npm.args(["install", "--no-audit", "--no-fund", "--prefix"])
                    .arg(folder)
                    .arg("oidc-provider@9.13.3");
                npm
            })?;
            let script = folder.join("provider.mjs");
            write(&script, include_str!("counterpart/provider.mjs"))?;
            Self::start(Command::new("node").arg(&script))
        })
    }

    /// PyPI `httpbin`: Basic, Bearer and Digest. `None`, with the reason printed, where it can't be had.
    pub fn httpbin() -> Option<Self> {
        had("httpbin", || {
            let folder = installed("httpbin", |folder| {
                let mut pip = Command::new("python3");
                pip.args(["-m", "pip", "install", "--quiet", "--target"])
                    .arg(folder)
                    .arg("httpbin==0.10.2");
                pip
            })?;
            Self::start(
                Command::new("python3")
                    .args(["-c", include_str!("counterpart/httpbin.py")])
                    .env("PYTHONPATH", folder),
            )
        })
    }

    /// Starts a program that prints its port.
    fn start(command: &mut Command) -> Result<Self, String> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| error.to_string())?;
        // Other lines are notes of the program.
        let port = child.stdout.take().and_then(|out| {
            let lines = BufReader::new(out).lines().map_while(Result::ok);
            lines.filter_map(|line| line.parse::<u16>().ok()).next()
        });
        let counterpart = Self {
            child,
            url: format!("http://127.0.0.1:{}", port.unwrap_or_default()),
        };
        match port {
            Some(_) => Ok(counterpart),
            None => Err("it did not start".to_owned()),
        }
    }
}

impl Drop for Counterpart {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[expect(clippy::print_stderr, reason = "a test that is left out says why")]
fn had(name: &str, start: impl FnOnce() -> Result<Counterpart, String>) -> Option<Counterpart> {
    match start() {
        Ok(counterpart) => Some(counterpart),
        Err(reason) => {
            eprintln!("skipped: {name} is not there: {reason}");
            None
        }
    }
}

/// The folder of a program, installed unless an earlier test did. It comes into being whole, so tests
/// that do this at once do no harm.
fn installed(name: &str, install: impl Fn(&Path) -> Command) -> Result<PathBuf, String> {
    let text = |error: std::io::Error| error.to_string();
    let folder = target()?.join("counterparts").join(name);
    if folder.is_dir() {
        return Ok(folder);
    }
    let parent = folder.with_file_name("");
    std::fs::create_dir_all(&parent).map_err(text)?;
    let fresh = tempfile::tempdir_in(&parent).map_err(text)?;
    let output = install(fresh.path()).output().map_err(text)?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    match std::fs::rename(fresh.path(), &folder) {
        Err(error) if !folder.is_dir() => Err(error.to_string()),
        // Another test was quicker, or this one has moved it.
        _ => Ok(folder),
    }
}

/// The target folder, above the test program.
fn target() -> Result<PathBuf, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    program
        .ancestors()
        .nth(3)
        .map(Path::to_owned)
        .ok_or_else(|| format!("{} is in no target folder", program.display()))
}

/// Writes a file so that who reads it at the same time sees it whole.
fn write(path: &Path, text: &str) -> Result<(), String> {
    let fresh = path.with_extension(format!("{}.new", std::process::id()));
    std::fs::write(&fresh, text)
        .and_then(|()| std::fs::rename(&fresh, path))
        .map_err(|error| error.to_string())
}
