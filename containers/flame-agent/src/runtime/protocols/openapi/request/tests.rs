//! Requests as the standard's own tables have them.

use reqwest::Url;
use serde_json::{Value, json};

use super::super::document;
use super::super::operation;
use super::build;

/// The request line and headers that an operation `go` of a document becomes.
fn request(document: &Value, values: Value) -> Result<String, String> {
    let document = document::parse(document.to_string().as_bytes()).map_err(|p| p.0)?;
    let operation = operation::find(&document, "go").map_err(|p| p.0)?;
    let server = Url::parse("https://api.example.com/v1/").unwrap();
    let values = values.as_object().unwrap();
    let built = build(&operation, &server, values).map_err(|p| p.0)?;
    let url = built
        .url
        .strip_prefix("https://api.example.com/v1")
        .unwrap();
    let mut text = format!("{} {url}", built.method);
    for (name, value) in &built.headers {
        if name != "accept" {
            text.push_str(&format!(" {name}:{value}"));
        }
    }
    if let Some(body) = &built.body {
        text.push_str(&format!(" {body}"));
    }
    Ok(text)
}

fn with_parameter(path: &str, parameter: Value) -> Value {
    json!({
        "openapi": "3.1.0",
        "paths": {path: {"get": {"operationId": "go", "parameters": [parameter]}}},
    })
}

/// OpenAPI 3.1, "Style Examples", for `color`.
#[test]
fn values_are_written_in_the_style_that_the_document_asks_for() {
    let list = json!(["blue", "black", "brown"]);
    let object = json!({"R": 100, "G": 200, "B": 150});
    for (place, style, explode, value, expected) in [
        ("path", "simple", false, json!("blue"), "/blue"),
        ("path", "simple", false, list.clone(), "/blue,black,brown"),
        (
            "path",
            "simple",
            false,
            object.clone(),
            "/R,100,G,200,B,150",
        ),
        ("path", "simple", true, object.clone(), "/R=100,G=200,B=150"),
        ("path", "label", false, list.clone(), "/.blue,black,brown"),
        ("path", "label", true, list.clone(), "/.blue.black.brown"),
        ("path", "label", true, object.clone(), "/.R=100.G=200.B=150"),
        ("path", "matrix", false, json!("blue"), "/;color=blue"),
        (
            "path",
            "matrix",
            false,
            list.clone(),
            "/;color=blue,black,brown",
        ),
        (
            "path",
            "matrix",
            true,
            list.clone(),
            "/;color=blue;color=black;color=brown",
        ),
        (
            "path",
            "matrix",
            true,
            object.clone(),
            "/;R=100;G=200;B=150",
        ),
        (
            "query",
            "form",
            true,
            list.clone(),
            "/x?color=blue&color=black&color=brown",
        ),
        (
            "query",
            "form",
            false,
            list.clone(),
            "/x?color=blue,black,brown",
        ),
        (
            "query",
            "form",
            true,
            object.clone(),
            "/x?R=100&G=200&B=150",
        ),
        (
            "query",
            "form",
            false,
            object.clone(),
            "/x?color=R,100,G,200,B,150",
        ),
        (
            "query",
            "spaceDelimited",
            false,
            list.clone(),
            "/x?color=blue%20black%20brown",
        ),
        (
            "query",
            "pipeDelimited",
            false,
            list.clone(),
            "/x?color=blue%7Cblack%7Cbrown",
        ),
        (
            "query",
            "deepObject",
            true,
            object.clone(),
            "/x?color[R]=100&color[G]=200&color[B]=150",
        ),
        (
            "query",
            "form",
            true,
            json!("a,b&c/ü"),
            "/x?color=a%2Cb%26c%2F%C3%BC",
        ),
        ("path", "simple", false, json!("../a?b"), "/..%2Fa%3Fb"),
        ("header", "simple", false, list, "/x color:blue,black,brown"),
        (
            "cookie",
            "form",
            true,
            json!("a;b"),
            "/x cookie:color=a%3Bb",
        ),
    ] {
        let path = if place == "path" { "/{color}" } else { "/x" };
        let parameter = json!({"name": "color", "in": place, "style": style, "explode": explode});
        let asked = request(&with_parameter(path, parameter), json!({"color": value}));
        assert_eq!(
            asked,
            Ok(format!("GET {expected}")),
            "{place} {style} {explode}"
        );
    }
}

#[test]
fn defaults_content_and_references_are_followed() {
    let document = json!({
        "openapi": "3.0.3",
        "paths": {"/a/{id}": {
            "parameters": [{"$ref": "#/components/parameters/Id"}],
            "post": {
                "operationId": "go",
                "parameters": [
                    {"name": "page", "in": "query", "schema": {"type": "integer", "default": 1}},
                    {"name": "where", "in": "query", "content": {"application/json": {}}},
                ],
                "requestBody": {"$ref": "#/components/requestBodies/Order"},
            },
        }},
        "components": {
            "parameters": {"Id": {"name": "id", "in": "path", "required": true}},
            "requestBodies": {"Order": {"required": true, "content": {
                "application/xml": {}, "application/vnd.shop+json": {},
            }}},
        },
    });
    assert_eq!(
        request(
            &document,
            json!({"id": 7, "where": {"a": [1]}, "body": {"n": 1}})
        )
        .unwrap(),
        "POST /a/7?page=1&where=%7B%22a%22%3A%5B1%5D%7D content-type:application/vnd.shop+json {\"n\":1}"
    );
    for (values, expected) in [
        (
            json!({"body": 1}),
            "the path parameter \"id\" is missing; give it under 'parameters'",
        ),
        (
            json!({"id": 7}),
            "the request's body is missing; give it as \"body\" under 'parameters'",
        ),
        (
            json!({"id": 7, "pgae": 1, "body": 1}),
            "there is no parameter \"pgae\"; did you mean 'page'?",
        ),
        (
            json!({"id": [[1]], "body": 1}),
            "the path parameter \"id\" has a list or an object within another, which it can't hold",
        ),
        (
            json!({"id": "", "body": 1}),
            "the path parameter \"id\" is empty",
        ),
        (
            json!({"id": "..", "body": 1}),
            "the path parameter \"id\" is \"..\", which leads to another operation's address",
        ),
    ] {
        assert_eq!(request(&document, values), Err(expected.to_owned()));
    }
}

