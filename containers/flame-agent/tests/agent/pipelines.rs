//! Pipelines, feeds and dead letters over HTTP.

use flame_errors::Code;
use serde_json::{Value, json};

use crate::harness::{Served, YAML, problem};

const PATH: &str = "/api/v1/pipelines/shop/rows";
const PIPELINE: &str = "pipeline: { namespace: shop, name: rows }\n\
    source: { csv: {} }\n\
    map: '{ id: (.id | tonumber), name }'\n\
    sink: { connector: sqlite, database: rows.db, table: rows, key: [id] }\n";
const ROWS: &str = "id,name\n1,one\nx,broken\n3,three\n";

async fn serving() -> Served {
    let agent = Served::start();
    let put = agent
        .request("PUT", PATH)
        .header("content-type", YAML)
        .body(PIPELINE);
    assert_eq!(put.send().await.unwrap().status(), 201);
    agent
}

async fn feed(agent: &Served, query: &str, body: &str) -> reqwest::Response {
    let request = agent.request("POST", &format!("{PATH}/feeds?{query}"));
    request
        .header("content-type", "text/csv")
        .body(body.to_owned())
        .send()
        .await
        .unwrap()
}

#[tokio::test]
async fn pipelines_are_put_read_listed_and_deleted() {
    let agent = serving().await;
    let again = agent
        .request("PUT", PATH)
        .header("content-type", YAML)
        .body(PIPELINE);
    assert_eq!(again.send().await.unwrap().status(), 200);
    let view = agent.get(PATH).await;
    assert_eq!(
        (&view["text"], &view["name"]),
        (&json!(PIPELINE), &json!("rows"))
    );
    let list = agent.get("/api/v1/pipelines").await;
    assert_eq!(
        (&list["items"][0]["hash"], list["items"][0].get("text")),
        (&view["hash"], None)
    );

    let put = |path: &str, text: &'static str| {
        agent
            .request("PUT", path)
            .header("content-type", YAML)
            .body(text)
            .send()
    };
    let other = put("/api/v1/pipelines/shop/other", PIPELINE).await.unwrap();
    problem(other, Code::PathMismatch).await;
    let broken = put(
        PATH,
        "pipeline: { namespace: shop, name: rows }\nsource: { cvs: {} }\n",
    );
    let found = problem(broken.await.unwrap(), Code::DefinitionInvalid).await;
    assert!(
        found.problems.iter().any(|one| one.line == 2),
        "{:?}",
        found.problems
    );

    assert_eq!(
        agent.request("DELETE", PATH).send().await.unwrap().status(),
        204
    );
    for method in ["GET", "DELETE"] {
        problem(
            agent.request(method, PATH).send().await.unwrap(),
            Code::NotFound,
        )
        .await;
    }
    problem(feed(&agent, "identity=f", ROWS).await, Code::NotFound).await;
}

#[tokio::test]
async fn a_file_is_fed_and_goes_on_where_it_stopped() {
    let agent = serving().await;
    let total = ROWS.len();
    let fed = feed(
        &agent,
        &format!("identity=f1&source=rows.csv&total={total}"),
        ROWS,
    )
    .await;
    assert_eq!(fed.status(), 200);
    let fed: Value = fed.json().await.unwrap();
    assert_eq!(
        (&fed["rows"], &fed["deadLetters"], &fed["state"]),
        (&json!(2), &json!(1), &json!("completed"))
    );
    assert_eq!(
        (&fed["offset"], &fed["source"]),
        (&json!(total), &json!("rows.csv"))
    );

    let found = problem(
        feed(&agent, "identity=f1&offset=3", ROWS).await,
        Code::FeedOffset,
    )
    .await;
    assert_eq!(found.expected_offset, Some(total as u64));
    let list = agent.get(&format!("{PATH}/feeds?identity=f1")).await;
    assert_eq!(list["items"][0]["offset"], json!(total));
    let none = agent
        .request("GET", &format!("{PATH}/feeds?identity=f2"))
        .send()
        .await
        .unwrap();
    problem(none, Code::NotFound).await;
    problem(feed(&agent, "offset=0", ROWS).await, Code::ParameterInvalid).await;
    problem(
        feed(&agent, "identity=", ROWS).await,
        Code::ParameterInvalid,
    )
    .await;
    let lines = agent
        .request("POST", &format!("{PATH}/feeds?identity=f3"))
        .header("content-type", "application/x-ndjson")
        .body("{}\n");
    problem(lines.send().await.unwrap(), Code::UnsupportedMediaType).await;
}

#[tokio::test]
async fn dead_letters_are_edited_sent_again_and_discarded() {
    let agent = serving().await;
    let rows = "id,name\nx,first\ny,second\n";
    assert_eq!(feed(&agent, "identity=f", rows).await.status(), 200);
    let page = agent.get("/api/v1/dead-letters?limit=1").await;
    assert_eq!(
        (&page["total"], page["items"].as_array().unwrap().len()),
        (&json!(2), 1)
    );
    let rest = agent
        .get(&format!(
            "/api/v1/dead-letters?cursor={}",
            page["next"].as_str().unwrap()
        ))
        .await;
    let first = &rest["items"][0];
    assert_eq!(first["origin"]["line"], 2, "{first}");
    assert!(
        first["record"].as_str().unwrap().contains("first"),
        "{first}"
    );
    let path = format!("/api/v1/dead-letters/{}", first["id"]);

    let send = || agent.request("POST", &format!("{path}/send")).send();
    let refused = send().await.unwrap();
    assert_eq!(refused.status(), 200, "it failed again and stays");
    assert_eq!(refused.json::<Value>().await.unwrap()["attempts"], 2);
    let edited = agent
        .request("PUT", &path)
        .json(&json!({"record": "1,first"}));
    let edited: Value = edited.send().await.unwrap().json().await.unwrap();
    assert_eq!(
        (&edited["record"], &edited["edited"]),
        (&json!("1,first"), &json!(true))
    );
    assert_eq!(send().await.unwrap().status(), 204);
    problem(send().await.unwrap(), Code::NotFound).await;

    let second = &page["items"][0];
    let path = format!("/api/v1/dead-letters/{}", second["id"]);
    assert_eq!(
        agent
            .request("DELETE", &path)
            .send()
            .await
            .unwrap()
            .status(),
        204
    );
    for method in ["GET", "DELETE"] {
        problem(
            agent.request(method, &path).send().await.unwrap(),
            Code::NotFound,
        )
        .await;
    }
    let page = agent.get("/api/v1/dead-letters?pipeline=shop/rows").await;
    assert_eq!((&page["total"], &page["items"]), (&json!(0), &json!([])));
    let bad = agent
        .request("GET", "/api/v1/dead-letters?pipeline=rows")
        .send()
        .await
        .unwrap();
    problem(bad, Code::ParameterInvalid).await;
    let bad = agent
        .request("PUT", &path)
        .json(&json!({"rec": "1"}))
        .send()
        .await
        .unwrap();
    problem(bad, Code::BodyInvalid).await;
}
