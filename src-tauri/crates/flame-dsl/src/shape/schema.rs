//! The tables as JSON Schema 2020-12, with descriptions, for an editor to complete and check by.
//!
//! Only what this release runs is in it, so that an editor offers nothing that is refused.

use serde_json::{Map, Value, json};

use super::protocols::{PROTOCOLS, ProtocolShape};
use super::tasks::{COMMON, KINDS, calls};
use super::{Extra, Field, Group, Need, Object, Shape, TextRule};
use crate::catalog::{CatalogFunction, catalog};

/// The schema of a document of this shape, complete with its definitions.
pub(crate) fn document_schema(shape: &Shape, title: &str) -> Value {
    let mut writer = Writer::default();
    let root = writer.shape(shape);
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
    });
    if let (Value::Object(schema), Value::Object(root)) = (&mut schema, root) {
        schema.extend(root);
    }
    schema["$defs"] = Value::Object(writer.definitions);
    schema
}

#[derive(Default)]
struct Writer {
    definitions: Map<String, Value>,
}

impl Writer {
    fn shape(&mut self, shape: &Shape) -> Value {
        match shape {
            Shape::Any => json!({}),
            Shape::Boolean => json!({"type": "boolean"}),
            Shape::Integer { min, max } => {
                json!({"type": "integer", "minimum": min, "maximum": max})
            }
            Shape::Text(rule) => text(*rule),
            Shape::List { of, min } => {
                json!({"type": "array", "items": self.shape(of), "minItems": min})
            }
            Shape::Named { of, min, .. } => json!({
                "type": "array",
                "minItems": min,
                "items": {
                    "type": "object",
                    "minProperties": 1,
                    "maxProperties": 1,
                    "additionalProperties": self.shape(of),
                },
            }),
            Shape::Map(of) => json!({"type": "object", "additionalProperties": self.shape(of)}),
            Shape::Object(object) => self.define(object.definition, |writer| writer.object(object)),
            Shape::Choice(shapes) => {
                let shapes: Vec<Value> = shapes.iter().map(|shape| self.shape(shape)).collect();
                json!({"anyOf": shapes})
            }
            Shape::Task => self.define("task", Self::task),
        }
    }

    /// A reference to a definition, which is written the first time it is asked for.
    fn define(&mut self, name: &str, write: impl FnOnce(&mut Self) -> Value) -> Value {
        if !self.definitions.contains_key(name) {
            // Stands there before it is written, since tasks hold tasks.
            self.definitions.insert(name.to_owned(), Value::Null);
            let definition = write(self);
            self.definitions.insert(name.to_owned(), definition);
        }
        json!({"$ref": format!("#/$defs/{name}")})
    }

    fn object(&mut self, object: &Object) -> Value {
        let mut schema = self.fields(object.fields);
        schema["additionalProperties"] = json!(matches!(object.extra, Extra::Taken));
        match object.group {
            Group::Free => {}
            Group::AtLeastOne => schema["minProperties"] = json!(1),
            Group::ExactlyOne(keys) => {
                let choices: Vec<Value> =
                    keys.iter().map(|key| json!({"required": [key]})).collect();
                schema["oneOf"] = Value::Array(choices);
            }
        }
        schema
    }

    fn fields(&mut self, fields: &[Field]) -> Value {
        let mut properties = Map::new();
        let mut required = Vec::new();
        for field in fields {
            let mut property = self.shape(&field.shape);
            property["description"] = json!(field.description);
            properties.insert(field.key.to_owned(), property);
            if field.need != Need::Optional {
                required.push(field.key);
            }
        }
        json!({"type": "object", "properties": properties, "required": required})
    }

    fn task(&mut self) -> Value {
        let mut kinds = Vec::new();
        for kind in KINDS {
            if kind.keyword == "call" {
                kinds.push(self.define("callHttpTask", |writer| {
                    let mut schema = writer.task_kind(calls::HTTP, "Calls an HTTP address.");
                    schema["properties"]["call"] =
                        json!({"const": "http", "description": "Calls an HTTP address."});
                    schema
                }));
                for protocol in PROTOCOLS {
                    kinds.push(self.protocol(protocol));
                }
                kinds.push(self.define("callOwnFunctionTask", own_function));
                kinds.push(self.define("callOutsideFunctionTask", outside_function));
                kinds.extend(catalog().iter().map(|function| self.function(function)));
                continue;
            }
            kinds.push(self.define(&format!("{}Task", kind.keyword), |writer| {
                writer.task_kind(kind.fields, kind.description)
            }));
        }
        json!({"anyOf": kinds})
    }

    fn task_kind(&mut self, own: &[Field], description: &str) -> Value {
        let fields: Vec<Field> = own.iter().chain(COMMON).copied().collect();
        let mut schema = self.fields(&fields);
        schema["additionalProperties"] = json!(false);
        schema["description"] = json!(description);
        schema
    }

    fn protocol(&mut self, protocol: &ProtocolShape) -> Value {
        let ProtocolShape {
            keyword,
            description,
            ..
        } = protocol;
        self.define(&format!("{keyword}Task"), |writer| {
            let mut schema = writer.task_kind(protocol.fields, description);
            schema["properties"]["call"] = json!({"const": keyword, "description": description});
            schema
        })
    }

    fn function(&mut self, function: &CatalogFunction) -> Value {
        let name = format!(
            "{}{}Task",
            function.connector,
            capitalised(function.operation)
        );
        self.define(&name, |writer| {
            let mut schema = writer.task_kind(calls::FUNCTION, function.description);
            schema["properties"]["call"] =
                json!({"const": function.name(), "description": function.description});
            schema["properties"]["with"] = relaxed(&function.arguments);
            schema["properties"]["with"]["description"] = json!("The function's arguments.");
            schema
        })
    }
}

/// A call of a function of `use.functions`.
fn own_function(writer: &mut Writer) -> Value {
    let description = "Calls a function of use.functions.";
    let mut schema = writer.task_kind(calls::FUNCTION, description);
    schema["properties"]["call"] = json!({
        "type": "string",
        "pattern": "^(?!(http|grpc|openapi|asyncapi|mcp|a2a)$)[^@:]+$",
        "description": description,
    });
    schema
}

/// A call of a function at an address or in a catalog of the document's.
fn outside_function(writer: &mut Writer) -> Value {
    let description =
        "Calls a function at an address, or NAME:VERSION@CATALOG of a catalog of use.catalogs.";
    let mut schema = writer.task_kind(calls::FUNCTION, description);
    schema["properties"]["call"] = json!({
        "type": "string",
        "pattern": "^((https?|file)://.+|[^@:]+:[^@:]+@(?!default$).+)$",
        "description": description,
    });
    schema
}

fn text(rule: TextRule) -> Value {
    match rule {
        TextRule::OneOf(words) => json!({"enum": words}),
        TextRule::Flow => json!({
            "anyOf": [{"enum": ["continue", "exit", "end"]}, {"type": "string"}]
        }),
        _ => match rule.pattern() {
            Some(pattern) => json!({"type": "string", "pattern": pattern}),
            None => json!({"type": "string"}),
        },
    }
}

/// The schema of a function's arguments, each of which may be an expression instead.
fn relaxed(arguments: &Value) -> Value {
    let mut schema = arguments.clone();
    if let Some(properties) = schema["properties"].as_object_mut() {
        for property in properties.values_mut() {
            let strict = property.take();
            let description = strict["description"].clone();
            *property = json!({
                "anyOf": [strict, text(TextRule::RuntimeExpression)],
                "description": description,
            });
        }
    }
    schema
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}
