//! The description for machines.

use serde_json::{Map, Value, json};

use super::operation::Operation;
use super::table::operations;

const COMPONENTS: &str = include_str!("components.json");

/// Every status that a problem can have.
pub(super) const PROBLEMS: &[(u16, &str)] = &[
    (400, "Something in the request is wrong; every mistake is named."),
    (401, "No token, or one that does not count."),
    (403, "The token's role does not allow this."),
    (404, "There is no such thing, or it is somebody else's."),
    (408, "The body did not come in time."),
    (409, "It cannot be done in the present state."),
    (413, "The body is larger than 64 KiB."),
    (415, "The body is not plain JSON."),
    (429, "Too many requests; `Retry-After` says when to come back."),
    (503, "The event store is not reachable; `Retry-After` says when to come back."),
];

/// The `OpenAPI` 3.1 document.
pub fn document() -> Value {
    let mut components: Value = serde_json::from_str(COMPONENTS).unwrap_or_default();
    if let Some(components) = components.as_object_mut() {
        components.insert("responses".to_owned(), responses());
        let bearer = json!({ "type": "http", "scheme": "bearer" });
        components.insert("securitySchemes".to_owned(), json!({ "token": bearer }));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "auditrelay",
            "summary": "Audit events, delivered to webhooks and kept to be sent again.",
            "description": "Routes under /v2 and /v3 are compatible with the audit-log API of Kong \
                Konnect; those under /v1 and `/v3/portals/{portal}/audit-logs` are our own.",
            "version": env!("CARGO_PKG_VERSION"),
        },
        "security": [{ "token": [] }],
        "paths": paths(&operations()),
        "components": components,
    })
}

fn responses() -> Value {
    let content = json!({ "application/problem+json": { "schema": schema("Problem") } });
    let one = |(status, text): &(u16, &str)| {
        (status.to_string(), json!({ "description": text, "content": content }))
    };
    Value::Object(PROBLEMS.iter().map(one).collect())
}

fn schema(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn paths(operations: &[Operation]) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for operation in operations {
        let methods = paths.entry(operation.path.clone()).or_insert_with(|| json!({}));
        if let Some(methods) = methods.as_object_mut() {
            methods.insert(operation.method.to_owned(), described(operation));
        }
    }
    Value::Object(paths)
}

fn described(operation: &Operation) -> Value {
    let mut shown = json!({
        "operationId": operation.id(),
        "tags": [operation.tag],
        "summary": operation.summary,
        "responses": answers(operation),
    });
    let mut put = |name: &str, value: Value| {
        if let Some(shown) = shown.as_object_mut() {
            shown.insert(name.to_owned(), value);
        }
    };
    if !operation.note.is_empty() {
        put("description", operation.note.into());
    }
    let parameters = parameters(operation);
    if !parameters.is_empty() {
        put("parameters", parameters.into());
    }
    if let Some(body) = operation.body {
        let content = json!({ "application/json": { "schema": schema(body) } });
        put("requestBody", json!({ "required": !may_be_left_out(operation), "content": content }));
    }
    if operation.public {
        put("security", json!([]));
    }
    shown
}

fn may_be_left_out(operation: &Operation) -> bool {
    matches!(operation.body, Some("CancelRequest" | "DiscardRequest"))
        || operation.path == "/v1/destinations/{id}/test"
}

fn parameters(operation: &Operation) -> Vec<Value> {
    let path = operation.path_parameters().into_iter().map(|name| {
        let id = json!({ "type": "string", "format": "uuid" });
        let in_quarantine = operation.path.contains("/quarantine/");
        let schema =
            if name == "scope" || in_quarantine { json!({ "type": "string" }) } else { id };
        json!({ "name": name, "in": "path", "required": true, "schema": schema })
    });
    let query = operation.query.iter();
    let query = query.map(|name| json!({ "$ref": format!("#/components/parameters/{name}") }));
    path.chain(query).collect()
}

fn answers(operation: &Operation) -> Value {
    let mut all = Map::new();
    let good = match operation.answer {
        None => json!({ "description": "Done." }),
        Some("EventStream") => {
            json!({ "description": "Done.", "content": { "text/event-stream": {} } })
        }
        Some("Html") => json!({ "description": "Done.", "content": { "text/html": {} } }),
        Some(name) => json!({
            "description": "Done.", "content": { "application/json": { "schema": schema(name) } },
        }),
    };
    all.insert(operation.status.to_string(), good);
    for status in operation.all_problems() {
        let reference = format!("#/components/responses/{status}");
        all.insert(status.to_string(), json!({ "$ref": reference }));
    }
    Value::Object(all)
}
