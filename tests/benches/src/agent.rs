//! A real agent in a folder of its own.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use bytes::Bytes;
use serde_json::Value;
use tempfile::TempDir;

use crate::load::Connection;
use crate::server::Server;

/// A serving agent; dropping it ends it and removes its folder.
pub struct Agent {
    process: flame_testkit::Agent,
    pub server: Server,
    /// From the start of the process to its line on stdout.
    pub ready_after: Duration,
    /// After the process, so that it goes when nobody writes into it any more.
    folder: TempDir,
}

impl Agent {
    pub fn start(program: &Path, durability: &str) -> Result<Self> {
        Self::start_in(
            TempDir::with_prefix("mastra-bench-")?,
            program,
            durability,
            &[],
        )
    }

    /// One that takes as many runs in flight.
    pub fn start_for(program: &Path, durability: &str, runs: usize) -> Result<Self> {
        Self::start_in(
            TempDir::with_prefix("mastra-bench-")?,
            program,
            durability,
            &["--in-flight-max", &runs.saturating_add(1_000).to_string()],
        )
    }

    fn start_in(folder: TempDir, program: &Path, durability: &str, more: &[&str]) -> Result<Self> {
        let begin = Instant::now();
        let arguments = [&["--durability", durability], more].concat();
        let process = flame_testkit::Agent::start(program, folder.path(), &arguments)
            .map_err(anyhow::Error::msg)?;
        let ready_after = begin.elapsed();
        let server = Server {
            address: process.url.trim_start_matches("http://").parse()?,
            processes: vec![process.pid()],
        };
        Ok(Self {
            process,
            server,
            ready_after,
            folder,
        })
    }

    /// SIGTERM, and waits for the end: what a build of the agent writes down then is whole.
    pub fn stop(self) -> Result<()> {
        let status = self.process.stop()?;
        anyhow::ensure!(status.success(), "the agent ended with {status}");
        Ok(())
    }

    /// `kill -9`, and a start in the same folder.
    pub fn crash_and_start(self, program: &Path, durability: &str) -> Result<Self> {
        let Self {
            process, folder, ..
        } = self;
        process.kill();
        Self::start_in(folder, program, durability, &[])
    }

    pub fn bearer(&self) -> String {
        format!("Bearer {}", self.process.token)
    }

    /// Bytes of the store's files.
    pub fn stored(&self) -> Result<u64> {
        let mut sum = 0;
        for entry in std::fs::read_dir(self.folder.path())? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().contains(".db") {
                sum += entry.metadata()?.len();
            }
        }
        Ok(sum)
    }

    /// Puts a YAML document where `path` says.
    pub async fn put(&self, path: &str, document: String) -> Result<()> {
        self.put_as(path, "application/yaml", document.into()).await
    }

    /// Puts a JSON body where `path` says.
    pub async fn put_json(&self, path: &str, body: &Value) -> Result<()> {
        let body = Bytes::from(serde_json::to_vec(body)?);
        self.put_as(path, "application/json", body).await
    }

    /// Posts a JSON body; gives the answer's.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.post_as(path, "application/json", body).await
    }

    /// Sends a CloudEvent in its JSON format.
    pub async fn tell(&self, event: &Value) -> Result<Value> {
        self.post_as("/api/v1/events", "application/cloudevents+json", event)
            .await
    }

    async fn post_as(&self, path: &str, content_type: &str, body: &Value) -> Result<Value> {
        let bearer = self.bearer();
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", content_type),
        ];
        let answer = Connection::open(self.server.address)
            .await?
            .send("POST", path, &headers, serde_json::to_vec(body)?.into())
            .await?;
        Ok(serde_json::from_slice(&answer)?)
    }

    async fn put_as(&self, path: &str, content_type: &str, body: Bytes) -> Result<()> {
        let bearer = self.bearer();
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", content_type),
        ];
        Connection::open(self.server.address)
            .await?
            .send("PUT", path, &headers, body)
            .await?;
        Ok(())
    }

    pub async fn get(&self, path: &str) -> Result<Bytes> {
        let bearer = self.bearer();
        Connection::open(self.server.address)
            .await?
            .send(
                "GET",
                path,
                &[("authorization", bearer.as_str())],
                Bytes::new(),
            )
            .await
    }
}