/// OpenAPI 3.2: `query`, `additionalOperations`, `in: querystring`, `style: cookie`.
#[test]
fn what_openapi_3_2_adds_is_sent() {
    let document = |operation: &str, parameter: Value| {
        let of_go = json!({"operationId": "go", "parameters": [parameter]});
        let item = match operation {
            "query" => json!({"query": of_go}),
            other => json!({"additionalOperations": {other: of_go}}),
        };
        json!({"openapi": "3.2.0", "paths": {"/x": item}})
    };
    let whole = |kind: &str| json!({"name": "q", "in": "querystring", "content": {kind: {}}});
    let form = "application/x-www-form-urlencoded";
    for (document, value, expected) in [
        (
            document("query", whole("application/json")),
            json!({"a": [1]}),
            "QUERY /x?%7B%22a%22%3A%5B1%5D%7D",
        ),
        (
            document("COPY", whole(form)),
            json!({"a": "b c", "l": [1, 2]}),
            "COPY /x?a=b+c&l=1&l=2",
        ),
        (
            document(
                "query",
                json!({"name": "q", "in": "cookie", "style": "cookie"}),
            ),
            json!(["a b", "c%"]),
            "QUERY /x cookie:q=a b; q=c%",
        ),
    ] {
        assert_eq!(
            request(&document, json!({"q": value})).as_deref(),
            Ok(expected)
        );
    }
    let cookie = json!({"name": "q", "in": "cookie", "style": "cookie"});
    for (parameter, value, expected) in [
        (cookie.clone(), json!("a; admin=1"), "which ends a cookie"),
        (
            cookie,
            json!({"x; admin": "1"}),
            "can't be the name of a cookie",
        ),
        (
            whole("text/xml"),
            json!("a"),
            "which this release does not send",
        ),
        (
            whole(form),
            json!("a"),
            "needs an object of its names and values",
        ),
    ] {
        let problem = request(&document("query", parameter), json!({"q": value})).unwrap_err();
        assert!(problem.contains(expected), "{problem}");
    }
}

#[test]
fn swagger_2_has_bodies_forms_and_collections_of_its_own() {
    let document = |parameters: Value, consumes: Value| {
        json!({"swagger": "2.0", "paths": {"/x": {"post": {
            "operationId": "go", "parameters": parameters, "consumes": consumes,
        }}}})
    };
    let body = document(
        json!([{"in": "body", "name": "pet", "required": true}]),
        json!([]),
    );
    for name in ["pet", "body"] {
        assert_eq!(
            request(&body, json!({name: {"id": 1}})).unwrap(),
            "POST /x content-type:application/json {\"id\":1}"
        );
    }
    let form = document(
        json!([
            {"in": "formData", "name": "name", "type": "string"},
            {"in": "query", "name": "tags", "type": "array"},
            {"in": "query", "name": "ids", "type": "array", "collectionFormat": "multi"},
        ]),
        json!(["multipart/form-data", "application/x-www-form-urlencoded"]),
    );
    assert_eq!(
        request(
            &form,
            json!({"name": "a b", "tags": ["x", "y"], "ids": [1, 2]})
        )
        .unwrap(),
        "POST /x?tags=x,y&ids=1&ids=2 content-type:application/x-www-form-urlencoded \"name=a+b\""
    );
    let file = document(
        json!([{"in": "formData", "name": "f", "type": "file"}]),
        json!([]),
    );
    assert!(request(&file, json!({})).unwrap_err().contains("is a file"));
}

#[test]
fn documents_that_can_not_be_used_say_why() {
    let none = json!({});
    for (document, expected) in [
        (
            json!({"asyncapi": "3.0.0"}),
            "neither 'openapi' nor 'swagger'",
        ),
        (json!({"openapi": "4.0.0"}), "OpenAPI 4.0.0 can't be read"),
        (
            json!({"openapi": "3.1.0"}),
            "no operation of the document has an operationId",
        ),
        (
            json!({"openapi": "3.1.0", "paths": {"/": {"get": {"operationId": "goo"}}}}),
            "there is no operation \"go\"; did you mean 'goo'?",
        ),
        (
            json!({"openapi": "3.1.0", "paths": {"/": {"$ref": "other.yaml#/x"}}}),
            "leads to another document",
        ),
        (
            json!({"openapi": "3.1.0", "paths": {"/": {"$ref": "#/paths/~1"}}}),
            "leads through more than",
        ),
        (
            json!({"openapi": "3.1.0", "paths": {"/{x}": {"get": {"operationId": "go"}}}}),
            "the path /{x} needs \"x\"",
        ),
    ] {
        let problem = request(&document, none.clone()).unwrap_err();
        assert!(problem.contains(expected), "{problem}");
    }
}
