//! What a request carries: its declared type, its limit, and how long it may take to arrive.

use std::io::Read as _;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, TRANSFER_ENCODING,
};
use flame_agent_api::{DefinitionProblem, Operation, Severity};
use flame_errors::Code;
use flame_types::json::{AsWritten, FromJson};
use futures::StreamExt;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio::time::{Instant, timeout, timeout_at};

use super::failure::Failure;

/// Longest pause between two pieces of a body.
pub(super) const PIECE_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest time a bounded body takes in all.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);

/// A body has this long, and a second more for each `PACE_BYTES` that have come: one that drips does not hold
/// its place for the longest time.
const GRACE: Duration = Duration::from_secs(5);
const PACE_BYTES: usize = 16 * 1024;

/// What is read of a refused body so that its sender gets to read the answer.
const DISCARD_BYTES_MAX: usize = 256 * 1024 * 1024;
const DISCARD_TIMEOUT: Duration = Duration::from_secs(5);

/// A body that was taken whole.
#[derive(Debug)]
pub(super) struct Taken {
    /// The content type as the operation declares it, or empty where there was no body.
    pub(super) media: &'static str,
    pub(super) bytes: Bytes,
}

/// Reads a request's body as its operation declares it. A refused body is read to its end first.
pub(super) async fn take(operation: Operation, mut request: Request) -> Result<Taken, Failure> {
    let description = operation.description();
    let Some(declared) = &description.body else {
        return match carries(request.headers()) {
            false => Ok(Taken {
                media: "",
                bytes: Bytes::new(),
            }),
            true => refuse(request, no_body()).await,
        };
    };
    if !declared.required && !carries(request.headers()) {
        return Ok(Taken {
            media: "",
            bytes: Bytes::new(),
        });
    }
    let media = match accepted(request.headers(), declared.types) {
        Ok(media) => media,
        Err(failure) => return refuse(request, failure).await,
    };
    let definition = description.codes.contains(&Code::DefinitionTooLarge);
    let code = if definition {
        Code::DefinitionTooLarge
    } else {
        Code::BodyTooLarge
    };
    let bytes = whole(&mut request, declared.bytes_max.unwrap_or(usize::MAX), code).await?;
    Ok(Taken { media, bytes })
}

/// The same for a body of JSON in a known form.
pub(super) async fn take_json<T: DeserializeOwned>(
    operation: Operation,
    request: Request,
) -> Result<Option<T>, Failure> {
    let taken = take(operation, request).await?;
    if taken.media.is_empty() {
        return Ok(None);
    }
    object(&taken.bytes).map(Some)
}

/// Refuses a body where the operation declares none.
pub(super) async fn none(operation: Operation, request: Request) -> Result<(), Failure> {
    take(operation, request).await.map(drop)
}

/// The declared type that the request names, without parameters other than `charset=utf-8`.
pub(super) fn accepted(
    headers: &HeaderMap,
    types: &[&'static str],
) -> Result<&'static str, Failure> {
    let found = content_type(headers)?;
    if let Some(encoding) = headers.get(CONTENT_ENCODING) {
        let encoding = encoding.to_str().unwrap_or("unreadable");
        if encoding != "identity" {
            let detail = format!("the body's encoding {encoding:?} is not taken here");
            return Err(unsupported(&detail).hint("Send the body as it is, not packed."));
        }
    }
    types
        .iter()
        .copied()
        .find(|media| media.eq_ignore_ascii_case(&found))
        .ok_or_else(|| {
            let taken = types.join(" or ");
            unsupported(&format!("the content type is {found:?}")).hint(format!(
                "Send {taken} and name it in the Content-Type header."
            ))
        })
}

/// The request's media type without parameters; a charset must be UTF-8.
pub(super) fn content_type(headers: &HeaderMap) -> Result<String, Failure> {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let value = match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().unwrap_or("unreadable"),
        (None, _) => return Ok(String::new()),
        (Some(_), Some(_)) => return Err(unsupported("there are several Content-Type headers")),
    };
    let mut parts = value.split(';');
    let media = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
    for parameter in parts {
        if let Some((name, text)) = parameter.trim().split_once('=')
            && name.eq_ignore_ascii_case("charset")
            && !text.trim_matches('"').eq_ignore_ascii_case("utf-8")
        {
            return Err(unsupported(&format!("the charset {text:?} is not UTF-8")));
        }
    }
    Ok(media)
}

