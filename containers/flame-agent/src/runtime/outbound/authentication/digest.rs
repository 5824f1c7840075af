//! Digest (RFC 7616): MD5 and SHA-256, `qop=auth`. A server's nonce serves further calls with a higher
//! count, so that only the first of them is sent twice.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use flame_engine::{Error, StandardError, User};
use http_auth::digest::Algorithm;
use http_auth::{DigestClient, PasswordParams};
use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};
use reqwest::{Request, Response, StatusCode};

use super::{Outgoing, again};
use crate::runtime::outbound::host_and_port;

/// Servers and users whose challenges are remembered.
const CHALLENGES_MAX: usize = 1_000;

/// The last challenge of each server to each user.
#[derive(Debug, Default)]
pub(super) struct Challenges {
    known: Mutex<HashMap<(String, String), DigestClient>>,
}

impl Challenges {
    pub(super) async fn send(
        &self,
        request: Request,
        user: &User,
        out: &Outgoing<'_>,
    ) -> Result<Response, Error> {
        let place = (host_and_port(request.url()), user.name.clone());
        let answer = match self.respond(&place, &request, user)? {
            Some(value) => out.send_with(again(&request)?, value).await?,
            None => out.send(again(&request)?).await?,
        };
        if answer.status() != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        let Some(challenge) = challenge(answer.headers()) else {
            return Ok(answer);
        };
        self.learn(place.clone(), challenge);
        match self.respond(&place, &request, user)? {
            Some(value) => out.send_with(request, value).await,
            None => Ok(answer),
        }
    }

    /// The header that answers the challenge that is known, if one is.
    fn respond(
        &self,
        place: &(String, String),
        request: &Request,
        user: &User,
    ) -> Result<Option<String>, Error> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(challenge) = known.get_mut(place) else {
            return Ok(None);
        };
        let url = request.url();
        let uri = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        challenge
            .respond(&PasswordParams {
                username: &user.name,
                password: &user.password,
                uri: &uri,
                method: request.method().as_str(),
                body: request.body().map_or(Some(&[]), |body| body.as_bytes()),
            })
            .map(Some)
            .map_err(|error| {
                StandardError::Authentication.with(
                    "The server's challenge can't be answered",
                    format!("{}: {error}", place.0),
                )
            })
    }

    fn learn(&self, place: (String, String), challenge: DigestClient) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= CHALLENGES_MAX {
            // They are asked for again, at one more request each.
            known.clear();
        }
        known.insert(place, challenge);
    }
}

/// The digest challenge with the best algorithm.
fn challenge(headers: &HeaderMap) -> Option<DigestClient> {
    let texts = headers.get_all(WWW_AUTHENTICATE).iter();
    let mut clients: Vec<DigestClient> = texts
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| http_auth::parse_challenges(text).unwrap_or_default())
        .filter_map(|challenge| DigestClient::try_from(&challenge).ok())
        .collect();
    let best = clients
        .iter()
        .position(|client| client.algorithm() != Algorithm::Md5)
        .unwrap_or(0);
    (!clients.is_empty()).then(|| clients.swap_remove(best))
}
