//! Where things are: the data folder, the runtime folder, the agent's programs.

use std::path::{Path, PathBuf};

use tauri::{AppHandle, Manager};

use crate::arguments::Arguments;

/// The port that the agent takes when it is free, so that webhook addresses last.
const AGENT_PORT: u16 = 7410;
const AGENT: &str = if cfg!(windows) {
    "flame-agent.exe"
} else {
    "flame-agent"
};
const STATIC_AGENT: &str = "flame-agent-static";
/// Where a build of a source checkout puts the agent for containers, below the target folder.
const STATIC_AGENT_BUILT: &str = "x86_64-unknown-linux-gnu/release/flame-agent";

/// Everything that the shell needs to find.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    pub(crate) data_dir: PathBuf,
    pub(crate) runtime_dir: PathBuf,
    pub(crate) agent: PathBuf,
    /// Where the agent for containers may be, best first; one may be built while the app runs.
    pub(crate) static_agents: Vec<PathBuf>,
    pub(crate) podman: Option<String>,
    pub(crate) agent_port: Option<u16>,
}

impl Places {
    pub(crate) fn find(app: &AppHandle, arguments: &Arguments) -> tauri::Result<Self> {
        let beside = std::env::current_exe()
            .ok()
            .and_then(|program| program.parent().map(Path::to_owned))
            .unwrap_or_default();
        let agent = arguments
            .agent
            .clone()
            .unwrap_or_else(|| beside.join(AGENT));
        let static_agents = static_agents(&beside, arguments);
        let podman = arguments.podman.clone();
        let Some(folder) = &arguments.data_dir else {
            let data_dir = app.path().data_dir()?.join("mastra");
            let runtime_dir = app
                .path()
                .runtime_dir()
                .map_or_else(|_| data_dir.join("run"), |folder| folder.join("mastra"));
            let agent_port = Some(AGENT_PORT);
            return Ok(Self {
                data_dir,
                runtime_dir,
                agent,
                static_agents,
                podman,
                agent_port,
            });
        };
        // A folder of one's own shares neither runtime files nor the port with the usual one.
        let data_dir = std::path::absolute(folder)?;
        let runtime_dir = data_dir.join("run");
        Ok(Self {
            data_dir,
            runtime_dir,
            agent,
            static_agents,
            podman,
            agent_port: None,
        })
    }
}

fn static_agents(beside: &Path, arguments: &Arguments) -> Vec<PathBuf> {
    if let Some(named) = &arguments.static_agent {
        return vec![named.clone()];
    }
    let built = beside
        .parent()
        .map(|target| target.join(STATIC_AGENT_BUILT));
    let mut places = vec![beside.join(STATIC_AGENT)];
    places.extend(built);
    places
}