pub(super) fn unsupported(detail: &str) -> Failure {
    Failure::new(Code::UnsupportedMediaType, detail)
}

fn no_body() -> Failure {
    unsupported("the request has a body, and this address takes none")
        .hint("Send it without a body.")
}

/// Whether the request announces a body.
pub(super) fn carries(headers: &HeaderMap) -> bool {
    headers.contains_key(TRANSFER_ENCODING) || length(headers).is_some_and(|bytes| bytes > 0)
}

fn length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Refuses, once the sender has been heard out.
pub(super) async fn refuse<T>(request: Request, failure: Failure) -> Result<T, Failure> {
    discard(request).await;
    Err(failure)
}

/// Reads what is left of a refused request and forgets it. A connection closed on a sender that
/// still writes loses the answer with it.
pub(super) async fn discard(request: Request) {
    let waits = request.headers().contains_key(EXPECT);
    let huge = length(request.headers()).is_some_and(|bytes| bytes > DISCARD_BYTES_MAX);
    if waits || huge || !carries(request.headers()) {
        return;
    }
    discard_rest(request.into_body().into_data_stream()).await;
}

/// The same for a body that was read in part.
pub(super) async fn discard_rest(mut pieces: axum::body::BodyDataStream) {
    let deadline = Instant::now() + DISCARD_TIMEOUT;
    let mut bytes = 0;
    while bytes < DISCARD_BYTES_MAX {
        match timeout_at(deadline, pieces.next()).await {
            Ok(Some(Ok(piece))) => bytes += piece.len(),
            _ => return,
        }
    }
}

/// The whole body, if it is at most `bytes_max` and arrives in time.
pub(super) async fn whole(
    request: &mut Request,
    bytes_max: usize,
    too_large: Code,
) -> Result<Bytes, Failure> {
    let announced = length(request.headers());
    let refusal = |bytes: String| {
        Failure::new(
            too_large,
            format!("the body has {bytes} bytes, the limit is {bytes_max}"),
        )
    };
    if let Some(bytes) = announced.filter(|bytes| *bytes > bytes_max) {
        return refuse(std::mem::take(request), refusal(bytes.to_string())).await;
    }
    let mut pieces = std::mem::take(request.body_mut()).into_data_stream();
    let mut bytes = Vec::with_capacity(announced.unwrap_or(0));
    let begun = Instant::now();
    loop {
        let allowed = allowed(bytes.len());
        let next = timeout(PIECE_TIMEOUT, pieces.next());
        let Ok(next) = timeout_at(begun + allowed, next).await else {
            return Err(slow(bytes.len(), allowed));
        };
        match next {
            Err(_) => {
                let detail = format!("nothing of the body came for {} s", PIECE_TIMEOUT.as_secs());
                return Err(Failure::new(Code::BodySlow, detail));
            }
            Ok(None) => return Ok(bytes.into()),
            Ok(Some(Err(error))) => {
                let detail = format!("the body ended early: {error}");
                return Err(Failure::new(Code::BodyInvalid, detail));
            }
            Ok(Some(Ok(piece))) if bytes.len() + piece.len() > bytes_max => {
                discard_rest(pieces).await;
                return Err(refusal(format!("more than {bytes_max}")));
            }
            Ok(Some(Ok(piece))) => bytes.extend_from_slice(&piece),
        }
    }
}

/// How long a body may take in all of which so much has come.
fn allowed(bytes: usize) -> Duration {
    let paced = u32::try_from(bytes / PACE_BYTES).unwrap_or(u32::MAX);
    GRACE
        .saturating_add(Duration::from_secs(1).saturating_mul(paced))
        .min(BODY_TIMEOUT)
}

fn slow(bytes: usize, limit: Duration) -> Failure {
    let detail = format!(
        "{bytes} bytes of the body came within {} s",
        limit.as_secs()
    );
    let pace = format!(
        "A body has {} s, and one more for each {PACE_BYTES} bytes; in all {} s.",
        GRACE.as_secs(),
        BODY_TIMEOUT.as_secs()
    );
    Failure::new(Code::BodySlow, detail).hint(pace)
}

