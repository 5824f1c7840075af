//! What a template becomes over a run's data.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::{Expression, Part, UriTemplate, Variable};

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

/// Why the input does not fit a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UriTemplateMisfit {
    #[error(
        "{0:?} is a list or an object, and {{{0}}} takes a text, a number or a boolean; {{{0}*}} takes its parts"
    )]
    NotScalar(String),
    #[error(
        "{0:?} holds a list or an object within a list or an object, which an address can't hold"
    )]
    Nested(String),
    #[error(
        "the input makes {0:?} a step of the path, which leads to another address than the document's"
    )]
    Step(String),
}

/// RFC 6570, appendix A: how an operator writes its values.
struct Operator {
    lead: &'static str,
    separator: &'static str,
    named: bool,
    /// What follows the name of an empty value.
    empty: &'static str,
    set: &'static AsciiSet,
}

impl UriTemplate<'_> {
    /// A name that the input lacks, or has as null, adds nothing (DSL 1.0.3, "URI Template", and RFC 6570). A list or
    /// an object in `{name}` is an error, also by that reference. So are `.` and `..` where a value makes them a step
    /// of the path, unless `+` lets it bring slashes too: whoever calls the address takes such steps.
    pub fn expand(&self, input: &Value) -> Result<String, UriTemplateMisfit> {
        let mut url = String::new();
        // The same with a letter in place of each value that may not bring steps.
        let mut harmless = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(text) => {
                    url.push_str(text);
                    harmless.push_str(text);
                }
                Part::Expression(expression) => {
                    let before = url.len();
                    expand(expression, input, &mut url)?;
                    match expression.operator {
                        Some(b'+' | b'#' | b'?') => harmless.push_str(&url[before..]),
                        _ => harmless.push('x'),
                    }
                }
            }
        }
        match steps(&url).last() {
            Some(step) if steps(&url).count() > steps(&harmless).count() => {
                Err(UriTemplateMisfit::Step(step.to_owned()))
            }
            _ => Ok(url),
        }
    }
}

/// The steps of a path that lead elsewhere.
fn steps(url: &str) -> impl Iterator<Item = &str> {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    path.split('/').filter(|step| matches!(*step, "." | ".."))
}

fn expand(
    expression: &Expression<'_>,
    input: &Value,
    url: &mut String,
) -> Result<(), UriTemplateMisfit> {
    let operator = operator(expression.operator);
    let mut separator = operator.lead;
    for variable in &expression.variables {
        let name = || variable.name.to_owned();
        let value = match input.get(variable.name) {
            None | Some(Value::Null) => continue,
            Some(value) => value,
        };
        let is_simple = expression.operator.is_none() && !variable.explode;
        if is_simple && (value.is_array() || value.is_object()) {
            return Err(UriTemplateMisfit::NotScalar(name()));
        }
        let parts =
            parts(&operator, variable, value).ok_or_else(|| UriTemplateMisfit::Nested(name()))?;
        for part in parts {
            url.push_str(separator);
            url.push_str(&part);
            separator = operator.separator;
        }
    }
    Ok(())
}

fn operator(character: Option<u8>) -> Operator {
    let plain = |lead, separator, set| Operator {
        lead,
        separator,
        named: false,
        empty: "",
        set,
    };
    let named = |lead, separator, empty| Operator {
        lead,
        separator,
        named: true,
        empty,
        set: RESERVED,
    };
    match character {
        Some(b'+') => plain("", ",", UNSAFE),
        Some(b'#') => plain("#", ",", UNSAFE),
        Some(b'.') => plain(".", ".", RESERVED),
        Some(b'/') => plain("/", "/", RESERVED),
        Some(b';') => named(";", ";", ""),
        Some(b'?') => named("?", "&", "="),
        Some(b'&') => named("&", "&", "="),
        _ => plain("", ",", RESERVED),
    }
}

/// What one variable adds, each part led by a separator; none for an empty list or object.
fn parts(operator: &Operator, variable: &Variable<'_>, value: &Value) -> Option<Vec<String>> {
    let name = variable.name;
    let pairs: Option<Vec<(String, String)>> = match value {
        Value::Array(items) => items
            .iter()
            .map(|item| Some((name.to_owned(), text(item, operator, None)?)))
            .collect(),
        Value::Object(members) => members
            .iter()
            .map(|(key, item)| Some((encode(key, operator), text(item, operator, None)?)))
            .collect(),
        value => {
            let text = text(value, operator, variable.characters_max)?;
            return Some(vec![labelled(
                operator,
                operator.named.then_some(name),
                &text,
            )]);
        }
    };
    let pairs = pairs?;
    if variable.explode {
        let label = |key: &str| (operator.named || value.is_object()).then(|| key.to_owned());
        let part = |(key, text): &(String, String)| labelled(operator, label(key).as_deref(), text);
        return Some(pairs.iter().map(part).collect());
    }
    if pairs.is_empty() {
        return Some(Vec::new());
    }
    let joined = |(key, text): (String, String)| match value {
        Value::Object(_) => format!("{key},{text}"),
        _ => text,
    };
    let text = pairs.into_iter().map(joined).collect::<Vec<_>>().join(",");
    Some(vec![labelled(
        operator,
        operator.named.then_some(name),
        &text,
    )])
}

fn labelled(operator: &Operator, name: Option<&str>, text: &str) -> String {
    match name {
        None => text.to_owned(),
        Some(name) if text.is_empty() => format!("{name}{}", operator.empty),
        Some(name) => format!("{name}={text}"),
    }
}

