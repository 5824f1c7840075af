//! What the agent's container is made of, as libpod takes it: everything locked down.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};

use crate::LABEL;

/// A user without a name or rights on the host.
pub(crate) const USER: u32 = 65532;

/// Where the token is, and who may read it: the user alone.
pub(crate) const TOKEN: &str = "/secrets/token";
pub(crate) const TOKEN_MODE: u32 = 0o400;

/// Where the container listens; published on loopback only.
pub(crate) const PORT: u16 = 7410;

/// What the container may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub memory_bytes: u64,
    /// Hundredths of a core.
    pub cpu_percent: u32,
    pub pids: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 512 * 1024 * 1024,
            cpu_percent: 200,
            pids: 256,
        }
    }
}

/// The agent's container of one workspace.
#[derive(Debug, Clone)]
pub struct Spec {
    /// Names the objects: lower-case letters, digits and hyphens.
    pub workspace: String,
    /// Where the port is published; its address must be loopback.
    pub publish: SocketAddr,
    /// Hosts that requests may name, besides the published address.
    pub durability: String,
    pub limits: Limits,
    /// How long a stop waits for the agent to drain.
    pub drain: Duration,
}

impl Spec {
    pub fn container(&self) -> String {
        format!("mastra-{}-agent", self.workspace)
    }

    pub fn volume(&self) -> String {
        format!("mastra-{}-data", self.workspace)
    }

    pub fn secret(&self) -> String {
        format!("mastra-{}-token", self.workspace)
    }

    /// The body of `containers/create` for that command of the agent.
    pub(crate) fn create_body(&self, image: &str, command: &[String]) -> Value {
        json!({
            "name": self.container(),
            "image": image,
            "labels": { LABEL: self.workspace },
            "command": command,
            "user": format!("{USER}:{USER}"),
            "cap_drop": ["all"],
            "no_new_privileges": true,
            "read_only_filesystem": true,
            "image_volume_mode": "ignore",
            "mounts": [{
                "destination": "/tmp",
                "type": "tmpfs",
                "source": "tmpfs",
                "options": ["rw", "noexec", "nosuid", "nodev", "size=64m", "mode=1777"],
            }],
            "volumes": [{ "Name": self.volume(), "Dest": "/data", "Options": ["nosuid", "nodev", "noexec"] }],
            "secrets": [{ "Source": self.secret(), "Target": TOKEN, "UID": USER, "GID": USER, "Mode": TOKEN_MODE }],
            "portmappings": [{
                "host_ip": self.publish.ip().to_string(),
                "host_port": self.publish.port(),
                "container_port": PORT,
                "protocol": "tcp",
            }],
            "resource_limits": {
                "memory": { "limit": self.limits.memory_bytes, "swap": self.limits.memory_bytes },
                "cpu": { "quota": i64::from(self.limits.cpu_percent) * 1000, "period": 100_000 },
                "pids": { "limit": self.limits.pids },
            },
            "stop_timeout": self.drain.as_secs(),
            "restart_policy": "no",
        })
    }

    /// The agent's command for its service.
    pub(crate) fn serve(&self) -> Vec<String> {
        let published = format!("127.0.0.1:{}", self.publish.port());
        let named = format!("localhost:{}", self.publish.port());
        [
            "serve",
            "--data-dir",
            "/data",
            "--token-file",
            TOKEN,
            "--listen",
            &format!("0.0.0.0:{PORT}"),
            "--allow-host",
            &published,
            "--allow-host",
            &named,
            "--durability",
            &self.durability,
        ]
        .map(str::to_owned)
        .into()
    }
}
