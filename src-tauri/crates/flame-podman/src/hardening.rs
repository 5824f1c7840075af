//! What must protect the agent's container: what was asked for, held against what runs.
//!
//! Deliberately absent: what is done about a container that lacks some of it.

use serde_json::Value;

use crate::spec::{TOKEN, TOKEN_MODE, USER};
use crate::{Error, Spec};

/// What the kernel says of the running process.
pub(crate) struct Process {
    /// `/proc/<pid>/status`.
    status: String,
    /// `/proc/<pid>/mountinfo`.
    mounts: String,
}

impl Process {
    pub(crate) async fn read(pid: i64) -> std::io::Result<Self> {
        Ok(Self {
            status: tokio::fs::read_to_string(format!("/proc/{pid}/status")).await?,
            mounts: tokio::fs::read_to_string(format!("/proc/{pid}/mountinfo")).await?,
        })
    }

    fn field(&self, name: &str) -> &str {
        let mut lines = self.status.lines();
        lines
            .find_map(|line| line.strip_prefix(name))
            .map(str::trim)
            .unwrap_or_default()
    }

    /// How a place is mounted: its options, then the kind of its file system and the options of that.
    fn mount(&self, place: &str) -> Option<(Vec<&str>, Vec<&str>)> {
        // What was mounted last covers what is below.
        let lines = self.mounts.lines().rev();
        let mut lines = lines.map(|line| line.split_once(" - "));
        lines.find_map(|parts| {
            let (mount, file_system) = parts?;
            let mount: Vec<&str> = mount.split(' ').collect();
            let options = mount.get(5)?.split(',').collect();
            let of_system = file_system.split([' ', ',']).collect();
            (mount.get(4) == Some(&place)).then_some((options, of_system))
        })
    }

    /// Whether a place is mounted with all of these options.
    fn is_mounted(&self, place: &str, wanted: &[&str]) -> bool {
        self.mount(place)
            .is_some_and(|(options, _)| wanted.iter().all(|option| options.contains(option)))
    }

    /// Whether `/tmp` is in memory, with an end to it.
    fn has_bounded_tmp(&self) -> bool {
        self.mount("/tmp").is_some_and(|(_, system)| {
            system.first() == Some(&"tmpfs")
                && system.iter().any(|option| option.starts_with("size="))
        })
    }
}

