//! JSON with `${ }` in its texts to a [`Template`] and back to JSON. Expressions that stand in data are
//! never evaluated: a result is taken as it is.

use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::meter::{DEPTH_MAX, Resource, VALUE_BYTES_MAX};
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

type Lookup<'l, 'v> = &'l dyn Fn(&str) -> Option<&'v Value>;

impl Template {
    /// Compiles each `${ }` in the value's texts; names of objects are taken as they are. `variables` are
    /// the names in scope, without `$`.
    pub fn compile(value: &Value, variables: &[&str]) -> Result<Self, TemplateError> {
        Compiler {
            variables,
            pointer: String::new(),
        }
        .compile(value, 0)
    }

    /// The JSON with each expression's result in its place. An object keeps the order of its names. All
    /// results together have the size that one may have, and the whole is as deep as a value may be.
    pub fn evaluate<'v>(
        &self,
        input: &Value,
        lookup: &dyn Fn(&str) -> Option<&'v Value>,
    ) -> Result<Value, ExpressionError> {
        match self {
            // Has been measured where it was computed.
            Self::Expression(expression) => expression.evaluate(input, lookup),
            template => Filling {
                input,
                lookup,
                bytes_left: VALUE_BYTES_MAX,
            }
            .fill(template, 0),
        }
    }
}

struct Compiler<'c> {
    variables: &'c [&'c str],
    /// Where the value at hand stands.
    pointer: String,
}

impl Compiler<'_> {
    fn compile(&mut self, value: &Value, depth: usize) -> Result<Template, TemplateError> {
        if depth > DEPTH_MAX {
            return Err(self.error(Resource::Depth.into()));
        }
        match value {
            Value::String(text) => {
                compile_text(text, self.variables).map_err(|error| self.error(error))
            }
            Value::Array(items) => {
                let mut compiled = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    compiled.push(self.below(&index.to_string(), item, depth)?);
                }
                let plain = compiled.iter().all(is_literal);
                Ok(if plain {
                    literal(value)
                } else {
                    Template::Array(compiled)
                })
            }
            Value::Object(members) => {
                let mut compiled = Vec::with_capacity(members.len());
                for (name, member) in members {
                    compiled.push((name.clone(), self.below(name, member, depth)?));
                }
                let plain = compiled.iter().all(|(_, member)| is_literal(member));
                Ok(if plain {
                    literal(value)
                } else {
                    Template::Object(compiled)
                })
            }
            _ => Ok(literal(value)),
        }
    }

    fn below(
        &mut self,
        name: &str,
        value: &Value,
        depth: usize,
    ) -> Result<Template, TemplateError> {
        let length = self.pointer.len();
        self.pointer.push('/');
        self.pointer
            .push_str(&name.replace('~', "~0").replace('/', "~1"));
        let compiled = self.compile(value, depth + 1);
        self.pointer.truncate(length);
        compiled
    }

    fn error(&self, error: ExpressionError) -> TemplateError {
        TemplateError {
            pointer: self.pointer.clone(),
            error,
        }
    }
}

fn literal(value: &Value) -> Template {
    Template::Literal(Arc::new(value.clone()))
}

