//! The agent's container: made, verified, started, stopped; its data carried in and out.

use std::path::Path;
use std::time::Duration;

use flame_types::Timestamp;
use futures::{StreamExt, TryStreamExt};
use hyper::Method;
use podman_api::Podman;
use podman_api::opts::ContainerLogsOpts;
use serde_json::{Value, json};

use crate::hardening::{Process, verified};
use crate::image::encode;
use crate::raw::{Raw, whole};
use crate::spec::PORT;
use crate::{AgentImage, Error, LABEL, Place, Spec, archive};

/// As long as a restore outside a container may take.
const RESTORE_MAX: Duration = Duration::from_secs(30 * 60);

/// Everything needed to drive one workspace's agent in Podman.
#[derive(Debug)]
pub struct AgentContainer {
    raw: Raw,
    podman: Podman,
    spec: Spec,
}

/// What Podman says of the container.
#[derive(Debug, Clone, PartialEq)]
pub struct ContainerState {
    pub id: String,
    pub name: String,
    pub image: String,
    /// Podman's word, such as `running` or `exited`.
    pub status: String,
    /// RFC 3339.
    pub started_at: Option<String>,
    pub exit_code: i64,
    pub memory_limit_bytes: u64,
    /// Where the agent's port is published on loopback.
    pub published_port: Option<u16>,
}

/// What the container uses now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stats {
    pub cpu_percent: f64,
    pub memory_bytes: u64,
    /// Absent where it has none.
    pub memory_limit_bytes: Option<u64>,
    pub pids: u64,
}

/// One line that the agent wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    pub error_stream: bool,
    /// When Podman took it; `None` where its log driver does not say.
    pub at: Option<Timestamp>,
    pub text: String,
}

impl LogLine {
    /// Reads what Podman gives: the moment, a space, the line.
    fn read(error_stream: bool, text: &str) -> Self {
        let parts = text
            .split_once(' ')
            .and_then(|(at, rest)| Some((at.parse().ok()?, rest)));
        let (at, text) = parts.map_or((None, text), |(at, rest)| (Some(at), rest));
        let text = text.trim_end();
        Self {
            error_stream,
            at,
            text: text.to_owned(),
        }
    }
}

impl AgentContainer {
    pub fn new(place: &Place, spec: Spec) -> Self {
        Self {
            raw: Raw::new(&place.socket),
            podman: Podman::unix(&place.socket),
            spec,
        }
    }

    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// Makes volume, token and container anew; a container of ours that is left over is removed, its
    /// data stays in the volume.
    pub async fn create(&self, image: &AgentImage, token: &str) -> Result<(), Error> {
        self.make(image, token, self.spec.serve()).await
    }

    /// Has the agent of the image put the last backup in the place of the database in the data volume;
    /// under the same protection, in a container that is gone afterwards.
    pub async fn restore(&self, image: &AgentImage, token: &str) -> Result<(), Error> {
        let command = ["restore", "--data-dir", "/data"].map(str::to_owned);
        self.make(image, token, command.into()).await?;
        let outcome = self.one_off("putting the backup in place").await;
        // It is no agent: the next start makes one.
        self.remove_container().await?;
        outcome
    }

    /// Starts the container for its one command and waits for its end.
    async fn one_off(&self, operation: &str) -> Result<(), Error> {
        let name = self.spec.container();
        let start = format!("/containers/{name}/start");
        self.raw.json(operation, Method::POST, &start, None).await?;
        let wait =
            format!("/containers/{name}/wait?condition=exited&condition=stopped&interval=50ms");
        let raw = self.raw.patient();
        let ended = raw.json(operation, Method::POST, &wait, None);
        let Ok(code) = tokio::time::timeout(RESTORE_MAX, ended).await else {
            let said = format!("it did not end within {} s", RESTORE_MAX.as_secs());
            let operation = operation.to_owned();
            return Err(Error::Command { operation, said });
        };
        let code = code?;
        if code == 0 {
            return Ok(());
        }
        let said = self.logs(1).await.ok().and_then(|mut lines| lines.pop());
        Err(Error::Command {
            operation: operation.to_owned(),
            said: said.map_or_else(
                || format!("the agent ended with exit code {code}"),
                |line| line.text,
            ),
        })
    }

    async fn make(
        &self,
        image: &AgentImage,
        token: &str,
        command: Vec<String>,
    ) -> Result<(), Error> {
        self.remove_container().await?;
        self.ensure_volume().await?;
        self.put_secret(token).await?;
        let body = self.spec.create_body(&image.id, &command);
        self.raw
            .json(
                "making the container",
                Method::POST,
                "/containers/create",
                Some(&body),
            )
            .await?;
        Ok(())
    }

    /// Starts the container and verifies it as [`AgentContainer::verify`] does.
    pub async fn start(&self) -> Result<Vec<String>, Error> {
        let path = format!("/containers/{}/start", self.spec.container());
        self.raw
            .json("starting the container", Method::POST, &path, None)
            .await?;
        self.verify().await
    }

