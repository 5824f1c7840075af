//! Containers that workflows ask for: made once for each job, watched to their end, removed.
//!
//! A job's id stands in a label, so that the container of a job that is asked for again is found, however
//! the one who asked first went away. Deliberately absent: who asks, and what becomes of the result.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use flame_types::Timestamp;
use hyper::Method;
use serde_json::{Value, json};

use crate::image::encode;
use crate::job_spec::{self, Room};
use crate::output::{Output, Reader};
use crate::raw::Raw;
use crate::{Error, LABEL, Limits, Place};

/// Label that names the job.
const JOB_LABEL: &str = "io.mastra.job";
/// Label that names the run whose task wants the container.
const RUN_LABEL: &str = "io.mastra.run";
/// Label with the milliseconds after its end at which the container is removed, or `never`.
const REMOVE_LABEL: &str = "io.mastra.remove-after";
/// Label that says whether anybody waits for its end.
const AWAITED_LABEL: &str = "io.mastra.awaited";
/// How long a container may take to end once it is asked to.
const GRACE_SECONDS: u32 = 5;
/// Between the end of a container's input and the sight of its own.
const END_SEEN_WITHIN: Duration = Duration::from_secs(10);
/// What a job leaves in the folder of marks once its container has read all of its input.
const FED: &[u8] = b"fed";

/// What to run.
#[derive(Debug, Clone)]
pub struct Job {
    /// Names the job: letters and digits.
    pub id: String,
    pub run: String,
    pub image: String,
    pub name: Option<String>,
    /// In place of the image's own; empty keeps that.
    pub entrypoint: Vec<String>,
    /// In place of the image's own; empty keeps that.
    pub arguments: Vec<String>,
    pub environment: BTreeMap<String, String>,
    pub stdin: Option<String>,
    /// Port of this machine, on loopback, and port of the container.
    pub ports: Vec<(u16, u16)>,
    /// Path below the folder of volumes, and path in the container.
    pub volumes: Vec<(String, String)>,
    pub network: bool,
    pub pull: Pull,
    /// Whether anybody waits for its end.
    pub awaits: bool,
    /// How long after its end it is removed; `None` keeps it.
    pub remove_after: Option<Duration>,
    pub timeout: Duration,
    /// Of standard output and standard error, each.
    pub output_bytes_max: usize,
}

/// When the image is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pull {
    Always,
    IfNotPresent,
    Never,
}

/// How a container has ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ended {
    pub code: i64,
    pub stdout: String,
    pub stderr: String,
}

/// A container of a job, as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    pub job: String,
    pub run: String,
    pub is_running: bool,
    pub is_awaited: bool,
}

/// Where jobs run, and what they may have.
#[derive(Debug, Clone)]
pub struct Jobs {
    raw: Raw,
    room: Room,
    marks: PathBuf,
}

/// What jobs may have.
#[derive(Debug, Clone)]
pub struct JobOptions {
    pub workspace: String,
    /// Paths of volumes lie in it; without one there are no volumes.
    pub volumes: Option<PathBuf>,
    /// Where it stands which containers were made; private to the user.
    pub marks: PathBuf,
    pub limits: Limits,
}

/// A container as Podman lists it.
struct Found {
    id: String,
    state: String,
    /// Seconds since 1970.
    exited_at: i64,
    labels: Value,
}

impl Found {
    fn label(&self, name: &str) -> &str {
        self.labels[name].as_str().unwrap_or_default()
    }

    fn has_ended(&self) -> bool {
        matches!(self.state.as_str(), "exited" | "stopped" | "dead")
    }

    fn ended_ago(&self, now: Timestamp) -> Duration {
        let seconds = now.as_second().saturating_sub(self.exited_at);
        Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
    }

    fn has_begun(&self) -> bool {
        !matches!(
            self.state.as_str(),
            "created" | "configured" | "initialized"
        )
    }
}

impl Jobs {
    pub fn new(place: &Place, options: JobOptions) -> Self {
        Self {
            raw: Raw::new(&place.socket),
            room: Room {
                workspace: options.workspace,
                volumes: options.volumes,
                limits: options.limits,
                rootless: place.rootless,
            },
            marks: options.marks,
        }
    }

