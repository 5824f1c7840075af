//! The words in which an operation is described.

use flame_errors::Code;
use utoipa::ToSchema;
use utoipa::openapi::{Ref, RefOr, Schema};

/// HTTP method of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    Get,
    Put,
    Post,
    Delete,
}

impl Method {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Put => "PUT",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }
}

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Whoever passes the Host and Origin lists.
    Open,
    /// Whoever passes the lists and what the webhook's document declares.
    Hook,
    /// Whoever passes the lists and holds the bearer token.
    Token,
}

/// What one operation takes, answers and refuses.
#[derive(Debug)]
pub struct Description {
    /// `operationId`.
    pub id: &'static str,
    pub method: Method,
    /// Template with `{name}` for each variable segment.
    pub path: &'static str,
    pub tag: &'static str,
    pub summary: &'static str,
    pub access: Access,
    /// Query and header parameters; those of the path follow from the template.
    pub parameters: &'static [Parameter],
    pub body: Option<Body>,
    pub answers: &'static [Answer],
    /// Problems of its own, beside those that every operation may answer.
    pub codes: &'static [Code],
}

/// A query or header parameter.
#[derive(Debug)]
pub struct Parameter {
    pub name: &'static str,
    pub place: ParameterPlace,
    pub required: bool,
    pub description: &'static str,
    pub schema: fn() -> RefOr<Schema>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterPlace {
    Query,
    Header,
}

impl Parameter {
    /// An optional query parameter.
    pub(super) const fn query<T: ToSchema>(name: &'static str, description: &'static str) -> Self {
        Self {
            name,
            place: ParameterPlace::Query,
            required: false,
            description,
            schema: || T::schema(),
        }
    }

    /// An optional header.
    pub(super) const fn header(name: &'static str, description: &'static str) -> Self {
        Self {
            name,
            place: ParameterPlace::Header,
            required: false,
            description,
            schema: || <String as utoipa::PartialSchema>::schema(),
        }
    }

    pub(super) const fn required(mut self) -> Self {
        self.required = true;
        self
    }
}

/// What a request carries.
#[derive(Debug)]
pub struct Body {
    pub description: &'static str,
    /// Content types; any other is refused with 415. Empty where a document declares its own.
    pub types: &'static [&'static str],
    /// `None` where any JSON or text of these types may stand.
    pub shape: Option<Shape>,
    pub required: bool,
    /// More than this is refused with 413; `None` where the body streams.
    pub bytes_max: Option<usize>,
}

/// An answer of success.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub description: &'static str,
    /// Content type and shape; `None` has no body.
    pub content: Option<(&'static str, Option<Shape>)>,
}

impl Answer {
    pub(super) const fn json<T: ToSchema>(status: u16, description: &'static str) -> Self {
        Self {
            status,
            description,
            content: Some((super::media::JSON, Some(Shape::of::<T>()))),
        }
    }

    pub(super) const fn none(status: u16, description: &'static str) -> Self {
        Self {
            status,
            description,
            content: None,
        }
    }

    pub(super) const fn stream<T: ToSchema>(description: &'static str) -> Self {
        let content = Some((super::media::EVENT_STREAM, Some(Shape::of::<T>())));
        Self {
            status: 200,
            description,
            content,
        }
    }
}

/// A named schema of the document.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// A reference to the schema.
    pub reference: fn() -> RefOr<Schema>,
    /// Adds the schema, and all it refers to, by name.
    pub collect: fn(&mut Vec<(String, RefOr<Schema>)>),
}

impl Shape {
    pub const fn of<T: ToSchema>() -> Self {
        Self {
            reference: || RefOr::Ref(Ref::from_schema_name(T::name())),
            collect: |schemas| {
                T::schemas(schemas);
                schemas.push((T::name().into_owned(), T::schema()));
            },
        }
    }
}
