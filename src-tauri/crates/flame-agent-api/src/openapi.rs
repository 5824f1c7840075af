//! The OpenAPI 3.1 document, built from the table of operations.

use std::collections::BTreeMap;

use flame_errors::Code;
use utoipa::openapi::path::{
    HttpMethod, OperationBuilder, ParameterBuilder, ParameterIn, PathsBuilder,
};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, HeaderBuilder, InfoBuilder, OpenApi, OpenApiBuilder,
    PathItem, RefOr, Required, Response, ResponseBuilder, Schema, SecurityRequirement,
};
use utoipa::{PartialSchema, ToSchema};

use crate::operation::{
    Access, Answer, Body, Description, Method, Operation, Parameter, ParameterPlace, Shape, media,
};
use crate::problem::Problem;

const SECURITY_SCHEME: &str = "token";

/// What every operation may answer, whatever it does.
const COMMON: [Code; 4] = [
    Code::ForeignHost,
    Code::ForeignOrigin,
    Code::MethodNotAllowed,
    Code::Internal,
];

/// The OpenAPI 3.1 document of the agent.
pub fn openapi() -> OpenApi {
    let mut paths = PathsBuilder::new();
    let mut schemas = vec![(Problem::name().into_owned(), Problem::schema())];
    Problem::schemas(&mut schemas);
    for operation in Operation::ALL {
        let description = operation.description();
        collect(description, &mut schemas);
        let item = PathItem::new(http_method(description.method), describe(description));
        paths = paths.path(description.path, item);
    }
    OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Mastra flame-agent")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some(
                    "The runtime's HTTP interface: deploy workflows and pipelines, start and \
                     follow runs. It listens on loopback; every request must name an allowed \
                     Host, and an allowed Origin if it names one.",
                ))
                .license(Some(utoipa::openapi::License::new("Apache-2.0")))
                .build(),
        )
        .paths(paths.build())
        .components(Some(components(schemas)))
        .tags(Some(tags()))
        .build()
}

/// The document as pretty JSON with a final newline: what is committed and served.
pub fn openapi_json() -> String {
    let mut text = openapi()
        .to_pretty_json()
        .expect("a document made of strings and maps is always JSON");
    text.push('\n');
    text
}

fn components(schemas: Vec<(String, RefOr<Schema>)>) -> utoipa::openapi::Components {
    let sorted: BTreeMap<String, RefOr<Schema>> = schemas.into_iter().collect();
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(
            "256 random bits as 64 hex digits, out of the token file.",
        ))
        .build();
    sorted
        .into_iter()
        .fold(ComponentsBuilder::new(), |components, (name, schema)| {
            components.schema(name, schema)
        })
        .security_scheme(SECURITY_SCHEME, SecurityScheme::Http(bearer))
        .build()
}

fn tags() -> Vec<utoipa::openapi::Tag> {
    let mut names: Vec<&str> = Vec::new();
    for operation in Operation::ALL {
        let tag = operation.description().tag;
        if !names.contains(&tag) {
            names.push(tag);
        }
    }
    names
        .into_iter()
        .map(|name| TagBuilder::new().name(name).build())
        .collect()
}

fn collect(description: &Description, schemas: &mut Vec<(String, RefOr<Schema>)>) {
    let answers = description
        .answers
        .iter()
        .filter_map(|answer| answer.content?.1);
    let body = description.body.as_ref().and_then(|body| body.shape);
    for shape in answers.chain(body) {
        (shape.collect)(schemas);
    }
}

const fn http_method(method: Method) -> HttpMethod {
    match method {
        Method::Get => HttpMethod::Get,
        Method::Put => HttpMethod::Put,
        Method::Post => HttpMethod::Post,
        Method::Delete => HttpMethod::Delete,
    }
}

fn describe(description: &Description) -> utoipa::openapi::path::Operation {
    let mut operation = OperationBuilder::new()
        .operation_id(Some(description.id))
        .tag(description.tag)
        .summary(Some(description.summary));
    for name in path_variables(description.path) {
        operation = operation.parameter(path_parameter(name));
    }
    for parameter in description.parameters {
        operation = operation.parameter(describe_parameter(parameter));
    }
    if let Some(body) = &description.body {
        operation = operation.request_body(Some(describe_body(body)));
    }
    for answer in description.answers {
        operation = operation.response(answer.status.to_string(), describe_answer(answer));
    }
    for (status, codes) in problems(description) {
        operation = operation.response(status.to_string(), describe_problem(&codes));
    }
    if description.access == Access::Token {
        operation = operation.security(SecurityRequirement::new::<_, [&str; 0], &str>(
            SECURITY_SCHEME,
            [],
        ));
    }
    operation.build()
}

