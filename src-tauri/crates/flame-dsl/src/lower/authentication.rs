//! Authentication policies: found by name, held against what each scheme needs.

use super::Lowering;
use crate::problem::{Problem, Rule};
use crate::shape::did_you_mean;
use crate::source::{Entry, Node, pointer_step};
use crate::{Authentication, AuthenticationScheme, AuthenticationSettings, Protocol};

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// The keys of `with` that lead to what holds a call's authentication; without a protocol it is `call: http`.
const fn holder(protocol: Option<Protocol>) -> &'static [&'static str] {
    match protocol {
        None => &["endpoint"],
        Some(Protocol::OpenApi | Protocol::AsyncApi) => &[],
        Some(Protocol::Grpc) => &["service"],
        Some(Protocol::Mcp) => &["transport", "http", "endpoint"],
        Some(Protocol::A2a) => &["server"],
    }
}

/// Whether a call has an authentication.
pub(super) fn is_authenticated(with: &Node, protocol: Option<Protocol>) -> bool {
    let mut keys = holder(protocol).iter();
    let found = keys.try_fold(with, |node, key| node.get(key));
    found.is_some_and(|node| node.get("authentication").is_some())
}

/// The variables that a call's arguments have of its authentication: the token of an authority is known only
/// when the request goes out.
pub(super) fn authorization_known(
    authentication: Option<&Option<Authentication>>,
) -> &'static [&'static str] {
    match authentication {
        Some(Some(Authentication {
            scheme: AuthenticationScheme::Basic | AuthenticationScheme::Bearer,
            ..
        })) => &["authorization"],
        _ => &[],
    }
}

