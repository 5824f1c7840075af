//! Calls that prove who makes them: against servers and an OpenID provider that others wrote, and what goes
//! over the wire.

use std::time::Duration;

use flame_agent::runtime::Handle;
use flame_testkit::Counterpart;
use flame_types::RunStatus;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use super::{deploy, error, open, output, run};
use crate::server::{Server, answer, json};

/// The provider's clients share it.
const SECRET: &str = "a-secret-that-is-long-enough-for-hs256";

/// One call with an authentication, both in YAML's flow style.
fn call(uri: &str, authentication: &str) -> String {
    format!(
        "- call:\n    call: http\n    with:\n      method: get\n      endpoint: {{ uri: '{uri}', \
         authentication: {authentication} }}"
    )
}

async fn called(handle: &Handle, uri: &str, authentication: &str, input: Value) -> Value {
    let workflow = deploy(handle, "call", &call(uri, authentication)).await;
    output(&run(handle, &workflow, input).await)
}

async fn refused(handle: &Handle, uri: &str, authentication: &str, input: Value) -> Value {
    let workflow = deploy(handle, "call", &call(uri, authentication)).await;
    let ended = run(handle, &workflow, input).await;
    assert_eq!(ended.summary.status, RunStatus::Faulted);
    error(&ended)
}

fn kind(error: &Value) -> &str {
    error["type"].as_str().unwrap().rsplit('/').next().unwrap()
}

