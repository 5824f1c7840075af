//! CloudEvents 1.0 out of HTTP requests: structured, in batches, and in binary mode with `ce-` headers.
//!
//! Headers are taken percent-encoded, as the binding says, and raw, as some senders write them.

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flame_agent_api::media;
use flame_errors::Code;
use flame_types::Timestamp;
use percent_encoding::percent_decode;
use serde_json::{Map, Value};

use super::body;
use super::failure::Failure;

/// Events of one request.
const EVENTS_MAX: usize = 1_000;
const PREFIX: &str = "ce-";

/// The events of a request, checked.
pub(super) fn read(
    headers: &HeaderMap,
    media: &'static str,
    bytes: &[u8],
) -> Result<Vec<Value>, Failure> {
    let events = match media {
        media::CLOUD_EVENT => vec![body::any_json(bytes)?],
        media::CLOUD_EVENTS => body::any_json(bytes)?,
        media => vec![binary(headers, media, bytes)?],
    };
    if events.len() > EVENTS_MAX {
        let detail = format!("{} events at once, the limit is {EVENTS_MAX}", events.len());
        return Err(Failure::new(Code::InputInvalid, detail).hint("Send them in parts."));
    }
    for (at, event) in events.iter().enumerate() {
        check(event).map_err(|problem| {
            let detail = match events.len() {
                1 => format!("not a CloudEvent: {problem}"),
                _ => format!("event {at} is not a CloudEvent: {problem}"),
            };
            Failure::new(Code::InputInvalid, detail)
        })?;
    }
    Ok(events)
}

/// Attributes from the headers, data from the body.
fn binary(headers: &HeaderMap, media: &'static str, bytes: &[u8]) -> Result<Value, Failure> {
    let mut event = Map::new();
    for (name, value) in headers {
        if let Some(attribute) = name.as_str().strip_prefix(PREFIX) {
            let value = percent_decode(value.as_bytes()).decode_utf8();
            let value = value.map_err(|_| {
                let detail = format!("the header {name} is not UTF-8 once it is decoded");
                Failure::new(Code::BodyInvalid, detail)
            })?;
            event.insert(attribute.to_owned(), Value::from(value.into_owned()));
        }
    }
    if !event.contains_key("specversion") {
        let detail = "the request has no ce-specversion header";
        return Err(Failure::new(Code::InputInvalid, detail).hint(format!(
            "Send the whole event as {}, or its attributes as ce- headers.",
            media::CLOUD_EVENT
        )));
    }
    match media {
        "" => {}
        media::JSON => {
            event.insert("data".to_owned(), body::any_json(bytes)?);
        }
        media::BYTES => {
            event.insert("data_base64".to_owned(), STANDARD.encode(bytes).into());
        }
        _ => {
            event.insert("data".to_owned(), body::text(bytes)?.into());
        }
    }
    if !media.is_empty() {
        event.insert("datacontenttype".to_owned(), media.into());
    }
    Ok(Value::Object(event))
}

/// What CloudEvents 1.0 asks of every event.
fn check(event: &Value) -> Result<(), String> {
    let Value::Object(event) = event else {
        return Err("it is not an object".to_owned());
    };
    for name in ["specversion", "id", "source", "type"] {
        match event.get(name) {
            Some(Value::String(text)) if !text.is_empty() => {}
            None => return Err(format!("'{name}' is missing")),
            Some(value) => return Err(format!("'{name}' is {value}; it needs a text")),
        }
    }
    if event["specversion"] != "1.0" {
        return Err(format!(
            "'specversion' is {}, not 1.0",
            event["specversion"]
        ));
    }
    if event.contains_key("data") && event.contains_key("data_base64") {
        return Err("it has 'data' and 'data_base64'".to_owned());
    }
    for (name, value) in event {
        match (name.as_str(), value) {
            ("data", _) => {}
            ("data_base64", Value::String(text)) if STANDARD.decode(text).is_ok() => {}
            ("data_base64", _) => return Err("'data_base64' is not base64".to_owned()),
            ("time", Value::String(text)) if text.parse::<Timestamp>().is_ok() => {}
            ("time", value) => return Err(format!("'time' is {value}; write it as RFC 3339")),
            (name, _) if !is_attribute(name) => {
                return Err(format!(
                    "{name:?} is no attribute: lower-case letters and digits"
                ));
            }
            (_, Value::String(_) | Value::Bool(_) | Value::Null) => {}
            (_, Value::Number(number)) if number.is_i64() => {}
            (name, value) => {
                return Err(format!(
                    "'{name}' is {value}; it needs a text, a boolean or an integer"
                ));
            }
        }
    }
    Ok(())
}

fn is_attribute(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn headers(pairs: &[(&str, &[u8])]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            let name = axum::http::HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.insert(name, axum::http::HeaderValue::from_bytes(value).unwrap());
        }
        headers
    }

    #[test]
    fn binary_mode_takes_encoded_and_raw_headers() {
        let attributes: [(&str, &[u8]); 6] = [
            ("ce-specversion", b"1.0"),
            ("ce-id", b"7"),
            ("ce-source", b"/caf%C3%A9"),
            ("ce-type", b"t"),
            ("ce-subject", "caf\u{e9} 100%".as_bytes()),
            ("other", b"x"),
        ];
        let read = |media, bytes: &[u8]| read(&headers(&attributes), media, bytes).unwrap();
        assert_eq!(
            read(media::JSON, br#"{"a":1}"#),
            [json!({
                "specversion": "1.0", "id": "7", "source": "/caf\u{e9}", "type": "t",
                "subject": "caf\u{e9} 100%", "datacontenttype": "application/json", "data": {"a": 1},
            })]
        );
        assert_eq!(read(media::BYTES, &[255, 0])[0]["data_base64"], "/wA=");
        assert_eq!(read(media::TEXT, b"hi")[0]["data"], "hi");
        assert_eq!(read("", b"")[0].get("data"), None);
    }

    #[test]
    fn what_is_no_cloud_event_says_why() {
        let whole = json!({"specversion": "1.0", "id": "1", "source": "s", "type": "t"});
        assert_eq!(check(&whole), Ok(()));
        for (name, value, says) in [
            ("specversion", json!("0.3"), "not 1.0"),
            ("id", json!(7), "needs a text"),
            ("type", json!(""), "needs a text"),
            ("time", json!("yesterday"), "RFC 3339"),
            ("Big", json!("x"), "no attribute"),
            ("list", json!([1]), "needs a text, a boolean"),
            ("data_base64", json!("%"), "not base64"),
        ] {
            let mut event = whole.clone();
            event[name] = value;
            let problem = check(&event).unwrap_err();
            assert!(problem.contains(says), "{name}: {problem}");
        }
        assert!(check(&json!([])).is_err() && check(&json!({})).is_err());
        let failure = read(&HeaderMap::new(), media::JSON, b"{}").unwrap_err();
        assert!(format!("{failure:?}").contains("ce-specversion"));
        let both = br#"[{"specversion":"1.0","id":"1","source":"s","type":"t"},{}]"#;
        let failure = read(&HeaderMap::new(), media::CLOUD_EVENTS, both).unwrap_err();
        assert!(format!("{failure:?}").contains("event 1"));
    }
}