fn text(value: &Value, operator: &Operator, characters_max: Option<usize>) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(_) | Value::Bool(_) => value.to_string(),
        Value::Null => String::new(),
        Value::Array(_) | Value::Object(_) => return None,
    };
    let cut = match characters_max {
        Some(max) => text.chars().take(max).collect(),
        None => text,
    };
    Some(encode(&cut, operator))
}

fn encode(text: &str, operator: &Operator) -> String {
    utf8_percent_encode(text, operator.set).to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{UriTemplate, UriTemplateMisfit, Value};

    fn expand(template: &str, input: &Value) -> Result<String, UriTemplateMisfit> {
        UriTemplate::parse(template).unwrap().expand(input)
    }

    /// The values of RFC 6570, section 3.2.
    fn values() -> Value {
        json!({
            "var": "value", "hello": "Hello World!", "path": "/foo/bar", "empty": "", "x": 1024,
            "y": 768, "half": "50%", "base": "http://example.com/home/", "v": "6",
            "list": ["red", "green", "blue"], "keys": {"semi": ";", "dot": ".", "comma": ","},
            "nothing": null, "none": [], "flag": true, "deep": [[1]], "umlaut": "äöü",
        })
    }

    #[test]
    fn the_examples_of_the_rfc() {
        for (template, expected) in [
            ("{var}", "value"),
            ("{hello}", "Hello%20World%21"),
            ("{+hello}", "Hello%20World!"),
            ("{+path}/here", "/foo/bar/here"),
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
            ("{?nobody}", ""),
            ("{x,nobody,nothing,y}", "1024,768"),
            ("a/{nobody}/b", "a//b"),
            ("a{/nobody,x}", "a/1024"),
            ("a{#nothing}", "a"),
            ("?fixed=yes{&x}", "?fixed=yes&x=1024"),
            ("{var:3}", "val"),
            ("{var:30}", "value"),
            ("{+path:6}/here", "/foo/b/here"),
            ("{?var:3}", "?var=val"),
            ("{umlaut:2}", "%C3%A4%C3%B6"),
            ("{+list}", "red,green,blue"),
            ("{list*}", "red,green,blue"),
            ("{keys*}", "semi=%3B,dot=.,comma=%2C"),
            ("{+keys}", "semi,;,dot,.,comma,,"),
            ("X{.list*}", "X.red.green.blue"),
            ("{/list}", "/red,green,blue"),
            ("{/list*}", "/red/green/blue"),
            ("{;keys*}", ";semi=%3B;dot=.;comma=%2C"),
            ("{?list}", "?list=red,green,blue"),
            ("{?list*}", "?list=red&list=green&list=blue"),
            ("{?keys}", "?keys=semi,%3B,dot,.,comma,%2C"),
            ("{?keys*}", "?semi=%3B&dot=.&comma=%2C"),
            ("{?none,x}", "?x=1024"),
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
    fn a_value_is_no_step_to_another_address() {
        let input =
            json!({"up": "..", "dot": ".", "two": ["a", ".."], "name": "a..b", "empty": ""});
        for (template, step) in [
            ("http://e.com/users/{up}/orders", ".."),
            ("http://e.com/users/{dot}{dot}", ".."),
            ("http://e.com/users/.{empty}/orders", "."),
            ("http://e.com{/two*}", ".."),
            ("http://e.com/a{/up}?x=1", ".."),
            ("http://e.com/a/{.dot}", ".."),
        ] {
            let found = expand(template, &input);
            assert_eq!(
                found,
                Err(UriTemplateMisfit::Step(step.to_owned())),
                "{template}"
            );
        }
        for template in [
            "http://e.com/a/../{name}",
            "http://e.com/{name}?up={up}",
            "http://e.com/a{?up}",
            "http://e.com/a/{+up}/b",
            "http://e.com/{up}{name}",
        ] {
            assert!(expand(template, &input).is_ok(), "{template}");
        }
    }

    #[test]
    fn what_can_not_be_expanded_is_named() {
        for (template, expected) in [
            ("{list}", UriTemplateMisfit::NotScalar("list".to_owned())),
            ("{x,keys}", UriTemplateMisfit::NotScalar("keys".to_owned())),
            ("{deep*}", UriTemplateMisfit::Nested("deep".to_owned())),
            ("{?deep}", UriTemplateMisfit::Nested("deep".to_owned())),
        ] {
            assert_eq!(expand(template, &values()), Err(expected), "{template}");
        }
        assert_eq!(
            UriTemplateMisfit::NotScalar("list".to_owned()).to_string(),
            "\"list\" is a list or an object, and {list} takes a text, a number or a boolean; {list*} takes its parts"
        );
    }

    #[test]
    fn an_input_without_names_fills_in_nothing() {
        for input in [json!([1]), json!("x"), Value::Null] {
            assert_eq!(expand("a{x}b{?y}", &input).as_deref(), Ok("ab"));
        }
    }

    /// "identifiers are treated verbatim": a dot leads into no object.
    #[test]
    fn a_name_with_dots_is_the_name_of_a_member() {
        let input = json!({"pet": {"id": 1}, "pet.id": 2});
        assert_eq!(expand("pets/{pet.id}", &input).as_deref(), Ok("pets/2"));
        let without = json!({"pet": {"id": 1}});
        assert_eq!(expand("pets/{pet.id}", &without).as_deref(), Ok("pets/"));
    }
}
