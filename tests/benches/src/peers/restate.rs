//! Restate: its server, and a service of the Rust SDK that makes the five calls as journalled steps.

use std::net::SocketAddr;
use std::process::Command;

use anyhow::Result;
use bytes::Bytes;
use serde_json::json;
use tempfile::TempDir;

use super::{Peer, Peers, free_address, start, until_done, until_open};
use crate::server::Server;

impl Peers {
    /// `effects` is the server that the steps call.
    pub async fn restate(&self, effects: SocketAddr) -> Result<Peer> {
        let folder = TempDir::with_prefix("mastra-peer-")?;
        let [service, ingress, admin, node] = [
            free_address()?,
            free_address()?,
            free_address()?,
            free_address()?,
        ];
        let steps = folder.path().join("steps");
        std::fs::create_dir(&steps)?;
        let endpoint = start(
            Command::new(self.program("restate-steps"))
                .arg(service.to_string())
                .arg(format!("http://{effects}/step")),
            &steps,
        )?;
        until_open(service).await?;
        let program = "@restatedev/restate-server-linux-x64/bin/restate-server";
        let server = start(
            Command::new(self.package(program))
                .arg("--no-logo")
                .args(["--listen-mode", "tcp", "--bind-ip", "127.0.0.1"])
                .arg("--bind-port")
                .arg(node.port().to_string())
                .arg("--base-dir")
                .arg(folder.path().join("data"))
                .env("RESTATE_INGRESS__BIND_PORT", ingress.port().to_string())
                .env("RESTATE_ADMIN__BIND_PORT", admin.port().to_string())
                .env("RESTATE_DISABLE_TELEMETRY", "true")
                .env("DO_NOT_TRACK", "1"),
            folder.path(),
        )?;
        until_open(admin).await?;
        let deployment = json!({"uri": format!("http://{service}"), "force": true}).to_string();
        until_done(admin, "POST", "/deployments", &Bytes::from(deployment)).await?;
        until_done(ingress, "POST", "/Steps/run", &Bytes::from_static(b"{}")).await?;
        Ok(Peer {
            server: Server {
                address: ingress,
                processes: vec![server.0.id(), endpoint.0.id()],
            },
            _processes: vec![server, endpoint],
            _folder: folder,
        })
    }
}
