//! Containers of workflows: what they are given, what holds them, and that each job has one alone.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use flame_podman::{Ended, Error, Job, JobOptions, Jobs, Limits, Locator, Pull};
use flame_testkit::Podman;
use flame_types::Timestamp;
use tempfile::TempDir;

struct Stage {
    podman: Podman,
    jobs: Arc<Jobs>,
    image: String,
    folder: TempDir,
}

async fn stage() -> Option<Stage> {
    let podman = match Podman::start() {
        Ok(podman) => podman,
        Err(reason) => {
            flame_testkit::skipped(reason);
            return None;
        }
    };
    let folder = tempfile::tempdir().unwrap();
    let jobs = Arc::new(jobs(&podman, folder.path()).await);
    let image = podman.shell_image();
    Some(Stage {
        podman,
        jobs,
        image,
        folder,
    })
}

async fn jobs(podman: &Podman, folder: &Path) -> Jobs {
    let locator = Locator {
        setting: Some(podman.socket().display().to_string()),
        ..Locator::from_environment(None)
    };
    let options = JobOptions {
        workspace: "test".to_owned(),
        volumes: Some(folder.join("files")),
        marks: folder.join("marks"),
        limits: Limits::default(),
    };
    Jobs::new(&locator.locate().await.unwrap(), options)
}

impl Stage {
    fn job(&self, id: &str, command: &str) -> Job {
        Job {
            id: id.to_owned(),
            run: "run".to_owned(),
            image: self.image.clone(),
            name: None,
            entrypoint: ["sh", "-c", command, "sh"].map(str::to_owned).into(),
            arguments: Vec::new(),
            environment: BTreeMap::new(),
            stdin: None,
            ports: Vec::new(),
            volumes: Vec::new(),
            network: false,
            pull: Pull::Never,
            awaits: true,
            remove_after: Some(Duration::ZERO),
            timeout: Duration::from_secs(60),
            output_bytes_max: 100_000,
        }
    }

    async fn run(&self, job: &Job) -> Result<Ended, Error> {
        self.jobs.start(job).await?;
        self.jobs.wait(job).await
    }

