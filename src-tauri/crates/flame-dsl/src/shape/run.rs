//! The tables of `run`: containers, scripts, shell commands and workflows.

use super::endpoint::RESOURCE;
use super::tables::DURATION;
use super::{Extra, Field, Group, Object, Shape, TextRule};

const FREE: Shape = Shape::Text(TextRule::Free);
const NOT_EMPTY: Shape = Shape::Text(TextRule::NotEmpty);
const ANY_OBJECT: Shape = Shape::Map(&Shape::Any);
const ARGUMENTS: Shape = Shape::List { of: &FREE, min: 0 };

const STDIN: Field = Field::new("stdin", "What it reads from its standard input.", FREE);
const ARGUMENT_FIELD: Field = Field::new("arguments", "What it is called with.", ARGUMENTS);
const ENVIRONMENT: Field = Field::new(
    "environment",
    "Names and values of environment variables.",
    ANY_OBJECT,
);

pub(super) const RUN: Shape = Shape::Object(&Object {
    name: "'run'",
    definition: "run",
    group: Group::ExactlyOne(&["container", "script", "shell", "workflow"]),
    extra: Extra::Refused,
    fields: &[
        Field::new("container", "A container to run.", CONTAINER),
        Field::new("script", "A script to run: js or python.", SCRIPT),
        Field::new("shell", "A shell command to run.", SHELL),
        Field::new(
            "workflow",
            "A workflow to run as a child of this one.",
            WORKFLOW,
        ),
        Field::new(
            "await",
            "Whether to wait for its end, true unless given; without, the output is the task's input.",
            Shape::Boolean,
        ),
        Field::new(
            "return",
            "What becomes the output: stdout, stderr, code, all or none; stdout unless given.",
            Shape::Text(TextRule::OneOf(&[
                "stdout", "stderr", "code", "all", "none",
            ])),
        ),
    ],
});

const CONTAINER: Shape = Shape::Object(&Object {
    name: "'container'",
    definition: "container",
    group: Group::Free,
    extra: Extra::Refused,
    fields: &[
        Field::new(
            "image",
            "The image, such as docker.io/library/alpine:3.",
            NOT_EMPTY,
        )
        .required(),
        Field::new("name", "What the container is called.", NOT_EMPTY),
        Field::new(
            "command",
            "A command for the image's sh, as it stands; arguments are $1, $2 and so on.",
            NOT_EMPTY,
        ),
        Field::new(
            "ports",
            "Ports of this machine, and the container's ports behind them.",
            ANY_OBJECT,
        ),
        Field::new(
            "volumes",
            "Paths on this machine, and where the container has them.",
            ANY_OBJECT,
        ),
        ENVIRONMENT,
        STDIN,
        ARGUMENT_FIELD,
        Field::new(
            "lifetime",
            "What becomes of the container when it has ended; it is removed unless given.",
            LIFETIME,
        ),
        Field::new(
            "pullPolicy",
            "When the image is fetched: ifNotPresent, always or never.",
            Shape::Text(TextRule::OneOf(&["ifNotPresent", "always", "never"])),
        ),
    ],
});

const LIFETIME: Shape = Shape::Object(&Object {
    name: "'lifetime'",
    definition: "containerLifetime",
    group: Group::Free,
    extra: Extra::Refused,
    fields: &[
        Field::new(
            "cleanup",
            "When it is removed: always, never, or eventually, which is some time after its end.",
            Shape::Text(TextRule::OneOf(&["always", "never", "eventually"])),
        )
        .required(),
        Field::new(
            "after",
            "How long after its end, with 'cleanup: eventually'.",
            DURATION,
        ),
    ],
});

const SCRIPT: Shape = Shape::Object(&Object {
    name: "'script'",
    definition: "script",
    group: Group::ExactlyOne(&["code", "source"]),
    extra: Extra::Refused,
    fields: &[
        Field::new("language", "js or python.", FREE).required(),
        Field::new("code", "The script, as it stands.", FREE),
        Field::new("source", "Where the script is fetched from.", RESOURCE),
        STDIN,
        ARGUMENT_FIELD,
        ENVIRONMENT,
    ],
});

const SHELL: Shape = Shape::Object(&Object {
    name: "'shell'",
    definition: "shell",
    group: Group::Free,
    extra: Extra::Refused,
    fields: &[
        Field::new(
            "command",
            "A command for sh, as it stands; arguments are $1, $2 and so on.",
            NOT_EMPTY,
        )
        .required(),
        STDIN,
        ARGUMENT_FIELD,
        ENVIRONMENT,
    ],
});

const WORKFLOW: Shape = Shape::Object(&Object {
    name: "'workflow'",
    definition: "subflow",
    group: Group::Free,
    extra: Extra::Refused,
    fields: &[
        Field::new("namespace", "The group of the workflow to run.", FREE).required(),
        Field::new("name", "The name of the workflow to run.", FREE).required(),
        Field::new(
            "version",
            "Its version, or latest, which is the newest when it starts.",
            FREE,
        )
        .required(),
        Field::new("input", "What it is given.", ANY_OBJECT),
    ],
});
