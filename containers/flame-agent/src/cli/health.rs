//! `health`: asks a serving agent, for a container's health check. Needs no token.

use std::path::Path;
use std::time::Duration;

use url::{Host, Url};

use super::arguments::Health;
use super::loopback::{self, Ask};
use super::serve::LISTENING_FILE;
use super::{Exit, terminal};

const TIMEOUT: Duration = Duration::from_secs(3);

pub(super) async fn health(arguments: Health) -> Exit {
    let url = match (&arguments.url, &arguments.data_dir) {
        (Some(url), _) => url.clone(),
        (None, Some(folder)) => match listening(folder) {
            Ok(url) => url,
            Err(detail) => return complain(&detail, Exit::Faulted),
        },
        (None, None) => return complain("give --url or --data-dir", Exit::Stopped),
    };
    let (host, port) = match address(&url) {
        Ok(address) => address,
        Err(detail) => return complain(&detail, Exit::Stopped),
    };
    let path = if arguments.ready {
        "/health/ready"
    } else {
        "/health/live"
    };
    match loopback::exchange(&host, port, &Ask::get(path), TIMEOUT).await {
        Ok(answer) if (200..300).contains(&answer.status) => Exit::Done,
        Ok(answer) => {
            let detail = format!("the agent answered {}", answer.status);
            complain(&detail, Exit::Faulted)
        }
        Err(detail) => complain(&detail, Exit::Faulted),
    }
}

fn complain(detail: &str, exit: Exit) -> Exit {
    terminal::complain(detail);
    exit
}

/// The address that the agent of a folder wrote down.
fn listening(folder: &Path) -> Result<String, String> {
    let file = folder.join(LISTENING_FILE);
    let text = std::fs::read_to_string(&file).map_err(|error| {
        format!(
            "{} can't be read: {error}; is an agent serving this folder?",
            file.display()
        )
    })?;
    serde_json::from_str::<flame_agent_api::Listening>(&text)
        .map(|listening| listening.listening)
        .map_err(|error| format!("{} can't be read: {error}", file.display()))
}

/// An agent that listens on every address is asked on loopback.
fn address(url: &str) -> Result<(String, u16), String> {
    let wrong = || format!("{url:?} is not an address such as http://127.0.0.1:7410");
    let parsed = Url::parse(url).map_err(|_| wrong())?;
    if parsed.scheme() != "http" {
        return Err(wrong());
    }
    let host = match parsed.host().ok_or_else(wrong)? {
        Host::Ipv4(address) if address.is_unspecified() => "127.0.0.1".to_owned(),
        Host::Ipv6(address) if address.is_unspecified() => "[::1]".to_owned(),
        host => host.to_string(),
    };
    Ok((host, parsed.port_or_known_default().ok_or_else(wrong)?))
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn an_agent_on_every_address_is_asked_on_loopback() {
        for (url, host, port) in [
            ("http://0.0.0.0:7410", "127.0.0.1", 7410),
            ("http://[::]:7410", "[::1]", 7410),
            ("http://127.0.0.1:1", "127.0.0.1", 1),
            ("http://localhost", "localhost", 80),
        ] {
            assert_eq!(address(url).unwrap(), (host.to_owned(), port), "{url}");
        }
        for url in ["", "127.0.0.1:7410", "https://127.0.0.1:7410", "http://"] {
            assert!(address(url).is_err(), "{url}");
        }
    }
}
