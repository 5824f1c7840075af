//! The tables of the calls that another document describes: openapi, grpc, mcp, asyncapi, a2a.

use super::authentication::{AUTHENTICATION_HELP, REFERABLE};
use super::endpoint::{ENDPOINT, RESOURCE};
use super::tables::DURATION;
use super::{Extra, Field, Group, Object, Shape, TextRule, asyncapi};

const FREE: Shape = Shape::Text(TextRule::Free);

const ANY_OBJECT: Shape = Shape::Map(&Shape::Any);
const TEXTS: Shape = Shape::Map(&FREE);

/// A protocol that a call can speak, and the call's own keys.
pub(crate) struct ProtocolShape {
    pub(crate) keyword: &'static str,
    pub(crate) description: &'static str,
    pub(crate) fields: &'static [Field],
}

pub(crate) const PROTOCOLS: &[ProtocolShape] = &[
    ProtocolShape {
        keyword: "openapi",
        description: "Calls an operation of an OpenAPI 3 or Swagger 2 document.",
        fields: &[
            Field::new("call", "openapi", FREE).required(),
            Field::new("with", "The operation and its parameters.", OPENAPI).required(),
        ],
    },
    ProtocolShape {
        keyword: "grpc",
        description: "Calls a method of a gRPC service that a proto file describes.",
        fields: &[
            Field::new("call", "grpc", FREE).required(),
            Field::new("with", "The method and its message.", GRPC).required(),
        ],
    },
    ProtocolShape {
        keyword: "mcp",
        description: "Calls a tool, prompt or resource of an MCP server.",
        fields: &[
            Field::new("call", "mcp", FREE).required(),
            Field::new("with", "The server, the method and its parameters.", MCP).required(),
        ],
    },
    ProtocolShape {
        keyword: "asyncapi",
        description: "Sends or receives messages as an AsyncAPI 3 document describes.",
        fields: &[
            Field::new("call", "asyncapi", FREE).required(),
            Field::new("with", "The operation and its messages.", asyncapi::WITH).required(),
        ],
    },
    ProtocolShape {
        keyword: "a2a",
        description: "Talks to an agent by the A2A protocol.",
        fields: &[
            Field::new("call", "a2a", FREE).required(),
            Field::new("with", "The agent, the method and its parameters.", A2A).required(),
        ],
    },
];

/// The protocol of a call's target, if it is one.
pub(crate) fn protocol(target: &str) -> Option<&'static ProtocolShape> {
    PROTOCOLS.iter().find(|protocol| protocol.keyword == target)
}

/// The names of the protocols that calls speak, beside HTTP.
pub(crate) fn spoken() -> impl Iterator<Item = &'static str> {
    PROTOCOLS.iter().map(|protocol| protocol.keyword)
}

const OPENAPI: Shape = Shape::Object(&Object {
    name: "the arguments of 'call: openapi'",
    definition: "openapiArguments",
    group: Group::Free,
    extra: Extra::Refused,
    fields: &[
        Field::new(
            "document",
            "The OpenAPI document, JSON or YAML: 3.0 to 3.2, or Swagger 2.0.",
            RESOURCE,
        )
        .required(),
        Field::new("operationId", "The operation's id in the document.", FREE).required(),
        Field::new(
            "parameters",
            "Values by parameter name; 'body' is the request's body.",
            ANY_OBJECT,
        ),
        Field::new("authentication", AUTHENTICATION_HELP, REFERABLE),
        Field::new(
            "output",
            "content: the body; response: status, headers and body; raw: the body as base64.",
            Shape::Text(TextRule::OneOf(&["raw", "content", "response"])),
        ),
        Field::new(
            "redirect",
            "true: answers 300 to 399 are taken as they are; false: they are errors.",
            Shape::Boolean,
        ),
    ],
});

const GRPC: Shape = Shape::Object(&Object {
    name: "the arguments of 'call: grpc'",
    definition: "grpcArguments",
    group: Group::Free,
    extra: Extra::Refused,
    fields: &[
        Field::new(
            "proto",
            "The proto file that describes the service.",
            RESOURCE,
        )
        .required(),
        Field::new("service", "The service and where it runs.", GRPC_SERVICE).required(),
        Field::new("method", "The method, such as SayHello.", FREE).required(),
        Field::new(
            "arguments",
            "The request message, as JSON (proto3 JSON mapping).",
            ANY_OBJECT,
        ),
    ],
});

