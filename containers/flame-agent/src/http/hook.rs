//! Webhooks: a request from outside becomes the input of a run, as the workflow's document declares.

use std::borrow::Cow;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::Request;
use axum::http::header::{ALLOW, CONTENT_ENCODING, CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use flame_agent_api::{HookAccepted, Operation, media};
use flame_dsl::{Webhook, WebhookAnswer, WebhookProtection};
use flame_errors::Code;
use flame_store::Run;
use flame_types::RunStatus;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::failure::Failure;
use super::router::Context;
use super::{body, parameter, protection, view};
use crate::runtime::{Connections, IdempotencyKey, StartRequest, Trigger};

/// How long a caller is kept who is to get the run's output.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// What stands before a webhook's path, which may have several segments.
const HOOKS: &str = "/hooks/";

/// Whether a request asks for a webhook.
pub(super) fn is_called(request: &Request) -> bool {
    !encoded_path(request).is_empty()
}

/// The webhook's path that a request asks for. What is no UTF-8 stays encoded, as no workflow declares it.
fn path(request: &Request) -> Cow<'_, str> {
    let encoded = encoded_path(request);
    let decoded = percent_decode_str(encoded).decode_utf8();
    decoded.unwrap_or(Cow::Borrowed(encoded))
}

/// Empty where a request asks for something else.
fn encoded_path(request: &Request) -> &str {
    let path = request.uri().path().strip_prefix(HOOKS);
    path.unwrap_or_default()
}

pub(super) async fn call(context: &Context, mut request: Request) -> Result<Response, Failure> {
    let found = context.runtime.hook(&path(&request)).await?;
    let declared = found
        .as_ref()
        .and_then(|workflow| Some((workflow, workflow.webhook.as_ref()?)));
    let Some((workflow, webhook)) = declared else {
        let failure = Failure::not_found(format!("webhook at {:?}", path(&request)))
            .hint("Deploy a workflow whose document declares this path.");
        return body::refuse(request, failure).await;
    };
    if request.method().as_str() != webhook.method {
        return Ok(wrong_method(webhook, request).await);
    }
    let connections = context.runtime.connections();
    if let Err(failure) = check_head(webhook, request.headers(), connections) {
        return body::refuse(request, failure).await;
    }
    let bytes = read(webhook, &mut request).await?;
    let headers = request.headers();
    protection::check_body(&webhook.protection, headers, &bytes, connections)?;
    let query = request.uri().query().unwrap_or_default();
    let input = input(webhook, query, &bytes)?;
    let key = match &webhook.protection {
        // Signed with the body; any other key could be sent with a message that somebody has listened to.
        WebhookProtection::StandardWebhooks { .. } => {
            parameter::idempotency_key(headers, &["webhook-id"])
        }
        WebhookProtection::None | WebhookProtection::Secret { .. } => {
            parameter::idempotency_key(headers, &["idempotency-key", "webhook-id"])
        }
    }?;
    let hashed = if bytes.is_empty() {
        query.as_bytes()
    } else {
        &bytes
    };
    let start = StartRequest {
        trigger: Trigger::Webhook,
        idempotency: key.map(|key| IdempotencyKey {
            key,
            body_hash: Sha256::digest(hashed).into(),
        }),
        refuse_unfit: true,
        ..StartRequest::new(workflow.id.clone(), input)
    };
    tracing::debug!(workflow = %workflow.id, "a webhook was called");
    drop(request);
    answer(context, webhook, start).await
}

async fn wrong_method(webhook: &Webhook, request: Request) -> Response {
    let detail = format!("this webhook does not take {}", request.method());
    body::discard(request).await;
    let mut response = Failure::new(Code::MethodNotAllowed, detail)
        .hint(format!("Send {}.", webhook.method))
        .into_response();
    if let Ok(method) = HeaderValue::from_str(&webhook.method) {
        response.headers_mut().insert(ALLOW, method);
    }
    response
}

/// GET and DELETE carry their input in the query.
fn takes_body(webhook: &Webhook) -> bool {
    webhook.method != Method::GET.as_str() && webhook.method != Method::DELETE.as_str()
}

fn check_head(
    webhook: &Webhook,
    headers: &HeaderMap,
    connections: &Connections,
) -> Result<(), Failure> {
    protection::check_head(&webhook.protection, headers, connections)?;
    if !takes_body(webhook) {
        if body::carries(headers) {
            return Err(body::unsupported(
                "the request has a body, and this webhook takes none",
            ));
        }
        return Ok(());
    }
    let found = body::content_type(headers)?;
    let declared = webhook
        .content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim();
    if !found.eq_ignore_ascii_case(declared) {
        return Err(body::unsupported(&format!("the content type is {found:?}"))
            .hint(format!("This webhook takes {declared}.")));
    }
    Ok(())
}