/// The body unpacked, if it is at most `bytes_max` then. Few bytes of gzip can claim gigabytes.
pub(super) fn gunzip(packed: &[u8], bytes_max: usize) -> Result<Bytes, Failure> {
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    flate2::read::MultiGzDecoder::new(packed)
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| {
            Failure::new(
                Code::BodyInvalid,
                format!("the body is not whole gzip: {error}"),
            )
        })?;
    if bytes.len() > bytes_max {
        let detail = format!("the body unpacks to more than {bytes_max} bytes, the limit");
        return Err(Failure::new(Code::BodyTooLarge, detail));
    }
    Ok(bytes.into())
}

/// The bytes as text.
pub(super) fn text(bytes: &[u8]) -> Result<&str, Failure> {
    std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        let value = bytes.get(at).copied().unwrap_or_default();
        let detail = format!("the body is not UTF-8: byte {at} is 0x{value:02x}");
        Failure::new(Code::BodyInvalid, detail).hint("Send the text in UTF-8.")
    })
}

/// The bytes as any JSON; the failure names line and column.
pub(super) fn any_json<T: FromJson>(bytes: &[u8]) -> Result<T, Failure> {
    json(bytes).map(|AsWritten(value)| value)
}

/// The bytes as a JSON object in a form. An array would be taken for its members in their order.
fn object<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    if !bytes.trim_ascii_start().starts_with(b"{") {
        any_json::<Map<String, Value>>(bytes)?;
    }
    json(bytes)
}

