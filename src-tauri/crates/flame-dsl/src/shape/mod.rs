//! The shape of a document as data: which keys stand where, what they hold and what they mean.
//!
//! One source of truth: [`check`] reads documents by these tables, and the editor's schema is made
//! from them. Deliberately absent: what needs more than one place to judge (names, flow, expressions);
//! that is `lower`'s.

mod asyncapi;
mod authentication;
mod check;
mod endpoint;
mod hint;
mod listen;
mod protocols;
mod run;
mod schema;
mod suggest;
mod tables;
mod tasks;
mod text;

pub(crate) use check::check;
pub(crate) use protocols::spoken;
pub(crate) use schema::document_schema;
pub use suggest::did_you_mean;
pub(crate) use tables::{PIPELINE, WORKFLOW};
pub(crate) use tasks::{COMPENSATE, KINDS};
pub(crate) use text::TextRule;

/// What a value may be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape {
    Any,
    Boolean,
    /// An integer; the bounds are ours, the published schema has none.
    Integer {
        min: i64,
        max: i64,
    },
    Text(TextRule),
    List {
        of: &'static Shape,
        min: usize,
    },
    /// A list of objects with one key each, which is the item's name.
    Named {
        of: &'static Shape,
        min: usize,
        item: &'static str,
    },
    /// An object with free keys.
    Map(&'static Shape),
    Object(&'static Object),
    /// One of several, told apart by the value's type.
    Choice(&'static [Shape]),
    /// A task, told apart by the keyword of its kind.
    Task,
}

/// An object with known keys.
#[derive(Debug)]
pub(crate) struct Object {
    /// As messages name it: `a switch case`.
    pub(crate) name: &'static str,
    /// The key of its definition in the editor's schema.
    pub(crate) definition: &'static str,
    pub(crate) fields: &'static [Field],
    pub(crate) group: Group,
    pub(crate) extra: Extra,
}

/// How many of an object's keys must be there.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Group {
    Free,
    AtLeastOne,
    ExactlyOne(&'static [&'static str]),
}

/// Keys that the table does not list.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Extra {
    Refused,
    /// The published schema takes them, but they would be ignored.
    RefusedStrictly,
    Taken,
}

/// One key of an object.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    pub(crate) key: &'static str,
    pub(crate) description: &'static str,
    pub(crate) shape: Shape,
    pub(crate) need: Need,
    /// Our own addition, which the published schema takes as free data.
    pub(crate) own: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    Optional,
    Required,
    /// Optional by the published schema, but nothing works without it.
    RequiredStrictly,
}

impl Field {
    pub(crate) const fn new(key: &'static str, description: &'static str, shape: Shape) -> Self {
        Self {
            key,
            description,
            shape,
            need: Need::Optional,
            own: false,
        }
    }

    pub(crate) const fn required(mut self) -> Self {
        self.need = Need::Required;
        self
    }

    pub(crate) const fn required_strictly(mut self) -> Self {
        self.need = Need::RequiredStrictly;
        self
    }

    pub(crate) const fn own(mut self) -> Self {
        self.own = true;
        self
    }

    /// Whether nothing works without it.
    const fn is_needed(&self) -> bool {
        !matches!(self.need, Need::Optional)
    }
}
