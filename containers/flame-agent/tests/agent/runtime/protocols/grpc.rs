//! `call: grpc`: against grpcio, the reference implementation, and against servers that are none.

use std::path::Path;
use std::time::Duration;

use flame_agent::runtime::Options;
use flame_testkit::{Certificate, Counterpart};
use serde_json::{Value, json};

use super::{call, fault};
use crate::runtime::{deploy, open, options, output, run};
use crate::server::{Server, answer, json as answers};

const PROTO: &str = r#"
syntax = "proto3";
package shop.v1;
import "shop/item.proto";
import "google/protobuf/timestamp.proto";

service Orders {
  rpc Place(Order) returns (Placed);
  rpc Watch(Order) returns (stream Placed);
  rpc Refuse(Order) returns (Placed);
  rpc Hang(Order) returns (Placed);
  rpc Collect(stream Order) returns (Placed);
  rpc Talk(stream Order) returns (stream Placed);
}
message Order {
  int64 id = 1;
  repeated Item items = 2;
  map<string, string> tags = 3;
  google.protobuf.Timestamp at = 4;
}
message Placed {
  int64 id = 1;
  int32 count = 2;
  string key = 3;
  google.protobuf.Timestamp at = 4;
  bool gift = 5;
}
"#;

const ITEM: &str = r#"
syntax = "proto3";
package shop.v1;
message Item { string sku = 1; uint32 count = 2; }
"#;

const SERVER: &str = r#"
import sys, threading, grpc
from concurrent import futures
sys.path.insert(0, sys.argv[1])
protos, services = grpc.protos_and_services("orders.proto")
class Orders(services.OrdersServicer):
    def placed(self, order, context):
        key = dict(context.invocation_metadata()).get("idempotency-key", "")
        return protos.Placed(id=order.id, count=sum(i.count for i in order.items), key=key, at=order.at)
    def Place(self, order, context): return self.placed(order, context)
    def Watch(self, order, context):
        for _ in range(3): yield self.placed(order, context)
    def Refuse(self, order, context): context.abort(grpc.StatusCode.NOT_FOUND, "no größe " + str(order.id))
    def Hang(self, order, context):
        gone = threading.Event()
        context.add_callback(gone.set)
        gone.wait()
        return protos.Placed()
server = grpc.server(futures.ThreadPoolExecutor(4))
services.add_OrdersServicer_to_server(Orders(), server)
try:
    read = lambda name: open(sys.argv[1] + "/" + name, "rb").read()
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(read("key.pem"), read("certificate.pem"))]))
except FileNotFoundError:
    port = server.add_insecure_port("127.0.0.1:0")
server.start()
print("serving", port, flush=True)
server.wait_for_termination()
"#;

/// The server, and its protos in the resources folder; gives its port too.
fn grpcio(folder: &Path) -> Option<(Counterpart, String)> {
    let resources = folder.join("resources");
    std::fs::create_dir_all(resources.join("shop")).unwrap();
    std::fs::write(resources.join("orders.proto"), PROTO).unwrap();
    std::fs::write(resources.join("shop/item.proto"), ITEM).unwrap();
    let server = Counterpart::grpcio(SERVER, &resources)?;
    let port = server.address().to_owned();
    Some((server, port))
}

fn to(port: &str, method: &str, arguments: &str) -> String {
    call(
        "grpc",
        &format!(
            "proto: {{ endpoint: 'file:///orders.proto' }}\n\
             service: {{ name: shop.v1.Orders, host: 127.0.0.1, port: {port} }}\n\
             method: {method}\narguments: {arguments}"
        ),
    )
}

const ORDER: &str = "{ id: 9007199254740993, items: [{ sku: a, count: '${ .n }' }, { count: 2 }], at: '2026-01-02T03:04:05Z' }";

#[tokio::test(flavor = "multi_thread")]
async fn grpcio_answers_once_or_with_a_stream() {
    let folder = tempfile::tempdir().unwrap();
    let Some((_server, port)) = grpcio(folder.path()) else {
        return;
    };
    let handle = open(folder.path()).await;
    let workflow = deploy(&handle, "place", &to(&port, "Place", ORDER)).await;
    let ended = run(&handle, &workflow, json!({"n": 3})).await;
    let mut placed = output(&ended);
    let key = placed["key"].take();
    assert!(
        key.as_str()
            .unwrap()
            .contains(&ended.summary.id.to_string()),
        "{key}"
    );
    assert_eq!(
        placed,
        json!({"id": 9_007_199_254_740_993_i64, "count": 5, "key": null, "at": "2026-01-02T03:04:05Z", "gift": false})
    );
    let workflow = deploy(&handle, "watch", &to(&port, "Watch", "{ id: 7 }")).await;
    let watched = output(&run(&handle, &workflow, json!({})).await);
    let ids: Vec<&Value> = watched
        .as_array()
        .unwrap()
        .iter()
        .map(|p| &p["id"])
        .collect();
    assert_eq!(ids, [7, 7, 7]);
    assert_eq!(handle.outbound()[0].calls, 2);
    handle.drain(Duration::ZERO).await;
}

