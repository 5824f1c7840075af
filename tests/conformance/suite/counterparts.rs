//! Servers that others wrote, for rows whose protocol is more than an exchange of HTTP. A row names what it
//! needs of them by a mark in its text.

use flame_testkit::Counterpart;
use tempfile::TempDir;

/// The service of the rows; its proto stands in them too.
const GREETER: &str = r#"
import sys, grpc
from concurrent import futures
sys.path.insert(0, sys.argv[1])
protos, services = grpc.protos_and_services("greet.proto")
class Greeter(services.GreeterServicer):
    def SayHello(self, request, context): return protos.HelloReply(message="Hello, " + request.name)
    def Count(self, request, context):
        for letter in request.name: yield protos.HelloReply(message=letter)
    def Whose(self, request, context):
        return protos.HelloReply(message=dict(context.invocation_metadata()).get("authorization", ""))
server = grpc.server(futures.ThreadPoolExecutor(2))
services.add_GreeterServicer_to_server(Greeter(), server)
port = server.add_insecure_port("127.0.0.1:0")
server.start()
print("serving", port, flush=True)
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

/// They end with this value.
pub(crate) struct Counterparts {
    /// What stands for each mark, where it can be had.
    marks: Vec<(&'static str, Option<String>)>,
    _servers: Vec<Counterpart>,
    _folder: TempDir,
}

impl Counterparts {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("greet.proto"), PROTO).unwrap();
        let (grpc, agent, nats) = (
            Counterpart::grpcio(GREETER, folder.path()),
            Counterpart::a2a(),
            Counterpart::nats(&[]),
        );
        let (tools, tools_url) = Counterpart::mcp().unzip();
        let program = Counterpart::mcp_program();
        let program = program.map(|program| {
            let script = program.get_args().next().unwrap_or_default().to_owned();
            (program.get_program().to_owned(), script)
        });
        let text = |text: &std::ffi::OsStr| text.to_str().unwrap().to_owned();
        let address = |server: &Option<Counterpart>| {
            server.as_ref().map(|server| server.address().to_owned())
        };
        Self {
            marks: vec![
                ("GRPC_PORT", address(&grpc)),
                ("AGENT_URL", address(&agent)),
                ("NATS_ADDRESS", address(&nats)),
                ("TOOLS_URL", tools_url),
                (
                    "TOOLS_PROGRAM",
                    program.as_ref().map(|(program, _)| text(program)),
                ),
                (
                    "TOOLS_SCRIPT",
                    program.as_ref().map(|(_, script)| text(script)),
                ),
            ],
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
