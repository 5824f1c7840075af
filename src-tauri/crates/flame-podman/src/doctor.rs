//! Says which of the known failures it is, with the command that repairs it.

use flame_errors::Code;

use crate::locate::Locator;
use crate::{Error, Place};

/// What was found: a healthy Podman, or what is wrong and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// `None` when Podman can be used.
    pub code: Option<Code>,
    /// One sentence with the particulars.
    pub detail: String,
    pub version: Option<String>,
    pub rootless: Option<bool>,
    /// To paste into a terminal.
    pub command: Option<String>,
}

/// Looks for Podman as a run would; starts no container.
pub async fn diagnose(locator: &Locator) -> Diagnosis {
    match locator.locate().await {
        Ok(place) => healthy(&place),
        Err(error) => broken(&error, locator),
    }
}

fn healthy(place: &Place) -> Diagnosis {
    let kind = if place.rootless {
        "rootless"
    } else {
        "rootful"
    };
    Diagnosis {
        code: None,
        detail: format!("Podman {} answers, {kind}", place.version),
        version: Some(place.version.clone()),
        rootless: Some(place.rootless),
        command: None,
    }
}

fn broken(error: &Error, locator: &Locator) -> Diagnosis {
    let version = match error {
        Error::Unsupported { version, .. } => Some(version.clone()),
        _ => None,
    };
    Diagnosis {
        code: Some(error.code()),
        detail: error.to_string(),
        version,
        rootless: None,
        command: command(error.code(), locator).map(str::to_owned),
    }
}

fn command(code: Code, locator: &Locator) -> Option<&'static str> {
    match (code, locator.root) {
        (Code::PodmanMissing, true) => Some("apt-get install --yes podman"),
        (Code::PodmanMissing, false) => Some("sudo apt-get install --yes podman"),
        (Code::PodmanNotRunning, true) => Some("systemctl enable --now podman.socket"),
        (Code::PodmanNotRunning, false) => Some("systemctl --user enable --now podman.socket"),
        (Code::PodmanPermission, _) => Some("systemctl --user enable --now podman.socket"),
        (Code::PodmanUnsupported, true) => Some("apt-get install --yes --only-upgrade podman"),
        (Code::PodmanUnsupported, false) => {
            Some("sudo apt-get install --yes --only-upgrade podman")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_machine_without_podman_gets_the_command_that_installs_it() {
        let found = diagnose(&Locator::default()).await;
        assert_eq!(found.code, Some(Code::PodmanMissing));
        assert_eq!(
            found.command.as_deref(),
            Some("sudo apt-get install --yes podman")
        );
    }

    #[test]
    fn every_state_a_person_can_repair_has_a_command() {
        let repairable = [
            Code::PodmanMissing,
            Code::PodmanNotRunning,
            Code::PodmanPermission,
            Code::PodmanUnsupported,
        ];
        for root in [true, false] {
            let locator = Locator {
                root,
                ..Locator::default()
            };
            for code in repairable {
                assert!(command(code, &locator).is_some(), "{code}");
            }
        }
    }
}