    fn podman(&self, arguments: &[&str]) -> String {
        let output = self.podman.command().args(arguments).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn containers(&self) -> usize {
        self.podman(&["ps", "--all", "--quiet"]).lines().count()
    }

    fn has_marks(&self) -> bool {
        Jobs::are_marked(&self.folder.path().join("marks"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_gets_its_input_within_its_walls_and_leaves_nothing() {
    let Some(stage) = stage().await else { return };
    let command = "cat; echo \"$1 $WORD\"; echo problem >&2; id -u; touch /etc/x 2>/dev/null || echo read-only; \
                   touch /tmp/x && echo tmp; while read name value; do case $name in \
                   CapEff:|CapBnd:|NoNewPrivs:|Seccomp:) echo $name $value;; esac; done </proc/self/status; exit 3";
    let job = Job {
        stdin: Some("first\nsecond\n".to_owned()),
        arguments: vec!["one two".to_owned()],
        environment: [("WORD".to_owned(), "word".to_owned())].into(),
        ..stage.job("j1", command)
    };
    let ended = stage.run(&job).await.unwrap();
    assert_eq!((ended.code, ended.stderr.as_str()), (3, "problem\n"));
    let none = "0000000000000000";
    assert_eq!(
        ended.stdout,
        format!(
            "first\nsecond\none two word\n65532\nread-only\ntmp\nCapEff: {none}\nCapBnd: {none}\n\
             NoNewPrivs: 1\nSeccomp: 2\n"
        )
    );
    assert!(stage.has_marks());
    assert_eq!(stage.jobs.tidy("j1", Timestamp::now()).await.unwrap(), None);
    assert_eq!(stage.containers(), 0);
    assert!(!stage.has_marks());
}

/// Whoever asks first may go at any moment; whoever asks again gets what there is.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_asked_for_again_has_one_container() {
    let Some(stage) = stage().await else { return };
    let volumes = || vec![("gate".to_owned(), "/gate".to_owned())];
    let job = Job {
        stdin: Some("given".to_owned()),
        volumes: volumes(),
        // Ends once the test opens the gate.
        ..stage.job("j1", "cat; until [ -e /gate/open ]; do sleep 0.05; done")
    };
    stage.jobs.start(&job).await.unwrap();
    let (first, waited) = (Arc::clone(&stage.jobs), job.clone());
    let first = tokio::spawn(async move { first.wait(&waited).await });
    first.abort();

    let again = jobs(&stage.podman, stage.folder.path()).await;
    again.start(&job).await.unwrap();
    assert_eq!(stage.containers(), 1);
    std::fs::write(stage.folder.path().join("files/gate/open"), "").unwrap();
    let ended = again.wait(&job).await.unwrap();
    assert_eq!((ended.code, ended.stdout.as_str()), (0, "given"));
    // Also of one that has ended.
    stage.jobs.start(&job).await.unwrap();
    assert_eq!(stage.run(&job).await.unwrap(), ended);
    assert_eq!(stage.containers(), 1);

    // One that was made and never started, or that may have read a part of its input, begins anew.
    let half = Job {
        stdin: Some("given".to_owned()),
        ..stage.job("j2", "cat")
    };
    stage.podman(&[
        "create",
        "--name",
        "half",
        "--label",
        "io.mastra.workspace=test",
        "--label",
        "io.mastra.job=j2",
        &stage.image,
        "sleep",
        "60",
    ]);
    stage.podman(&["start", "half"]);
    assert_eq!(stage.run(&half).await.unwrap().stdout, "given");
    assert_eq!(stage.containers(), 2);
    for job in ["j1", "j2"] {
        stage.jobs.end(job).await.unwrap();
    }
    assert_eq!((stage.containers(), stage.has_marks()), (0, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_waits_for_ends_and_strangers_stay() {
    let Some(stage) = stage().await else { return };
    let stranger = [
        "run",
        "--detach",
        "--name",
        "stranger",
        "--label",
        "io.mastra.job=j1",
    ];
    stage.podman(&[&stranger[..], &[&stage.image, "sleep", "600"]].concat());
    let job = stage.job("j1", "sleep 600");
    stage.jobs.start(&job).await.unwrap();
    assert_eq!(stage.containers(), 2);
    let left = stage.jobs.leftovers().await.unwrap();
    assert_eq!(left.len(), 1);
    assert!(left[0].is_running && left[0].is_awaited);
    stage.jobs.end("j1").await.unwrap();
    assert_eq!(
        stage.podman(&["ps", "--all", "--format", "{{.Names}}"]),
        "stranger"
    );

    // A name that a stranger has is not taken from it.
    let named = Job {
        name: Some("stranger".to_owned()),
        ..stage.job("j2", "true")
    };
    let error = stage.run(&named).await.unwrap_err();
    assert!(error.to_string().contains("stranger"), "{error}");
    assert_eq!((stage.containers(), stage.has_marks()), (1, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn containers_stay_as_long_as_their_document_says() {
    let Some(stage) = stage().await else { return };
    let later = |seconds| {
        let now = Timestamp::now();
        now.saturating_add(jiff::SignedDuration::from_secs(seconds))
            .unwrap()
    };
    for (id, remove_after) in [("kept", None), ("later", Some(Duration::from_secs(1_000)))] {
        let job = Job {
            remove_after,
            name: Some(id.to_owned()),
            ..stage.job(id, "echo done")
        };
        assert_eq!(stage.run(&job).await.unwrap().stdout, "done\n");
    }
    assert_eq!(
        stage.jobs.tidy("kept", later(1_000_000)).await.unwrap(),
        None
    );
    let left = stage.jobs.tidy("later", later(400)).await.unwrap().unwrap();
    assert!((500..=600).contains(&left.as_secs()), "{left:?}");
    assert_eq!(stage.containers(), 2);
    assert_eq!(stage.jobs.tidy("later", later(1_000)).await.unwrap(), None);
    assert_eq!(
        stage.podman(&["ps", "--all", "--format", "{{.Names}}"]),
        "kept"
    );
    assert!(!stage.has_marks());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_job_may_not_is_refused_and_leaves_nothing() {
    let Some(stage) = stage().await else { return };
    let files = stage.folder.path().join("files");
    std::fs::create_dir_all(&files).unwrap();
    std::os::unix::fs::symlink("/etc", files.join("link")).unwrap();
    let volume = |path: &str| Job {
        volumes: vec![(path.to_owned(), "/data".to_owned())],
        ..stage.job("j1", "true")
    };
    for outside in [
        "/etc", "..", "../other", "link", "link/x", "a/../..", ".", "",
    ] {
        let error = stage.run(&volume(outside)).await.unwrap_err();
        assert!(
            matches!(error, Error::VolumeRefused { .. }),
            "{outside}: {error}"
        );
        assert!(error.to_string().contains("output folder"), "{error}");
    }
    let missing = |pull| Job {
        image: "localhost:1/nobody:1".to_owned(),
        pull,
        ..stage.job("j1", "true")
    };
    let error = stage.run(&missing(Pull::Never)).await.unwrap_err();
    assert!(matches!(error, Error::ImageAbsent { .. }), "{error}");
    let error = stage.run(&missing(Pull::IfNotPresent)).await.unwrap_err();
    assert!(matches!(error, Error::ImageNotPulled { .. }), "{error}");

    let endless = "while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done";
    let error = stage.run(&stage.job("j1", endless)).await.unwrap_err();
    assert!(
        matches!(error, Error::OutputTooLarge { bytes_max: 100_000 }),
        "{error}"
    );

    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = Job {
        ports: vec![(port.local_addr().unwrap().port(), 80)],
        network: true,
        ..stage.job("j1", "true")
    };
    let error = stage.run(&taken).await.unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error}");
    let nothing = Job {
        entrypoint: vec!["/none".to_owned()],
        ..stage.job("j1", "")
    };
    let error = stage.run(&nothing).await.unwrap_err();
    assert!(error.to_string().contains("/none"), "{error}");
    assert_eq!((stage.containers(), stage.has_marks()), (0, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn ports_are_on_loopback_and_folders_are_shared() {
    let Some(stage) = stage().await else { return };
    let port = crate::free_address().port();
    let job = Job {
        ports: vec![(port, 80)],
        volumes: vec![("a/b".to_owned(), "/data".to_owned())],
        network: true,
        ..stage.job("j1", "cat /data/in; echo out >/data/out; sleep 600")
    };
    let shared = stage.folder.path().join("files/a/b");
    std::fs::create_dir_all(&shared).unwrap();
    std::fs::write(shared.join("in"), "in").unwrap();
    stage.jobs.start(&job).await.unwrap();
    let id = stage.podman(&["ps", "--quiet"]);
    let bound = stage.podman(&["port", &id]);
    assert_eq!(bound, format!("80/tcp -> 127.0.0.1:{port}"));
    stage.jobs.end("j1").await.unwrap();
    assert_eq!(
        std::fs::read_to_string(shared.join("out")).unwrap(),
        "out\n"
    );
}
