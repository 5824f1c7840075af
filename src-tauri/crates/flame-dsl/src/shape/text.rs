//! Rules for text: what a string must look like where it stands.

use flame_types::{Namespace, Version};

use super::did_you_mean;
use crate::duration;
use crate::problem::Rule;

/// What a text must look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextRule {
    Free,
    NotEmpty,
    /// `document.namespace` and `document.name`.
    Label,
    SemanticVersion,
    /// `document.dsl`.
    DslVersion,
    /// jq, bare or within `${ }`.
    Expression,
    /// jq within `${ }`.
    RuntimeExpression,
    /// ISO 8601, or `${ }`.
    Duration,
    /// An absolute URI template for HTTP, or `${ }`.
    Endpoint,
    /// Where a document is: as an endpoint, or a `file:` URI.
    Resource,
    /// The name or address of a host.
    Host,
    /// A URI reference, or `${ }`.
    Uri,
    /// A method's name, or `${ }`.
    Method,
    /// A jq variable's name, without `$`.
    Variable,
    /// `continue`, `exit`, `end` or the name of a task in the same list.
    Flow,
    /// Not empty, as the published schema has it.
    Filled,
    /// The address of an authority: absolute, perhaps a URI template.
    Authority,
    OneOf(&'static [&'static str]),
}

/// Why a text is refused.
pub(super) struct Fault {
    pub(super) rule: Rule,
    pub(super) message: String,
    pub(super) hint: String,
}

impl Fault {
    fn shape(message: impl Into<String>, hint: impl Into<String>) -> Result<(), Self> {
        Err(Self {
            rule: Rule::Shape,
            message: message.into(),
            hint: hint.into(),
        })
    }

    fn strict(message: impl Into<String>, hint: impl Into<String>) -> Result<(), Self> {
        Err(Self {
            rule: Rule::Strict,
            message: message.into(),
            hint: hint.into(),
        })
    }
}

const EXPRESSION_HINT: &str = "write jq within ${ }, such as ${ .order.id }";

impl TextRule {
    /// What is expected, as a message says it.
    pub(super) const fn expected(self) -> &'static str {
        match self {
            Self::Free | Self::NotEmpty | Self::Filled | Self::OneOf(_) => "text",
            Self::Label | Self::Flow => "a name",
            Self::Variable => "a variable's name",
            Self::SemanticVersion | Self::DslVersion => "a version in quotes, such as '1.0.0'",
            Self::Expression => "a jq expression",
            Self::RuntimeExpression => "an expression such as ${ .items }",
            Self::Duration => "a duration such as PT5S",
            Self::Endpoint => "a URI such as https://example.com/orders/{id}",
            Self::Resource => "a URI such as https://example.com/openapi.json",
            Self::Host => "the name of a host",
            Self::Uri => "a URI",
            Self::Authority => "an address such as https://login.example.com",
            Self::Method => "an HTTP method",
        }
    }

    /// What to write where a number was written; `None` where quotes would do.
    pub(super) const fn example(self) -> Option<&'static str> {
        match self {
            Self::SemanticVersion => Some("three numbers in quotes, such as '1.0.0'"),
            Self::DslVersion => Some("'1.0.3'"),
            Self::Duration => Some("a unit too, such as PT5S or {seconds: 5}"),
            _ => None,
        }
    }

    /// The pattern that goes into the editor's schema.
    pub(super) const fn pattern(self) -> Option<&'static str> {
        match self {
            Self::Label => Some("^[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$"),
            Self::SemanticVersion => Some(r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)"),
            Self::DslVersion => Some(r"^1\.0\.\d+"),
            Self::RuntimeExpression => Some(r"^\s*\$\{[\s\S]+\}\s*$"),
            Self::Duration => Some(r"^(P(?!$).+|\s*\$\{[\s\S]+\}\s*)$"),
            Self::Endpoint => Some(r"^([hH][tT][tT][pP][sS]?://.*|\s*\$\{[\s\S]+\}\s*)$"),
            Self::Resource => Some(r"^([hH][tT][tT][pP][sS]?://.*|file://.*|\s*\$\{[\s\S]+\}\s*)$"),
            Self::Host => Some("^[a-zA-Z0-9](?:[a-zA-Z0-9-.]{0,61}[a-zA-Z0-9])?$"),
            Self::Variable => Some("^[A-Za-z_][A-Za-z0-9_]*$"),
            Self::Authority => Some("^[hH][tT][tT][pP][sS]?://"),
            Self::NotEmpty | Self::Filled | Self::Expression | Self::Uri | Self::Method => {
                Some(r"\S")
            }
            Self::Free | Self::Flow | Self::OneOf(_) => None,
        }
    }

    pub(super) fn check(self, text: &str) -> Result<(), Fault> {
        match self {
            // Expressions are compiled, flow targets looked up, when the whole document is known.
            Self::Free | Self::Flow | Self::Expression => Ok(()),
            Self::NotEmpty => not_blank(text),
            Self::Label => label(text),
            Self::SemanticVersion => semantic_version(text),
            Self::DslVersion => dsl_version(text),
            Self::RuntimeExpression if is_runtime_expression(text) => Ok(()),
            Self::RuntimeExpression => Fault::shape("not a runtime expression", EXPRESSION_HINT),
            Self::Duration => duration_text(text),
            Self::Endpoint => endpoint(text),
            Self::Resource if text.starts_with("file://") => Ok(()),
            Self::Resource => resource(text),
            Self::Host => host(text),
            Self::Uri => uri(text),
            Self::Method => method(text),
            Self::Variable => variable(text),
            Self::Filled => filled(text),
            Self::Authority => authority(text),
            Self::OneOf(words) => one_of(text, words),
        }
    }
}