/// On port 443, which stands for TLS here.
#[tokio::test(flavor = "multi_thread")]
async fn grpcio_answers_over_tls_to_whom_trusts_it() {
    let folder = tempfile::tempdir().unwrap();
    let resources = folder.path().join("resources");
    std::fs::create_dir_all(&resources).unwrap();
    let certificate = Certificate::of_localhost().unwrap();
    let trusted = resources.join("certificate.pem");
    std::fs::write(&trusted, &certificate.text).unwrap();
    std::fs::write(resources.join("key.pem"), &certificate.key).unwrap();
    let Some((_server, port)) = grpcio(folder.path()) else {
        return;
    };
    let tasks = to("443", "Place", "{ id: 7 }").replace("host: 127.0.0.1", "host: localhost");
    let address = format!("127.0.0.1:{port}").parse().unwrap();
    for trusts in [false, true] {
        let mut options: Options = options(folder.path());
        options.outbound.stand_ins = vec![("localhost".to_owned(), address)];
        options
            .outbound
            .authorities
            .extend(trusts.then(|| trusted.clone()));
        let handle = flame_agent::runtime::Handle::open(options).await.unwrap();
        if trusts {
            let workflow = deploy(&handle, "place", &tasks).await;
            let placed = output(&run(&handle, &workflow, json!({})).await);
            assert_eq!(placed["id"], json!(7));
        } else {
            let (kind, detail) = fault(&handle, &tasks, json!({})).await;
            assert_eq!(kind, "communication", "{detail}");
        }
        handle.drain(Duration::ZERO).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_grpcio_refuses_is_an_error_with_its_status_and_words() {
    let folder = tempfile::tempdir().unwrap();
    let Some((_server, port)) = grpcio(folder.path()) else {
        return;
    };
    let mut options: Options = options(folder.path());
    options.outbound.timeout = Duration::from_secs(5);
    let handle = flame_agent::runtime::Handle::open(options).await.unwrap();
    for (tasks, kind, expected) in [
        (
            to(&port, "Refuse", "{ id: 7 }"),
            "communication",
            "NOT_FOUND (5): no größe 7",
        ),
        (
            to(&port, "Collect", "{}"),
            "configuration",
            "shop.v1.Orders.Collect takes a stream of messages, and a call sends one",
        ),
        (
            to(&port, "Talk", "{}"),
            "configuration",
            "shop.v1.Orders.Talk takes a stream of messages",
        ),
        (
            to(&port, "Plac", "{}"),
            "configuration",
            "there is no method \"Plac\"; did you mean 'Place'?",
        ),
        (
            to(&port, "Place", "{}").replace("shop.v1.Orders", "shop.v1.Order"),
            "configuration",
            "did you mean 'shop.v1.Orders'?",
        ),
        (
            to(&port, "Place", "{ idd: 7 }"),
            "configuration",
            "the arguments are no shop.v1.Order: unrecognized field name 'idd'",
        ),
        (
            to(&port, "Place", "{ id: seven }"),
            "configuration",
            "the arguments are no shop.v1.Order",
        ),
        (
            to(&port, "Hang", "{}"),
            "timeout",
            "no complete answer within 5000 ms",
        ),
    ] {
        let (found, detail) = fault(&handle, &tasks, json!({})).await;
        assert_eq!(found, kind, "{detail}");
        assert!(detail.contains(expected), "{detail}");
    }
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn protos_that_do_not_compile_say_where() {
    let folder = tempfile::tempdir().unwrap();
    let resources = folder.path().join("resources");
    std::fs::create_dir_all(&resources).unwrap();
    let handle = open(folder.path()).await;
    for (text, expected) in [
        (
            "syntax = \"proto3\";\nmessage A { Missing m = 1; }",
            "orders.proto:2:13",
        ),
        ("syntax = \"proto3\"; import \"../token\";", "orders.proto"),
        (
            "syntax = \"proto3\"; import \"none.proto\";",
            "none.proto can't be read",
        ),
        ("<html>", "orders.proto: "),
        (&"message a{".repeat(10_000), "nested deeper than 64 levels"),
        (
            "syntax = \"proto3\"; import \"orders.proto\";",
            "orders.proto: ",
        ),
    ] {
        std::fs::write(resources.join("orders.proto"), text).unwrap();
        let (kind, detail) = fault(&handle, &to("9", "Place", "{}"), json!({})).await;
        assert_eq!(kind, "configuration", "{detail}");
        assert!(detail.contains(expected), "{text:.40}: {detail}");
    }
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn a_server_that_speaks_no_grpc_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let resources = folder.path().join("resources");
    std::fs::create_dir_all(resources.join("shop")).unwrap();
    std::fs::write(resources.join("orders.proto"), PROTO).unwrap();
    std::fs::write(resources.join("shop/item.proto"), ITEM).unwrap();
    let handle = open(folder.path()).await;
    for server in [
        Server::saying(answers("200 OK", "{}")).await,
        Server::saying(answer("200 OK", "text/html", "<html>")).await,
    ] {
        let port = server.address.port().to_string();
        let (kind, detail) = fault(&handle, &to(&port, "Place", "{}"), json!({})).await;
        assert_eq!(kind, "communication", "{detail}");
        assert!(detail.contains("/shop.v1.Orders/Place"), "{detail}");
    }
    let (kind, _) = fault(
        &handle,
        &to("80", "Place", "{}").replace("host: 127.0.0.1", "host: 169.254.169.254"),
        json!({}),
    )
    .await;
    assert_eq!(kind, "authorization", "metadata services are never called");
    handle.drain(Duration::ZERO).await;
}
