//! Authentication policies with every expression evaluated: what a call proves itself with.
//!
//! Deliberately absent: asking an authority for a token, and the headers; the caller does that. Nothing
//! here is journalled or printed.

use std::fmt;

use flame_dsl::{Authentication, AuthenticationScheme, AuthenticationSettings, Template};
use serde_json::{Value, json};

use crate::error::{Error, StandardError};
use crate::scope::Scope;
use crate::secrets::MASK;
use crate::tasks::call;

const TOKEN_PATH: &str = "/oauth2/token";

/// What a call proves itself with. `Debug` shows the scheme alone.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Credentials {
    Basic(User),
    Bearer(String),
    Digest(User),
    /// A bearer token that an authority gives out.
    Token(Box<TokenRequest>),
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub struct User {
    pub name: String,
    pub password: String,
}

/// How a token is asked for.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TokenRequest {
    pub authority: String,
    /// The document, or a secret, names the authority's host; it did not come out of data.
    pub authority_is_named: bool,
    pub endpoint: TokenEndpoint,
    pub grant: Grant,
    pub client: Option<Client>,
    pub is_json: bool,
    /// A token's issuer must be one of these; any where empty.
    pub issuers: Vec<String>,
    pub scopes: Vec<String>,
    pub audiences: Vec<String>,
    pub actor: Option<TypedToken>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub enum TokenEndpoint {
    /// Below the authority.
    Path(String),
    /// As `/.well-known/openid-configuration` below the authority says.
    Discovered,
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Grant {
    ClientCredentials,
    Password {
        username: String,
        password: String,
    },
    RefreshToken(String),
    /// RFC 8693.
    TokenExchange(TypedToken),
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TypedToken {
    pub token: String,
    /// A URN of RFC 8693.
    pub kind: String,
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Client {
    pub id: String,
    pub proof: ClientProof,
}

/// How a client proves who it is.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum ClientProof {
    None,
    Basic(String),
    Post(String),
    /// A JWT signed with the secret (HS256).
    SecretJwt(String),
    /// A JWT that the client has signed itself.
    Assertion(String),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.scheme())?;
        f.write_str("(redacted)")
    }
}

impl fmt::Debug for TokenRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenRequest")
            .field("authority", &self.authority)
            .finish_non_exhaustive()
    }
}

impl Credentials {
    /// The scheme of the `Authorization` header.
    pub const fn scheme(&self) -> &'static str {
        match self {
            Self::Basic(_) => "Basic",
            Self::Digest(_) => "Digest",
            Self::Bearer(_) | Self::Token(_) => "Bearer",
        }
    }

    /// `$authorization` of the call's own arguments, where it is known before the call.
    pub(crate) fn authorization(&self) -> Option<Value> {
        use base64::Engine as _;
        let parameter = match self {
            Self::Basic(User { name, password }) => {
                base64::engine::general_purpose::STANDARD.encode(format!("{name}:{password}"))
            }
            Self::Bearer(token) => token.clone(),
            Self::Digest(_) | Self::Token(_) => return None,
        };
        Some(json!({"scheme": self.scheme(), "parameter": parameter}))
    }

    /// Evaluates a policy; the same again after a crash. `property` names its place for messages.
    pub(crate) fn evaluate(
        scope: &Scope<'_>,
        policy: &Authentication,
        property: &'static str,
    ) -> Result<Self, Error> {
        let settings = match &policy.settings {
            AuthenticationSettings::Inline(template) => Settings {
                property,
                values: scope.template(template, property)?,
                written: Some(template),
            },
            AuthenticationSettings::Secret(name) => Settings {
                property,
                values: scope.secret(name)?.clone(),
                written: None,
            },
        };
        Ok(match policy.scheme {
            AuthenticationScheme::Basic => Self::Basic(settings.user()?),
            AuthenticationScheme::Digest => Self::Digest(settings.user()?),
            AuthenticationScheme::Bearer => Self::Bearer(match &settings.values {
                // A secret may be the token itself.
                Value::String(token) => token.clone(),
                _ => settings.required("/token")?,
            }),
            AuthenticationScheme::OAuth2 => {
                let path = settings.token_path(scope)?;
                Self::Token(Box::new(
                    settings.token_request(scope, TokenEndpoint::Path(path))?,
                ))
            }
            AuthenticationScheme::Oidc => Self::Token(Box::new(
                settings.token_request(scope, TokenEndpoint::Discovered)?,
            )),
        })
    }
}