fn is_literal(template: &Template) -> bool {
    matches!(template, Template::Literal(_))
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

/// One evaluation of a template.
struct Filling<'f, 'v> {
    input: &'f Value,
    lookup: Lookup<'f, 'v>,
    bytes_left: usize,
}

impl Filling<'_, '_> {
    fn fill(&mut self, template: &Template, depth: usize) -> Result<Value, ExpressionError> {
        match template {
            Template::Literal(value) => {
                self.take(value, depth)?;
                Ok((**value).clone())
            }
            Template::Expression(expression) => {
                let value = expression.evaluate(self.input, self.lookup)?;
                self.take(&value, depth)?;
                Ok(value)
            }
            Template::Text(parts) => self.join(parts).map(Value::String),
            Template::Loose(loose) => {
                let (text, template) = &**loose;
                let bytes_left = self.bytes_left;
                match self.fill(template, depth) {
                    // What costs too much is a fault in either mode.
                    Err(ExpressionError::Failed { .. }) => {
                        self.bytes_left = bytes_left;
                        self.take_bytes(size_of::<Value>() + text.len())?;
                        Ok(Value::String(text.clone()))
                    }
                    result => result,
                }
            }
            Template::Array(items) => {
                let items = items.iter().map(|item| self.fill(item, depth + 1));
                Ok(Value::Array(items.collect::<Result<_, _>>()?))
            }
            Template::Object(members) => {
                let mut object = Map::with_capacity(members.len());
                for (name, member) in members {
                    object.insert(name.clone(), self.fill(member, depth + 1)?);
                }
                Ok(Value::Object(object))
            }
        }
    }

    fn join(&mut self, parts: &[TextPart]) -> Result<String, ExpressionError> {
        let mut text = String::new();
        for part in parts {
            let length = text.len();
            match part {
                TextPart::Literal(literal) => text.push_str(literal),
                TextPart::Expression(expression) => match expression
                    .evaluate(self.input, self.lookup)?
                {
                    Value::String(result) => text.push_str(&result),
                    result => write!(text, "{result}").expect("a String takes whatever is written"),
                },
            }
            self.take_bytes(text.len() - length)?;
        }
        Ok(text)
    }

    /// Counts what has been put in at that depth.
    fn take(&mut self, value: &Value, depth: usize) -> Result<(), ExpressionError> {
        self.take_bytes(size_of::<Value>())?;
        match value {
            Value::String(text) => self.take_bytes(text.len()),
            Value::Array(_) | Value::Object(_) if depth >= DEPTH_MAX => Err(Resource::Depth.into()),
            Value::Array(items) => items.iter().try_for_each(|item| self.take(item, depth + 1)),
            Value::Object(members) => members.iter().try_for_each(|(name, value)| {
                self.take_bytes(name.len())?;
                self.take(value, depth + 1)
            }),
            _ => Ok(()),
        }
    }

    fn take_bytes(&mut self, bytes: usize) -> Result<(), ExpressionError> {
        let left = self.bytes_left.checked_sub(bytes);
        self.bytes_left = left.ok_or_else(|| ExpressionError::from(Resource::ValueSize))?;
        Ok(())
    }
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

    fn nested(levels: usize, core: Value) -> Value {
        (0..levels).fold(core, |value, _| json!([value]))
    }

    #[test]
    fn a_result_is_no_deeper_than_a_value_may_be() {
        let template = Template::compile(&nested(40, json!("${ . }")), &[]).unwrap();
        let fill = |levels| template.evaluate(&nested(levels, json!(1)), &|_| None);
        assert_eq!(fill(DEPTH_MAX - 40), Ok(nested(DEPTH_MAX, json!(1))));
        assert_eq!(fill(DEPTH_MAX - 39), Err(Resource::Depth.into()));
        let too_deep = Template::compile(&nested(DEPTH_MAX + 1, json!(1)), &[]).unwrap_err();
        assert_eq!(too_deep.error, Resource::Depth.into());
    }

    #[test]
    fn results_share_one_size() {
        let input = json!("x".repeat(VALUE_BYTES_MAX / 3 + 1));
        for (template, fits) in [
            (json!({"a": "${ . }", "b": "${ . }"}), true),
            (
                json!({"a": "${ . }", "b": "${ . }", "c": ["${ . }"]}),
                false,
            ),
            (json!("a${ . }${ . }"), true),
            (json!("a${ . }${ . }${ . }"), false),
        ] {
            let result = Template::compile(&template, &[])
                .unwrap()
                .evaluate(&input, &|_| None);
            let expected = if fits {
                None
            } else {
                Some(Resource::ValueSize.into())
            };
            assert_eq!(result.err(), expected, "{template}");
        }
    }
}
