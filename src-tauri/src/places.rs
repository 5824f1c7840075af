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
        let folders = match &arguments.data_dir {
            Some(folder) => Folders::own(std::path::absolute(folder)?),
            None => Folders::usual(&app.path().data_dir()?, app.path().runtime_dir().ok()),
        };
        Ok(Self::of(folders, &beside, arguments))
    }

    /// `beside` is the folder of this program.
    fn of(folders: Folders, beside: &Path, arguments: &Arguments) -> Self {
        Self {
            data_dir: folders.data_dir,
            runtime_dir: folders.runtime_dir,
            agent: arguments
                .agent
                .clone()
                .unwrap_or_else(|| beside.join(AGENT)),
            static_agents: static_agents(beside, arguments),
            podman: arguments.podman.clone(),
            agent_port: folders.agent_port,
        }
    }
}

/// What depends on whether the app has a folder of its own.
#[derive(Debug, PartialEq, Eq)]
struct Folders {
    data_dir: PathBuf,
    runtime_dir: PathBuf,
    agent_port: Option<u16>,
}

impl Folders {
    /// Below what the system gives this user; a system without runtime folders gets one beside the data.
    fn usual(data: &Path, runtime: Option<PathBuf>) -> Self {
        let data_dir = data.join("mastra");
        Self {
            runtime_dir: runtime
                .map_or_else(|| data_dir.join("run"), |folder| folder.join("mastra")),
            data_dir,
            agent_port: Some(AGENT_PORT),
        }
    }

    /// A folder of one's own shares neither runtime files nor the port with the usual one.
    fn own(data_dir: PathBuf) -> Self {
        Self {
            runtime_dir: data_dir.join("run"),
            data_dir,
            agent_port: None,
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn places(folders: Folders, arguments: &Arguments) -> Places {
        Places::of(folders, Path::new("/target/debug"), arguments)
    }

    #[test]
    fn the_usual_folders_are_those_of_the_user_with_the_port_that_lasts() {
        let usual = |runtime: Option<&str>| {
            Folders::usual(Path::new("/home/ada/.local/share"), runtime.map(Into::into))
        };
        let expected = |runtime_dir: &str| Folders {
            data_dir: "/home/ada/.local/share/mastra".into(),
            runtime_dir: runtime_dir.into(),
            agent_port: Some(7410),
        };
        assert_eq!(usual(Some("/run/user/7")), expected("/run/user/7/mastra"));
        assert_eq!(usual(None), expected("/home/ada/.local/share/mastra/run"));
    }

    #[test]
    fn a_folder_of_ones_own_holds_everything_and_leaves_the_usual_port_alone() {
        let own = Folders::own("/elsewhere".into());
        let places = places(own, &Arguments::default());
        assert_eq!(places.data_dir, Path::new("/elsewhere"));
        assert_eq!(places.runtime_dir, Path::new("/elsewhere/run"));
        assert_eq!(places.agent_port, None);
    }

    #[test]
    fn programs_are_beside_this_one_unless_they_are_named() {
        let found = |arguments: &Arguments| places(Folders::own("/data".into()), arguments);
        let beside = found(&Arguments::default());
        assert_eq!(beside.agent, Path::new("/target/debug").join(AGENT));
        // What was installed with the app goes before what a checkout happens to have built.
        let installed = "/target/debug/flame-agent-static";
        let built = "/target/x86_64-unknown-linux-gnu/release/flame-agent";
        assert_eq!(beside.static_agents, [installed, built].map(PathBuf::from));
        assert_eq!(beside.podman, None);

        let named = found(&Arguments {
            agent: Some("/agent".into()),
            static_agent: Some("/static".into()),
            podman: Some("/podman.sock".to_owned()),
            ..Arguments::default()
        });
        assert_eq!(named.agent, Path::new("/agent"));
        assert_eq!(named.static_agents, [PathBuf::from("/static")]);
        assert_eq!(named.podman.as_deref(), Some("/podman.sock"));
    }

    #[test]
    fn a_program_at_the_root_has_only_its_own_folder() {
        let found = static_agents(Path::new("/"), &Arguments::default());
        assert_eq!(found, [PathBuf::from("/flame-agent-static")]);
    }
}
