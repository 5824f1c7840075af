//! RFC 6570 URI templates, levels 1 to 3, over the top-level names of an object (DSL 1.0.3).
//!
//! Deliberately absent: level 4 (prefixes and explode). Values are numbers, booleans, texts, or lists of them.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

/// All but RFC 3986 "unreserved".
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// All but "unreserved" and "reserved": for `+` and `#`.
const UNSAFE: &AsciiSet = &RESERVED
    .remove(b':')
    .remove(b'/')
    .remove(b'?')
    .remove(b'#')
    .remove(b'[')
    .remove(b']')
    .remove(b'@')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=');

/// Why a template could not be expanded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Problem {
    #[error("{{{0}}} is not a URI template expression")]
    Expression(String),
    #[error("a {{ has no }} after it")]
    Unclosed,
    #[error("the input has no {0:?} for the URI template")]
    Missing(String),
    #[error("{0:?} is an object, which a URI template can't hold")]
    Object(String),
}

struct Operator {
    lead: &'static str,
    separator: &'static str,
    named: bool,
    /// `;` leaves the `=` of an empty value out.
    bare_when_empty: bool,
    set: &'static AsciiSet,
}

fn operator(first: u8) -> Option<Operator> {
    let plain = |lead, separator, set| Operator {
        lead,
        separator,
        named: false,
        bare_when_empty: false,
        set,
    };
    let named = |lead, separator, bare_when_empty| Operator {
        lead,
        separator,
        named: true,
        bare_when_empty,
        set: RESERVED,
    };
    Some(match first {
        b'+' => plain("", ",", UNSAFE),
        b'#' => plain("#", ",", UNSAFE),
        b'.' => plain(".", ".", RESERVED),
        b'/' => plain("/", "/", RESERVED),
        b';' => named(";", ";", true),
        b'?' => named("?", "&", false),
        b'&' => named("&", "&", false),
        _ => return None,
    })
}

/// A name that the input lacks is an error where it would leave a hole in the address, and is left out
/// of `{?query}` and `{&query}`.
pub(crate) fn expand(template: &str, input: &Value) -> Result<String, Problem> {
    let mut url = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(start) = rest.find('{') {
        url.push_str(&rest[..start]);
        let end = rest[start..].find('}').ok_or(Problem::Unclosed)? + start;
        expression(&rest[start + 1..end], input, &mut url)?;
        rest = &rest[end + 1..];
    }
    url.push_str(rest);
    Ok(url)
}

fn expression(source: &str, input: &Value, url: &mut String) -> Result<(), Problem> {
    let (operator, names) = match source.bytes().next().and_then(operator) {
        Some(operator) => (operator, &source[1..]),
        None => (
            Operator {
                lead: "",
                separator: ",",
                named: false,
                bare_when_empty: false,
                set: RESERVED,
            },
            source,
        ),
    };
    let mut first = true;
    for name in names.split(',') {
        if name.is_empty()
            || !name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"_.-%".contains(&b) || b >= 0x80)
        {
            return Err(Problem::Expression(source.to_owned()));
        }
        let value = match input.get(name) {
            None | Some(Value::Null) if operator.named => continue,
            None | Some(Value::Null) => return Err(Problem::Missing(name.to_owned())),
            Some(value) => {
                text(value, operator.set).ok_or_else(|| Problem::Object(name.to_owned()))?
            }
        };
        url.push_str(if first {
            operator.lead
        } else {
            operator.separator
        });
        first = false;
        if operator.named {
            url.push_str(name);
            if !(value.is_empty() && operator.bare_when_empty) {
                url.push('=');
            }
        }
        url.push_str(&value);
    }
    Ok(())
}

fn text(value: &Value, set: &'static AsciiSet) -> Option<String> {
    match value {
        Value::String(text) => Some(utf8_percent_encode(text, set).to_string()),
        Value::Number(_) | Value::Bool(_) => {
            Some(utf8_percent_encode(&value.to_string(), set).to_string())
        }
        Value::Array(items) => {
            let items: Option<Vec<String>> = items
                .iter()
                .map(|item| {
                    if item.is_array() {
                        None
                    } else {
                        text(item, set)
                    }
                })
                .collect();
            Some(items?.join(","))
        }
        Value::Object(_) | Value::Null => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The values of RFC 6570, section 3.2.
    fn values() -> Value {
        json!({
            "var": "value", "hello": "Hello World!", "path": "/foo/bar", "empty": "", "x": 1024,
            "y": 768, "half": "50%", "base": "http://example.com/home/", "list": ["red", "green"],
            "who": "fred", "flag": true, "object": {}, "nothing": null,
        })
    }

    #[test]
    fn the_examples_of_the_rfc() {
        for (template, expected) in [
            ("{var}", "value"),
            ("{hello}", "Hello%20World%21"),
            ("{+hello}", "Hello%20World!"),
            ("{+path}/here", "/foo/bar/here"),
            ("here?ref={+path}", "here?ref=/foo/bar"),
            ("{base}index", "http%3A%2F%2Fexample.com%2Fhome%2Findex"),
            ("{+base}index", "http://example.com/home/index"),
            ("{half}", "50%25"),
            ("map?{x,y}", "map?1024,768"),
            ("{x,hello,y}", "1024,Hello%20World%21,768"),
            ("{#path,x}/here", "#/foo/bar,1024/here"),
            ("X{.var}", "X.value"),
            ("{/var,x}/here", "/value/1024/here"),
            ("{;x,y,empty}", ";x=1024;y=768;empty"),
            ("{?x,y,empty}", "?x=1024&y=768&empty="),
            ("{?x,nobody}", "?x=1024"),
            ("?fixed=yes{&x}", "?fixed=yes&x=1024"),
            ("{list}", "red,green"),
            ("{flag}", "true"),
            ("https://example.com/plain", "https://example.com/plain"),
        ] {
            assert_eq!(
                expand(template, &values()).as_deref(),
                Ok(expected),
                "{template}"
            );
        }
    }

    #[test]
    fn what_can_not_be_expanded_is_named() {
        for (template, expected) in [
            ("{nobody}", Problem::Missing("nobody".to_owned())),
            ("{nothing}", Problem::Missing("nothing".to_owned())),
            ("{object}", Problem::Object("object".to_owned())),
            ("a{var", Problem::Unclosed),
            ("{}", Problem::Expression(String::new())),
            ("{a b}", Problem::Expression("a b".to_owned())),
        ] {
            assert_eq!(expand(template, &values()), Err(expected), "{template}");
        }
        assert_eq!(
            expand("{x}", &json!([1])),
            Err(Problem::Missing("x".to_owned()))
        );
    }
}
