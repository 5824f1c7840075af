//! A worker for the agent, with a Podman that has the images which the rows name.

use std::path::Path;

use flame_agent_client::AgentClient;
use flame_commands::{ContainerWorker, WorkerOptions};
use flame_testkit::Podman;
use tokio::task::JoinHandle;

pub(crate) struct Boxes {
    worker: JoinHandle<()>,
    /// Ends, with all of its containers, after the worker.
    _podman: Podman,
}

impl Boxes {
    /// Works for the agent whose data folder is `data` in this folder, or says why it can't.
    pub(crate) fn set(folder: &Path, client: &AgentClient) -> Result<Self, String> {
        let podman = Podman::start()?;
        let shell = podman.shell_image();
        let python = podman.python_image();
        podman.tag(&shell, "localhost/alpine:latest");
        podman.tag(&shell, "docker.io/library/busybox:stable");
        podman.tag(&python, "docker.io/library/python:3-slim");
        let says = "CMD [\"sh\", \"-c\", \"echo 'Hello from Docker!'\"]";
        podman.change(&shell, says, "localhost/hello-world:latest");
        let options = WorkerOptions {
            workspace: "conformance".to_owned(),
            podman: Some(podman.socket().display().to_string()),
            volumes: Some(folder.join("data/files")),
            marks: folder.join("marks"),
        };
        let client = client.clone();
        let worker = tokio::spawn(async move { ContainerWorker::new(options).work(&client).await });
        Ok(Self {
            worker,
            _podman: podman,
        })
    }
}

impl Drop for Boxes {
    fn drop(&mut self) {
        self.worker.abort();
    }
}
