//! Asking an authority for a token: OAuth 2 (RFC 6749), token exchange (RFC 8693), client assertions
//! (RFC 7523) and OpenID Connect discovery.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD as BASE64, URL_SAFE_NO_PAD};
use flame_engine::{Client, ClientProof, Error, Grant, StandardError, TokenEndpoint, TokenRequest};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Request, StatusCode, Url};
use secrecy::SecretString;
use serde_json::{Map, Value, json};
use sha2::Sha256;

use crate::runtime::ledger::Ledger;
use crate::runtime::outbound::address::{self, Reach};
use crate::runtime::outbound::{Clients, Target, answer, host_and_port};
use crate::runtime::shared::now;

const WELL_KNOWN: &str = "/.well-known/openid-configuration";
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// An answer of an authority is small.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// How long an authority's metadata is taken as true.
const METADATA_LIFE: Duration = Duration::from_secs(3_600);
const AUTHORITIES_MAX: usize = 1_000;
/// A client assertion is used at once.
const ASSERTION_SECONDS: i64 = 60;

/// Who makes a call, for the ledger of hosts.
#[derive(Debug, Clone, Copy)]
pub(in crate::runtime) struct Caller<'c> {
    pub(in crate::runtime) ledger: &'c Ledger,
    pub(in crate::runtime) name: &'c str,
}

impl Caller<'_> {
    pub(in crate::runtime) fn record(&self, url: &Url, failed: bool) {
        self.ledger
            .record(&host_and_port(url), self.name, failed, now());
    }
}

/// By what authorities are asked, and for whom.
#[derive(Clone, Copy)]
pub(in crate::runtime::outbound) struct Inquirer<'i> {
    pub(in crate::runtime::outbound) clients: &'i Clients,
    pub(in crate::runtime::outbound) caller: Caller<'i>,
}

/// What an authority gave.
pub(super) struct Granted {
    pub(super) token: SecretString,
    pub(super) life: Option<Duration>,
}

/// What authorities say about themselves.
#[derive(Debug, Default)]
pub(super) struct Metadata {
    known: Mutex<HashMap<String, (Endpoints, Instant)>>,
}

#[derive(Debug, Clone)]
struct Endpoints {
    issuer: Option<String>,
    token: Url,
}

pub(super) async fn ask(
    wanted: &TokenRequest,
    metadata: &Metadata,
    inquirer: Inquirer<'_>,
) -> Result<Granted, Error> {
    let endpoints = match &wanted.endpoint {
        TokenEndpoint::Path(path) => Endpoints {
            issuer: None,
            token: below(&wanted.authority, path)?,
        },
        TokenEndpoint::Discovered => metadata.of(wanted, inquirer).await?,
    };
    let request = token_request(wanted, &endpoints.token)?;
    let said = exchange(wanted, request, inquirer).await?;
    let refused = |detail: &str| refused(&endpoints.token, detail);
    let text = said.get("access_token").and_then(Value::as_str);
    let Some(token) = text.filter(|token| !token.is_empty()) else {
        return Err(refused("its answer has no access_token"));
    };
    let kind = said.get("token_type").and_then(Value::as_str);
    // RFC 8693 has "N_A" for tokens that are no access tokens.
    if let Some(kind) = kind.filter(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        return Err(refused(&format!(
            "it gave a token of the type {kind:?}; only Bearer can be sent"
        )));
    }
    check_issuer(token, wanted, endpoints.issuer.as_deref()).map_err(|detail| refused(&detail))?;
    Ok(Granted {
        token: SecretString::from(token.to_owned()),
        life: said
            .get("expires_in")
            .and_then(|life| life.as_u64().or_else(|| life.as_str()?.parse().ok()))
            .map(Duration::from_secs),
    })
}