/// The names in braces of a path template.
fn path_variables(path: &'static str) -> impl Iterator<Item = &'static str> {
    path.split('/')
        .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
}

fn path_parameter(name: &str) -> utoipa::openapi::path::Parameter {
    let (description, schema) = match name {
        "id" => ("Id of the run.", run_id()),
        "number" => ("Number of the compensation, from 1.", u64::schema()),
        "letter" => ("Id of the dead letter.", u64::schema()),
        "version" => ("Semantic version.", String::schema()),
        "connection" => (
            "Name of the connection: letters, digits, hyphen, dot.",
            String::schema(),
        ),
        "container" => ("Id of the ordered container.", String::schema()),
        "path" => (
            "Path that the workflow's document declares.",
            String::schema(),
        ),
        _ => (
            "1 to 63 letters, digits or inner hyphens.",
            String::schema(),
        ),
    };
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some(description))
        .schema(Some(schema))
        .build()
}

fn run_id() -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)))
        .into()
}

fn describe_parameter(parameter: &Parameter) -> utoipa::openapi::path::Parameter {
    ParameterBuilder::new()
        .name(parameter.name)
        .parameter_in(match parameter.place {
            ParameterPlace::Query => ParameterIn::Query,
            ParameterPlace::Header => ParameterIn::Header,
        })
        .required(if parameter.required {
            Required::True
        } else {
            Required::False
        })
        .description(Some(parameter.description))
        .schema(Some((parameter.schema)()))
        .build()
}

fn describe_body(body: &Body) -> utoipa::openapi::request_body::RequestBody {
    let limit = body.bytes_max.map_or_else(
        || " It streams.".to_owned(),
        |bytes| format!(" At most {bytes} bytes."),
    );
    let any = [media::JSON];
    let types = if body.types.is_empty() {
        &any[..]
    } else {
        body.types
    };
    types
        .iter()
        .fold(RequestBodyBuilder::new(), |request, media| {
            let schema = match body.shape {
                Some(shape) => (shape.reference)(),
                None => free_schema(media),
            };
            request.content(*media, ContentBuilder::new().schema(Some(schema)).build())
        })
        .description(Some(format!("{}{limit}", body.description)))
        .required(Some(if body.required {
            Required::True
        } else {
            Required::False
        }))
        .build()
}

/// What may stand in a body without a shape: any JSON, or text.
fn free_schema(media: &str) -> RefOr<Schema> {
    if media.ends_with("json") && media != media::NDJSON {
        serde_json::Value::schema()
    } else {
        String::schema()
    }
}

fn describe_answer(answer: &Answer) -> Response {
    let response = ResponseBuilder::new().description(answer.description);
    match answer.content {
        None => response.build(),
        Some((media, shape)) => {
            let schema =
                shape.map_or_else(|| free_schema(media), |shape: Shape| (shape.reference)());
            response
                .content(media, ContentBuilder::new().schema(Some(schema)).build())
                .build()
        }
    }
}

/// Codes by HTTP status: the operation's own, those of its body and those that all share.
fn problems(description: &Description) -> BTreeMap<u16, Vec<Code>> {
    let mut codes: Vec<Code> = description.codes.to_vec();
    codes.extend(COMMON);
    if description.access == Access::Token {
        codes.push(Code::Unauthorized);
    }
    if let Some(body) = &description.body {
        codes.extend([
            Code::UnsupportedMediaType,
            Code::BodyInvalid,
            Code::BodySlow,
        ]);
        let definition = codes.contains(&Code::DefinitionTooLarge);
        if body.bytes_max.is_some() && !definition {
            codes.push(Code::BodyTooLarge);
        }
    }
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in codes {
        let entry = by_status.entry(code.http_status()).or_default();
        if !entry.contains(&code) {
            entry.push(code);
        }
    }
    by_status
}

fn describe_problem(codes: &[Code]) -> Response {
    let words: Vec<String> = codes
        .iter()
        .map(|code| format!("{code}: {}.", code.title()))
        .collect();
    let schema = (Shape::of::<Problem>().reference)();
    let response = ResponseBuilder::new().description(words.join(" ")).content(
        media::PROBLEM,
        ContentBuilder::new().schema(Some(schema)).build(),
    );
    if codes.contains(&Code::Unauthorized) {
        let header = HeaderBuilder::new()
            .schema(Some(String::schema()))
            .description(Some("`Bearer`."))
            .build();
        return response.header("WWW-Authenticate", header).build();
    }
    response.build()
}
