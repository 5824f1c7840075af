//! What a job's container is made of: locked down as the agent's own is.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::job::Job;
use crate::spec::USER;
use crate::{Error, Limits};

/// Beside what is awaited: Podman ends a container whose worker is gone.
const TIMEOUT_MARGIN_SECONDS: u64 = 10;
/// The file that Podman keeps a container's output in may grow to this many times what is read of it;
/// one that wrote more was ended already, unless nobody watched it.
const LOG_FACTOR: usize = 32;

/// Where jobs run, and what they may have.
#[derive(Debug, Clone)]
pub(crate) struct Room {
    pub(crate) workspace: String,
    pub(crate) volumes: Option<PathBuf>,
    pub(crate) limits: Limits,
    pub(crate) rootless: bool,
}

/// The body of `containers/create`, without labels. `image_user` is the user that the image names.
pub(crate) fn create_body(
    room: &Room,
    job: &Job,
    image_user: Option<String>,
) -> Result<Value, Error> {
    let own = format!("mastra-{}-{}", room.workspace, job.id);
    let mut mounts = vec![json!({
        "destination": "/tmp",
        "type": "tmpfs",
        "source": "tmpfs",
        "options": ["rw", "nosuid", "nodev", "size=64m", "mode=1777"],
    })];
    for (host, inside) in &job.volumes {
        mounts.push(volume(room, host, inside)?);
    }
    let ports: Vec<Value> = job
        .ports
        .iter()
        .map(|(host, inside)| {
            json!({
                "host_ip": "127.0.0.1", "host_port": host, "container_port": inside, "protocol": "tcp",
            })
        })
        .collect();
    let log_bytes = job.output_bytes_max.saturating_mul(LOG_FACTOR);
    let mut body = json!({
        "name": job.name.as_ref().unwrap_or(&own),
        "image": job.image,
        "env": job.environment,
        "stdin": job.stdin.is_some(),
        "cap_drop": ["all"],
        "no_new_privileges": true,
        "read_only_filesystem": true,
        "image_volume_mode": "tmpfs",
        "mounts": mounts,
        "portmappings": ports,
        "resource_limits": {
            "memory": { "limit": room.limits.memory_bytes, "swap": room.limits.memory_bytes },
            "cpu": { "quota": i64::from(room.limits.cpu_percent) * 1000, "period": 100_000 },
            "pids": { "limit": room.limits.pids },
        },
        "log_configuration": { "driver": "k8s-file", "size": log_bytes },
        "timeout": job.timeout.as_secs().saturating_add(TIMEOUT_MARGIN_SECONDS),
        "restart_policy": "no",
    });
    let mut set = |name: &str, value: Value| body[name] = value;
    if !job.entrypoint.is_empty() {
        set("entrypoint", json!(job.entrypoint));
    }
    if !job.arguments.is_empty() {
        set("command", json!(job.arguments));
    }
    if !job.network {
        set("netns", json!({ "nsmode": "none" }));
    }
    if room.rootless && !job.volumes.is_empty() {
        // Its files are the user's own, in the container and outside.
        set("userns", json!({ "nsmode": "keep-id" }));
    } else if image_user.is_none_or(|user| is_root(&user)) {
        set("user", json!(format!("{USER}:{USER}")));
    }
    Ok(body)
}

fn is_root(user: &str) -> bool {
    let name = user.split(':').next().unwrap_or_default();
    matches!(name, "" | "0" | "root")
}

/// A folder of the user's, below the one that volumes may come from.
fn volume(room: &Room, host: &str, inside: &str) -> Result<Value, Error> {
    let refused = |reason: String| Error::VolumeRefused {
        path: host.to_owned(),
        reason,
    };
    let Some(root) = &room.volumes else {
        let reason = "volumes are folders of the app's output folder, and the agent runs in a container \
                      that has its own; let it run natively";
        return Err(refused(reason.to_owned()));
    };
    let failed = |error: std::io::Error| refused(error.to_string());
    std::fs::create_dir_all(root).map_err(failed)?;
    let root = root.canonicalize().map_err(failed)?;
    let wanted = root.join(host);
    let outside = || {
        refused(format!(
            "only folders below the output folder {} may be volumes",
            root.display()
        ))
    };
    // A name may be a link: what it leads to counts, and what is not there yet lies below what is.
    let there = wanted.ancestors().find(|path| path.exists());
    let there = there.unwrap_or(Path::new("/")).canonicalize();
    if has_parents(&wanted) || !there.map_err(failed)?.starts_with(&root) {
        return Err(outside());
    }
    std::fs::create_dir_all(&wanted).map_err(failed)?;
    let source = wanted.canonicalize().map_err(failed)?;
    if source == root || !source.starts_with(&root) {
        return Err(outside());
    }
    let mut options = vec!["rw", "nosuid", "nodev", "rbind"];
    if !room.rootless {
        // Given to the container's user, who has no rights on this machine.
        options.push("U");
    }
    Ok(json!({
        "destination": inside, "type": "bind", "source": source, "options": options,
    }))
}

fn has_parents(path: &Path) -> bool {
    path.components()
        .any(|part| part == std::path::Component::ParentDir)
}

/// Holds what was asked for against what was made.
pub(crate) fn verified(room: &Room, inspect: &Value) -> Result<(), Error> {
    let host = &inspect["HostConfig"];
    let is_empty = |value: &Value| value.as_array().is_none_or(Vec::is_empty);
    let ports = host["PortBindings"].as_object();
    let mut bindings = ports
        .into_iter()
        .flat_map(serde_json::Map::values)
        .flat_map(|list| list.as_array().into_iter().flatten());
    let options = host["SecurityOpt"].as_array();
    let checks = [
        (
            "no new privileges",
            options.is_some_and(|options| options.iter().any(|o| o == "no-new-privileges")),
        ),
        ("no capabilities", is_empty(&inspect["EffectiveCaps"])),
        (
            "no capabilities to gain",
            is_empty(&inspect["BoundingCaps"]),
        ),
        ("a read-only root", host["ReadonlyRootfs"] == true),
        (
            "a limit of processes",
            host["PidsLimit"].as_i64() == Some(i64::from(room.limits.pids)),
        ),
        (
            "a limit of memory",
            host["Memory"].as_u64() == Some(room.limits.memory_bytes),
        ),
        (
            "a limit of CPU",
            host["CpuQuota"].as_i64().is_some_and(|quota| quota > 0),
        ),
        (
            "ports on loopback only",
            bindings.all(|binding| binding["HostIp"] == "127.0.0.1"),
        ),
        ("no extra privileges", host["Privileged"] == false),
    ];
    let missing: Vec<&str> = checks
        .iter()
        .filter(|(_, holds)| !holds)
        .map(|(what, _)| *what)
        .collect();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(Error::Hardening {
            missing: missing.join(", "),
        }),
    }
}
