//! Path segments, query parameters and headers, read into their types with the value in the error.

use std::time::Duration;

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use flame_errors::Code;
use serde::de::DeserializeOwned;

use super::failure::Failure;

/// Longest wait that a caller may ask for.
const WAIT_MAX: Duration = Duration::from_secs(300);

const IDEMPOTENCY_KEY_MAX: usize = 255;

/// The variable segments of the path.
pub(super) struct Segments<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Segments<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(segments)) => Ok(Self(segments)),
            Err(rejection) => Err(invalid(format!(
                "the path can't be read: {}",
                rejection.body_text()
            ))),
        }
    }
}

/// The query parameters; one that the address does not know is refused, because it would be ignored.
pub(super) struct Parameters<T>(pub(super) T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Parameters<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        match Query::<T>::try_from_uri(&parts.uri) {
            Ok(Query(parameters)) => Ok(Self(parameters)),
            Err(rejection) => Err(invalid(format!(
                "the query can't be read: {}",
                rejection.body_text()
            ))),
        }
    }
}

pub(super) fn invalid(detail: impl Into<String>) -> Failure {
    Failure::new(Code::ParameterInvalid, detail)
}

/// The rows of a page, within 1 and `most`.
pub(super) fn limit(asked: Option<u32>, usual: u32, most: u32) -> Result<usize, Failure> {
    let rows = asked.unwrap_or(usual);
    if (1..=most).contains(&rows) {
        return Ok(usize::try_from(rows).unwrap_or(usize::MAX));
    }
    Err(invalid(format!(
        "limit is {rows}; it must be from 1 to {most}"
    )))
}

/// A wait such as `30s`, `500ms` or `2m`.
pub(super) fn wait(text: &str) -> Result<Duration, Failure> {
    let refuse = || {
        invalid(format!("wait is {text:?}"))
            .hint("Give a number with ms, s or m, at most 5m, such as wait=30s.")
    };
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| refuse())?;
    let wait = match unit {
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        "m" => Duration::from_secs(number.saturating_mul(60)),
        _ => return Err(refuse()),
    };
    if wait > WAIT_MAX {
        Err(refuse())
    } else {
        Ok(wait)
    }
}

/// The key of a request that may be sent again: that of the first of the headers there is.
pub(super) fn idempotency_key(
    headers: &HeaderMap,
    names: &[&str],
) -> Result<Option<String>, Failure> {
    for name in names {
        let Some(value) = headers.get(*name) else {
            continue;
        };
        let key = value.to_str().unwrap_or_default();
        let fits = (1..=IDEMPOTENCY_KEY_MAX).contains(&key.len())
            && key.bytes().all(|byte| byte.is_ascii_graphic());
        if !fits || headers.get_all(*name).iter().count() > 1 {
            return Err(invalid(format!("{name} is {key:?}"))
                .hint("Send it once, 1 to 255 visible ASCII characters."));
        }
        return Ok(Some(key.to_owned()));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::http::HeaderMap;

    use super::{idempotency_key, limit, wait};

    #[test]
    fn waits_have_a_unit_and_a_bound() {
        assert_eq!(wait("30s").unwrap(), Duration::from_secs(30));
        assert_eq!(wait("0ms").unwrap(), Duration::ZERO);
        assert_eq!(wait("5m").unwrap(), Duration::from_secs(300));
        for bad in [
            "",
            "30",
            "s",
            "-1s",
            "301s",
            "1h",
            "1.5s",
            "99999999999999999999s",
            "6m",
        ] {
            assert!(wait(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn pages_have_a_bound() {
        assert_eq!(limit(None, 50, 200).unwrap(), 50);
        assert!(limit(Some(0), 50, 200).is_err() && limit(Some(201), 50, 200).is_err());
    }

    #[test]
    fn keys_are_visible_text() {
        let names = ["idempotency-key", "webhook-id"];
        let with = |key: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("idempotency-key", key.parse().unwrap());
            idempotency_key(&headers, &names)
        };
        assert_eq!(with("a-1").unwrap().as_deref(), Some("a-1"));
        for bad in ["", "a b", &"k".repeat(256)] {
            assert!(with(bad).is_err(), "{bad}");
        }
        let mut headers = HeaderMap::new();
        headers.insert("webhook-id", "msg_1".parse().unwrap());
        assert_eq!(
            idempotency_key(&headers, &names).unwrap().as_deref(),
            Some("msg_1")
        );
        headers.insert("idempotency-key", "k".parse().unwrap());
        assert_eq!(
            idempotency_key(&headers, &names).unwrap().as_deref(),
            Some("k")
        );
        headers.append("idempotency-key", "l".parse().unwrap());
        assert!(idempotency_key(&headers, &names).is_err());
    }
}
