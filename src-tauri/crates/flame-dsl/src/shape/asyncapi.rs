//! The tables of `call: asyncapi`.

use super::authentication::{AUTHENTICATION_HELP, REFERABLE};
use super::endpoint::RESOURCE;
use super::listen::FOREACH;
use super::tables::DURATION;
use super::{Extra, Field, Group, Object, Shape, TextRule};

const FREE: Shape = Shape::Text(TextRule::Free);
const ANY_OBJECT: Shape = Shape::Map(&Shape::Any);
const EXPRESSION: Shape = Shape::Text(TextRule::RuntimeExpression);

/// Every protocol that AsyncAPI knows; lowering refuses by name those that have no connector.
const PROTOCOLS: &[&str] = &[
    "amqp",
    "amqp1",
    "anypointmq",
    "googlepubsub",
    "http",
    "ibmmq",
    "jms",
    "kafka",
    "mercure",
    "mqtt",
    "mqtt5",
    "nats",
    "pulsar",
    "redis",
    "sns",
    "solace",
    "sqs",
    "stomp",
    "ws",
];

pub(super) const WITH: Shape = Shape::Object(&Object {
    name: "the call",
    definition: "asyncapiArguments",
    group: Group::ExactlyOne(&["message", "subscription"]),
    extra: Extra::Refused,
    fields: &[
        Field::new(
            "document",
            "The AsyncAPI 3 document, JSON or YAML.",
            RESOURCE,
        )
        .required(),
        Field::new("operation", "The operation's name in the document.", FREE),
        Field::new(
            "channel",
            "The channel's name or address, instead of an operation.",
            FREE,
        ),
        Field::new("server", "Which of the document's servers.", SERVER),
        Field::new(
            "protocol",
            "Which of the document's servers, by protocol: http, ws or nats.",
            Shape::Text(TextRule::OneOf(PROTOCOLS)),
        ),
        Field::new("message", "The message to send.", MESSAGE),
        Field::new("subscription", "Which messages to receive.", SUBSCRIPTION),
        Field::new("authentication", AUTHENTICATION_HELP, REFERABLE),
    ],
});

const SERVER: Shape = Shape::Object(&Object {
    name: "the server",
    definition: "asyncapiServer",
    group: Group::Free,
    extra: Extra::Refused,
    fields: &[
        Field::new("name", "The server's name in the document.", FREE).required(),
        Field::new(
            "variables",
            "Values for {names} in the server's and the channel's address.",
            ANY_OBJECT,
        ),
    ],
});

const MESSAGE: Shape = Shape::Object(&Object {
    name: "the message",
    definition: "asyncapiMessage",
    group: Group::Free,
    extra: Extra::Refused,
    fields: &[
        Field::new(
            "payload",
            "The message's payload, sent as JSON.",
            ANY_OBJECT,
        ),
        Field::new("headers", "The message's headers.", ANY_OBJECT),
    ],
});

const SUBSCRIPTION: Shape = Shape::Object(&Object {
    name: "the subscription",
    definition: "asyncapiSubscription",
    group: Group::Free,
    extra: Extra::Refused,
    fields: &[
        Field::new(
            "filter",
            "${ } over a message; those for which it is not true are passed over.",
            EXPRESSION,
        ),
        Field::new("consume", "When there are enough.", CONSUME).required(),
        Field::new("foreach", "What is done with each message.", FOREACH),
    ],
});

const CONSUME: Shape = Shape::Object(&Object {
    name: "'consume'",
    definition: "asyncapiConsume",
    group: Group::ExactlyOne(&["amount", "while", "until"]),
    extra: Extra::RefusedStrictly,
    fields: &[
        Field::new("for", "How long to receive at most.", DURATION),
        Field::new(
            "amount",
            "How many messages.",
            Shape::Integer {
                min: 1,
                max: 10_000,
            },
        ),
        Field::new(
            "while",
            "${ } over each message taken; the first for which it is not true is the last.",
            EXPRESSION,
        ),
        Field::new(
            "until",
            "${ } over each message; the first for which it is true is not taken and ends it.",
            EXPRESSION,
        ),
    ],
});