    /// Whether containers may be there that somebody has to look after.
    pub fn are_marked(marks: &Path) -> bool {
        std::fs::read_dir(marks).is_ok_and(|mut entries| entries.next().is_some())
    }

    /// Starts the job's container, unless it was started before.
    pub async fn start(&self, job: &Job) -> Result<(), Error> {
        if let Some(found) = self.find(&job.id).await? {
            let is_fed = job.stdin.is_none() || self.is_fed(&job.id);
            if found.has_begun() && is_fed {
                return Ok(());
            }
            // What it has read of its input, if anything, nobody knows.
            self.remove(&found).await?;
        }
        let container = self.create(job).await?;
        match self.begin(&container, job).await {
            Ok(()) => Ok(()),
            Err(error) if error.is_lost() => Err(error),
            Err(error) => {
                self.end(&job.id).await?;
                Err(error)
            }
        }
    }

    /// Waits for the end of a started job and reads what it wrote.
    pub async fn wait(&self, job: &Job) -> Result<Ended, Error> {
        let Some(found) = self.find(&job.id).await? else {
            return Err(Error::Vanished {
                job: job.id.clone(),
            });
        };
        let id = &found.id;
        let code = tokio::select! {
            ended = self.ended(id) => ended?,
            error = self.watch(id, job.output_bytes_max), if !found.has_ended() => {
                self.end(&job.id).await?;
                return Err(error);
            }
        };
        let Output { stdout, stderr } = match self.read(id, job.output_bytes_max, false).await {
            Ok(output) => output,
            Err(error @ Error::OutputTooLarge { .. }) => {
                self.end(&job.id).await?;
                return Err(error);
            }
            Err(error) => return Err(error),
        };
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ok(Ended {
            code,
            stdout: text(stdout),
            stderr: text(stderr),
        })
    }

    /// Ends the container of a job that nobody waits for, and removes it unless it was to stay.
    pub async fn end(&self, job: &str) -> Result<(), Error> {
        let Some(found) = self.find(job).await? else {
            return self.forget(job);
        };
        if !found.has_begun() {
            return self.remove(&found).await;
        }
        let path = format!("/containers/{}/stop?timeout={GRACE_SECONDS}", found.id);
        let stopped = self
            .raw
            .json("ending the container", Method::POST, &path, None);
        match stopped.await {
            Ok(_) | Err(Error::Refused { status: 404, .. }) => {}
            Err(error) => return Err(error),
        }
        if found.label(REMOVE_LABEL) == "0" {
            return self.remove(&found).await;
        }
        Ok(())
    }

    /// Removes the container of a job that has ended, if its time has come; else says how long it stays.
    pub async fn tidy(&self, job: &str, now: Timestamp) -> Result<Option<Duration>, Error> {
        let Some(found) = self.find(job).await? else {
            self.forget(job)?;
            return Ok(None);
        };
        if !found.has_ended() {
            return Ok(None);
        }
        let Ok(stays_ms) = found.label(REMOVE_LABEL).parse::<u64>() else {
            self.forget(job)?;
            return Ok(None);
        };
        let left = match stays_ms {
            0 => Duration::ZERO,
            _ => Duration::from_millis(stays_ms).saturating_sub(found.ended_ago(now)),
        };
        if left > Duration::ZERO {
            return Ok(Some(left));
        }
        self.remove(&found).await?;
        Ok(None)
    }

    /// Every container of a job of this workspace.
    pub async fn leftovers(&self) -> Result<Vec<Leftover>, Error> {
        let found = self.list(&[]).await?.into_iter();
        let leftover = |found: Found| Leftover {
            job: found.label(JOB_LABEL).to_owned(),
            run: found.label(RUN_LABEL).to_owned(),
            is_running: !found.has_ended(),
            is_awaited: found.label(AWAITED_LABEL) != "false",
        };
        Ok(found.map(leftover).collect())
    }

