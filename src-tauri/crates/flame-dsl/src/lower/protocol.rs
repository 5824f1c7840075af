//! Calls that another document describes: openapi, grpc, mcp, asyncapi, a2a.

use super::Lowering;
use super::authentication::authorization_known;
use crate::problem::{Problem, Rule};
use crate::source::{Content, Node, pointer_step};
use crate::{
    Endpoint, Enough, ExternalResource, Protocol, ProtocolCall, Subscription, Template, expression,
};

/// The keys of `with` that hold an external resource.
const RESOURCES: [&str; 3] = ["document", "proto", "agentCard"];

/// Those that hold what is sent.
const DATA: [&str; 3] = ["parameters", "arguments", "message"];

/// The protocols that AsyncAPI's messages go over here.
const CONNECTED: [&str; 3] = ["http", "ws", "nats"];

impl Lowering<'_> {
    /// A call by this protocol; `task` is the task.
    pub(super) fn protocol_call(
        &mut self,
        task: &Node,
        protocol: Protocol,
        pointer: &str,
    ) -> Option<ProtocolCall> {
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
                document = self
                    .resource(resource, &pointer_step(pointer, key))
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
        if protocol == Protocol::AsyncApi {
            self.check_asyncapi(with, pointer);
        }
        let subscription = self.optional(with, "subscription", pointer, Self::subscription);
        let authentication = self.call_authentication(with, Some(protocol), pointer);
        let known = authorization_known(authentication.as_ref());
        let arguments = self.within(known, |this| this.arguments(with, protocol, pointer));
        Some(ProtocolCall {
            protocol,
            document: document?,
            server: server?,
            authentication: authentication?,
            subscription: subscription?,
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
    fn arguments(&mut self, with: &Node, protocol: Protocol, pointer: &str) -> Option<Template> {
        let mut members = Vec::new();
        for entry in with.object()? {
            let key = entry.key.as_str();
            let is_server = key == "server" && protocol == Protocol::A2a;
            if RESOURCES.contains(&key)
                || is_server
                || ["subscription", "authentication"].contains(&key)
            {
                continue;
            }
            let pointer = pointer_step(pointer, key);
            let value = match key {
                "transport" => self.transport(&entry.value, &pointer),
                "service" => self.without(&entry.value, "authentication", &pointer),
                _ if DATA.contains(&key) => self.value(&entry.value, &pointer),
                _ => self.template(&entry.value, &pointer),
            };
            members.push((entry.key.clone(), value?));
        }
        Some(Template::Object(members))
    }

    fn transport(&mut self, node: &Node, pointer: &str) -> Option<Template> {
        let mut members = Vec::new();
        for entry in node.object()? {
            let pointer = pointer_step(pointer, &entry.key);
            if entry.key == "options" {
                self.unknown_options(&entry.value, &pointer);
                continue;
            }
            self.program(&entry.value, &pointer)?;
            let value = self.without(&entry.value, "endpoint", &pointer)?;
            members.push((entry.key.clone(), value));
        }
        Some(Template::Object(members))
    }

    /// The standard leaves the options of a transport to each runtime, and this one has none.
    fn unknown_options(&mut self, node: &Node, pointer: &str) {
        for option in node.object().unwrap_or_default() {
            let message = format!("no option '{}' of a transport is known", option.key);
            let pointer = pointer_step(pointer, &option.key);
            let problem = Problem::new(Rule::Strict, option.key_span, &pointer, message);
            self.problems.push(
                problem
                    .warning()
                    .hint("leave it out; headers, arguments and environment are read"),
            );
        }
    }

    /// Which program is started is the document's own, never out of data.
    fn program(&mut self, node: &Node, pointer: &str) -> Option<()> {
        match node.get("command") {
            Some(command) if command.text().is_some_and(|text| text.contains("${")) => self.strict(
                command,
                &pointer_step(pointer, "command"),
                "the program is an expression",
                "write the program's name out; what comes out of data goes into 'arguments'",
            ),
            _ => Some(()),
        }
    }

    /// An object without one of its members.
    fn without(&mut self, node: &Node, key: &str, pointer: &str) -> Option<Template> {
        let mut node = node.clone();
        if let Content::Object(entries) = &mut node.content {
            entries.retain(|entry| entry.key != key);
        }
        self.template(&node, pointer)
    }

    /// What takes more than one key to judge.
    fn check_asyncapi(&mut self, with: &Node, pointer: &str) {
        if with.get("operation").is_some() == with.get("channel").is_some() {
            let message = "the call needs exactly one of 'operation', 'channel'";
            let problem = Problem::new(Rule::Shape, with.span, pointer, message);
            self.problems
                .push(problem.hint("write the operation's name in the document"));
        }
        // Where a server is named, that one says what it speaks.
        if with.get("server").is_none()
            && let Some(node) = with.get("protocol")
            && let Some(name) = node.text()
            && !CONNECTED.contains(&name)
        {
            let pointer = pointer_step(pointer, "protocol");
            let message = format!("AsyncAPI over {name} is not supported yet");
            let problem = Problem::new(Rule::Unsupported, node.span, &pointer, message);
            self.problems
                .push(problem.hint(format!("this release speaks {}", CONNECTED.join(", "))));
        }
    }

    fn subscription(&mut self, node: &Node, pointer: &str) -> Option<Box<Subscription>> {
        let filter = self.optional(node, "filter", pointer, Self::expression);
        let each = self.optional(node, "foreach", pointer, Self::event_iterator);
        let consume = node.get("consume")?;
        let pointer = pointer_step(pointer, "consume");
        let duration = self.optional(consume, "for", &pointer, Self::duration);
        let amount = consume.get("amount").and_then(Node::integer);
        let enough = if let Some(amount) = amount {
            usize::try_from(amount).ok().map(Enough::Amount)
        } else if consume.get("while").is_some() {
            self.required(consume, "while", &pointer, Self::expression)
                .map(Enough::While)
        } else {
            self.required(consume, "until", &pointer, Self::expression)
                .map(Enough::Until)
        };
        Some(Box::new(Subscription {
            filter: filter?,
            enough: enough?,
            duration: duration?,
            each: each?,
        }))
    }

    pub(super) fn resource(&mut self, node: &Node, pointer: &str) -> Option<ExternalResource> {
        let endpoint = self.required(node, "endpoint", pointer, Self::resource_endpoint);
        let given = node
            .get("endpoint")
            .and_then(|node| node.entry("authentication"));
        let authentication = self.required(node, "endpoint", pointer, |this, node, pointer| {
            this.optional(node, "authentication", pointer, Self::authentication)
        });
        let (endpoint, authentication) = (endpoint?, authentication?);
        if let (Endpoint::UriTemplate(text), Some(given)) = (&endpoint, given)
            && text.starts_with("file:")
        {
            let message = "a file is read without an authentication";
            let problem = Problem::new(Rule::Strict, given.key_span, pointer, message);
            return self.refuse(
                problem.hint("remove 'authentication', or name the document by its address"),
            );
        }
        Some(ExternalResource {
            endpoint,
            authentication,
        })
    }

    /// Where a document is: as an endpoint, and `file:` too.
    fn resource_endpoint(&mut self, node: &Node, pointer: &str) -> Option<Endpoint> {
        let Some(text) = node.text() else {
            return self.required(node, "uri", pointer, Self::resource_endpoint);
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
