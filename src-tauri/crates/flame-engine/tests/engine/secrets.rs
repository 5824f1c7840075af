//! Secrets and credentials: known to a run, and in nothing that is kept of it.

use std::sync::Arc;

use flame_dsl::Workflow;
use flame_engine::{Credentials, Grant, Run, Secrets, TokenEndpoint, User};
use serde_json::{Value, json};

use crate::driver::{Driver, RUN, run_id, workflow};

const CANARY: &str = "canary-4711";

fn knowing(workflow: &Arc<Workflow>, value: Option<Value>) -> Driver {
    let mut run = Run::new(run_id(RUN), Arc::clone(workflow));
    run.know(Secrets::new(&workflow.secrets, |_| value.clone()));
    Driver::of(Arc::clone(workflow), run)
}

fn begun(rest: &str, value: Value, input: Value) -> Driver {
    let mut driver = knowing(&workflow(rest), Some(value));
    driver.start(input);
    driver
}

/// The credentials of a call with this authentication.
fn credentials(authentication: &str, secret: Value) -> Credentials {
    let rest = format!(
        "use: {{secrets: [key]}}\ndo: [{{a: {{call: http, with: {{method: get, endpoint: \
         {{uri: 'http://x.test/', authentication: {authentication}}}}}}}}}]"
    );
    let driver = begun(&rest, secret, json!({"tenant": "shop", "host": "a.test"}));
    *driver.named("a").http().credentials.clone().unwrap()
}

