//! The tables of authentication policies: inline, by name, or out of a secret.

use super::{Extra, Field, Group, Object, Shape, TextRule};

const FREE: Shape = Shape::Text(TextRule::Free);
const SECRET: Shape = Shape::Text(TextRule::Filled);
const SECRET_HELP: &str = "The secret of use.secrets that holds these settings.";

/// Where a call has one.
pub(super) const AUTHENTICATION_HELP: &str = "How the call proves who it is.";

/// A policy of `use.authentications`, where the published schema takes further keys.
pub(super) const POLICY: Shape = Shape::Object(&Object {
    name: "an authentication",
    definition: "authentication",
    group: Group::ExactlyOne(&["basic", "bearer", "digest", "oauth2", "oidc"]),
    extra: Extra::RefusedStrictly,
    fields: &SCHEMES,
});

/// A policy where it is used: written out, or the name of one.
pub(super) const REFERABLE: Shape = Shape::Object(&Object {
    name: "the authentication",
    definition: "referableAuthentication",
    group: Group::ExactlyOne(&["use", "basic", "bearer", "digest", "oauth2", "oidc"]),
    extra: Extra::Refused,
    fields: &[
        Field::new(
            "use",
            "The name of one in use.authentications.",
            Shape::Text(TextRule::Filled),
        ),
        SCHEMES[0],
        SCHEMES[1],
        SCHEMES[2],
        SCHEMES[3],
        SCHEMES[4],
    ],
});

const SCHEMES: [Field; 5] = [
    Field::new("basic", "A user name and a password.", BASIC),
    Field::new("bearer", "A token.", BEARER),
    Field::new(
        "digest",
        "A user name and a password that is proved, not sent.",
        DIGEST,
    ),
    Field::new("oauth2", "A token of an OAuth 2 authority.", OAUTH2),
    Field::new(
        "oidc",
        "A token of an OpenID Connect authority, which says where its endpoints are.",
        OIDC,
    ),
];

const USERNAME: Field = Field::new("username", "The user's name.", FREE);
const PASSWORD: Field = Field::new("password", "The user's password.", FREE);

const BASIC: Shape = Shape::Object(&Object {
    name: "'basic'",
    definition: "basicAuthentication",
    group: Group::ExactlyOne(&["use", "username"]),
    extra: Extra::Refused,
    fields: &[USERNAME, PASSWORD, Field::new("use", SECRET_HELP, SECRET)],
});

const BEARER: Shape = Shape::Object(&Object {
    name: "'bearer'",
    definition: "bearerAuthentication",
    group: Group::ExactlyOne(&["use", "token"]),
    extra: Extra::Refused,
    fields: &[
        Field::new("token", "The token.", FREE),
        Field::new("use", SECRET_HELP, SECRET),
    ],
});

const DIGEST: Shape = Shape::Object(&Object {
    name: "'digest'",
    definition: "digestAuthentication",
    group: Group::ExactlyOne(&["use", "username"]),
    extra: Extra::Refused,
    fields: &[USERNAME, PASSWORD, Field::new("use", SECRET_HELP, SECRET)],
});

const OAUTH2: Shape = Shape::Object(&Object {
    name: "'oauth2'",
    definition: "oauth2Authentication",
    group: Group::Free,
    extra: Extra::Refused,
    fields: &[
        TOKEN_FIELDS[0],
        TOKEN_FIELDS[1],
        TOKEN_FIELDS[2],
        TOKEN_FIELDS[3],
        TOKEN_FIELDS[4],
        TOKEN_FIELDS[5],
        TOKEN_FIELDS[6],
        TOKEN_FIELDS[7],
        TOKEN_FIELDS[8],
        TOKEN_FIELDS[9],
        TOKEN_FIELDS[10],
        TOKEN_FIELDS[11],
        Field::new(
            "endpoints",
            "Where the authority's endpoints are, below it.",
            ENDPOINTS,
        ),
    ],
});

