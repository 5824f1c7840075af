//! Dies at each point of the table, and begins again.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};

use flame_agent_api::{JournalQuery, JournalType, SecretText};
use flame_agent_client::AgentClient;
use flame_testkit::{Agent, Effects, may_trace};
use flame_types::RunId;
use futures::StreamExt;
use tempfile::TempDir;

use super::aftermath::{self, Held};
use super::life::Traced;
use super::points::{Folder, Point, SCENARIOS, Scenario};
use super::scenario::{Document, Progress, deploy, outcomes};
use super::trace::{self, Call, Place, SHOWN_BYTES, TOLD_BY};
use crate::harness::program;

/// Lives in which the agent does not die where it should: commits that come at the same time go together or
/// apart, so that a call may have another number than in the life before.
const TRIES: usize = 8;
/// Scenarios at once.
const ABREAST: usize = 2;
const KILLED: i32 = 9;
/// Calls are counted in each thread by itself: what the writer is asked for first lets it make more of them than
/// the thread that opened the file, so that the numbers from there on are the writer's alone.
const WARM_UP: [Document; 3] = [warm_up("warm"), warm_up("warmer"), warm_up("hot")];

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_at_every_point_loses_and_doubles_nothing() {
    if !may_trace() {
        return;
    }
    let stages = futures::stream::iter(SCENARIOS).map(async |scenario| {
        let mut stage = Stage::set(scenario).await;
        for point in scenario.points {
            stage.die_at(point).await;
        }
    });
    stages.buffer_unordered(ABREAST).collect::<()>().await;
}

const fn warm_up(name: &'static str) -> Document {
    let tasks = "do:\n  - say: { set: { warm: true } }";
    Document { name, tasks }
}

/// A scenario with its partner, and the folder in which each of its lives begins.
struct Stage {
    scenario: &'static Scenario,
    partner: Effects,
    folder: TempDir,
    lives: usize,
    /// The last life that nobody ended.
    whole: Vec<Call>,
}

/// What is left of a life.
struct Dead {
    data: PathBuf,
    progress: Progress,
    calls: Vec<Call>,
    killed: bool,
    /// What the partner had been asked before this life.
    asked: usize,
}

impl Stage {
    async fn set(scenario: &'static Scenario) -> Self {
        let partner = Effects::start().await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut stage = Self {
            scenario,
            partner,
            folder,
            lives: 0,
            whole: Vec::new(),
        };
        stage.lay().await;
        stage
    }

    fn base(&self) -> PathBuf {
        self.folder.path().join("base")
    }

    /// Makes the folder in which lives begin.
    async fn lay(&mut self) {
        let base = self.base();
        let agent = started(&base).await;
        let client = client_of(&agent);
        for document in self.scenario.documents {
            deploy(&client, document, &self.partner.url())
                .await
                .unwrap();
        }
        assert_eq!(agent.stop().unwrap().code(), Some(0));
        if self.scenario.folder == Folder::Old {
            let dead = self
                .killed_at(Place::Sent("POST /first"), "an old folder")
                .await;
            std::fs::remove_dir_all(&base).unwrap();
            std::fs::rename(dead.data, &base).unwrap();
            aftermath::make_old(&base);
            self.whole.clear();
        }
    }

    /// A life in a folder of its own, up to its end or until it is killed as the injection says; with a file of that
    /// folder, its calls alone are seen.
    async fn live(&mut self, injection: Option<(String, Option<&str>)>) -> Dead {
        self.partner.refuse("/flaky", 2);
        let asked = self.partner.requests().len();
        self.lives += 1;
        let data = self.folder.path().join(format!("life-{}", self.lives));
        aftermath::copy(&self.base(), &data);
        let log = data.with_extension("trace");
        let (folder, path) = (data.clone(), log.clone());
        let injection = injection.map(|(call, file)| (call, file.map(|file| data.join(file))));
        let agent = tokio::task::spawn_blocking(move || traced(&folder, &path, injection.as_ref()));
        let agent = agent.await.unwrap();
        let mut progress = Progress::default();
        if let Some(client) = agent.client(&data) {
            let partner = self.partner.url();
            // An error is the death that is waited for; the trace says whether it came.
            let _ = async {
                for document in &WARM_UP {
                    deploy(&client, document, &partner).await?;
                }
                progress.go_on(&client, self.scenario.steps, &partner).await
            }
            .await;
        }
        let status = tokio::task::spawn_blocking(|| agent.end()).await.unwrap();
        let calls = trace::read(&String::from_utf8_lossy(&std::fs::read(&log).unwrap()));
        std::fs::remove_file(log).unwrap();
        Dead {
            data,
            progress,
            calls,
            killed: status.signal() == Some(KILLED),
            asked,
        }
    }