const GRPC_SERVICE: Shape = Shape::Object(&Object {
    name: "the gRPC service",
    definition: "grpcService",
    group: Group::Free,
    extra: Extra::Refused,
    fields: &[
        Field::new(
            "name",
            "The service with its package, such as shop.v1.Orders.",
            FREE,
        )
        .required(),
        Field::new(
            "host",
            "The host's name or address.",
            Shape::Text(TextRule::Host),
        )
        .required(),
        Field::new(
            "port",
            "The port; 443, which is also the port for TLS, unless given.",
            Shape::Integer {
                min: 1,
                max: 65_535,
            },
        ),
        Field::new("authentication", AUTHENTICATION_HELP, REFERABLE),
    ],
});

const MCP: Shape = Shape::Object(&Object {
    name: "the arguments of 'call: mcp'",
    definition: "mcpArguments",
    group: Group::Free,
    extra: Extra::RefusedStrictly,
    fields: &[
        Field::new(
            "protocolVersion",
            "The version of MCP to ask for, 2025-06-18 unless given.",
            FREE,
        ),
        Field::new(
            "method",
            "What to call.",
            Shape::Text(TextRule::OneOf(&[
                "tools/list",
                "tools/call",
                "prompts/list",
                "prompts/get",
                "resources/list",
                "resources/read",
                "resources/templates/list",
            ])),
        )
        .required(),
        Field::new("parameters", "The method's parameters.", PARAMETERS),
        Field::new("timeout", "How long the call may take.", DURATION),
        Field::new("transport", "How the server is reached.", MCP_TRANSPORT).required(),
        Field::new("client", "Who calls, as the server is told.", MCP_CLIENT),
    ],
});

const PARAMETERS: Shape = Shape::Choice(&[ANY_OBJECT, FREE]);

const MCP_TRANSPORT: Shape = Shape::Object(&Object {
    name: "the transport",
    definition: "mcpTransport",
    group: Group::ExactlyOne(&["http", "stdio"]),
    extra: Extra::RefusedStrictly,
    fields: &[
        Field::new("http", "A server behind an HTTP address.", MCP_HTTP),
        Field::new("stdio", "A server that is started as a program.", MCP_STDIO),
        Field::new(
            "options",
            "More settings of the transport; none is known, and each is warned of.",
            TEXTS,
        ),
    ],
});

const MCP_HTTP: Shape = Shape::Object(&Object {
    name: "the HTTP transport",
    definition: "mcpHttp",
    group: Group::Free,
    extra: Extra::RefusedStrictly,
    fields: &[
        Field::new("endpoint", "Where the server is.", ENDPOINT).required(),
        Field::new("headers", "Headers that go with every request.", TEXTS),
    ],
});

const MCP_STDIO: Shape = Shape::Object(&Object {
    name: "the stdio transport",
    definition: "mcpStdio",
    group: Group::Free,
    extra: Extra::RefusedStrictly,
    fields: &[
        Field::new("command", "The program to start.", FREE).required(),
        Field::new(
            "arguments",
            "The program's arguments.",
            Shape::List { of: &FREE, min: 0 },
        ),
        Field::new("environment", "The program's environment variables.", TEXTS),
    ],
});

const MCP_CLIENT: Shape = Shape::Object(&Object {
    name: "the client",
    definition: "mcpClient",
    group: Group::Free,
    extra: Extra::RefusedStrictly,
    fields: &[
        Field::new("name", "The client's name.", FREE).required(),
        Field::new("version", "The client's version.", FREE).required(),
        Field::new("description", "More about the client.", Shape::Any),
    ],
});

const A2A: Shape = Shape::Object(&Object {
    name: "the arguments of 'call: a2a'",
    definition: "a2aArguments",
    group: Group::Free,
    extra: Extra::Refused,
    fields: &[
        Field::new("agentCard", "The card that describes the agent.", RESOURCE),
        Field::new(
            "server",
            "Where the agent is, instead of where its card says.",
            ENDPOINT,
        ),
        Field::new(
            "method",
            "What to ask of the agent.",
            Shape::Text(TextRule::OneOf(&[
                "message/send",
                "message/stream",
                "tasks/get",
                "tasks/list",
                "tasks/cancel",
                "tasks/resubscribe",
                "tasks/pushNotificationConfig/set",
                "tasks/pushNotificationConfig/get",
                "tasks/pushNotificationConfig/list",
                "tasks/pushNotificationConfig/delete",
                "agent/getAuthenticatedExtendedCard",
            ])),
        )
        .required(),
        Field::new("parameters", "The method's parameters.", A2A_PARAMETERS),
    ],
});

const A2A_PARAMETERS: Shape = Shape::Choice(&[
    Shape::Object(&Object {
        name: "'parameters'",
        definition: "a2aParameters",
        group: Group::AtLeastOne,
        extra: Extra::Taken,
        fields: &[],
    }),
    FREE,
]);
