//! Servers and programs that others wrote, for rows whose protocol is more than an exchange of HTTP. A case names
//! what it needs of them by a mark in its text; the standard's examples name hosts and programs for which they
//! stand in.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs::Permissions;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use flame_testkit::Counterpart;
use serde_json::Value;
use tempfile::TempDir;

use crate::row::Row;

/// The service of the rows; its proto stands in them too. Where its port is fixed, somebody else may have it on
/// one of the addresses of loopback.
const GREETER: &str = r#"
import random, sys, grpc
from concurrent import futures
sys.path.insert(0, sys.argv[1])
protos, services = grpc.protos_and_services("greet.proto")
class Greeter(services.GreeterServicer):
    def SayHello(self, request, context): return protos.HelloReply(message="Hello, " + request.name)
    def Count(self, request, context):
        for letter in request.name: yield protos.HelloReply(message=letter)
    def Whose(self, request, context):
        return protos.HelloReply(message=dict(context.invocation_metadata()).get("authorization", ""))
server = grpc.server(futures.ThreadPoolExecutor(2), options=[("grpc.so_reuseport", 0)])
services.add_GreeterServicer_to_server(Greeter(), server)
def somewhere(port):
    others = ["127.%d.%d.%d" % tuple(random.randrange(1, 255) for _ in range(3)) for _ in range(100)]
    for host in ["127.0.0.1", *others]:
        try: return host, server.add_insecure_port("%s:%s" % (host, port))
        except RuntimeError: pass
    sys.exit("port %s is taken" % port)
place = "%s:%d" % somewhere(sys.argv[2])
server.start()
print("serving", place, flush=True)
server.wait_for_termination()
"#;

const PROTO: &str = r#"
syntax = "proto3";
package GreeterApi;
service Greeter {
  rpc SayHello (HelloRequest) returns (HelloReply);
  rpc Count (HelloRequest) returns (stream HelloReply);
  rpc Whose (HelloRequest) returns (HelloReply);
}
message HelloRequest { string name = 1; }
message HelloReply { string message = 1; }
"#;

const SOCKETS: &str = r#"
import asyncio, json, sys, websockets
said = json.loads(sys.argv[1])
async def talk(socket):
    for message in said[socket.request.headers["Host"] + socket.request.path]:
        await socket.send(json.dumps(message))
    await socket.wait_closed()
async def main():
    async with websockets.serve(talk, "127.0.0.1", 0) as server:
        print("serving", "%s:%d" % server.sockets[0].getsockname()[:2], flush=True)
        await asyncio.Future()
asyncio.run(main())
"#;

/// What cases may name that is others'.
const MARKS: [&str; 6] = [
    "GRPC_PORT",
    "AGENT_URL",
    "NATS_ADDRESS",
    "TOOLS_URL",
    "TOOLS_PROGRAM",
    "TOOLS_SCRIPT",
];

/// Stands for a port of this machine that nobody has.
const FREE_PORT: &str = "FREE_PORT";

/// Whether a case needs something of others.
pub(crate) fn has_mark(text: &str) -> bool {
    MARKS.iter().any(|mark| text.contains(mark))
}

/// A case with something in the place of each of its marks, so that it is a document: a port is a number.
pub(crate) fn with_any_marks(text: &str) -> String {
    text.replace(MARKS[0], "1").replace(FREE_PORT, "1")
}

/// A case that needs nothing of others, with its port.
pub(crate) fn with_a_port(text: &str) -> String {
    text.replace(FREE_PORT, &free_port())
}

fn free_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port().to_string()
}