/// Text that is, as a whole, one `${ }`; the white space around it does not count.
fn is_runtime_expression(text: &str) -> bool {
    let text = text.trim();
    text.len() > 3 && text.starts_with("${") && text.ends_with('}')
}

fn not_blank(text: &str) -> Result<(), Fault> {
    if text.trim().is_empty() {
        return Fault::strict("the text is empty", "write a value or remove the key");
    }
    Ok(())
}

fn filled(text: &str) -> Result<(), Fault> {
    if text.is_empty() {
        return Fault::shape("the text is empty", "write a name or remove the key");
    }
    not_blank(text)
}

fn authority(text: &str) -> Result<(), Fault> {
    let hint = "such as https://login.example.com/realms/shop; {name} takes a value of the input";
    match text.split_once("://") {
        Some((scheme, _)) if matches!(scheme.to_ascii_lowercase().as_str(), "http" | "https") => {
            Ok(())
        }
        Some(_) => Fault::strict("the address of an authority is an HTTP address", hint),
        None => Fault::strict("not the address of an authority", hint),
    }
}

fn label(text: &str) -> Result<(), Fault> {
    match text.parse::<Namespace>() {
        Ok(_) => Ok(()),
        Err(error) => Fault::shape(
            "not a name that can stand in an address",
            format!("use {}", error.expected),
        ),
    }
}

fn semantic_version(text: &str) -> Result<(), Fault> {
    match text.parse::<Version>() {
        Ok(_) => Ok(()),
        Err(_) => Fault::shape(
            "not a semantic version",
            "three numbers with dots, such as 1.0.0",
        ),
    }
}

fn dsl_version(text: &str) -> Result<(), Fault> {
    semantic_version(text)?;
    if text.starts_with("1.0.") && !text.contains('-') {
        return Ok(());
    }
    let hint = if text.starts_with("0.") || text.starts_with("1.0.0-") {
        "documents before 1.0.0 have another structure: rewrite it for 1.0.3"
    } else {
        "this release reads 1.0.0 to 1.0.3; newer versions need a newer release"
    };
    Fault::strict("this version of the DSL can't be read", hint)
}

fn duration_text(text: &str) -> Result<(), Fault> {
    if is_runtime_expression(text) {
        return Ok(());
    }
    match duration::parse_iso8601(text) {
        Ok(_) => Ok(()),
        Err(error) => Err(Fault {
            rule: if error.is_shape() {
                Rule::Shape
            } else {
                Rule::Strict
            },
            message: error.to_string(),
            hint:
                "write ISO 8601 such as PT1H30M, an object such as {hours: 1, minutes: 30}, or ${ }"
                    .to_owned(),
        }),
    }
}

fn endpoint(text: &str) -> Result<(), Fault> {
    if is_runtime_expression(text) {
        return Ok(());
    }
    let scheme = text.split_once("://").map(|(scheme, _)| scheme);
    let is_http =
        scheme.is_some_and(|s| s.eq_ignore_ascii_case("http") || s.eq_ignore_ascii_case("https"));
    if is_http {
        return Ok(());
    }
    Fault::strict(
        "not an absolute HTTP address",
        "begin with http:// or https://, or write an expression within ${ }",
    )
}

fn resource(text: &str) -> Result<(), Fault> {
    endpoint(text).or_else(|_| {
        Fault::strict(
            "not the address of a document",
            "begin with https://, http:// or, for a file of the resources folder, file:///",
        )
    })
}

fn uri(text: &str) -> Result<(), Fault> {
    let has_scheme = text
        .split_once("://")
        .is_some_and(|(scheme, _)| scheme.starts_with(|c: char| c.is_ascii_alphabetic()));
    let is_reference = !text.is_empty() && !text.contains(char::is_whitespace);
    if is_runtime_expression(text) || has_scheme || is_reference {
        return Ok(());
    }
    Fault::shape(
        "not a URI",
        "write a URI such as https://example.com/errors/not-found, or ${ }",
    )
}

fn host(text: &str) -> Result<(), Fault> {
    let is_letter = |c: char| c.is_ascii_alphanumeric();
    let is_name = text.len() <= 63
        && text.starts_with(is_letter)
        && text.ends_with(is_letter)
        && text.chars().all(|c| is_letter(c) || matches!(c, '-' | '.'));
    if is_name {
        return Ok(());
    }
    Fault::shape(
        "not the name of a host",
        "such as localhost or orders.example.com; the port has a key of its own",
    )
}

fn method(text: &str) -> Result<(), Fault> {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if is_runtime_expression(text) || (!text.is_empty() && text.chars().all(is_token)) {
        return Ok(());
    }
    Fault::strict(
        "not an HTTP method",
        "such as get, post, put, patch or delete",
    )
}

fn variable(text: &str) -> Result<(), Fault> {
    let mut letters = text.chars();
    let first_good = letters
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    if first_good && letters.all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Ok(());
    }
    let hint = match text.strip_prefix('$') {
        Some(rest) => format!("leave the $ out: {rest}"),
        None => "letters, digits and _, a letter first".to_owned(),
    };
    Fault::strict("not a name that an expression can use", hint)
}

fn one_of(text: &str, words: &'static [&'static str]) -> Result<(), Fault> {
    if words.contains(&text) {
        return Ok(());
    }
    let list = words.join(", ");
    Fault::shape(
        format!("must be one of {list}"),
        did_you_mean(text, words.iter().copied()).unwrap_or_else(|| format!("write one of {list}")),
    )
}
