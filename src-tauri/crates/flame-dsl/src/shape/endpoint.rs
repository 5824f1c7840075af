//! The tables of where something is: an address that is called, a document that describes something.

use super::authentication::{AUTHENTICATION_HELP, REFERABLE};
use super::{Extra, Field, Group, Object, Shape, TextRule};

const FREE: Shape = Shape::Text(TextRule::Free);

/// An address, with what proves who calls it.
pub(super) const ENDPOINT: Shape = Shape::Choice(&[
    Shape::Text(TextRule::Endpoint),
    Shape::Object(&Object {
        name: "an endpoint",
        definition: "endpoint",
        group: Group::Free,
        extra: Extra::Refused,
        fields: &[
            Field::new(
                "uri",
                "Where to; {name} takes a value of the task's input.",
                Shape::Text(TextRule::Endpoint),
            )
            .required(),
            Field::new("authentication", AUTHENTICATION_HELP, REFERABLE),
        ],
    }),
]);

/// `{endpoint: URI}`: a document that describes something.
pub(super) const RESOURCE: Shape = Shape::Object(&Object {
    name: "an external resource",
    definition: "externalResource",
    group: Group::Free,
    extra: Extra::Refused,
    fields: &[
        Field::new("name", "What people call it.", FREE),
        Field::new(
            "endpoint",
            "Where it is: https://..., or file:///NAME in the workspace's resources folder.",
            Shape::Choice(&[
                Shape::Text(TextRule::Resource),
                Shape::Object(&Object {
                    name: "an endpoint",
                    definition: "resourceEndpoint",
                    group: Group::Free,
                    extra: Extra::Refused,
                    fields: &[
                        Field::new(
                            "uri",
                            "Where it is: https://..., or file:///NAME in the workspace's resources folder.",
                            Shape::Text(TextRule::Resource),
                        )
                        .required(),
                        Field::new(
                            "authentication",
                            "How it is got where not everybody may read it.",
                            REFERABLE,
                        ),
                    ],
                }),
            ]),
        )
        .required(),
    ],
});