    /// Forgets the marks of jobs that have no container, but for those that may be about to get one.
    pub async fn forget_all_but(&self, jobs: &[String]) -> Result<(), Error> {
        let there = self.leftovers().await?;
        let Ok(marks) = std::fs::read_dir(&self.marks) else {
            return Ok(());
        };
        let names = marks.filter_map(|mark| mark.ok()?.file_name().into_string().ok());
        for name in names.filter(|name| !jobs.contains(name)) {
            if !there.iter().any(|leftover| leftover.job == name) {
                self.forget(&name)?;
            }
        }
        Ok(())
    }

    async fn create(&self, job: &Job) -> Result<String, Error> {
        let user = self.image(job).await?;
        let mut body = job_spec::create_body(&self.room, job, user)?;
        let remove = job
            .remove_after
            .map_or_else(|| "never".to_owned(), |after| after.as_millis().to_string());
        body["labels"] = json!({
            LABEL: self.room.workspace, JOB_LABEL: job.id, RUN_LABEL: job.run, REMOVE_LABEL: remove,
            AWAITED_LABEL: job.awaits.to_string(),
        });
        self.mark(&job.id, b"")?;
        let operation = "making the container";
        let made = self
            .raw
            .json(operation, Method::POST, "/containers/create", Some(&body))
            .await;
        let made = match made {
            Ok(made) => made,
            Err(error) => {
                if !error.is_lost() {
                    self.forget(&job.id)?;
                }
                return Err(error);
            }
        };
        let id = made["Id"].as_str().unwrap_or_default().to_owned();
        if let Err(error) = job_spec::verified(&self.room, &self.inspect(&id).await?) {
            self.end(&job.id).await?;
            return Err(error);
        }
        Ok(id)
    }

    /// The image is there; gives the user that it names for itself.
    async fn image(&self, job: &Job) -> Result<Option<String>, Error> {
        let path = format!("/images/{}/json", encode(&job.image));
        let operation = "looking for the image";
        let mut asked = self.raw.json(operation, Method::GET, &path, None).await;
        let is_missing = matches!(asked, Err(Error::Refused { status: 404, .. }));
        match (job.pull, is_missing) {
            (Pull::Never, true) => {
                return Err(Error::ImageAbsent {
                    image: job.image.clone(),
                });
            }
            (Pull::Always, _) | (Pull::IfNotPresent, true) => {
                self.pull(&job.image).await?;
                asked = self.raw.json(operation, Method::GET, &path, None).await;
            }
            _ => {}
        }
        Ok(asked?["User"].as_str().map(str::to_owned))
    }

