use std::collections::BTreeSet;

use serde_json::Value;

use super::*;

/// Every value below a key, wherever it stands.
fn all<'a>(document: &'a Value, key: &str, found: &mut Vec<&'a Value>) {
    match document {
        Value::Object(members) => {
            for (name, value) in members {
                if name == key {
                    found.push(value);
                }
                all(value, key, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| all(item, key, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// `UPDATE_OPENAPI=1 cargo test -p auditrelay-api-core openapi` writes it anew.
#[test]
fn the_kept_document_is_the_current_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../openapi.json");
    let current = format!("{}\n", serde_json::to_string_pretty(&document()).unwrap());
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(path, &current).unwrap();
    }
    assert!(std::fs::read_to_string(path).unwrap() == current, "UPDATE_OPENAPI=1 writes it anew");
}

#[test]
fn every_reference_leads_somewhere_and_every_component_is_used() {
    let document = document();
    let mut references = Vec::new();
    all(&document, "$ref", &mut references);
    let references: BTreeSet<&str> = references.iter().map(|one| one.as_str().unwrap()).collect();
    for reference in &references {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
    }
    for kind in ["schemas", "parameters", "responses"] {
        for name in document["components"][kind].as_object().unwrap().keys() {
            let reference = format!("#/components/{kind}/{name}");
            assert!(references.contains(reference.as_str()), "{reference}");
        }
    }
}

#[test]
fn every_operation_is_described_and_has_problems_with_their_schema() {
    let operations = operations();
    let ids: BTreeSet<String> = operations.iter().map(Operation::id).collect();
    assert_eq!(ids.len(), operations.len());
    let document = document();
    for operation in &operations {
        assert!(!operation.summary.is_empty(), "{operation:?}");
        assert!(
            operation.public || operation.all_problems().starts_with(&[401]) || {
                operation.all_problems().first() == Some(&400)
            }
        );
        let shown = &document["paths"][&operation.path][operation.method]["responses"];
        for status in operation.all_problems() {
            assert!(shown.get(status.to_string()).is_some(), "{status} of {operation:?}");
        }
    }
    for (_, response) in document["components"]["responses"].as_object().unwrap() {
        let schema = &response["content"]["application/problem+json"]["schema"]["$ref"];
        assert_eq!(schema, "#/components/schemas/Problem");
    }
}

#[test]
fn the_page_shows_every_operation_and_asks_for_nothing() {
    let page = docs_page();
    for operation in operations() {
        assert!(page.html.contains(&format!("id=\"{}\"", operation.id())), "{operation:?}");
    }
    for link in page.html.split("href=\"#").skip(1) {
        let (id, _) = link.split_once('"').unwrap();
        assert!(page.html.contains(&format!("id=\"{id}\"")), "{id}");
    }
    for shown in [
        "<section><h2>Problems</h2>",
        "<caption>Statuses</caption>",
        "<caption>Query</caption>",
        "<code>page[size]</code>",
        "The newest first. <a href=\"#schema-Attempt\">Attempt</a>",
        "<article id=\"schema-Problem\"><h3>Problem</h3>",
    ] {
        assert!(page.html.contains(shown), "{shown}");
    }
    assert!(!page.html.contains("<p></p>"));
    assert!(page.policy.starts_with("default-src 'none'; style-src 'sha256-"));
    for wrong in ["<script", "http://", "https://", "style=\""] {
        assert!(!page.html.contains(wrong), "{wrong}");
    }
}
