//! JSON with `${ }` in its texts to a [`Template`] and back to JSON. Expressions that stand in data are
//! never evaluated: a result is taken as it is.

use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::text::{self, Part};
use super::{Expression, ExpressionError};
use crate::{Template, TextPart};

/// An expression inside a JSON value that does not compile.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{error}")]
pub struct TemplateError {
    /// JSON pointer within the value; empty for the value itself.
    pub pointer: String,
    /// Offsets count from the start of the expression's source.
    pub error: ExpressionError,
}

impl Template {
    /// Compiles each `${ }` in the value's texts; names of objects are taken as they are. `variables` are
    /// the names in scope, without `$`.
    pub fn compile(value: &Value, variables: &[&str]) -> Result<Self, TemplateError> {
        compile(value, variables, &mut String::new())
    }

    /// The JSON with each expression's result in its place. An object keeps the order of its names.
    pub fn evaluate<'v>(
        &self,
        input: &Value,
        lookup: &dyn Fn(&str) -> Option<&'v Value>,
    ) -> Result<Value, ExpressionError> {
        Ok(match self {
            Self::Literal(value) => (**value).clone(),
            Self::Expression(expression) => expression.evaluate(input, lookup)?,
            Self::Text(parts) => Value::String(join(parts, input, lookup)?),
            Self::Array(items) => Value::Array(
                items
                    .iter()
                    .map(|item| item.evaluate(input, lookup))
                    .collect::<Result<_, _>>()?,
            ),
            Self::Object(members) => {
                let mut object = Map::with_capacity(members.len());
                for (name, member) in members {
                    object.insert(name.clone(), member.evaluate(input, lookup)?);
                }
                Value::Object(object)
            }
        })
    }
}

fn compile(
    value: &Value,
    variables: &[&str],
    pointer: &mut String,
) -> Result<Template, TemplateError> {
    match value {
        Value::String(text) => compile_text(text, variables).map_err(|error| TemplateError {
            pointer: pointer.clone(),
            error,
        }),
        Value::Array(items) => {
            let mut compiled = Vec::with_capacity(items.len());
            for (index, item) in items.iter().enumerate() {
                compiled.push(below(pointer, &index.to_string(), |pointer| {
                    compile(item, variables, pointer)
                })?);
            }
            Ok(array(value, compiled))
        }
        Value::Object(members) => {
            let mut compiled = Vec::with_capacity(members.len());
            for (name, member) in members {
                let member = below(pointer, name, |pointer| compile(member, variables, pointer))?;
                compiled.push((name.clone(), member));
            }
            Ok(object(value, compiled))
        }
        _ => Ok(literal(value)),
    }
}

fn literal(value: &Value) -> Template {
    Template::Literal(Arc::new(value.clone()))
}

/// An array of literals is a literal, so that it is cloned in one go.
fn array(value: &Value, items: Vec<Template>) -> Template {
    if items
        .iter()
        .all(|item| matches!(item, Template::Literal(_)))
    {
        literal(value)
    } else {
        Template::Array(items)
    }
}

fn object(value: &Value, members: Vec<(String, Template)>) -> Template {
    if members
        .iter()
        .all(|(_, member)| matches!(member, Template::Literal(_)))
    {
        literal(value)
    } else {
        Template::Object(members)
    }
}

/// Runs with the pointer one name deeper.
fn below<T>(pointer: &mut String, name: &str, run: impl FnOnce(&mut String) -> T) -> T {
    let length = pointer.len();
    pointer.push('/');
    pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
    let result = run(pointer);
    pointer.truncate(length);
    result
}

fn compile_text(source: &str, variables: &[&str]) -> Result<Template, ExpressionError> {
    if let Some(source) = text::strip(source) {
        return Expression::compile(source, variables).map(Template::Expression);
    }
    let parts = text::split(source).map_err(|error| ExpressionError::Syntax {
        message: error.to_string(),
        offset: error.offset,
    })?;
    if let [] | [Part::Literal(_)] = parts.as_slice() {
        return Ok(literal(&Value::String(source.to_owned())));
    }
    let parts = parts.into_iter().map(|part| match part {
        Part::Literal(text) => Ok(TextPart::Literal(text.to_owned())),
        Part::Expression(source) => {
            Expression::compile(source, variables).map(TextPart::Expression)
        }
    });
    parts.collect::<Result<_, _>>().map(Template::Text)
}

fn join<'v>(
    parts: &[TextPart],
    input: &Value,
    lookup: &dyn Fn(&str) -> Option<&'v Value>,
) -> Result<String, ExpressionError> {
    let mut text = String::new();
    for part in parts {
        match part {
            TextPart::Literal(literal) => text.push_str(literal),
            TextPart::Expression(expression) => match expression.evaluate(input, lookup)? {
                Value::String(result) => text.push_str(&result),
                result => write!(text, "{result}").expect("a String takes whatever is written"),
            },
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn evaluate(template: &Value, input: &Value) -> Value {
        let name = json!("Ada");
        Template::compile(template, &["name"])
            .unwrap()
            .evaluate(input, &|variable| (variable == "name").then_some(&name))
            .unwrap()
    }

    #[test]
    fn expressions_stand_anywhere() {
        let template = json!({
            "whole": "${ .a }", "text": "Hi ${ $name }, ${ .a } and ${ .b }", "plain": "a } b",
            "nested": {"list": [1, "${ .b[0] }", {"deep": "${ .missing }"}]}, "${ .a }": true,
        });
        let result = evaluate(&template, &json!({"a": {"x": 1.5}, "b": [true, null]}));
        let expected = json!({
            "whole": {"x": 1.5}, "text": "Hi Ada, {\"x\":1.5} and [true,null]", "plain": "a } b",
            "nested": {"list": [1, true, {"deep": null}]}, "${ .a }": true,
        });
        assert_eq!(result, expected);
        assert_eq!(result.to_string(), expected.to_string(), "order of names");
    }

    #[test]
    fn expressions_in_data_stay_text() {
        let data = json!({"a": "${ $name }", "b": ["x ${ error }"]});
        assert_eq!(evaluate(&json!("${ . }"), &data), data);
        assert_eq!(evaluate(&json!("<${ .a }>"), &data), json!("<${ $name }>"));
    }

    #[test]
    fn what_has_no_expression_is_a_literal() {
        let value = json!({"a": [1, "b", {"c": null}], "d": ""});
        assert!(
            matches!(Template::compile(&value, &[]).unwrap(), Template::Literal(literal) if *literal == value)
        );
    }

    #[test]
    fn an_error_names_its_place() {
        for (template, pointer) in [
            (json!("${ .a + }"), ""),
            (json!({"a/b": [0, {"c~": "${ $nobody }"}]}), "/a~1b/1/c~0"),
            (json!(["fine", "text ${ .a"]), "/1"),
            (json!({"a": "x ${ nothing_like_it } y"}), "/a"),
        ] {
            assert_eq!(
                Template::compile(&template, &[]).unwrap_err().pointer,
                pointer,
                "{template}"
            );
        }
    }
}