fn token(authentication: &str, secret: Value) -> flame_engine::TokenRequest {
    match credentials(authentication, secret) {
        Credentials::Token(request) => *request,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_scheme_is_evaluated_inline_and_out_of_a_secret() {
    let user = || User {
        name: "me".to_owned(),
        password: CANARY.to_owned(),
    };
    let key = json!(CANARY);
    let pair = json!({"username": "me", "password": CANARY});
    let inline = "{username: me, password: '${ $secrets.key }'}";
    for (written, secret, expected) in [
        (
            format!("{{basic: {inline}}}"),
            &key,
            Credentials::Basic(user()),
        ),
        (
            "{basic: {use: key}}".to_owned(),
            &pair,
            Credentials::Basic(user()),
        ),
        (
            format!("{{digest: {inline}}}"),
            &key,
            Credentials::Digest(user()),
        ),
        (
            "{bearer: {use: key}}".to_owned(),
            &key,
            Credentials::Bearer(CANARY.to_owned()),
        ),
        (
            "{bearer: {use: key}}".to_owned(),
            &json!({"token": CANARY}),
            Credentials::Bearer(CANARY.to_owned()),
        ),
    ] {
        let found = credentials(&written, secret.clone());
        assert_eq!(found, expected);
        assert!(!format!("{found:?}").contains(CANARY), "{found:?}");
    }
}

#[test]
fn a_token_request_says_who_asks_where() {
    let request = token(
        "{oauth2: {authority: 'https://login.test/{tenant}', grant: client_credentials, \
         client: {id: me, secret: '${ $secrets.key }'}, scopes: [a, b]}}",
        json!(CANARY),
    );
    assert_eq!(request.authority, "https://login.test/shop");
    assert!(request.authority_is_named);
    assert!(request.endpoint == TokenEndpoint::Path("/oauth2/token".to_owned()));
    assert!(request.grant == Grant::ClientCredentials);
    assert_eq!(request.scopes, ["a", "b"]);
    assert!(!format!("{request:?}").contains(CANARY));

    let request = token(
        "{oidc: {authority: 'https://{host}/', grant: password, username: me, password: x}}",
        json!(CANARY),
    );
    assert_eq!(request.authority, "https://a.test/");
    assert!(!request.authority_is_named, "the host came out of data");
    assert!(request.endpoint == TokenEndpoint::Discovered);

    let whole = json!({"authority": "https://a.test", "grant": "client_credentials"});
    assert!(token("{oidc: {use: key}}", whole).authority_is_named);
}

/// The client's secret goes to the token's endpoint.
#[test]
fn data_may_be_a_part_of_a_token_endpoint_and_leads_nowhere_else() {
    let begun = |endpoint: &str| {
        let rest = format!(
            "use: {{secrets: [key]}}\ndo: [{{a: {{call: http, with: {{method: get, endpoint: \
             {{uri: 'http://x.test/', authentication: {{oauth2: {{authority: 'https://login.test', grant: \
             client_credentials, endpoints: {{token: {endpoint}}}, client: {{id: me, secret: '${{ $secrets.key }}'}}\
             }}}}}}}}}}}}]"
        );
        let input = json!({
            "tenant": "shop", "host": "a.test", "whole": "https://evil.test/t", "up": "../other",
            "cut": "x?y=#",
        });
        begun(&rest, json!(CANARY), input)
    };
    for (written, expected) in [
        ("'/{tenant}/token'", "/shop/token"),
        ("'https://other.test/{tenant}'", "https://other.test/shop"),
        ("'https://other.test/t?a=b'", "https://other.test/t?a=b"),
        ("'/t/../token'", "/t/../token"),
        ("'${ \"/\" + .tenant }'", "/shop"),
    ] {
        let driver = begun(written);
        let credentials = driver.named("a").http().credentials.clone().unwrap();
        let Credentials::Token(request) = *credentials else {
            panic!("{credentials:?}");
        };
        assert!(
            request.endpoint == TokenEndpoint::Path(expected.to_owned()),
            "{written}"
        );
    }
    for written in [
        "'{+whole}'",
        "'${ .whole }'",
        "'https://{host}/token'",
        "'/{+up}/token'",
        "'/{+cut}'",
    ] {
        let detail = begun(written).error().detail.clone().unwrap();
        assert!(
            detail.contains("data may be a part of its path alone"),
            "{written}: {detail}"
        );
    }
}

#[test]
fn what_a_secret_lacks_is_named_without_its_value() {
    for (authentication, secret, expected) in [
        (
            "{basic: {use: key}}",
            json!({"username": CANARY}),
            "with.endpoint.authentication.password: the secret has no such member",
        ),
        (
            "{oauth2: {use: key}}",
            json!({"authority": "https://a.test", "grant": ["canary-4711"]}),
            "with.endpoint.authentication.grant gave a list or an object; it needs a text",
        ),
    ] {
        let rest = format!(
            "use: {{secrets: [key]}}\ndo: [{{a: {{call: http, with: {{method: get, endpoint: \
             {{uri: 'http://x.test/', authentication: {authentication}}}}}}}}}]"
        );
        let error = begun(&rest, secret, json!({})).error();
        assert_eq!(error.detail.as_deref(), Some(expected));
        assert_eq!(
            error.standard(),
            Some(flame_engine::StandardError::Configuration)
        );
    }
}

#[test]
fn a_secret_reaches_the_call_and_nothing_that_is_kept() {
    let mut driver = begun(
        "use: {secrets: [key]}
input: {from: '. + {early: $secrets.key}'}
do:
  - data: {set: {plain: '${ $secrets.key }', part: 'is ${ $secrets.key }!', 'n': 1}}
  - tell: {emit: {event: {with: {type: a.b, data: '${ $secrets.key }'}}}}
  - loop: {for: {in: '[$secrets.key]'}, do: [{x: {set: '${ $item }'}}]}
  - send:
      input: {from: '{token: $secrets.key}'}
      call: http
      with:
        method: post
        endpoint: {uri: 'http://x.test/', authentication: {bearer: {token: '${ .token }'}}}
        headers: {x-key: '${ $secrets.key }', x-same: '${ $authorization.parameter }'}
        body: '${ .token }'
      output: {as: '{answer: ., scheme: $authorization.scheme, parameter: $authorization.parameter}'}
",
        json!(CANARY),
        json!({}),
    );
    let call = driver.named("send");
    let request = call.http();
    assert!(request.credentials.as_deref() == Some(&Credentials::Bearer(CANARY.to_owned())));
    assert_eq!(request.body.as_deref(), Some(&json!(CANARY)));
    assert!(request.headers.iter().all(|(_, value)| value == CANARY));
    driver.answer_named(
        "send",
        Ok(json!({"echo": format!("Bearer {CANARY}"), (CANARY): 1})),
    );
    assert_eq!(
        driver.output(),
        json!({"answer": {"echo": "Bearer ***", "***": 1}, "scheme": "Bearer", "parameter": "***"})
    );
    let kept = format!(
        "{}{:?}{:?}",
        driver.journal.join("\n"),
        driver.emitted,
        driver.run
    );
    assert!(!kept.contains(CANARY), "{kept}");
    assert!(driver.journal.join("\n").contains("is ***!"));
}

#[test]
fn a_call_that_is_made_again_after_a_crash_has_its_secret() {
    let workflow = workflow(
        "use: {secrets: [key]}
do: [{a: {call: http, with: {method: get, endpoint: 'http://x.test/', headers: {k: '${ $secrets.key }'}}}}]",
    );
    let mut driver = knowing(&workflow, Some(json!(CANARY)));
    driver.start(json!({}));
    let before = driver.named("a");
    let mut folded = driver.fold();
    folded.know(Secrets::new(&workflow.secrets, |_| {
        Some(json!("another-secret"))
    }));
    let mut driver = Driver::of(workflow, folded);
    driver.resume();
    let after = driver.named("a");
    assert_eq!(before.key, after.key);
    assert_eq!(
        after.http().headers[0].1,
        "another-secret",
        "it was changed meanwhile"
    );
}

#[test]
fn a_secret_without_a_value_is_named() {
    let workflow =
        workflow("use: {secrets: [key]}\ndo: [{a: {set: {x: '${ $secrets.key.part }'}}}]");
    let mut driver = knowing(&workflow, None);
    driver.start(json!({}));
    let error = driver.error();
    assert_eq!(error.title.as_deref(), Some("A secret has no value"));
    assert!(error.detail.unwrap().contains("\"key\" of use.secrets"));
    assert_eq!(error.instance.as_deref(), Some("/do/0/a"));
}

#[test]
fn settings_that_are_no_secrets_stay_readable_and_short_ones_spare_other_words() {
    let driver = begun(
        "use: {secrets: [key]}\ndo: [{a: {set: {grant: client_credentials, pin: '1234', at: 'x1234', \
         note: my-long-password}}}]",
        json!({"grant": "client_credentials", "password": "long-password", "pin": "1234"}),
        json!({}),
    );
    assert_eq!(
        driver.output(),
        json!({"grant": "client_credentials", "pin": "***", "at": "x1234", "note": "my-***"})
    );
}