const OIDC: Shape = Shape::Object(&Object {
    name: "'oidc'",
    definition: "oidcAuthentication",
    group: Group::Free,
    extra: Extra::Refused,
    fields: &TOKEN_FIELDS,
});

/// What `oauth2` and `oidc` share.
const TOKEN_FIELDS: [Field; 12] = [
    Field::new(
        "authority",
        "The address of the authority, such as https://login.example.com/realms/shop.",
        Shape::Text(TextRule::Authority),
    ),
    Field::new(
        "grant",
        "How the token is got, such as client_credentials.",
        Shape::Text(TextRule::OneOf(&[
            "authorization_code",
            "client_credentials",
            "password",
            "refresh_token",
            "urn:ietf:params:oauth:grant-type:token-exchange",
        ])),
    ),
    Field::new("client", "Who asks for the token.", CLIENT),
    Field::new("request", "How the token is asked for.", REQUEST),
    Field::new(
        "issuers",
        "The issuers that a token may have; any unless given.",
        TEXTS,
    ),
    Field::new("scopes", "The scopes to ask for.", TEXTS),
    Field::new("audiences", "The audiences to ask for.", TEXTS),
    Field::new("username", "The user's name, for the grant password.", FREE),
    Field::new(
        "password",
        "The user's password, for the grant password.",
        FREE,
    ),
    Field::new(
        "subject",
        "The token of whom the call is made for; with the grant refresh_token, the refresh token.",
        TOKEN,
    ),
    Field::new("actor", "The token of who acts for the subject.", TOKEN),
    Field::new("use", SECRET_HELP, SECRET),
];

const TEXTS: Shape = Shape::List { of: &FREE, min: 0 };

const CLIENT: Shape = Shape::Object(&Object {
    name: "the client",
    definition: "oauth2Client",
    group: Group::Free,
    extra: Extra::Refused,
    fields: &[
        Field::new("id", "The client's id.", FREE),
        Field::new("secret", "The client's secret.", FREE),
        Field::new(
            "assertion",
            "A JWT that the client has signed, for private_key_jwt.",
            FREE,
        ),
        Field::new(
            "authentication",
            "How the client proves who it is, client_secret_post unless given.",
            Shape::Text(TextRule::OneOf(&[
                "client_secret_basic",
                "client_secret_post",
                "client_secret_jwt",
                "private_key_jwt",
                "none",
            ])),
        ),
    ],
});

const REQUEST: Shape = Shape::Object(&Object {
    name: "the token request",
    definition: "oauth2Request",
    group: Group::Free,
    extra: Extra::RefusedStrictly,
    fields: &[Field::new(
        "encoding",
        "How the request is written, as a form unless given.",
        Shape::Text(TextRule::OneOf(&[
            "application/x-www-form-urlencoded",
            "application/json",
        ])),
    )],
});

const TOKEN: Shape = Shape::Object(&Object {
    name: "the token",
    definition: "oauth2Token",
    group: Group::Free,
    extra: Extra::Refused,
    fields: &[
        Field::new("token", "The token.", FREE).required(),
        Field::new(
            "type",
            "Its type, such as urn:ietf:params:oauth:token-type:access_token.",
            FREE,
        )
        .required(),
    ],
});

const ENDPOINTS: Shape = Shape::Object(&Object {
    name: "the endpoints",
    definition: "oauth2Endpoints",
    group: Group::Free,
    extra: Extra::RefusedStrictly,
    fields: &[
        Field::new(
            "token",
            "Where tokens are given out, /oauth2/token unless given.",
            FREE,
        ),
        Field::new(
            "revocation",
            "Where tokens are revoked; nothing is revoked by a workflow.",
            FREE,
        ),
        Field::new(
            "introspection",
            "Where tokens are looked up; nothing is looked up by a workflow.",
            FREE,
        ),
    ],
});
