//! Who may ask at all: Host and Origin lists against DNS rebinding and web pages on the same machine,
//! then the bearer token. Applies to every request, whatever its address.

use std::future::Future;
use std::net::SocketAddr;

use axum::extract::Request;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD,
    AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, HeaderName, ORIGIN,
    REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use flame_errors::Code;

use super::body;
use super::error::Error;
use super::failure::Failure;
use super::token::Token;

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// The Hosts and Origins that are taken, exactly as they stand in the headers.
#[derive(Debug, Clone, Default)]
pub struct AllowLists {
    hosts: Vec<String>,
    origins: Vec<String>,
}

impl AllowLists {
    /// The loopback names with the port that is listened on, the address itself where it is not the
    /// wildcard, and what was given at launch.
    pub fn new(address: SocketAddr, hosts: &[String], origins: &[String]) -> Result<Self, Error> {
        let port = address.port();
        let mut allowed = vec![
            format!("127.0.0.1:{port}"),
            format!("localhost:{port}"),
            format!("[::1]:{port}"),
        ];
        if !address.ip().is_unspecified() {
            allowed.push(address.to_string());
        }
        for host in hosts {
            allowed.push(checked_host(host)?);
        }
        // A browser leaves the port of its scheme out.
        let bare: Vec<String> = allowed
            .iter()
            .filter_map(|host| host.strip_suffix(":80").map(str::to_owned))
            .collect();
        allowed.extend(bare);
        let origins = origins
            .iter()
            .map(|origin| checked_origin(origin))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            hosts: allowed,
            origins,
        })
    }

    fn takes_host(&self, host: &str) -> bool {
        self.hosts
            .iter()
            .any(|allowed| allowed.eq_ignore_ascii_case(host))
    }

    fn takes_origin(&self, origin: &str) -> bool {
        self.origins.iter().any(|allowed| allowed == origin)
    }
}

fn checked_host(value: &str) -> Result<String, Error> {
    let refuse = || Error::AllowedHost {
        value: value.to_owned(),
    };
    let url = url::Url::parse(&format!("http://{value}/")).map_err(|_| refuse())?;
    let is_plain = url.path() == "/"
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
        && !value.contains(['/', '*', ' ']);
    if is_plain && url.host().is_some() {
        Ok(value.to_ascii_lowercase())
    } else {
        Err(refuse())
    }
}

fn checked_origin(value: &str) -> Result<String, Error> {
    let refuse = || Error::AllowedOrigin {
        value: value.to_owned(),
    };
    let url = url::Url::parse(value).map_err(|_| refuse())?;
    let known = matches!(url.scheme(), "http" | "https" | "tauri");
    // The parsed form must be what was written: anything more is a path, a wildcard or a mistake.
    let same = value == url.origin().ascii_serialization()
        || (url.scheme() == "tauri"
            && value == format!("tauri://{}", url.host_str().unwrap_or("")));
    if known && same && !value.contains('*') {
        Ok(value.to_owned())
    } else {
        Err(refuse())
    }
}

/// What the guard holds every request against.
#[derive(Debug)]
pub(super) struct Guard {
    pub(super) lists: AllowLists,
    pub(super) token: Token,
}

/// Hands over what may ask. A request that is refused is read to its end, within limits, so that its sender
/// gets to read the answer.
pub(super) async fn check<F: Future<Output = Response>>(
    guard: &Guard,
    request: Request,
    next: impl FnOnce(Request) -> F,
) -> Response {
    let origin = match admit(guard, &request) {
        Ok(origin) => origin,
        Err(failure) => {
            body::discard(request).await;
            return harden(failure.into_response(), None);
        }
    };
    if origin.is_some()
        && request.method() == Method::OPTIONS
        && request
            .headers()
            .contains_key(ACCESS_CONTROL_REQUEST_METHOD)
    {
        return harden(preflight(), origin.as_ref());
    }
    if let Err(failure) = authenticate(guard, &request) {
        body::discard(request).await;
        return harden(failure.into_response(), origin.as_ref());
    }
    harden(next(request).await, origin.as_ref())
}

/// Host, Origin and Fetch metadata; gives the Origin where one is named and allowed.
fn admit(guard: &Guard, request: &Request) -> Result<Option<HeaderValue>, Failure> {
    let host = single(request.headers(), &HOST).map_err(foreign_host)?;
    if !guard.lists.takes_host(host) {
        return Err(foreign_host(host));
    }
    // An absolute address in the request line names a host of its own.
    if let Some(authority) = request.uri().authority()
        && !guard.lists.takes_host(authority.as_str())
    {
        return Err(foreign_host(authority.as_str()));
    }
    let headers = request.headers();
    if headers.contains_key(ORIGIN) {
        let origin = single(headers, &ORIGIN).map_err(foreign_origin)?;
        if !guard.lists.takes_origin(origin) {
            return Err(foreign_origin(origin));
        }
        return Ok(headers.get(ORIGIN).cloned());
    }
    match headers
        .get(FETCH_SITE)
        .map(|site| site.to_str().unwrap_or("unreadable"))
    {
        None | Some("none" | "same-origin") => Ok(None),
        Some(site) => Err(foreign_origin(&format!("Sec-Fetch-Site: {site}"))),
    }
}