#[tokio::test]
async fn a_server_that_others_wrote_takes_passwords_and_tokens() {
    let Some(server) = Counterpart::httpbin() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let url = server.address();
    let user = "{username: me, password: pass-55}";
    for (path, authentication) in [
        ("/basic-auth/me/pass-55", format!("{{basic: {user}}}")),
        (
            "/digest-auth/auth/me/pass-55/MD5",
            format!("{{digest: {user}}}"),
        ),
        (
            "/digest-auth/auth/me/pass-55/SHA-256",
            format!("{{digest: {user}}}"),
        ),
        ("/bearer", "{bearer: {token: t-1}}".to_owned()),
    ] {
        let said = called(&handle, &format!("{url}{path}"), &authentication, json!({})).await;
        assert_eq!(said["authenticated"], true, "{path}: {said}");
    }
    for (path, authentication) in [
        ("/basic-auth/me/other", format!("{{basic: {user}}}")),
        (
            "/digest-auth/auth/me/other/SHA-256",
            format!("{{digest: {user}}}"),
        ),
    ] {
        let error = refused(&handle, &format!("{url}{path}"), &authentication, json!({})).await;
        assert_eq!(
            (kind(&error), &error["status"]),
            ("authentication", &json!(401)),
            "{error}"
        );
        assert!(!error.to_string().contains("pass-55"), "{error}");
    }
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn a_servers_nonce_serves_further_calls() {
    let server = Server::start(|_, asked, mut stream| async move {
        let text = match asked.header("authorization") {
            None => "HTTP/1.1 401 Unauthorized\r\nwww-authenticate: Basic realm=\"r\"\r\n\
                     www-authenticate: Digest realm=\"r\", nonce=\"old\", qop=\"auth\"\r\n\
                     www-authenticate: Digest realm=\"r\", nonce=\"n1\", qop=\"auth\", algorithm=SHA-256\r\n\
                     content-length: 0\r\nconnection: close\r\n\r\n"
                .into(),
            Some(_) => json("200 OK", "1"),
        };
        stream.write_all(&text).await.unwrap_or_default();
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let user = "{digest: {username: me, password: secret-9}}";
    called(&handle, &server.url("/a"), user, json!({})).await;
    called(&handle, &server.url("/b"), user, json!({})).await;
    let asked = server.asked();
    let paths: Vec<&str> = asked.iter().map(|asked| asked.path()).collect();
    assert_eq!(paths, ["/a", "/a", "/b"], "the second call is sent once");
    for (asked, count) in asked[1..].iter().zip(["00000001", "00000002"]) {
        let proof = asked.header("authorization").unwrap();
        assert!(
            proof.starts_with("Digest ")
                && proof.contains("nonce=\"n1\"")
                && proof.contains("SHA-256"),
            "{proof}"
        );
        assert!(proof.contains(&format!("nc={count}")), "{proof}");
        assert!(!proof.contains("secret-9"));
    }
    let keys: Vec<_> = asked
        .iter()
        .map(|asked| asked.header("idempotency-key"))
        .collect();
    assert_eq!(keys[0], keys[1], "one effect has one key");
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn an_openid_provider_gives_tokens_to_every_kind_of_client() {
    let Some(provider) = Counterpart::oidc_provider() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let url = provider.address();
    let resource = format!("{url}/resource");
    // Another test of this process may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let assertion: Value = reqwest::get(format!("{url}/assertion"))
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let key = "{id: key, assertion: '${ .assertion }', authentication: private_key_jwt}".to_owned();
    let secret =
        |id: &str| format!("{{id: {id}, secret: {SECRET}, authentication: client_secret_{id}}}");
    for (client, name) in [
        (secret("basic"), "basic"),
        (secret("post"), "post"),
        (secret("jwt"), "jwt"),
        (key, "key"),
    ] {
        let oidc = format!(
            "{{oidc: {{authority: '{url}', grant: client_credentials, client: {client}, scopes: [stock], \
             issuers: ['{url}']}}}}"
        );
        let said = called(&handle, &resource, &oidc, assertion.clone()).await;
        assert_eq!(
            (&said["client"], &said["scope"]),
            (&json!(name), &json!("stock"))
        );
    }
    let oauth2 = |secret: &str| {
        format!(
            "{{oauth2: {{authority: '{url}', endpoints: {{token: /token}}, grant: client_credentials, \
             client: {{id: post, secret: {secret}}}}}}}"
        )
    };
    let said = called(&handle, &resource, &oauth2(SECRET), json!({})).await;
    assert_eq!(said["client"], "post");
    let error = refused(&handle, &resource, &oauth2("wrong-secret"), json!({})).await;
    assert_eq!(
        (kind(&error), &error["title"]),
        ("authentication", &json!("The authority gave no token"))
    );
    assert!(
        error["detail"].as_str().unwrap().contains("invalid_client"),
        "{error}"
    );
    assert!(!error.to_string().contains("wrong-secret"));
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn a_token_is_got_once_until_a_server_refuses_it() {
    let Some(provider) = Counterpart::oidc_provider() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let url = provider.address();
    let oidc = format!(
        "{{oidc: {{authority: '{url}', grant: client_credentials, client: {{id: post, secret: {SECRET}}}}}}}"
    );
    let branch = |name: usize| {
        let with =
            format!("{{method: get, endpoint: {{uri: '{url}/resource', authentication: {oidc}}}}}");
        format!("      - b{name}: {{call: http, with: {with}}}\n")
    };
    let branches: String = (0..8).map(branch).collect();
    let tasks = format!("- all:\n    fork:\n      branches:\n{branches}");
    let workflow = deploy(&handle, "many", &tasks).await;
    let said = output(&run(&handle, &workflow, json!({})).await);
    assert!(
        said.as_array()
            .unwrap()
            .iter()
            .all(|said| said["granted"] == 1),
        "{said}"
    );
    called(&handle, &format!("{url}/revoke"), &oidc, json!({})).await;
    let said = called(&handle, &format!("{url}/resource"), &oidc, json!({})).await;
    assert_eq!(said["granted"], 2, "a refused token is got anew, once");
    let host = url.strip_prefix("http://").unwrap();
    assert!(
        handle
            .outbound()
            .iter()
            .any(|known| known.host == host && known.calls > 10)
    );
    handle.drain(Duration::ZERO).await;
}

/// An authority that keeps what it was asked, and gives one token.
async fn authority() -> Server {
    Server::saying(json(
        "200 OK",
        r#"{"access_token": "t-77", "token_type": "bearer"}"#,
    ))
    .await
}

#[tokio::test]
async fn every_grant_asks_in_its_own_words() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let resource = Server::saying(json("200 OK", "1")).await;
    for (settings, expected) in [
        (
            "grant: password, username: me, password: 'a&b', client: {id: c}, scopes: [x, y]",
            "grant_type=password&username=me&password=a%26b&scope=x+y&client_id=c",
        ),
        (
            "grant: refresh_token, subject: {token: r, type: 'urn:ietf:params:oauth:token-type:refresh_token'}",
            "grant_type=refresh_token&refresh_token=r",
        ),
        (
            "grant: 'urn:ietf:params:oauth:grant-type:token-exchange', subject: {token: '${ .token }', type: s}, \
             actor: {token: a, type: b}, audiences: [one, two]",
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&subject_token=mine\
             &subject_token_type=s&actor_token=a&actor_token_type=b&audience=one&audience=two",
        ),
        (
            "grant: client_credentials, request: {encoding: application/json}, audiences: [one, two], \
             client: {id: c, secret: s, authentication: client_secret_post}",
            r#"{"grant_type":"client_credentials","audience":["one","two"],"client_id":"c","client_secret":"s"}"#,
        ),
    ] {
        let authority = authority().await;
        let oauth2 = format!(
            "{{oauth2: {{authority: '{}', {settings}}}}}",
            authority.url("/realm/")
        );
        called(
            &handle,
            &resource.url("/"),
            &oauth2,
            json!({"token": "mine"}),
        )
        .await;
        let asked = &authority.asked()[0];
        assert_eq!(
            (asked.path(), asked.body.as_str()),
            ("/realm/oauth2/token", expected)
        );
    }
    for asked in resource.asked() {
        assert_eq!(asked.header("authorization").unwrap(), "Bearer t-77");
    }
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn an_authority_that_does_not_do_its_part_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let resource = Server::saying(json("200 OK", "1")).await;
    for (answer, expected_kind, expected) in [
        (json("200 OK", "{}"), "authentication", "no access_token"),
        (
            answer("200 OK", "text/html", "<html>"),
            "authentication",
            "answered 200 without JSON",
        ),
        (json("503 Busy", "{}"), "communication", "answered 503"),
        (
            json(
                "400 Bad",
                r#"{"error": "invalid_scope", "error_description": "no such"}"#,
            ),
            "authentication",
            "answered 400 invalid_scope no such",
        ),
        (
            json("200 OK", r#"{"access_token": "x.eyJpc3MiOiJvdGhlciJ9.y"}"#),
            "authentication",
            "the token's issuer is \"other\", which is none of mine",
        ),
    ] {
        let authority = Server::saying(answer).await;
        let oauth2 = format!(
            "{{oauth2: {{authority: '{}', grant: client_credentials, issuers: [mine]}}}}",
            authority.url("")
        );
        let error = refused(&handle, &resource.url("/"), &oauth2, json!({})).await;
        assert_eq!(kind(&error), expected_kind, "{error}");
        assert!(
            error["detail"].as_str().unwrap().contains(expected),
            "{error}"
        );
    }
    let other = Server::saying(json("200 OK", r#"{"issuer": "https://evil.test"}"#)).await;
    let oidc = format!(
        "{{oidc: {{authority: '{}', grant: client_credentials}}}}",
        other.url("")
    );
    let error = refused(&handle, &resource.url("/"), &oidc, json!({})).await;
    assert!(
        error["detail"]
            .as_str()
            .unwrap()
            .contains("it says that it is \"https://evil.test\"")
    );
    assert!(
        resource.asked().is_empty(),
        "nothing is sent without a token"
    );
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn an_authority_out_of_data_is_no_private_address() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let (authority, resource) = (authority().await, Server::saying(json("200 OK", "1")).await);
    let oauth2 = "{oauth2: {authority: 'http://{+host}/', grant: client_credentials}}";
    let input = json!({"host": authority.address.to_string()});
    let error = refused(&handle, &resource.url("/"), oauth2, input).await;
    assert_eq!(kind(&error), "authorization");
    assert!(
        error["detail"]
            .as_str()
            .unwrap()
            .contains("private address"),
        "{error}"
    );
    assert!(authority.asked().is_empty());
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn what_may_not_be_done_is_an_authorization_error() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let server = Server::saying(json("403 Forbidden", "{}")).await;
    let error = refused(&handle, &server.url("/"), "{bearer: {token: t}}", json!({})).await;
    assert_eq!(
        (kind(&error), &error["status"]),
        ("authorization", &json!(403))
    );
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn credentials_do_not_follow_a_redirect() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let elsewhere = Server::saying(json("200 OK", "1")).await;
    let location = format!("location: {}\r\nconnection: close", elsewhere.url("/"));
    let server = Server::saying(format!(
        "HTTP/1.1 302 Found\r\ncontent-length: 0\r\n{location}\r\n\r\n"
    ))
    .await;
    let error = refused(&handle, &server.url("/"), "{bearer: {token: t}}", json!({})).await;
    assert_eq!(error["status"], 302);
    assert!(elsewhere.asked().is_empty());
    handle.drain(Duration::ZERO).await;
}