/// Holds what was asked for against what runs; the words of what was found, or what is missing.
pub(crate) fn verified(
    spec: &Spec,
    inspect: &Value,
    process: &Process,
) -> Result<Vec<String>, Error> {
    let field = |name: &str| process.field(name);
    let no_programs = ["nosuid", "nodev", "noexec"];
    let token = inspect["Config"]["Secrets"].as_array();
    let token_is_private = token.is_some_and(|secrets| {
        secrets.iter().any(|secret| {
            secret["Name"] == spec.secret().as_str()
                && secret["UID"] == USER
                && secret["Mode"] == TOKEN_MODE
        })
    });
    let host = &inspect["HostConfig"];
    let ports = host["PortBindings"].as_object();
    let published_on_loopback = ports.is_some_and(|ports| {
        ports
            .values()
            .flat_map(|list| list.as_array().into_iter().flatten())
            .all(|binding| {
                binding["HostIp"]
                    .as_str()
                    .and_then(|ip| ip.parse::<std::net::IpAddr>().ok())
                    .is_some_and(|ip| ip.is_loopback())
            })
    });
    let checks = [
        ("no new privileges", field("NoNewPrivs:") == "1"),
        (
            "no capabilities",
            u64::from_str_radix(field("CapEff:"), 16) == Ok(0),
        ),
        (
            "no capabilities to gain",
            u64::from_str_radix(field("CapBnd:"), 16) == Ok(0),
        ),
        ("a system call filter", field("Seccomp:") == "2"),
        (
            "a user without rights",
            !field("Uid:").split_whitespace().any(|id| id == "0"),
        ),
        ("a read-only root", host["ReadonlyRootfs"] == true),
        (
            "a limit of processes",
            host["PidsLimit"].as_i64() == Some(i64::from(spec.limits.pids)),
        ),
        (
            "a limit of memory",
            host["Memory"].as_u64() == Some(spec.limits.memory_bytes),
        ),
        (
            "a limit of CPU",
            host["CpuQuota"].as_i64().is_some_and(|quota| quota > 0),
        ),
        ("a port on loopback only", published_on_loopback),
        ("no extra privileges", host["Privileged"] == false),
        (
            "a bounded /tmp in memory",
            process.has_bounded_tmp() && process.is_mounted("/tmp", &no_programs),
        ),
        (
            "data without programs",
            process.is_mounted("/data", &no_programs),
        ),
        (
            "a token that only its user reads",
            token_is_private && process.is_mounted(TOKEN, &["ro"]),
        ),
    ];
    let missing: Vec<&str> = checks
        .iter()
        .filter(|(_, holds)| !holds)
        .map(|(what, _)| *what)
        .collect();
    if missing.is_empty() {
        return Ok(checks.iter().map(|(what, _)| (*what).to_owned()).collect());
    }
    Err(Error::Hardening {
        missing: missing.join(", "),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::Limits;

    fn spec() -> Spec {
        Spec {
            workspace: "test".into(),
            publish: ([127, 0, 0, 1], 7410).into(),
            durability: "full".into(),
            limits: Limits {
                memory_bytes: 1024,
                cpu_percent: 100,
                pids: 64,
            },
            drain: Duration::from_secs(5),
        }
    }

    fn inspect() -> Value {
        let token = json!({ "Name": "mastra-test-token", "UID": 65532, "GID": 65532, "Mode": 256 });
        json!({ "Config": { "Secrets": [token] }, "HostConfig": {
            "ReadonlyRootfs": true, "PidsLimit": 64, "Memory": 1024, "CpuQuota": 100_000,
            "Privileged": false,
            "PortBindings": { "7410/tcp": [{ "HostIp": "127.0.0.1", "HostPort": "7410" }] },
        }})
    }

    const STATUS: &str = "Name:\tflame-agent\nUid:\t65532\t65532\t65532\t65532\nNoNewPrivs:\t1\n\
        Seccomp:\t2\nCapEff:\t0000000000000000\nCapBnd:\t0000000000000000\n";

    /// As Podman 4.3.1 with runc mounts what is asked for.
    const MOUNTS: &str = "\
        77 50 0:40 / / ro,relatime - overlay overlay rw,lowerdir=/l\n\
        80 77 0:44 / /tmp rw,nosuid,nodev,noexec,relatime - tmpfs tmpfs rw,size=65536k\n\
        83 77 254:0 /v/_data /data rw,nosuid,nodev,noexec,relatime - ext4 /dev/vda rw,discard\n\
        87 77 254:0 /s/tok /secrets/token ro,nosuid,nodev,noexec,relatime - ext4 /dev/vda rw\n";

    fn process(status: &str, mounts: &str) -> Process {
        Process {
            status: status.to_owned(),
            mounts: mounts.to_owned(),
        }
    }

    #[test]
    fn a_locked_down_container_passes() {
        assert_eq!(
            verified(&spec(), &inspect(), &process(STATUS, MOUNTS))
                .expect("all holds")
                .len(),
            14
        );
    }

    #[test]
    fn each_missing_protection_is_named() {
        for (from, to, what) in [
            ("NoNewPrivs:\t1", "NoNewPrivs:\t0", "no new privileges"),
            (
                "CapEff:\t0000000000000000",
                "CapEff:\t00000000a80425fb",
                "no capabilities",
            ),
            ("Seccomp:\t2", "Seccomp:\t0", "a system call filter"),
            ("Uid:\t65532", "Uid:\t0", "a user without rights"),
        ] {
            let changed = process(&STATUS.replace(from, to), MOUNTS);
            let error = verified(&spec(), &inspect(), &changed).unwrap_err();
            assert!(error.to_string().contains(what), "{error}");
        }
        let tmp = "a bounded /tmp in memory";
        for (from, to, what) in [
            ("- tmpfs tmpfs", "- ext4 /dev/vda", tmp),
            (",size=65536k", "", tmp),
            ("/tmp rw,nosuid,nodev,noexec", "/tmp rw,nosuid,nodev", tmp),
            (
                "/data rw,nosuid,nodev,noexec",
                "/data rw",
                "data without programs",
            ),
            (
                "/secrets/token ro",
                "/secrets/token rw",
                "a token that only its user reads",
            ),
            (
                "/secrets/token ro",
                "/run/secrets/token ro",
                "a token that only its user reads",
            ),
        ] {
            let changed = process(STATUS, &MOUNTS.replace(from, to));
            let error = verified(&spec(), &inspect(), &changed).unwrap_err();
            assert!(error.to_string().contains(what), "{error}");
        }
        for (pointer, value, what) in [
            (
                "/HostConfig/ReadonlyRootfs",
                json!(false),
                "a read-only root",
            ),
            ("/HostConfig/PidsLimit", json!(0), "a limit of processes"),
            ("/HostConfig/Memory", json!(0), "a limit of memory"),
            ("/HostConfig/CpuQuota", json!(0), "a limit of CPU"),
            ("/HostConfig/Privileged", json!(true), "no extra privileges"),
            (
                "/Config/Secrets/0/Mode",
                json!(0o444),
                "a token that only its user reads",
            ),
            (
                "/Config/Secrets",
                json!(null),
                "a token that only its user reads",
            ),
            (
                "/HostConfig/PortBindings/7410~1tcp/0/HostIp",
                json!("0.0.0.0"),
                "a port on loopback",
            ),
        ] {
            let mut changed = inspect();
            *changed.pointer_mut(pointer).expect("the pointer fits") = value;
            let error = verified(&spec(), &changed, &process(STATUS, MOUNTS)).unwrap_err();
            assert!(error.to_string().contains(what), "{error}");
        }
    }
}