impl Metadata {
    async fn of(&self, wanted: &TokenRequest, inquirer: Inquirer<'_>) -> Result<Endpoints, Error> {
        let authority = wanted.authority.trim_end_matches('/');
        let authority = authority.strip_suffix(WELL_KNOWN).unwrap_or(authority);
        let known = self.read(|known| known.get(authority).cloned());
        if let Some((endpoints, _)) = known.filter(|(_, until)| Instant::now() < *until) {
            return Ok(endpoints);
        }
        let url = below(authority, WELL_KNOWN)?;
        let said = exchange(wanted, Request::new(Method::GET, url.clone()), inquirer).await?;
        let text = |name: &str| said.get(name).and_then(Value::as_str);
        let issuer = text("issuer").unwrap_or_default();
        if issuer.trim_end_matches('/') != authority {
            return Err(refused(
                &url,
                &format!("it says that it is {issuer:?}; write that as the authority"),
            ));
        }
        let token = text("token_endpoint").and_then(|url| Url::parse(url).ok());
        let Some(token) = token else {
            return Err(refused(&url, "its metadata has no token_endpoint"));
        };
        let endpoints = Endpoints {
            issuer: Some(issuer.to_owned()),
            token,
        };
        let until = Instant::now() + METADATA_LIFE;
        self.read(|known| {
            if known.len() >= AUTHORITIES_MAX {
                known.clear();
            }
            known.insert(authority.to_owned(), (endpoints.clone(), until));
        });
        Ok(endpoints)
    }