/// The bytes as JSON in a form; the failure names line and column.
fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    let text = text(bytes)?;
    // Some write a byte order mark; RFC 8259 lets a reader pass over it.
    serde_json::from_str(text.strip_prefix('\u{feff}').unwrap_or(text)).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let message = error.to_string();
        let what = if error.is_data() {
            "does not fit"
        } else {
            "is not JSON"
        };
        let problem = DefinitionProblem {
            severity: Severity::Error,
            rule: "syntax".to_owned(),
            message: message.clone(),
            hint: None,
            value: None,
            pointer: String::new(),
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: u32::try_from(column).unwrap_or(u32::MAX),
            end_line: 0,
            end_column: 0,
        };
        Failure::new(Code::BodyInvalid, format!("the body {what}: {message}"))
            .problems(vec![problem])
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use std::time::Duration;

    use axum::body::Body;
    use axum::extract::Request;
    use axum::http::HeaderMap;
    use flame_agent_api::media;
    use flame_errors::Code;
    use futures::{Stream, StreamExt, stream};
    use proptest::prelude::*;
    use tokio::time::Instant;

    use super::{
        DISCARD_TIMEOUT, PACE_BYTES, accepted, any_json, content_type, discard, gunzip, text, whole,
    };

    fn headers(content_type: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", content_type.parse().unwrap());
        headers
    }

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn only_declared_types_pass() {
        let types = &[media::YAML, media::JSON];
        for good in [
            "application/json",
            "Application/JSON; charset=UTF-8",
            "application/yaml;a=b",
        ] {
            assert!(accepted(&headers(good), types).is_ok(), "{good}");
        }
        for bad in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "application/json2",
            "json",
            "",
            "application/json; charset=latin-1",
            "text/yaml",
        ] {
            assert!(accepted(&headers(bad), types).is_err(), "{bad}");
        }
        assert!(accepted(&HeaderMap::new(), types).is_err());
        let mut twice = headers("application/json");
        twice.append("content-type", "text/plain".parse().unwrap());
        assert!(accepted(&twice, types).is_err() && content_type(&twice).is_err());
        let mut packed = headers("application/json");
        packed.insert("content-encoding", "gzip".parse().unwrap());
        let failure = format!("{:?}", accepted(&packed, types).unwrap_err());
        assert!(failure.contains(r#"encoding \"gzip\" is"#), "{failure}");
    }

    #[test]
    fn a_bomb_is_cut_at_the_limit() {
        let bomb = packed(&vec![b' '; 50_000_000]);
        assert!(bomb.len() < 60_000, "it is small on the wire");
        assert!(format!("{:?}", gunzip(&bomb, 1 << 20)).contains("BodyTooLarge"));
        let whole = packed(b"{}");
        assert!(format!("{:?}", gunzip(&whole[..whole.len() - 5], 10)).contains("BodyInvalid"));
        assert_eq!(gunzip(&whole, 2).unwrap(), "{}");
    }

    #[test]
    fn a_form_is_an_object() {
        #[derive(Debug, PartialEq, serde::Deserialize)]
        struct Form {
            task: String,
        }
        let form = |bytes: &[u8]| super::object::<Form>(bytes);
        let task = "a".to_owned();
        assert_eq!(
            form(b" {\"task\": \"a\"}").unwrap(),
            Form { task: task.clone() }
        );
        assert_eq!(
            form(b"\xEF\xBB\xBF{\"task\": \"a\"}").unwrap(),
            Form { task }
        );
        for bad in [&b"[\"a\"]"[..], b"\"a\"", b"{}", b"", b"\xEF\xBB\xBF"] {
            assert!(
                format!("{:?}", form(bad)).contains("BodyInvalid"),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn errors_name_the_place() {
        let failure = format!(
            "{:?}",
            any_json::<serde_json::Value>(b"{\n  \"a\": }").unwrap_err()
        );
        assert!(
            failure.contains("line: 2") && failure.contains("column: 8"),
            "{failure}"
        );
        let failure = format!("{:?}", text(b"ab\xff").unwrap_err());
        assert!(failure.contains("byte 2 is 0xff"), "{failure}");
    }

    fn streamed(pieces: impl Stream<Item = &'static str> + Send + 'static) -> Request {
        Request::new(Body::from_stream(pieces.map(Ok::<_, std::io::Error>)))
    }

    fn dripping(piece: &'static str, pause: Duration) -> Request {
        streamed(stream::repeat(piece).then(move |piece| async move {
            tokio::time::sleep(pause).await;
            piece
        }))
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_comes_too_slowly_is_cut_off() {
        const PIECE: &str = match std::str::from_utf8(&[b' '; PACE_BYTES]) {
            Ok(piece) => piece,
            Err(_) => "",
        };
        let stops = || streamed(stream::once(async { "{" }).chain(stream::pending()));
        let begins = || streamed(stream::repeat(PIECE).take(20).chain(stream::pending()));
        let second = Duration::from_secs(1);
        for (mut body, seconds, said) in [
            (stops(), 5, "1 bytes of the body came within 5 s"),
            (
                dripping(" ", second),
                5,
                "bytes of the body came within 5 s",
            ),
            // Half the pace that is asked for.
            (dripping(PIECE, 2 * second), 9, "came within 9 s"),
            // Fast enough, and then nothing more.
            (begins(), 10, "nothing of the body came for 10 s"),
            // Fast enough, and for ever.
            (dripping(PIECE, second), 60, "came within 60 s"),
        ] {
            let begun = Instant::now();
            let failure = whole(&mut body, 1 << 30, Code::BodyTooLarge)
                .await
                .unwrap_err();
            let failure = format!("{failure:?}");
            assert!(
                failure.contains("BodySlow") && failure.contains(said),
                "{failure}"
            );
            assert_eq!(begun.elapsed().as_secs(), seconds, "{failure}");
        }
        let mut steady = streamed(
            stream::repeat(PIECE)
                .take(30)
                .then(move |piece| async move {
                    tokio::time::sleep(second).await;
                    piece
                }),
        );
        let whole = whole(&mut steady, 1 << 30, Code::BodyTooLarge)
            .await
            .unwrap();
        assert_eq!(whole.len(), 30 * PACE_BYTES);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_body_is_not_read_for_ever() {
        let mut endless = streamed(stream::pending());
        endless
            .headers_mut()
            .insert("transfer-encoding", "chunked".parse().unwrap());
        let begun = Instant::now();
        discard(endless).await;
        assert!(begun.elapsed() <= DISCARD_TIMEOUT + Duration::from_millis(1));
        let mut waits = streamed(stream::pending());
        waits
            .headers_mut()
            .insert("expect", "100-continue".parse().unwrap());
        waits
            .headers_mut()
            .insert("content-length", "5".parse().unwrap());
        let begun = Instant::now();
        discard(waits).await;
        assert_eq!(
            begun.elapsed(),
            Duration::ZERO,
            "a sender that waits is not asked to go on"
        );
    }

    proptest! {
        #[test]
        fn unpacking_never_panics_and_never_exceeds(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            limit in 0_usize..100,
        ) {
            if let Ok(unpacked) = gunzip(&bytes, limit) {
                prop_assert!(unpacked.len() <= limit);
            }
            prop_assert_eq!(gunzip(&packed(&bytes), 200).unwrap(), bytes);
        }
    }
}