/// `$authorization` once the call was made: the parameter is a secret, and this becomes data.
pub(crate) fn afterwards(policy: &Authentication) -> Value {
    let scheme = match policy.scheme {
        AuthenticationScheme::Basic => "Basic",
        AuthenticationScheme::Digest => "Digest",
        AuthenticationScheme::Bearer
        | AuthenticationScheme::OAuth2
        | AuthenticationScheme::Oidc => "Bearer",
    };
    json!({"scheme": scheme, "parameter": MASK})
}

/// A policy's settings, evaluated.
struct Settings<'a> {
    property: &'static str,
    values: Value,
    /// As they stand in the document; `None` where a secret holds them.
    written: Option<&'a Template>,
}

impl Settings<'_> {
    fn user(&self) -> Result<User, Error> {
        Ok(User {
            name: self.required("/username")?,
            password: self.required("/password")?,
        })
    }

    fn token_request(
        &self,
        scope: &Scope<'_>,
        endpoint: TokenEndpoint,
    ) -> Result<TokenRequest, Error> {
        let (authority, authority_is_named) = self.authority(scope)?;
        Ok(TokenRequest {
            authority,
            authority_is_named,
            endpoint,
            grant: self.grant()?,
            client: self.client()?,
            is_json: self.text("/request/encoding")?.as_deref() == Some("application/json"),
            issuers: self.texts("/issuers")?,
            scopes: self.texts("/scopes")?,
            audiences: self.texts("/audiences")?,
            actor: match self.values.pointer("/actor") {
                None | Some(Value::Null) => None,
                Some(_) => Some(self.token("/actor")?),
            },
        })
    }

    /// The address, and whether the document itself names its host.
    fn authority(&self, scope: &Scope<'_>) -> Result<(String, bool), Error> {
        let written = self.required("/authority")?;
        let expanded = self.expanded(scope, &written, "authority")?;
        let is_named = self.is_literal(&["authority"]) && host(&written) == host(&expanded);
        Ok((expanded, is_named))
    }

    /// Data may fill in a part of the path, but leads to no other host: the client's secret goes there.
    fn token_path(&self, scope: &Scope<'_>) -> Result<String, Error> {
        let Some(written) = self.text("/endpoints/token")? else {
            return Ok(TOKEN_PATH.to_owned());
        };
        let expanded = self.expanded(scope, &written, "endpoints.token")?;
        if expanded == written && self.is_literal(&["endpoints", "token"]) {
            return Ok(expanded);
        }
        let is_absolute = expanded.contains("://");
        let names_its_host = self.is_literal(&["endpoints", "token"])
            && written.contains("://")
            && host(&written) == host(&expanded);
        let leads_away =
            |sign: &str| expanded.matches(sign).count() > written.matches(sign).count();
        if (is_absolute && !names_its_host) || ["..", "?", "#", "\\"].into_iter().any(leads_away) {
            return Err(invalid(format!(
                "{}.endpoints.token gave {expanded:?}; data may be a part of its path alone",
                self.property
            )));
        }
        Ok(expanded)
    }

    /// Whether the document writes a setting out, without an expression. What a secret holds is written out.
    fn is_literal(&self, path: &[&str]) -> bool {
        let mut template = self.written;
        for name in path {
            template = match template {
                Some(Template::Object(members)) => members
                    .iter()
                    .find_map(|(found, member)| (found == name).then_some(member)),
                template => template,
            };
        }
        template.is_none_or(|template| matches!(template, Template::Literal(_)))
    }

    /// A URI template over the task's input.
    fn expanded(&self, scope: &Scope<'_>, template: &str, name: &str) -> Result<String, Error> {
        let what = format!("{}: the {name} {template:?}", self.property);
        call::expanded(template, scope.input.unwrap_or(&Value::Null), &what)
    }

    fn grant(&self) -> Result<Grant, Error> {
        Ok(match self.required("/grant")?.as_str() {
            "client_credentials" => Grant::ClientCredentials,
            "password" => Grant::Password {
                username: self.required("/username")?,
                password: self.required("/password")?,
            },
            "refresh_token" => Grant::RefreshToken(self.required("/subject/token")?),
            "urn:ietf:params:oauth:grant-type:token-exchange" => {
                Grant::TokenExchange(self.token("/subject")?)
            }
            grant => {
                return Err(invalid(format!(
                    "{}: the grant {grant:?} can't be used by a run; use client_credentials, \
                     password, refresh_token or urn:ietf:params:oauth:grant-type:token-exchange",
                    self.property
                )));
            }
        })
    }

    fn client(&self) -> Result<Option<Client>, Error> {
        let Some(id) = self.text("/client/id")? else {
            return match self.values.pointer("/client") {
                None | Some(Value::Null) => Ok(None),
                Some(_) => self.required("/client/id").map(|_| None),
            };
        };
        let secret = || self.required("/client/secret");
        let proof = match self.text("/client/authentication")?.as_deref() {
            Some("client_secret_basic") => ClientProof::Basic(secret()?),
            Some("client_secret_jwt") => ClientProof::SecretJwt(secret()?),
            Some("private_key_jwt") => ClientProof::Assertion(self.required("/client/assertion")?),
            Some("none") => ClientProof::None,
            Some("client_secret_post") => ClientProof::Post(secret()?),
            // A client without a secret is a public one.
            None => match (
                self.text("/client/secret")?,
                self.text("/client/assertion")?,
            ) {
                (_, Some(_)) => {
                    return Err(invalid(format!(
                        "{}.client.assertion is sent with authentication: private_key_jwt alone",
                        self.property
                    )));
                }
                (Some(secret), None) => ClientProof::Post(secret),
                (None, None) => ClientProof::None,
            },
            Some(other) => {
                return Err(invalid(format!(
                    "{}.client.authentication gave {other:?}; it needs client_secret_basic, \
                     client_secret_post, client_secret_jwt, private_key_jwt or none",
                    self.property
                )));
            }
        };
        Ok(Some(Client { id, proof }))
    }

    fn token(&self, pointer: &str) -> Result<TypedToken, Error> {
        Ok(TypedToken {
            token: self.required(&format!("{pointer}/token"))?,
            kind: self.required(&format!("{pointer}/type"))?,
        })
    }

    fn required(&self, pointer: &str) -> Result<String, Error> {
        self.text(pointer)?.ok_or_else(|| {
            let place = match self.written {
                Some(_) => "it gave nothing",
                None => "the secret has no such member",
            };
            invalid(format!("{}{}: {place}", self.property, dotted(pointer)))
        })
    }

    /// Messages name the place and the type, never the value, which may be a secret.
    fn text(&self, pointer: &str) -> Result<Option<String>, Error> {
        match self.values.pointer(pointer) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(value @ (Value::Number(_) | Value::Bool(_))) => Ok(Some(value.to_string())),
            Some(_) => Err(invalid(format!(
                "{}{} gave a list or an object; it needs a text",
                self.property,
                dotted(pointer)
            ))),
        }
    }

    fn texts(&self, pointer: &str) -> Result<Vec<String>, Error> {
        let wrong = || {
            invalid(format!(
                "{}{} needs a list of texts",
                self.property,
                dotted(pointer)
            ))
        };
        match self.values.pointer(pointer) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(items)) => items
                .iter()
                .map(|item| item.as_str().map(str::to_owned).ok_or_else(wrong))
                .collect(),
            Some(_) => Err(wrong()),
        }
    }
}

/// Scheme, host and port of an address.
fn host(url: &str) -> &str {
    let begin = url.find("://").map_or(0, |at| at + 3);
    let end = url[begin..]
        .find(['/', '?', '#'])
        .map_or(url.len(), |at| begin + at);
    &url[..end]
}

fn dotted(pointer: &str) -> String {
    pointer.replace('/', ".")
}

fn invalid(detail: String) -> Error {
    StandardError::Configuration.with("The authentication can't be used", detail)
}