    fn read<T>(&self, read: impl FnOnce(&mut HashMap<String, (Endpoints, Instant)>) -> T) -> T {
        read(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A path below an authority, or an address of its own.
fn below(authority: &str, path: &str) -> Result<Url, Error> {
    let text = if path.contains("://") {
        path.to_owned()
    } else {
        format!(
            "{}/{}",
            authority.trim_end_matches('/'),
            path.trim_start_matches('/')
        )
    };
    let url = Url::parse(&text).ok();
    url.filter(|url| matches!(url.scheme(), "http" | "https"))
        .ok_or_else(|| {
            StandardError::Configuration.with(
                "The authority's address is not an HTTP URL",
                format!("{text:?}; write one such as https://login.example.com"),
            )
        })
}

/// Sends a request to an authority and reads its JSON.
async fn exchange(
    wanted: &TokenRequest,
    mut request: Request,
    inquirer: Inquirer<'_>,
) -> Result<Map<String, Value>, Error> {
    let url = request.url().clone();
    // Metadata may name any host; one that nobody wrote down is held to public addresses.
    let is_authority = Url::parse(&wanted.authority)
        .is_ok_and(|authority| host_and_port(&authority) == host_and_port(&url));
    let reach = if wanted.authority_is_named && is_authority {
        Reach::Named
    } else {
        Reach::Data
    };
    let target = Target::of(&request);
    address::check(&url, reach).map_err(|refusal| refusal.into_error(&target.host))?;
    request
        .headers_mut()
        .insert(ACCEPT, HeaderValue::from_static("application/json"));
    let answer = inquirer.clients.of(reach).execute(request).await;
    inquirer.caller.record(&url, answer.is_err());
    let answer = answer.map_err(|error| target.failed(&error))?;
    let status = answer.status();
    let body = answer::body(answer, &target, ANSWER_BYTES_MAX).await?;
    let said: Option<Map<String, Value>> = flame_types::json::from_slice(&body).ok();
    match said {
        Some(said) if status.is_success() => Ok(said),
        _ if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
            let mut error = target.communication(
                "The authority does not answer as it should",
                &format!("answered {}", status.as_u16()),
            );
            error.status = status.as_u16();
            Err(error)
        }
        Some(said) => {
            let text = |name: &str| said.get(name).and_then(Value::as_str).unwrap_or_default();
            let shown: String = format!("{} {}", text("error"), text("error_description"))
                .chars()
                .take(300)
                .collect();
            Err(refused(
                &url,
                &format!("answered {} {}", status.as_u16(), shown.trim()),
            ))
        }
        None => Err(refused(
            &url,
            &format!("answered {} without JSON", status.as_u16()),
        )),
    }
}

fn token_request(wanted: &TokenRequest, url: &Url) -> Result<Request, Error> {
    let mut request = Request::new(Method::POST, url.clone());
    let mut form = parameters(wanted);
    if let Some(client) = &wanted.client
        && let Some(value) = prove(client, url, &mut form)
    {
        let mut value = HeaderValue::from_str(&value).map_err(|_| {
            StandardError::Configuration.with(
                "The client can't be proved",
                "its id or secret holds a character that an HTTP header can't",
            )
        })?;
        value.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, value);
    }
    let (kind, body) = if wanted.is_json {
        ("application/json", as_json(form).to_string())
    } else {
        let mut text = url::form_urlencoded::Serializer::new(String::new());
        text.extend_pairs(&form);
        ("application/x-www-form-urlencoded", text.finish())
    };
    request
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    *request.body_mut() = Some(body.into());
    Ok(request)
}

fn parameters(wanted: &TokenRequest) -> Vec<(&'static str, String)> {
    let mut form = Vec::new();
    match &wanted.grant {
        Grant::ClientCredentials => form.push(("grant_type", "client_credentials".to_owned())),
        Grant::Password { username, password } => {
            form.push(("grant_type", "password".to_owned()));
            form.push(("username", username.clone()));
            form.push(("password", password.clone()));
        }
        Grant::RefreshToken(token) => {
            form.push(("grant_type", "refresh_token".to_owned()));
            form.push(("refresh_token", token.clone()));
        }
        Grant::TokenExchange(subject) => {
            form.push(("grant_type", EXCHANGE.to_owned()));
            form.push(("subject_token", subject.token.clone()));
            form.push(("subject_token_type", subject.kind.clone()));
        }
    }
    if let Some(actor) = &wanted.actor {
        form.push(("actor_token", actor.token.clone()));
        form.push(("actor_token_type", actor.kind.clone()));
    }
    if !wanted.scopes.is_empty() {
        form.push(("scope", wanted.scopes.join(" ")));
    }
    let audiences = wanted.audiences.iter();
    form.extend(audiences.map(|audience| ("audience", audience.clone())));
    form
}

/// Adds what proves the client; gives the `Authorization` header where that is how it does.
fn prove(
    client: &Client,
    endpoint: &Url,
    form: &mut Vec<(&'static str, String)>,
) -> Option<String> {
    if let ClientProof::Basic(secret) = &client.proof {
        // RFC 6749, 2.3.1: both are encoded as in a form first.
        let encode = |text: &str| -> String {
            url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
        };
        let pair = format!("{}:{}", encode(&client.id), encode(secret));
        return Some(format!("Basic {}", BASE64.encode(pair)));
    }
    form.push(("client_id", client.id.clone()));
    let assertion = match &client.proof {
        ClientProof::None | ClientProof::Basic(_) => return None,
        ClientProof::Post(secret) => {
            form.push(("client_secret", secret.clone()));
            return None;
        }
        ClientProof::SecretJwt(secret) => secret_jwt(&client.id, secret, endpoint),
        ClientProof::Assertion(assertion) => assertion.clone(),
    };
    form.push(("client_assertion_type", ASSERTION_TYPE.to_owned()));
    form.push(("client_assertion", assertion));
    None
}

/// A JWT that is good for one request, signed with the secret (HS256).
fn secret_jwt(client: &str, secret: &str, audience: &Url) -> String {
    let issued = now().as_second();
    let claims = json!({
        "iss": client,
        "sub": client,
        "aud": audience.as_str(),
        "jti": uuid::Uuid::now_v7().to_string(),
        "iat": issued,
        "exp": issued + ASSERTION_SECONDS,
    });
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!(
        "{}.{}",
        encode(&json!({"alg": "HS256", "typ": "JWT"})),
        encode(&claims)
    );
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(signed.as_bytes());
    format!(
        "{signed}.{}",
        URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    )
}

/// A name that stands several times becomes a list.
fn as_json(form: Vec<(&'static str, String)>) -> Value {
    let mut object = Map::new();
    for (name, value) in form {
        match object.get_mut(name) {
            None => drop(object.insert(name.to_owned(), Value::String(value))),
            Some(Value::Array(values)) => values.push(Value::String(value)),
            Some(first) => *first = json!([first.take(), value]),
        }
    }
    Value::Object(object)
}

/// A JWT says who issued it; of another token only the authority that gave it is known.
fn check_issuer(token: &str, wanted: &TokenRequest, authority: Option<&str>) -> Result<(), String> {
    if wanted.issuers.is_empty() {
        return Ok(());
    }
    let claims = token
        .split('.')
        .nth(1)
        .and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let claims: Option<Value> =
        claims.and_then(|claims| flame_types::json::from_slice(&claims).ok());
    let issuer = claims
        .as_ref()
        .and_then(|claims| claims.get("iss")?.as_str())
        .or(authority);
    match issuer {
        Some(issuer) if wanted.issuers.iter().any(|known| known == issuer) => Ok(()),
        Some(issuer) => Err(format!(
            "the token's issuer is {issuer:?}, which is none of {}",
            wanted.issuers.join(", ")
        )),
        None => Err("the token does not say who issued it; leave 'issuers' out".to_owned()),
    }
}

fn refused(url: &Url, detail: &str) -> Error {
    StandardError::Authentication.with(
        "The authority gave no token",
        format!("{}{}: {detail}", host_and_port(url), url.path()),
    )
}