/// What the marks of cases stand for. The servers end with this value.
pub(crate) struct Counterparts {
    /// Where it can be had.
    marks: Vec<(&'static str, Option<String>)>,
    _servers: Vec<Counterpart>,
    _folder: TempDir,
}

impl Counterparts {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (grpc, agent, nats) = (
            greeter(folder.path(), "0"),
            Counterpart::a2a(),
            Counterpart::nats(&[]),
        );
        let (tools, tools_url) = Counterpart::mcp().unzip();
        let program = Counterpart::mcp_program();
        let script = program
            .as_ref()
            .map(|program| text(program.get_args().next().unwrap_or_default()));
        let address = |server: &Option<Counterpart>| {
            server.as_ref().map(|server| server.address().to_owned())
        };
        let port = |place: String| place.rsplit(':').next().map(str::to_owned);
        let values = [
            address(&grpc).and_then(port),
            address(&agent),
            address(&nats),
            tools_url,
            program.map(|program| text(program.get_program())),
            script,
        ];
        Self {
            marks: MARKS
                .into_iter()
                .zip(values)
                .chain([(FREE_PORT, Some(free_port()))])
                .collect(),
            _servers: [grpc, agent, nats, tools].into_iter().flatten().collect(),
            _folder: folder,
        }
    }

    /// A text with its marks filled in, or the mark that can't be.
    pub(crate) fn fill(&self, text: &str) -> Result<String, &'static str> {
        let mut text = text.to_owned();
        for (mark, value) in &self.marks {
            match value {
                Some(value) => text = text.replace(mark, value),
                None if text.contains(mark) => return Err(mark),
                None => {}
            }
        }
        Ok(text)
    }
}

/// What the hosts and programs of rows are here. The servers end with this value.
#[derive(Default)]
pub(crate) struct StandIns {
    /// What the agent is told about where hosts are.
    pub(crate) hosts: Vec<String>,
    /// Where the agent seeks programs.
    pub(crate) path: Option<OsString>,
    servers: Vec<Counterpart>,
}

impl StandIns {
    /// For these rows, with its files in this folder.
    pub(crate) fn start<'r>(rows: impl Iterator<Item = &'r Row> + Clone, folder: &Path) -> Self {
        let mut started = Self::default();
        if !Counterpart::are_installed() {
            return started;
        }
        let sockets: BTreeMap<&String, &Vec<Value>> =
            rows.clone().flat_map(|row| &row.sockets).collect();
        if !sockets.is_empty() {
            let said = serde_json::to_string(&sockets).unwrap();
            let mut python = Counterpart::python().unwrap();
            let server = Counterpart::begin(python.args(["-c", SOCKETS, &said]));
            let hosts = sockets.keys().filter_map(|place| place.split('/').next());
            for host in hosts {
                started.hosts.push(format!("{host}={}", server.address()));
            }
            started.servers.push(server);
        }
        let greeters: BTreeSet<&String> =
            rows.clone().filter_map(|row| row.grpc.as_ref()).collect();
        for place in greeters {
            let (host, port) = place.split_once(':').unwrap();
            let server = greeter(folder, port).unwrap();
            started.hosts.push(format!("{host}={}", server.address()));
            started.servers.push(server);
        }
        let programs: BTreeMap<&String, &String> = rows.flat_map(|row| &row.programs).collect();
        if !programs.is_empty() {
            started.path = Some(install(&programs, &folder.join("programs")));
        }
        started
    }
}

fn greeter(folder: &Path, port: &str) -> Option<Counterpart> {
    let mut python = Counterpart::python()?;
    std::fs::write(folder.join("greet.proto"), PROTO).unwrap();
    let python = python.args(["-c", GREETER]).arg(folder).arg(port);
    Some(Counterpart::begin(python))
}

/// Puts modules of Node into a folder as programs, and gives the path with it in front.
fn install(programs: &BTreeMap<&String, &String>, folder: &Path) -> OsString {
    std::fs::create_dir(folder).unwrap();
    for (name, module) in programs {
        let node = Counterpart::node_text("@modelcontextprotocol/sdk", module).unwrap();
        let quoted = |part: &OsStr| format!("'{}'", text(part).replace('\'', r"'\''"));
        let words: Vec<String> = [node.get_program()]
            .into_iter()
            .chain(node.get_args())
            .map(quoted)
            .collect();
        let room = quoted(node.get_current_dir().unwrap().as_os_str());
        let script = format!(
            "#!/bin/sh\ncd {room} && exec {} -- \"$@\"\n",
            words.join(" ")
        );
        let program = folder.join(name);
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    }
    let known = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&known);
    std::env::join_paths(std::iter::once(folder.to_owned()).chain(folders)).unwrap()
}

fn text(text: &OsStr) -> String {
    text.to_str().unwrap().to_owned()
}
