//! Where Podman's socket is, in a fixed order, and whether what answers there can be used.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use podman_api::Podman;

use crate::Error;
use crate::service::{self, OwnService};

/// What the environment says about Podman; read once at the edge.
#[derive(Debug, Clone, Default)]
pub struct Locator {
    /// The person's own setting, as a path or `unix://` URL.
    pub setting: Option<String>,
    /// `CONTAINER_HOST`.
    pub container_host: Option<String>,
    /// `XDG_RUNTIME_DIR`.
    pub runtime_dir: Option<PathBuf>,
    /// The `podman` program, if there is one.
    pub program: Option<PathBuf>,
    /// Whether this process is root, for whom the system's socket counts.
    pub root: bool,
}

/// A Podman that answers, and the service that was started for it, which ends with this value.
#[derive(Debug)]
pub struct Place {
    pub socket: PathBuf,
    pub version: String,
    /// Whether somebody else than root runs it: the owner of its socket.
    pub rootless: bool,
    _service: Option<OwnService>,
}

impl Locator {
    /// Reads the environment of this process.
    pub fn from_environment(setting: Option<String>) -> Self {
        let program = std::env::var_os("PATH").and_then(|paths| {
            std::env::split_paths(&paths)
                .map(|folder| folder.join("podman"))
                .find(|p| p.is_file())
        });
        Self {
            setting: setting.filter(|text| !text.trim().is_empty()),
            container_host: std::env::var("CONTAINER_HOST").ok(),
            runtime_dir: std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from),
            program,
            root: rustix::process::geteuid().is_root(),
        }
    }

    /// The sockets to try, best first. An explicit setting is never passed over for another.
    pub fn candidates(&self) -> Vec<PathBuf> {
        for explicit in [&self.setting, &self.container_host].into_iter().flatten() {
            if let Some(path) = unix_path(explicit) {
                return vec![path];
            }
        }
        let mut sockets: Vec<PathBuf> = Vec::new();
        sockets.extend(
            self.runtime_dir
                .as_ref()
                .map(|dir| dir.join("podman/podman.sock")),
        );
        if self.root {
            sockets.push("/run/podman/podman.sock".into());
        }
        sockets
    }

    /// The first Podman that answers; where none does, a service of our own.
    pub async fn locate(&self) -> Result<Place, Error> {
        let mut failed = None;
        for socket in self.candidates() {
            match probe(socket).await {
                Ok(place) => return Ok(place),
                Err(error @ Error::NotRunning { .. }) => failed = failed.or(Some(error)),
                Err(error) => return Err(error),
            }
        }
        let explicit = self.setting.is_some() || self.container_host.is_some();
        match (&self.program, failed) {
            (Some(program), failed) if !explicit => {
                let service = OwnService::start(program, self.runtime_dir.as_deref())
                    .await
                    .map_err(|own| failed.unwrap_or(own))?;
                let place = probe(service.socket().to_owned()).await?;
                Ok(Place {
                    _service: Some(service),
                    ..place
                })
            }
            (_, Some(error)) if explicit || self.program.is_some() => Err(error),
            _ => Err(Error::Missing),
        }
    }
}

async fn probe(socket: PathBuf) -> Result<Place, Error> {
    service::reachable(&socket).await?;
    let owner = std::fs::metadata(&socket)
        .map_err(Error::io(format!("looking at {}", socket.display())))?
        .uid();
    // Its version and its host it tells after it has asked the package manager about each of its programs, for seconds.
    let answer = Podman::unix(&socket)
        .ping()
        .await
        .map_err(Error::transport("asking Podman's version"))?;
    let version = answer.libpod_api_version;
    supported(&version)?;
    Ok(Place {
        socket,
        version,
        rootless: owner != 0,
        _service: None,
    })
}

/// 4.3 is the oldest that was tried; 5.0 answers with models that the client can't read.
fn supported(version: &str) -> Result<(), Error> {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().ok());
    let (major, minor) = (parts.next().flatten(), parts.next().flatten());
    let reason = match (major, minor) {
        (Some(5), Some(0)) => "5.0 answers in a form of its own; 5.1 and later are fine",
        (Some(major), Some(minor)) if (major, minor) >= (4, 3) => return Ok(()),
        _ => "4.3 is the oldest that works",
    };
    Err(Error::Unsupported {
        version: version.to_owned(),
        reason,
    })
}

/// The path of `unix:///path` or of a plain absolute path.
fn unix_path(text: &str) -> Option<PathBuf> {
    let path = text.strip_prefix("unix://").unwrap_or(text);
    path.starts_with('/').then(|| PathBuf::from(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_never_passed_over() {
        let locator = Locator {
            setting: Some("unix:///tmp/mine.sock".into()),
            container_host: Some("unix:///tmp/other.sock".into()),
            runtime_dir: Some("/run/user/1000".into()),
            program: None,
            root: true,
        };
        assert_eq!(locator.candidates(), [PathBuf::from("/tmp/mine.sock")]);
    }

    #[test]
    fn the_persons_socket_comes_before_the_systems() {
        let locator = Locator {
            runtime_dir: Some("/run/user/0".into()),
            root: true,
            ..Locator::default()
        };
        let sockets = ["/run/user/0/podman/podman.sock", "/run/podman/podman.sock"];
        assert_eq!(locator.candidates(), sockets.map(PathBuf::from));
    }

    #[test]
    fn versions_that_break_the_client_are_refused() {
        for good in ["4.3.1", "4.9.4", "5.1.0", "5.4.2", "6.0.0"] {
            assert!(supported(good).is_ok(), "{good}");
        }
        for bad in ["4.2.0", "3.4.4", "5.0.3", "", "unknown"] {
            assert!(supported(bad).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn nothing_installed_is_its_own_error() {
        let error = Locator::default()
            .locate()
            .await
            .expect_err("there is no Podman here");
        assert!(matches!(error, Error::Missing), "{error}");
    }

    #[tokio::test]
    async fn a_dead_socket_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("podman.sock");
        drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
        let locator = Locator {
            setting: Some(socket.display().to_string()),
            program: Some("/usr/bin/false".into()),
            ..Locator::default()
        };
        let error = locator.locate().await.expect_err("nobody listens");
        assert!(
            matches!(&error, Error::NotRunning { socket: s, .. } if *s == socket),
            "{error}"
        );
    }
}