    /// Verifies the protection of the running container; one without it is removed at once.
    ///
    /// Gives what was verified, in words; [`Error::Ended`] where the agent has ended already.
    pub async fn verify(&self) -> Result<Vec<String>, Error> {
        match self.look().await {
            looked @ (Ok(_) | Err(Error::Ended { .. })) => looked,
            Err(error) => {
                self.remove_container().await?;
                Err(error)
            }
        }
    }

    /// Asks the agent to drain and waits for its end, up to the drain time.
    pub async fn stop(&self) -> Result<(), Error> {
        let name = self.spec.container();
        let path = format!(
            "/containers/{name}/stop?timeout={}",
            self.spec.drain.as_secs()
        );
        match self
            .raw
            .json("stopping the container", Method::POST, &path, None)
            .await
        {
            Ok(_) | Err(Error::Refused { status: 404, .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Removes container, token and volume. The data is gone with the volume.
    pub async fn remove(&self) -> Result<(), Error> {
        self.remove_container().await?;
        self.forget_secret().await?;
        let volume = self.spec.volume();
        if self.volume_is_ours(&volume).await? {
            let path = format!("/volumes/{volume}");
            self.raw
                .json("removing the volume", Method::DELETE, &path, None)
                .await?;
        }
        Ok(())
    }

    /// What Podman says of the container; `None` where there is none of ours.
    pub async fn state(&self) -> Result<Option<ContainerState>, Error> {
        let Some(inspect) = self.inspect().await? else {
            return Ok(None);
        };
        let text = |pointer: &str| inspect.pointer(pointer).and_then(Value::as_str);
        Ok(Some(ContainerState {
            id: text("/Id").unwrap_or_default().to_owned(),
            name: text("/Name").unwrap_or_default().to_owned(),
            image: text("/Image").unwrap_or_default().to_owned(),
            status: text("/State/Status").unwrap_or_default().to_owned(),
            started_at: text("/State/StartedAt")
                .filter(|at| !at.starts_with("0001"))
                .map(str::to_owned),
            exit_code: inspect
                .pointer("/State/ExitCode")
                .and_then(Value::as_i64)
                .unwrap_or(0),
            memory_limit_bytes: self.spec.limits.memory_bytes,
            published_port: text(&format!("/HostConfig/PortBindings/{PORT}~1tcp/0/HostPort"))
                .and_then(|port| port.parse().ok()),
        }))
    }

    /// The last `lines` lines that the agent wrote.
    pub async fn logs(&self, lines: u32) -> Result<Vec<LogLine>, Error> {
        let options = ContainerLogsOpts::builder()
            .stdout(true)
            .stderr(true)
            .tail(lines.to_string())
            .timestamps(true)
            .build();
        let container = self.podman.containers().get(self.spec.container());
        let chunks: Vec<_> = container
            .logs(&options)
            .take(lines as usize)
            .try_collect()
            .await
            .map_err(Error::transport("reading the container's log"))?;
        Ok(chunks
            .into_iter()
            .map(|chunk| {
                let error_stream = matches!(chunk, podman_api::conn::TtyChunk::StdErr(_));
                LogLine::read(error_stream, &String::from_utf8_lossy(&chunk))
            })
            .collect())
    }

    /// What the container uses now; `None` while it is not running.
    pub async fn stats(&self) -> Result<Option<Stats>, Error> {
        let path = format!(
            "/containers/stats?stream=false&containers={}",
            self.spec.container()
        );
        let answer = self
            .raw
            .json("reading the container's load", Method::GET, &path, None)
            .await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(Error::Refused {
                status: 404 | 409 | 500,
                ..
            }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let Some(one) = answer["Stats"].get(0) else {
            return Ok(None);
        };
        Ok(Some(Stats {
            cpu_percent: one["CPU"].as_f64().unwrap_or(0.0),
            memory_bytes: one["MemUsage"].as_u64().unwrap_or(0),
            memory_limit_bytes: one["MemLimit"].as_u64().filter(|bytes| *bytes > 0),
            pids: one["PIDs"].as_u64().unwrap_or(0),
        }))
    }

    /// Puts a file, or a folder with everything below it, under that name into the data volume of the
    /// created, not yet started container.
    pub async fn import(&self, from: &Path, name: &str) -> Result<(), Error> {
        let operation = "handing the data over to the container";
        let measured = from.to_owned();
        let bytes = tokio::task::spawn_blocking(move || archive::size(&measured))
            .await
            .map_err(Error::transport(operation))?
            .map_err(Error::io(format!("reading {}", from.display())))?;
        let (body, packing) = archive::pack(from.to_owned(), name.to_owned());
        let path = format!("/containers/{}/archive?path=%2Fdata", self.spec.container());
        self.raw
            .with_time_for(bytes)
            .bytes(operation, Method::PUT, &path, "application/x-tar", body)
            .await?;
        if matches!(packing.await, Ok(true)) {
            return Ok(());
        }
        let early = std::io::Error::other("Podman answered before it had all of it");
        Err(Error::io(operation)(early))
    }

    /// Copies what is below `place` in the data volume into `folder`, streamed: all of it where `place`
    /// is empty. Says whether there is such a place. Only a stopped container has a whole database.
    pub async fn export(&self, place: &str, folder: &Path) -> Result<bool, Error> {
        let operation = "taking the data out of the container";
        let from = Path::new("/data").join(place).join(".");
        let path = format!(
            "/containers/{}/archive?path={}",
            self.spec.container(),
            encode(&from.to_string_lossy())
        );
        let body = match self.raw.stream(operation, Method::GET, &path).await {
            Ok(body) => body,
            Err(Error::Refused { status: 404, .. }) => return Ok(false),
            Err(error) => return Err(error),
        };
        let frames = http_body_util::BodyStream::new(body)
            .try_filter_map(|frame| async { Ok(frame.into_data().ok()) })
            .map_err(std::io::Error::other);
        let archive = folder.join("data.tar");
        write_all(frames, &archive)
            .await
            .map_err(Error::io(operation))?;
        let (from, to) = (archive.clone(), folder.to_owned());
        tokio::task::spawn_blocking(move || {
            tar::Archive::new(std::fs::File::open(from)?).unpack(to)
        })
        .await
        .map_err(Error::transport(operation))?
        .map_err(Error::io(operation))?;
        tokio::fs::remove_file(&archive)
            .await
            .map_err(Error::io(operation))?;
        Ok(true)
    }

    async fn look(&self) -> Result<Vec<String>, Error> {
        let inspect = self.inspect().await?.ok_or_else(|| Error::Hardening {
            missing: "a container to look at".to_owned(),
        })?;
        let process = match inspect.pointer("/State/Pid").and_then(Value::as_i64) {
            Some(pid) if pid > 0 => Process::read(pid).await,
            _ => Err(std::io::ErrorKind::NotFound.into()),
        };
        match process {
            Ok(process) => verified(&self.spec, &inspect, &process),
            Err(_) => Err(self.without_process().await),
        }
    }

    /// Why there is no process to look at.
    async fn without_process(&self) -> Error {
        match self.state().await {
            Ok(Some(state)) if state.status != "running" => Error::Ended {
                code: state.exit_code,
            },
            Ok(_) => Error::Hardening {
                missing: "a running process to verify".to_owned(),
            },
            Err(error) => error,
        }
    }

    async fn inspect(&self) -> Result<Option<Value>, Error> {
        let name = self.spec.container();
        let path = format!("/containers/{name}/json");
        match self
            .raw
            .json("inspecting the container", Method::GET, &path, None)
            .await
        {
            Ok(inspect) if inspect["Config"]["Labels"][LABEL] == self.spec.workspace.as_str() => {
                Ok(Some(inspect))
            }
            Ok(_) => Err(Error::NotOurs { name }),
            Err(Error::Refused { status: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn remove_container(&self) -> Result<(), Error> {
        if self.inspect().await?.is_none() {
            return Ok(());
        }
        self.stop().await?;
        let path = format!("/containers/{}?force=true&v=false", self.spec.container());
        self.raw
            .json("removing the container", Method::DELETE, &path, None)
            .await?;
        Ok(())
    }

    async fn ensure_volume(&self) -> Result<(), Error> {
        let name = self.spec.volume();
        if self.volume_is_ours(&name).await? {
            return Ok(());
        }
        let body = json!({ "Name": name, "Labels": { LABEL: self.spec.workspace } });
        self.raw
            .json(
                "making the volume",
                Method::POST,
                "/volumes/create",
                Some(&body),
            )
            .await?;
        Ok(())
    }

    async fn volume_is_ours(&self, name: &str) -> Result<bool, Error> {
        let path = format!("/volumes/{name}/json");
        match self
            .raw
            .json("inspecting the volume", Method::GET, &path, None)
            .await
        {
            Ok(inspect) if inspect["Labels"][LABEL] == self.spec.workspace.as_str() => Ok(true),
            Ok(_) => Err(Error::NotOurs {
                name: name.to_owned(),
            }),
            Err(Error::Refused { status: 404, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn put_secret(&self, token: &str) -> Result<(), Error> {
        self.forget_secret().await?;
        let path = format!(
            "/secrets/create?name={}&driver=file",
            encode(&self.spec.secret())
        );
        let body = whole(token.to_owned());
        let operation = "storing the token";
        self.raw
            .bytes(
                operation,
                Method::POST,
                &path,
                "application/octet-stream",
                body,
            )
            .await?;
        Ok(())
    }

    async fn forget_secret(&self) -> Result<(), Error> {
        let path = format!("/secrets/{}", encode(&self.spec.secret()));
        match self
            .raw
            .json("removing the token", Method::DELETE, &path, None)
            .await
        {
            Ok(_) | Err(Error::Refused { status: 404, .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

async fn write_all(
    frames: impl futures::Stream<Item = std::io::Result<bytes::Bytes>>,
    path: &Path,
) -> std::io::Result<()> {
    use tokio::io::AsyncWriteExt;

    let mut frames = std::pin::pin!(frames);
    let mut file = tokio::fs::File::create(path).await?;
    while let Some(bytes) = frames.try_next().await? {
        file.write_all(&bytes).await?;
    }
    file.sync_all().await
}
