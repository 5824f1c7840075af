//! What the language offers as functions and what the connectors do are the same.

use std::collections::BTreeSet;

use flame_connector::Connector;
use serde_json::Value;

fn names(schema: &Value) -> BTreeSet<&str> {
    schema["properties"]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

#[test]
fn the_catalog_and_the_connectors_agree() {
    let connectors: [Box<dyn Connector>; 3] = [
        Box::new(connector_sqlite::Sqlite::new()),
        Box::new(connector_postgres::Postgres::new()),
        Box::new(connector_file::File::new()),
    ];
    let mut functions = 0;
    for connector in &connectors {
        for operation in &connector.spec().operations {
            let function = flame_dsl::catalog()
                .iter()
                .find(|function| {
                    (function.connector, function.operation, function.version)
                        == (connector.spec().kind, operation.name, operation.version)
                })
                .unwrap_or_else(|| {
                    panic!(
                        "{}.{} is not in the catalog",
                        connector.spec().kind,
                        operation.name
                    )
                });
            assert_eq!(
                names(&function.arguments),
                names(&operation.arguments),
                "{}",
                function.name()
            );
            for property in names(&operation.arguments) {
                let default = |schema: &Value| schema["properties"][property]["default"].clone();
                assert_eq!(
                    default(&function.arguments),
                    default(&operation.arguments),
                    "{property}"
                );
            }
            functions += 1;
        }
    }
    assert_eq!(functions, flame_dsl::catalog().len());
}
