//! The tables of `listen`, of the strategies by which events are taken, and of what a person is asked.

use super::tables::{EXPORT, EXPRESSION, OUTPUT};
use super::tasks::TASKS;
use super::{Extra, Field, Group, Object, Shape, TextRule};

const FREE: Shape = Shape::Text(TextRule::Free);
const VARIABLE: Shape = Shape::Text(TextRule::Variable);

pub(super) const READ: Shape = Shape::Text(TextRule::OneOf(&["data", "envelope", "raw"]));

pub(super) const FIELDS: &[Field] = &[
    Field::new("listen", "Which events.", LISTEN).required(),
    Field::new("foreach", "What is done with each event.", FOREACH),
];

const LISTEN: Shape = Shape::Object(&Object {
    name: "'listen'",
    definition: "listen",
    group: Group::Free,
    extra: Extra::Refused,
    fields: &[
        Field::new("to", "The events to wait for.", STRATEGY).required(),
        Field::new(
            "read",
            "data: the event's data; envelope: the whole event; raw: the data as text.",
            READ,
        ),
    ],
});

pub(super) const FOREACH: Shape = Shape::Object(&Object {
    name: "'foreach'",
    definition: "foreach",
    group: Group::Free,
    extra: Extra::Refused,
    fields: &[
        Field::new(
            "item",
            "The variable that holds the event or message, $item unless given.",
            VARIABLE,
        ),
        Field::new(
            "at",
            "The variable that holds the index from 0, $index unless given.",
            VARIABLE,
        ),
        Field::new("do", "The tasks to run for each one.", TASKS),
        Field::new("output", "What each one becomes in the output.", OUTPUT),
        Field::new(
            "export",
            "What each one leaves in the context ($context).",
            EXPORT,
        ),
    ],
});

pub(super) const STRATEGY: Shape = Shape::Object(&Object {
    name: "a listener",
    definition: "eventStrategy",
    group: Group::ExactlyOne(&["one", "all", "any"]),
    extra: Extra::Refused,
    fields: &[
        Field::new("one", "One event.", FILTER),
        Field::new("all", "One event for each filter.", FILTERS),
        Field::new(
            "any",
            "An event that fits one of the filters; [] takes every event.",
            FILTERS,
        ),
        Field::new(
            "until",
            "With 'any': jq over the events so far, or events, that end the listening.",
            Shape::Choice(&[EXPRESSION, UNTIL]),
        ),
    ],
});

const UNTIL: Shape = Shape::Object(&Object {
    name: "'until'",
    definition: "untilStrategy",
    group: Group::ExactlyOne(&["one", "all", "any"]),
    extra: Extra::Refused,
    fields: &[
        Field::new("one", "One event.", FILTER),
        Field::new("all", "One event for each filter.", FILTERS),
        Field::new("any", "An event that fits one of the filters.", FILTERS),
    ],
});

const FILTERS: Shape = Shape::List {
    of: &FILTER,
    min: 0,
};

const FILTER: Shape = Shape::Object(&Object {
    name: "an event filter",
    definition: "eventFilter",
    group: Group::Free,
    extra: Extra::Refused,
    fields: &[
        Field::new("with", "What the event must have.", WITH).required(),
        Field::new(
            "correlate",
            "Values that must be the same in all events.",
            Shape::Map(&CORRELATION),
        ),
    ],
});

const CORRELATION: Shape = Shape::Object(&Object {
    name: "a correlation",
    definition: "correlation",
    group: Group::Free,
    extra: Extra::RefusedStrictly,
    fields: &[
        Field::new(
            "from",
            "jq over the event that gives the value.",
            EXPRESSION,
        )
        .required(),
        Field::new(
            "expect",
            "The value itself or ${ }; the first event's value unless given.",
            FREE,
        ),
    ],
});

const WITH: Shape = Shape::Object(&Object {
    name: "what the event must have",
    definition: "eventFilterAttributes",
    group: Group::AtLeastOne,
    extra: Extra::Taken,
    fields: &[
        Field::new("id", "The event's id.", FREE),
        Field::new("source", "Where it comes from.", Shape::Text(TextRule::Uri)),
        Field::new(
            "type",
            "What kind of event it is, as text or as a regular expression.",
            FREE,
        ),
        Field::new("time", "When it happened.", FREE),
        Field::new("subject", "What it is about.", FREE),
        Field::new("datacontenttype", "The type of the data.", FREE),
        Field::new(
            "dataschema",
            "Where the schema of the data is.",
            Shape::Text(TextRule::Uri),
        ),
        Field::new(
            "data",
            "${ } over the data that says whether it fits, or members that it must have.",
            Shape::Any,
        ),
    ],
});

/// `metadata."mastra.io/person"` of a listen task.
pub(super) const PERSON: Shape = Shape::Object(&Object {
    name: "what a person is asked",
    definition: "person",
    group: Group::Free,
    extra: Extra::Refused,
    fields: &[
        Field::new(
            "title",
            "The question in a few words; ${ } may stand in it.",
            Shape::Text(TextRule::NotEmpty),
        )
        .required(),
        Field::new("description", "More about it; ${ } may stand in it.", FREE),
        Field::new("assignee", "Who is asked; ${ } may stand in it.", FREE),
        Field::new(
            "schema",
            "The JSON Schema that the answer must fit, instead of the one of the event's type.",
            Shape::Map(&Shape::Any),
        ),
    ],
});
