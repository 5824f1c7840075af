//! Calls that another document describes: openapi, grpc, mcp, asyncapi, a2a.

use super::Lowering;
use crate::problem::{Problem, Rule};
use crate::shape::spoken;
use crate::source::{Content, Node, pointer_step};
use crate::{Endpoint, Protocol, ProtocolCall, Template, expression};

/// The keys of `with` that hold an external resource.
const RESOURCES: [&str; 3] = ["document", "proto", "agentCard"];

impl Lowering<'_> {
    /// A call by this protocol; `task` is the task.
    pub(super) fn protocol_call(
        &mut self,
        task: &Node,
        protocol: Protocol,
        pointer: &str,
    ) -> Option<ProtocolCall> {
        let name = protocol.name();
        if !spoken().any(|spoken| spoken == name) {
            let target = task.get("call")?;
            let message = format!("'call: {name}' is not supported yet");
            let pointer = pointer_step(pointer, "call");
            let spoken: Vec<&str> = spoken().collect();
            let problem = Problem::new(Rule::Unsupported, target.span, &pointer, message);
            return self.refuse(problem.value(name).hint(format!(
                "this release calls http, {} and functions",
                spoken.join(", ")
            )));
        }
        self.required(task, "with", pointer, |this, with, pointer| {
            this.protocol_arguments(with, protocol, pointer)
        })
    }

    fn protocol_arguments(
        &mut self,
        with: &Node,
        protocol: Protocol,
        pointer: &str,
    ) -> Option<ProtocolCall> {
        let mut document = Some(None);
        for key in RESOURCES {
            if let Some(resource) = with.get(key) {
                let pointer = pointer_step(pointer, key);
                document = self
                    .required(resource, "endpoint", &pointer, Self::resource)
                    .map(Some);
            }
        }
        let server = match protocol {
            Protocol::A2a => self.optional(with, "server", pointer, Self::endpoint),
            Protocol::Mcp => self.mcp_server(with, pointer),
            _ => Some(None),
        };
        if protocol == Protocol::A2a
            && with.get("agentCard").is_none()
            && with.get("server").is_none()
        {
            return self.strict(
                with,
                pointer,
                "the call names no agent",
                "add 'agentCard' with its endpoint, or 'server'",
            );
        }
        self.parameters(with, pointer)?;
        let arguments = self.arguments(with, pointer);
        Some(ProtocolCall {
            protocol,
            document: document?,
            server: server?,
            arguments: arguments?,
        })
    }

    fn mcp_server(&mut self, with: &Node, pointer: &str) -> Option<Option<Endpoint>> {
        let (transport, http) = ("transport", "http");
        let Some(node) = with.get(transport).and_then(|node| node.get(http)) else {
            return Some(None);
        };
        let pointer = pointer_step(&pointer_step(pointer, transport), http);
        self.required(node, "endpoint", &pointer, Self::endpoint)
            .map(Some)
    }

    /// Parameters as text are an expression that gives them.
    fn parameters(&mut self, with: &Node, pointer: &str) -> Option<()> {
        match with.get("parameters") {
            Some(node)
                if node
                    .text()
                    .is_some_and(|text| expression::strip(text).is_none()) =>
            {
                self.strict(
                    node,
                    &pointer_step(pointer, "parameters"),
                    "the parameters are a text",
                    "write an object, or one ${ } that gives an object",
                )
            }
            _ => Some(()),
        }
    }

    /// `with` without what has been read apart.
    fn arguments(&mut self, with: &Node, pointer: &str) -> Option<Template> {
        let mut members = Vec::new();
        for entry in with.object()? {
            if RESOURCES.contains(&entry.key.as_str()) || entry.key == "server" {
                continue;
            }
            let pointer = pointer_step(pointer, &entry.key);
            let value = match entry.key.as_str() {
                "transport" => self.transport(&entry.value, &pointer),
                _ => self.template(&entry.value, &pointer),
            };
            members.push((entry.key.clone(), value?));
        }
        Some(Template::Object(members))
    }

    fn transport(&mut self, node: &Node, pointer: &str) -> Option<Template> {
        let mut members = Vec::new();
        for entry in node.object()? {
            let mut value = entry.value.clone();
            if let Content::Object(entries) = &mut value.content {
                entries.retain(|entry| entry.key != "endpoint");
            }
            let value = self.template(&value, &pointer_step(pointer, &entry.key))?;
            members.push((entry.key.clone(), value));
        }
        Some(Template::Object(members))
    }

    /// Where a document is: as an endpoint, and `file:` too.
    fn resource(&mut self, node: &Node, pointer: &str) -> Option<Endpoint> {
        let Some(text) = node.text() else {
            return self.required(node, "uri", pointer, Self::resource);
        };
        if !text.starts_with("file:") {
            return self.endpoint(node, pointer);
        }
        // The name of a file is the document's own, never out of data.
        if !text.contains(['{', '}']) {
            return Some(Endpoint::UriTemplate(text.into()));
        }
        self.strict(
            node,
            pointer,
            "the name of a file is not a template",
            "write the name out, such as file:///orders.proto",
        )
    }
}