/// The body, unpacked, within the limit before and after.
async fn read(webhook: &Webhook, request: &mut Request) -> Result<Bytes, Failure> {
    if !takes_body(webhook) {
        return Ok(Bytes::new());
    }
    let declared = Operation::Hook.description().body.as_ref();
    let bytes_max = declared
        .and_then(|body| body.bytes_max)
        .unwrap_or(usize::MAX);
    let encoding = request.headers().get(CONTENT_ENCODING).cloned();
    let packed = match encoding
        .as_ref()
        .map(|value| value.to_str().unwrap_or("unreadable"))
    {
        None | Some("identity") => false,
        Some("gzip" | "x-gzip") => true,
        Some(other) => {
            let failure = body::unsupported(&format!("the body's encoding is {other:?}"))
                .hint("Send it as it is, or packed with gzip.");
            return body::refuse(std::mem::take(request), failure).await;
        }
    };
    let bytes = body::whole(request, bytes_max, Code::BodyTooLarge).await?;
    if packed {
        body::gunzip(&bytes, bytes_max)
    } else {
        Ok(bytes)
    }
}

/// JSON types are read, forms and queries become an object, any other text stays text.
fn input(webhook: &Webhook, query: &str, bytes: &[u8]) -> Result<Value, Failure> {
    if !takes_body(webhook) {
        return form(query.as_bytes());
    }
    let media = webhook
        .content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim();
    let media = media.to_ascii_lowercase();
    if media == "application/json" || media.ends_with("+json") {
        return body::any_json(bytes);
    }
    if media == "application/x-www-form-urlencoded" {
        return form(bytes);
    }
    body::text(bytes).map(Value::from)
}

/// A name that comes twice has a list of values.
fn form(bytes: &[u8]) -> Result<Value, Failure> {
    body::text(bytes)?;
    let mut fields = Map::new();
    for (name, value) in url::form_urlencoded::parse(bytes) {
        let value = Value::from(value.into_owned());
        match fields.get_mut(name.as_ref()) {
            None => {
                fields.insert(name.into_owned(), value);
            }
            Some(Value::Array(values)) => values.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
        }
    }
    Ok(Value::Object(fields))
}

async fn answer(
    context: &Context,
    webhook: &Webhook,
    start: StartRequest,
) -> Result<Response, Failure> {
    if webhook.answer == WebhookAnswer::Accepted {
        return Ok(accepted(&context.runtime.start(start).await?.run));
    }
    let run = context
        .runtime
        .start_and_wait(start, ANSWER_TIMEOUT)
        .await?
        .run;
    match run.summary.status {
        RunStatus::Completed => {
            // JSON already, as the run's own commit holds it.
            let output = run.output.unwrap_or_else(|| b"null".to_vec());
            Ok(([(CONTENT_TYPE, media::JSON)], output).into_response())
        }
        RunStatus::Faulted => Err(faulted(&run)),
        RunStatus::Cancelled => {
            let detail = format!(
                "run {} was cancelled before it had an output",
                run.summary.id
            );
            Err(Failure::new(Code::RunFaulted, detail))
        }
        _ => Ok(accepted(&run)),
    }
}

fn accepted(run: &Run) -> Response {
    let id = run.summary.id;
    let body = HookAccepted {
        run_id: id,
        status: run.summary.status,
    };
    let mut response = (StatusCode::ACCEPTED, Json(body)).into_response();
    if let Ok(location) = HeaderValue::from_str(&format!("/api/v1/runs/{id}")) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// Says that and where it failed; the error's detail stays in the run, for those who may see it.
fn faulted(run: &Run) -> Failure {
    let id = run.summary.id;
    let error: Option<flame_agent_api::RunError> = run
        .summary
        .error
        .as_deref()
        .and_then(|bytes| view::stored("error", bytes).ok());
    let title = error
        .and_then(|error| error.title)
        .unwrap_or_else(|| "it failed".to_owned());
    Failure::new(Code::RunFaulted, format!("run {id} faulted: {title}"))
        .hint("The run holds the whole error; it can be retried once the cause is gone.")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::form;

    #[test]
    fn forms_become_objects() {
        assert_eq!(
            form(b"a=1&b=x+y&a=%C3%A9&a=2").unwrap(),
            json!({"a": ["1", "\u{e9}", "2"], "b": "x y"})
        );
        assert_eq!(form(b"").unwrap(), json!({}));
        assert!(form(b"\xff").is_err());
    }
}