/// The one value of a header; the error is what was found instead.
fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<&'h str, &'static str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().map_err(|_| "something unreadable"),
        (None, _) => Err("none"),
        (Some(_), Some(_)) => Err("several"),
    }
}

fn foreign_host(found: &str) -> Failure {
    Failure::new(Code::ForeignHost, format!("the Host header is {found:?}"))
        .hint("Use the address the agent printed, or allow the host at its start: --allow-host.")
}

fn foreign_origin(found: &str) -> Failure {
    Failure::new(
        Code::ForeignOrigin,
        format!("the request comes from a web page ({found})"),
    )
    .hint("Allow the page's origin at the agent's start: --allow-origin.")
}

/// Health needs no token, and hooks have protection of their own; everything else needs it, also
/// what does not exist.
fn authenticate(guard: &Guard, request: &Request) -> Result<(), Failure> {
    let path = request.uri().path();
    if path.starts_with("/health/") || path.starts_with("/hooks/") {
        return Ok(());
    }
    match bearer(request.headers()) {
        Some(shown) if guard.token.is(shown) => Ok(()),
        Some(_) => Err(unauthorized("the bearer token is not this agent's")),
        None => Err(unauthorized("the request has no bearer token")),
    }
}

fn unauthorized(detail: &str) -> Failure {
    Failure::new(Code::Unauthorized, detail)
        .hint("Send `Authorization: Bearer <token>`; the agent printed where its token file is.")
}

/// The token of a single `Authorization: Bearer` header.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = single(headers, &AUTHORIZATION).ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn preflight() -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    headers.insert(
        ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, PUT, POST, PATCH, DELETE"),
    );
    headers.insert(
        ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static(
            "authorization, content-type, idempotency-key, last-event-id, webhook-id, \
             webhook-timestamp, webhook-signature",
        ),
    );
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    response
}

/// Headers that every answer carries.
fn harden(mut response: Response, origin: Option<&HeaderValue>) -> Response {
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    );
    headers.insert(VARY, HeaderValue::from_static("Origin"));
    match origin {
        Some(origin) => {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(
                ACCESS_CONTROL_EXPOSE_HEADERS,
                HeaderValue::from_static("location, allow, www-authenticate"),
            );
            headers.insert(RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
        }
        None => {
            headers.insert(RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::AllowLists;

    fn lists(address: &str, hosts: &[&str], origins: &[&str]) -> AllowLists {
        let own = |list: &[&str]| {
            list.iter()
                .map(|text| (*text).to_owned())
                .collect::<Vec<_>>()
        };
        AllowLists::new(address.parse().unwrap(), &own(hosts), &own(origins)).unwrap()
    }

    #[test]
    fn hosts_match_exactly_with_their_port() {
        let lists = lists("127.0.0.1:41231", &["Mastra.local:8080"], &[]);
        for good in [
            "127.0.0.1:41231",
            "LOCALHOST:41231",
            "[::1]:41231",
            "mastra.local:8080",
        ] {
            assert!(lists.takes_host(good), "{good}");
        }
        for bad in [
            "",
            "localhost",
            "localhost:80",
            "localhost:412310",
            "evil.localhost:41231",
            "127.0.0.1.nip.io:41231",
            "127.0.0.2:41231",
            "[::1]",
            "mastra.local",
            "localhost:41231.evil.com",
            "localhost:41231@evil.com",
            "0.0.0.0:41231",
        ] {
            assert!(!lists.takes_host(bad), "{bad}");
        }
    }

    #[test]
    fn the_wildcard_address_is_no_host() {
        let lists = lists("0.0.0.0:8080", &["127.0.0.1:41231"], &[]);
        assert!(!lists.takes_host("0.0.0.0:8080"));
        assert!(lists.takes_host("127.0.0.1:8080") && lists.takes_host("127.0.0.1:41231"));
    }

    #[test]
    fn port_80_may_be_left_out() {
        assert!(lists("127.0.0.1:80", &[], &[]).takes_host("localhost"));
    }

    #[test]
    fn origins_are_exact_and_never_wild() {
        let lists = lists(
            "127.0.0.1:1",
            &[],
            &["https://mastra.local", "tauri://localhost"],
        );
        assert!(lists.takes_origin("https://mastra.local"));
        assert!(lists.takes_origin("tauri://localhost"));
        for bad in [
            "null",
            "https://mastra.local.evil.com",
            "http://mastra.local",
            "*",
        ] {
            assert!(!lists.takes_origin(bad), "{bad}");
        }
        let address = "127.0.0.1:1".parse().unwrap();
        for bad in [
            "*",
            "null",
            "https://a/",
            "https://a/b",
            "a",
            "https://*.a",
            "file:///",
        ] {
            assert!(
                AllowLists::new(address, &[], &[bad.to_owned()]).is_err(),
                "{bad}"
            );
        }
        for bad in ["", "*", "a b", "http://a", "a/b", "u@a"] {
            assert!(
                AllowLists::new(address, &[bad.to_owned()], &[]).is_err(),
                "{bad}"
            );
        }
    }
}
