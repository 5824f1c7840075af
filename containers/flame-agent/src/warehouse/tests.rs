//! The warehouse over real sockets.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::{Warehouse, serve};

async fn start(fail_first: u32) -> (String, oneshot::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (stop, stopped) = oneshot::channel::<()>();
    tokio::spawn(serve(listener, fail_first, async {
        let _ = stopped.await;
    }));
    (url, stop)
}

fn client() -> reqwest::Client {
    // An error means that another test was first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

async fn post(url: &str, key: &str, body: &Value) -> (u16, Value) {
    let mut request = client().post(url).json(body);
    if !key.is_empty() {
        request = request.header("idempotency-key", key);
    }
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

fn order(name: &str, sku: &str, quantity: u32) -> Value {
    json!({ "order": name, "items": [{ "sku": sku, "quantity": quantity }] })
}

async fn left(url: &str, sku: &str) -> u64 {
    let prices: Value = client()
        .get(format!("{url}/prices"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let items = prices["items"].as_array().unwrap();
    items.iter().find(|item| item["sku"] == sku).unwrap()["left"]
        .as_u64()
        .unwrap()
}

#[tokio::test]
async fn bad_requests_change_nothing() {
    let (url, _stop) = start(0).await;
    let reservations = format!("{url}/reservations");
    for (key, body, status) in [
        ("", order("o", "mug-blue", 1), 400),
        ("k1", order("", "mug-blue", 1), 400),
        ("k2", order("o", "mug-blue", 0), 400),
        ("k3", order("o", "unknown", 1), 422),
        ("k4", order("o", "clock-cuckoo", 4), 409),
        ("k5", json!({ "order": "o" }), 422),
        (
            "k6",
            json!({ "order": "o", "items": [{ "sku": "clock-cuckoo", "quantity": 2 }, { "sku": "clock-cuckoo", "quantity": 2 }] }),
            409,
        ),
    ] {
        let (found, answer) = post(&reservations, key, &body).await;
        assert_eq!(found, status, "{body}: {answer}");
        assert!(
            answer["detail"]
                .as_str()
                .is_some_and(|detail| !detail.is_empty()),
            "{answer}"
        );
    }
    assert_eq!(left(&url, "clock-cuckoo").await, 3);
    let foreign = client()
        .get(format!("{url}/prices"))
        .header("origin", "https://evil.example");
    assert_eq!(foreign.send().await.unwrap().status(), 403);
    let foreign = client()
        .get(format!("{url}/prices"))
        .header("host", "evil.example");
    assert_eq!(foreign.send().await.unwrap().status(), 403);
}

#[tokio::test]
async fn a_key_takes_effect_once_however_often_it_is_sent() {
    let (url, _stop) = start(0).await;
    let reservations = format!("{url}/reservations");
    let sends = (0..20).map(|_| {
        let reservations = reservations.clone();
        tokio::spawn(
            async move { post(&reservations, "k", &order("o-1", "clock-cuckoo", 2)).await },
        )
    });
    for outcome in futures::future::join_all(sends).await {
        assert_eq!(outcome.unwrap().0, 201);
    }
    assert_eq!(left(&url, "clock-cuckoo").await, 1);
    assert_eq!(
        post(&reservations, "k", &order("o-2", "mug-blue", 1))
            .await
            .0,
        422
    );
    let (again, _) = post(
        &reservations,
        "another run",
        &order("o-1", "clock-cuckoo", 2),
    )
    .await;
    assert_eq!((again, left(&url, "clock-cuckoo").await), (201, 1));

    for _ in 0..2 {
        let undo = client()
            .delete(format!("{reservations}/o-1"))
            .header("idempotency-key", "u");
        assert_eq!(undo.send().await.unwrap().status(), 200);
    }
    assert_eq!(left(&url, "clock-cuckoo").await, 3);
    let ledger: Value = client()
        .get(format!("{url}/ledger"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let entries = ledger["entries"].as_array().unwrap();
    let of = |key: &str| entries.iter().find(|entry| entry["key"] == key).unwrap();
    assert_eq!(
        (of("k")["requests"].as_u64(), of("k")["effects"].as_u64()),
        (Some(21), Some(1))
    );
    assert_eq!(
        (of("u")["requests"].as_u64(), of("u")["effects"].as_u64()),
        (Some(2), Some(1))
    );
    assert_eq!(ledger["reserved"], 0);
}

#[tokio::test]
async fn first_tries_fail_where_they_are_told_to() {
    let (url, _stop) = start(1).await;
    let reservations = format!("{url}/reservations");
    let body = order("o", "mug-blue", 1);
    assert_eq!(post(&reservations, "k", &body).await.0, 503);
    assert_eq!(post(&reservations, "k", &body).await.0, 201);
    let flaky = order("f", "lamp-flaky", 1);
    let mut found = Vec::new();
    for _ in 0..3 {
        found.push(post(&reservations, "f", &flaky).await.0);
    }
    assert_eq!(found, [503, 503, 201]);
}

#[tokio::test]
async fn shipping_needs_a_reservation_and_a_carrier() {
    let (url, _stop) = start(0).await;
    let shipments = format!("{url}/shipments");
    let shipment = |method: &str| json!({ "order": "o", "method": method });
    assert_eq!(post(&shipments, "1", &shipment("express")).await.0, 404);
    post(
        &format!("{url}/reservations"),
        "r",
        &order("o", "mug-blue", 1),
    )
    .await;
    assert_eq!(post(&shipments, "2", &shipment("pigeon")).await.0, 422);
    assert_eq!(post(&shipments, "3", &shipment("overnight")).await.0, 503);
    assert_eq!(post(&shipments, "4", &shipment("standard")).await.0, 201);
}

#[tokio::test]
async fn it_starts_with_the_first_question_and_once() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = Arc::new(Warehouse::new(folder.path().to_owned()));
    let asked = (0..8).map(|_| {
        let warehouse = warehouse.clone();
        tokio::spawn(async move { warehouse.address().await.unwrap() })
    });
    let addresses: Vec<_> = futures::future::join_all(asked)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    assert!(addresses.iter().all(|address| *address == addresses[0]));
    assert_eq!(
        left(&format!("http://{}", addresses[0]), "clock-cuckoo").await,
        3
    );
}
