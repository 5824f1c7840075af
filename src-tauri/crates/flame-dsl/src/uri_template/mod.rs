//! RFC 6570 URI templates, all four levels: their syntax, checked before a run meets it, and what they
//! become over the top-level names of an object (DSL 1.0.3).

mod expand;

pub use expand::UriTemplateMisfit;

/// Where a template is wrong; `offset` is in bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct UriTemplateError {
    pub message: &'static str,
    pub offset: usize,
}

/// A template whose syntax is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UriTemplate<'t> {
    parts: Vec<Part<'t>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part<'t> {
    Literal(&'t str),
    Expression(Expression<'t>),
}

/// What stands between braces: an operator, then names with modifiers.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Expression<'t> {
    /// One of `+#./;?&`, or none.
    operator: Option<u8>,
    variables: Vec<Variable<'t>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Variable<'t> {
    name: &'t str,
    explode: bool,
    characters_max: Option<usize>,
}

impl<'t> UriTemplate<'t> {
    pub fn parse(template: &'t str) -> Result<Self, UriTemplateError> {
        let mut parts = Vec::new();
        let mut at = 0;
        while let Some(found) = template[at..].find(['{', '}']) {
            let open = at + found;
            if template[open..].starts_with('}') {
                return Err(fault("a '}' without its '{'", open));
            }
            let inside = &template[open + 1..];
            let Some(length) = inside.find('}') else {
                return Err(fault("a '{' without its '}'", open));
            };
            parts.push(Part::Literal(&template[at..open]));
            parts.push(Part::Expression(expression(&inside[..length], open + 1)?));
            at = open + 1 + length + 1;
        }
        parts.push(Part::Literal(&template[at..]));
        Ok(Self { parts })
    }

    /// The names that it takes from the task's input, in order.
    pub fn names(&self) -> impl Iterator<Item = &'t str> {
        self.parts.iter().flat_map(|part| {
            let variables = match part {
                Part::Literal(_) => &[][..],
                Part::Expression(expression) => &expression.variables,
            };
            variables.iter().map(|variable| variable.name)
        })
    }
}

const fn fault(message: &'static str, offset: usize) -> UriTemplateError {
    UriTemplateError { message, offset }
}

fn expression(text: &str, offset: usize) -> Result<Expression<'_>, UriTemplateError> {
    let list = text
        .strip_prefix(['+', '#', '.', '/', ';', '?', '&'])
        .unwrap_or(text);
    let mut at = offset + text.len() - list.len();
    if list.is_empty() {
        return Err(fault("the braces hold no name", offset));
    }
    let mut variables = Vec::new();
    for text in list.split(',') {
        variables.push(variable(text, at)?);
        at += text.len() + 1;
    }
    Ok(Expression {
        operator: (list.len() < text.len()).then(|| text.as_bytes()[0]),
        variables,
    })
}

fn variable(text: &str, offset: usize) -> Result<Variable<'_>, UriTemplateError> {
    let variable = match text.split_once(':') {
        Some((name, length)) => {
            let good = length.len() <= 4
                && length.starts_with(|c: char| ('1'..='9').contains(&c))
                && length.bytes().all(|b| b.is_ascii_digit());
            if !good {
                return Err(fault(
                    "a prefix length is a number from 1 to 9999",
                    offset + name.len(),
                ));
            }
            Variable {
                name,
                explode: false,
                characters_max: length.parse().ok(),
            }
        }
        None => Variable {
            name: text.strip_suffix('*').unwrap_or(text),
            explode: text.ends_with('*'),
            characters_max: None,
        },
    };
    let letter = |c: char| c.is_alphanumeric() || c == '_' || c == '.' || c == '%' || c == '-';
    if variable.name.is_empty() || !variable.name.chars().all(letter) {
        return Err(fault(
            "between braces stands a name of the task's input, such as {id}",
            offset,
        ));
    }
    Ok(variable)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(template: &str) -> Vec<&str> {
        UriTemplate::parse(template).unwrap().names().collect()
    }

    #[test]
    fn names_are_found_in_every_operator() {
        let template = "https://e.com{/a,b}{?c*,d:3}{#e}{+f}/x{g_1.h}{&i}{;j}{.k}";
        let expected = ["a", "b", "c", "d", "e", "f", "g_1.h", "i", "j", "k"];
        assert_eq!(names(template), expected);
        assert!(names("https://e.com/plain").is_empty());
    }

    #[test]
    fn what_is_wrong_has_a_place() {
        for (template, offset) in [
            ("a{", 1),
            ("a}", 1),
            ("a{}", 2),
            ("a{b c}", 2),
            ("a{b,}", 4),
            ("a{b:0}", 3),
            ("ä{ .id }", 3),
            ("a{b{c}}", 2),
        ] {
            assert_eq!(
                UriTemplate::parse(template).unwrap_err().offset,
                offset,
                "{template}"
            );
        }
    }
}