    /// A life that ends there, and nowhere else.
    async fn killed_at(&mut self, place: Place, label: &str) -> Dead {
        for _ in 0..TRIES {
            if self.whole.is_empty() {
                self.whole = self.live(None).await.calls;
            }
            let at = place.find(&self.whole);
            let at = at.unwrap_or_else(|| panic!("{label}: no life comes by {place:?}"));
            let file = place.file();
            let call = trace::injection(&self.whole, at, file.is_some());
            let dead = self.live(Some((call, file))).await;
            if dead.killed && place.is_end(&dead.calls) {
                return dead;
            }
            self.whole.clear();
        }
        panic!("{label}: no life ended at {place:?}");
    }

    async fn die_at(&mut self, point: &Point) {
        let dead = self.killed_at(point.place, point.name).await;
        self.rise(point, dead).await;
    }

    /// The next life: the client asks for what it was not told, and all comes to its end.
    async fn rise(&self, point: &Point, mut dead: Dead) {
        let label = point.name;
        let then = Held::read(&dead.data);
        assert!(
            then.says(point.there),
            "{label}: {} is not on disk",
            point.there
        );
        let missing = point.missing.is_empty() || !then.says(point.missing);
        assert!(missing, "{label}: {} is on disk", point.missing);

        let agent = started(&dead.data).await;
        let client = client_of(&agent);
        let steps = self.scenario.steps;
        dead.progress.assert_kept(&client, steps, label).await;
        let gone_on = dead
            .progress
            .go_on(&client, steps, &self.partner.url())
            .await;
        gone_on.unwrap_or_else(|error| panic!("{label}: {error}"));
        dead.progress.assert_kept(&client, steps, label).await;

        let outcomes = outcomes(&client).await;
        let found: Vec<_> = outcomes
            .iter()
            .map(|(_, name, status)| (name.as_str(), *status))
            .collect();
        assert_eq!(found, self.scenario.runs, "{label}");
        for (run, ..) in outcomes {
            assert_each_task_once(&client, run, label).await;
        }
        self.assert_effects(point, dead.asked);
        assert_eq!(agent.stop().unwrap().code(), Some(0), "{label}");
        Held::read(&dead.data).assert_goes_on(&then, label);
        aftermath::assert_whole(&dead.data, label);
    }

    /// One effect for each key, in their order, and asked for as often as can't be helped.
    fn assert_effects(&self, point: &Point, from: usize) {
        let mut asked: Vec<(String, String, usize)> = Vec::new();
        for (key, path) in self.partner.requests().split_off(from) {
            match asked.iter_mut().find(|(known, ..)| *known == key) {
                None => asked.push((key, path, 1)),
                Some((_, known, times)) => {
                    assert_eq!(*known, path, "{}: one effect under one key", point.name);
                    *times += 1;
                }
            }
        }
        let asked: Vec<(&str, usize)> = asked
            .iter()
            .map(|(_, path, times)| (path.as_str(), *times))
            .collect();
        let expected: Vec<(&str, usize)> = self
            .scenario
            .effects
            .iter()
            .map(|(path, times)| (*path, times + usize::from(point.again == Some(*path))))
            .collect();
        assert_eq!(asked, expected, "{}", point.name);
    }
}

fn traced(data: &Path, log: &Path, injection: Option<&(String, Option<PathBuf>)>) -> Traced {
    let told_by = format!("trace={TOLD_BY}");
    let mut options = vec![
        "-yy",
        "-s",
        SHOWN_BYTES,
        "-e",
        "signal=none",
        "-e",
        &told_by,
    ];
    // Calls are counted in each thread: connections have one between them.
    options.extend(["-E", "TOKIO_WORKER_THREADS=1"]);
    if let Some((call, file)) = injection {
        options.extend(["-e", call]);
        if let Some(file) = file {
            options.extend(["-P", file.to_str().unwrap()]);
        }
    }
    Traced::start(data, log, &options)
}

async fn started(data: &Path) -> Agent {
    let data = data.to_owned();
    let agent = tokio::task::spawn_blocking(move || Agent::start(program(), &data, &[]));
    agent.await.unwrap().unwrap()
}

fn client_of(agent: &Agent) -> AgentClient {
    AgentClient::new(&agent.url, SecretText::new(agent.token.clone())).unwrap()
}

/// No task that completed is executed again, no event is taken and no timer is armed twice.
async fn assert_each_task_once(client: &AgentClient, run: RunId, label: &str) {
    let query = JournalQuery {
        limit: Some(999),
        ..JournalQuery::default()
    };
    let journal = client.journal(run, &query).await.unwrap().items;
    let mut completed = Vec::new();
    for entry in &journal {
        let task = (
            entry.compensation,
            entry.task.clone(),
            entry.iteration.clone(),
        );
        match entry.kind {
            JournalType::TaskStarted | JournalType::EffectRequested => {
                assert!(!completed.contains(&task), "{label}: {entry:?} again");
            }
            JournalType::TaskCompleted => completed.push(task),
            _ => {}
        }
    }
    for kind in [
        JournalType::RunStarted,
        JournalType::EventConsumed,
        JournalType::TimerArmed,
    ] {
        let times = journal.iter().filter(|entry| entry.kind == kind).count();
        assert!(times <= 1, "{label}: {kind:?} {times} times");
    }
}
