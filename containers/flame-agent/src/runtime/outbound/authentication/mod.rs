//! How a call proves who makes it: headers, answers to challenges, tokens of authorities.
//!
//! Deliberately absent: following redirects, so credentials never leave the host that they are meant for;
//! and keeping anything: tokens and challenges are in memory only.

mod authority;
mod digest;
mod token;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use flame_engine::{Credentials, Error, StandardError, TokenRequest, User};
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Client, Request, Response, StatusCode};

use self::digest::Challenges;
use self::token::Tokens;
use super::Target;

pub(in crate::runtime) use self::authority::Caller;
pub(super) use self::authority::Inquirer;
pub(in crate::runtime) use self::token::Held;

const GRPC_UNAUTHENTICATED: &str = "16";

/// What was learnt from servers and authorities, shared by all calls.
#[derive(Debug, Default)]
pub(super) struct Authenticator {
    challenges: Challenges,
    tokens: Tokens,
}

/// One request on its way.
pub(super) struct Outgoing<'o> {
    pub(super) client: &'o Client,
    pub(super) target: &'o Target,
    pub(super) inquirer: Inquirer<'o>,
}

impl Outgoing<'_> {
    async fn send(&self, request: Request) -> Result<Response, Error> {
        self.client
            .execute(request)
            .await
            .map_err(|error| self.target.failed(&error))
    }

    async fn send_with(&self, mut request: Request, value: String) -> Result<Response, Error> {
        let mut value = HeaderValue::from_str(&value).map_err(|_| {
            StandardError::Configuration.with(
                "The credentials can't be sent",
                "they hold a character that an HTTP header can't, such as a line break",
            )
        })?;
        value.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, value);
        self.send(request).await
    }
}

impl Authenticator {
    /// Sends a request with its credentials; again, once, where what was learnt before is stale.
    pub(super) async fn send(
        &self,
        request: Request,
        credentials: Option<&Credentials>,
        out: &Outgoing<'_>,
    ) -> Result<Response, Error> {
        match credentials {
            None => out.send(request).await,
            Some(Credentials::Basic(user)) => out.send_with(request, basic(user)).await,
            Some(Credentials::Bearer(token)) => {
                out.send_with(request, format!("Bearer {token}")).await
            }
            Some(Credentials::Digest(user)) => self.challenges.send(request, user, out).await,
            Some(Credentials::Token(wanted)) => {
                let held = self.tokens.get(wanted, out.inquirer).await?;
                let first = again(&request)?;
                let answer = out.send_with(first, held.header()).await?;
                if !is_refused(&answer) {
                    return Ok(answer);
                }
                if !self.renews(wanted, &held).await {
                    return Ok(answer);
                }
                let held = self.tokens.get(wanted, out.inquirer).await?;
                out.send_with(request, held.header()).await
            }
        }
    }

    /// The token of an authority, for protocols whose requests are not HTTP.
    pub(super) async fn token(
        &self,
        wanted: &TokenRequest,
        inquirer: Inquirer<'_>,
    ) -> Result<Held, Error> {
        self.tokens.get(wanted, inquirer).await
    }

    /// Drops a token that a server has refused; whether another may be taken in its stead.
    pub(super) async fn renews(&self, wanted: &TokenRequest, refused: &Held) -> bool {
        self.tokens.forget(wanted, refused).await;
        !refused.is_fresh
    }
}

/// As HTTP and as gRPC say that nobody is known by these credentials.
fn is_refused(answer: &Response) -> bool {
    let grpc = answer.headers().get("grpc-status");
    answer.status() == StatusCode::UNAUTHORIZED
        || grpc.is_some_and(|status| status == GRPC_UNAUTHENTICATED)
}

fn basic(User { name, password }: &User) -> String {
    format!("Basic {}", BASE64.encode(format!("{name}:{password}")))
}

/// The same request for another attempt.
fn again(request: &Request) -> Result<Request, Error> {
    request.try_clone().ok_or_else(|| {
        StandardError::Runtime.with(
            "The call was not made",
            "its body can't be sent twice, which its authentication may need",
        )
    })
}