    async fn pull(&self, image: &str) -> Result<(), Error> {
        let path = format!("/images/pull?quiet=true&reference={}", encode(image));
        let refused = |reason: String| Error::ImageNotPulled {
            image: image.to_owned(),
            reason,
        };
        let operation = "fetching the image";
        let answer = self
            .raw
            .patient()
            .bytes(
                operation,
                Method::POST,
                &path,
                "application/json",
                crate::raw::whole(""),
            )
            .await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(Error::Refused { message, .. }) => return Err(refused(message)),
            Err(error) => return Err(error),
        };
        let mut lines = answer
            .split(|byte| *byte == b'\n')
            .filter_map(|line| flame_types::json::from_slice::<Value>(line).ok());
        match lines.find_map(|line| line["error"].as_str().map(str::to_owned)) {
            Some(reason) => Err(refused(reason)),
            None => Ok(()),
        }
    }

    /// Starts a container that was made, and gives it its input.
    async fn begin(&self, container: &str, job: &Job) -> Result<(), Error> {
        let path = format!("/containers/{container}/start");
        let operation = "starting the container";
        let Some(stdin) = &job.stdin else {
            self.raw.json(operation, Method::POST, &path, None).await?;
            return Ok(());
        };
        let attach = format!(
            "/containers/{container}/attach?stdin=true&stdout=false&stderr=false&stream=true"
        );
        let input = self
            .raw
            .upgrade("giving the container its input", &attach)
            .await?;
        self.raw.json(operation, Method::POST, &path, None).await?;
        if let Err(error) = input.write(stdin.as_bytes()).await {
            // It may have ended without reading all of it.
            let ended = tokio::time::timeout(END_SEEN_WITHIN, self.ended(container)).await;
            if !matches!(ended, Ok(Ok(_))) {
                return Err(error);
            }
        }
        self.mark(&job.id, FED)
    }

    /// Waits for the end of a container; gives its code.
    async fn ended(&self, container: &str) -> Result<i64, Error> {
        let path = format!(
            "/containers/{container}/wait?condition=exited&condition=stopped&interval=50ms"
        );
        let operation = "waiting for the container";
        let raw = self.raw.patient();
        let code = raw.json(operation, Method::POST, &path, None).await?;
        Ok(code.as_i64().unwrap_or(-1))
    }

    /// Ends with an error once the container has written more than it may; else never.
    async fn watch(&self, container: &str, bytes_max: usize) -> Error {
        match self.read(container, bytes_max, true).await {
            Err(error @ Error::OutputTooLarge { .. }) => error,
            // The wait says how it ended, also where this can't be read.
            _ => std::future::pending().await,
        }
    }

    async fn read(&self, container: &str, bytes_max: usize, follow: bool) -> Result<Output, Error> {
        let path = format!("/containers/{container}/logs?stdout=true&stderr=true&follow={follow}");
        let body = self
            .raw
            .patient()
            .stream("reading what the container wrote", Method::GET, &path)
            .await?;
        Reader::new(bytes_max).read(body).await
    }

    async fn inspect(&self, container: &str) -> Result<Value, Error> {
        let path = format!("/containers/{container}/json");
        self.raw
            .json("inspecting the container", Method::GET, &path, None)
            .await
    }

    async fn find(&self, job: &str) -> Result<Option<Found>, Error> {
        let label = format!("{JOB_LABEL}={job}");
        Ok(self.list(&[&label]).await?.pop())
    }

    /// Containers of jobs of this workspace that carry these labels too.
    async fn list(&self, labels: &[&str]) -> Result<Vec<Found>, Error> {
        let own = format!("{LABEL}={}", self.room.workspace);
        let mut wanted = vec![own.as_str(), JOB_LABEL];
        wanted.extend(labels);
        let filters = json!({ "label": wanted }).to_string();
        let path = format!("/containers/json?all=true&filters={}", encode(&filters));
        let listed = self
            .raw
            .json("listing containers", Method::GET, &path, None)
            .await?;
        let entries = listed.as_array().map(Vec::as_slice).unwrap_or_default();
        Ok(entries
            .iter()
            .map(|entry| Found {
                id: entry["Id"].as_str().unwrap_or_default().to_owned(),
                exited_at: entry["ExitedAt"].as_i64().unwrap_or(0),
                state: entry["State"].as_str().unwrap_or_default().to_owned(),
                labels: entry["Labels"].clone(),
            })
            .collect())
    }

    async fn remove(&self, found: &Found) -> Result<(), Error> {
        let path = format!("/containers/{}?force=true&v=true&timeout=0", found.id);
        let removed = self
            .raw
            .json("removing the container", Method::DELETE, &path, None);
        match removed.await {
            Ok(_) | Err(Error::Refused { status: 404, .. }) => {}
            Err(error) => return Err(error),
        }
        self.forget(found.label(JOB_LABEL))
    }

    fn mark(&self, job: &str, text: &[u8]) -> Result<(), Error> {
        std::fs::create_dir_all(&self.marks)
            .and_then(|()| std::fs::write(self.marks.join(job), text))
            .map_err(Error::io(format!("writing in {}", self.marks.display())))
    }

    fn is_fed(&self, job: &str) -> bool {
        std::fs::read(self.marks.join(job)).is_ok_and(|text| text == FED)
    }

    fn forget(&self, job: &str) -> Result<(), Error> {
        match std::fs::remove_file(self.marks.join(job)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io(format!(
                "removing a mark in {}",
                self.marks.display()
            ))(error)),
            _ => Ok(()),
        }
    }
}
