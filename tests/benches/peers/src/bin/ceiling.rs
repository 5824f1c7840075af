//! The bench's transform in plain axum: what HTTP and JSON alone allow on a machine.

use axum::Json;
use axum::routing::post;
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Order {
    id: String,
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    price: f64,
    quantity: f64,
}

#[derive(Serialize)]
struct Total {
    id: String,
    total: f64,
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).expect("ceiling ADDRESS");
    let listener = tokio::net::TcpListener::bind(address).await?;
    let total = async |Json(order): Json<Order>| {
        let total = order.items.iter().map(|i| i.price * i.quantity).sum();
        Json(Total {
            id: order.id,
            total,
        })
    };
    axum::serve(listener, axum::Router::new().route("/bench", post(total))).await
}