impl Lowering<'_> {
    /// The authentication in a call's arguments.
    pub(super) fn call_authentication(
        &mut self,
        with: &Node,
        protocol: Option<Protocol>,
        pointer: &str,
    ) -> Option<Option<Authentication>> {
        let mut place = (with, pointer.to_owned());
        for key in holder(protocol) {
            let Some(node) = place.0.get(key) else {
                return Some(None);
            };
            place = (node, pointer_step(&place.1, key));
        }
        self.optional(place.0, "authentication", &place.1, Self::authentication)
    }

    /// Where it is used: written out, or the name of one in `use.authentications`.
    pub(super) fn authentication(&mut self, node: &Node, pointer: &str) -> Option<Authentication> {
        let Some(reference) = node.get("use") else {
            return self.policy(node, pointer);
        };
        let name = reference.text()?;
        let pointer = pointer_step(pointer, "use");
        let (definition, pointer) = self.used(
            reference,
            name,
            "authentications",
            "authentication",
            &pointer,
        )?;
        self.referred_authentications.insert(name.to_owned());
        self.policy(&definition, &pointer)
    }

    pub(super) fn policy(&mut self, node: &Node, pointer: &str) -> Option<Authentication> {
        let entry = node
            .object()?
            .iter()
            .find(|entry| scheme(&entry.key).is_some())?;
        let scheme = scheme(&entry.key)?;
        let pointer = pointer_step(pointer, &entry.key);
        let node = &entry.value;
        node.object()?;
        if let Some(secret) = node.get("use") {
            self.nothing_beside_use(node, &entry.key, &pointer);
            let name = self.secret(secret, &pointer_step(&pointer, "use"))?;
            return Some(Authentication {
                scheme,
                settings: AuthenticationSettings::Secret(name),
            });
        }
        let is_complete = self.settings(scheme, entry, &pointer);
        let settings = self.template(node, &pointer)?;
        is_complete.then_some(Authentication {
            scheme,
            settings: AuthenticationSettings::Inline(settings),
        })
    }

    /// A name of `use.secrets`.
    fn secret(&mut self, node: &Node, pointer: &str) -> Option<std::sync::Arc<str>> {
        let name = node.text().filter(|name| !name.is_empty())?;
        if self.secrets.iter().any(|secret| &**secret == name) {
            return Some(name.into());
        }
        let hint = did_you_mean(name, self.secrets.iter().map(|secret| &**secret))
            .unwrap_or_else(|| format!("declare it: use: {{secrets: [{name}]}}"));
        let message = format!("no secret '{name}' in use.secrets");
        self.refuse(
            Problem::new(Rule::Reference, node.span, pointer, message)
                .value(name)
                .hint(hint),
        )
    }

    fn nothing_beside_use(&mut self, node: &Node, scheme: &str, pointer: &str) {
        for entry in node.object().unwrap_or_default() {
            if entry.key == "use" {
                continue;
            }
            let message = format!("'{}' beside 'use' in '{scheme}'", entry.key);
            let pointer = pointer_step(pointer, &entry.key);
            let problem = Problem::new(Rule::Shape, entry.key_span, &pointer, message);
            self.problems
                .push(problem.hint("the secret holds all settings: remove one of them"));
        }
    }

    /// Whether everything is there that the scheme can't do without.
    fn settings(&mut self, scheme: AuthenticationScheme, entry: &Entry, pointer: &str) -> bool {
        match scheme {
            AuthenticationScheme::Basic | AuthenticationScheme::Digest => {
                self.needs(entry, "username", Rule::Shape, pointer)
                    & self.needs(entry, "password", Rule::Shape, pointer)
            }
            AuthenticationScheme::Bearer => self.needs(entry, "token", Rule::Shape, pointer),
            AuthenticationScheme::OAuth2 | AuthenticationScheme::Oidc => {
                self.needs(entry, "authority", Rule::Strict, pointer)
                    & self.needs(entry, "grant", Rule::Strict, pointer)
                    & self.grant(entry, pointer)
                    & self.client(entry, pointer)
            }
        }
    }

    fn grant(&mut self, entry: &Entry, pointer: &str) -> bool {
        let Some(grant) = entry.value.get("grant") else {
            return true;
        };
        let needed: &[&str] = match grant.text() {
            Some("authorization_code") => {
                let pointer = pointer_step(pointer, "grant");
                let message =
                    "the grant authorization_code needs a person at a browser, and a run has none";
                let problem = Problem::new(Rule::Strict, grant.span, &pointer, message);
                self.problems.push(problem.hint(
                    "use client_credentials, or refresh_token with a token that a person has got",
                ));
                return false;
            }
            Some("password") => &["username", "password"],
            Some("refresh_token" | EXCHANGE) => &["subject"],
            _ => &[],
        };
        let mut complete = true;
        for key in needed {
            complete &= self.needs(entry, key, Rule::Strict, pointer);
        }
        complete
    }

    fn client(&mut self, entry: &Entry, pointer: &str) -> bool {
        let Some(client) = entry.value.entry("client") else {
            return true;
        };
        let pointer = pointer_step(pointer, "client");
        let text = |key: &str| client.value.get(key).and_then(Node::text);
        let needed: &[&str] = match text("authentication") {
            Some("client_secret_basic" | "client_secret_post" | "client_secret_jwt") => {
                &["id", "secret"]
            }
            Some("private_key_jwt") => &["id", "assertion"],
            _ => &["id"],
        };
        let mut complete = true;
        for key in needed {
            complete &= self.needs(client, key, Rule::Strict, &pointer);
        }
        complete & self.sent_proof(&client.value, text("authentication"), &pointer)
    }

    /// Refuses a proof of the client that its way to authenticate never sends.
    fn sent_proof(&mut self, client: &Node, way: Option<&str>, pointer: &str) -> bool {
        let (unsent, hint) = match way {
            None | Some("client_secret_basic" | "client_secret_post" | "client_secret_jwt") => (
                "assertion",
                "write authentication: private_key_jwt, or leave it out",
            ),
            Some("private_key_jwt") => (
                "secret",
                "leave it out, or write authentication: client_secret_post",
            ),
            // An expression, or none, which says itself that nothing is sent.
            Some(_) => return true,
        };
        let Some(proof) = client.entry(unsent) else {
            return true;
        };
        let way = way.unwrap_or("client_secret_post, the default");
        let message = format!("'{unsent}' is not sent with {way}");
        let pointer = pointer_step(pointer, unsent);
        let problem = Problem::new(Rule::Strict, proof.key_span, &pointer, message);
        self.problems.push(problem.hint(hint));
        false
    }

    fn needs(&mut self, entry: &Entry, key: &str, rule: Rule, pointer: &str) -> bool {
        if entry.value.get(key).is_some() || entry.value.object().is_none() {
            return true;
        }
        // The table says so already where it is one of two keys.
        let is_said = rule == Rule::Shape && matches!(key, "username" | "token");
        if !is_said {
            let message = format!("'{key}' is missing in '{}'", entry.key);
            let problem = Problem::new(rule, entry.key_span, pointer, message);
            self.problems
                .push(problem.hint(format!("add '{key}', or name a secret with 'use'")));
        }
        false
    }
}

fn scheme(key: &str) -> Option<AuthenticationScheme> {
    Some(match key {
        "basic" => AuthenticationScheme::Basic,
        "bearer" => AuthenticationScheme::Bearer,
        "digest" => AuthenticationScheme::Digest,
        "oauth2" => AuthenticationScheme::OAuth2,
        "oidc" => AuthenticationScheme::Oidc,
        _ => return None,
    })
}
