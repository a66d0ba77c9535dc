//! Bad input over HTTP: the answers that the core's own tests cannot see.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Client, World, destination};

const DESTINATIONS: &str = "/v3/audit-log-destinations";

fn fault(field: &str, reason: &str) -> (String, String) {
    (field.to_owned(), reason.to_owned())
}

#[tokio::test]
async fn every_mistake_in_a_destination_is_told_at_once() {
    let (_world, api) = World::admin().await;
    let required = "is a required field";
    let all =
        [fault("name", required), fault("endpoint", required), fault("authorization", required)];
    assert_eq!(api.post(DESTINATIONS, &json!({})).await.faults(), all);
    let body = json!({"name": " ", "endpoint": "ftp://x", "authorization": "a\nb",
        "log_format": "xml", "skip_ssl_verification": "no"});
    let found = api.post(DESTINATIONS, &body).await;
    let expected = [
        fault("name", "cannot be blank"),
        fault("endpoint", "must be a valid URL"),
        fault("authorization", "must contain only visible ASCII and spaces"),
        fault("log_format", "must be one of the choices"),
        fault("skip_ssl_verification", "must be a boolean"),
    ];
    assert_eq!(found.faults(), expected);
    assert_eq!(
        found.expect(400)["invalid_parameters"][3]["choices"],
        json!(["cef", "json", "cps"])
    );
}

#[tokio::test]
async fn endpoints_are_echoed_byte_for_byte_or_refused() {
    let (_world, api) = World::admin().await;
    let send = |name: &str, endpoint: &str| {
        let (api, mut body) = (api.clone(), destination(name));
        body["endpoint"] = json!(endpoint);
        async move { api.post(DESTINATIONS, &body).await }
    };
    for (number, endpoint) in
        ["https://example.com", "https://EXAMPLE.com/a//b?c=%20#d", "https://example.com:443/"]
            .into_iter()
            .enumerate()
    {
        let made = send(&number.to_string(), endpoint).await.expect(201);
        assert_eq!(made["endpoint"], endpoint);
    }
    for (endpoint, reason) in [
        ("https://127.1/", "must not point to a private or reserved address"),
        ("https://[::ffff:10.0.0.1]/", "must not point to a private or reserved address"),
        ("https://localhost/", "must not point to a private or reserved address"),
        ("http://example.com/", "must use https"),
        ("https://a:b@example.com/", "must not contain credentials"),
        ("https:example.com", "must be a valid URL"),
    ] {
        assert_eq!(send("x", endpoint).await.faults(), [fault("endpoint", reason)], "{endpoint}");
    }
}

#[tokio::test]
async fn names_are_unique_and_unknown_properties_ignored() {
    let (_world, api) = World::admin().await;
    let mut body = destination("same");
    body["id"] = json!("ignored");
    body["whatever"] = json!({"nested": [1, 2]});
    api.post(DESTINATIONS, &body).await.expect(201);
    let twice = api.post(DESTINATIONS, &body).await;
    assert_eq!(twice.faults(), [fault("name", "is already the name of another destination")]);
}

#[tokio::test]
async fn what_is_no_json_object_is_refused() {
    let (_world, api) = World::admin().await;
    let unreadable = [fault("body", "request format is invalid")];
    for body in ["", "{", "{}{}", "{\"name\":\"a\",\"name\":\"b\"}", "\u{feff}{}"] {
        let answer = api.send(Method::POST, DESTINATIONS, Some(body)).await;
        assert_eq!(answer.faults(), unreadable, "{body}");
        assert_eq!(answer.expect(400)["detail"], "Could not parse request body");
    }
    for body in ["[]", "5", "null", "\"x\""] {
        let answer = api.send(Method::POST, DESTINATIONS, Some(body)).await;
        assert_eq!(answer.faults(), [fault("body", "must be an object")], "{body}");
    }
    let deep = "[".repeat(100_000);
    api.send(Method::POST, DESTINATIONS, Some(&deep[..60_000])).await.expect(400);
    api.send(Method::POST, DESTINATIONS, Some(&deep)).await.expect(413);
}

#[tokio::test]
async fn media_types_methods_and_paths_have_their_answers() {
    let (_world, api) = World::admin().await;
    let post = |kind: &str, coding: Option<&str>| {
        let request = api.request(Method::POST, DESTINATIONS).bearer_auth(&api.token);
        let request = request.header("content-type", kind).body("{}");
        match coding {
            Some(coding) => request.header("content-encoding", coding),
            None => request,
        }
    };
    Answer::of(post("text/plain", None)).await.expect(415);
    Answer::of(post("application/json", Some("gzip"))).await.expect(415);
    Answer::of(post("application/json; charset=utf-8", None)).await.expect(400);
    let wrong = api.send(Method::POST, "/v3/audit-log-replay-job", Some("{}")).await;
    wrong.expect(405);
    let allow = wrong.headers["allow"].to_str().unwrap();
    assert!(allow.contains("GET") && allow.contains("PUT"), "{allow}");
    let head = api.send(Method::HEAD, "/v3/audit-log-replay-job", None).await;
    assert_eq!((head.status, head.text.as_str()), (200, ""));
    let id = api.destination("d").await;
    for path in [
        "/v3/audit-log-destinations/not-a-uuid".to_owned(),
        format!("/v3/audit-log-destinations/{id}/"),
        format!("/v3/audit-log-destinations/{id}%00"),
        format!("/v3/audit-log-destinations/{}", id.replace('-', "")),
        "/v3/audit-log-destinations/%2e%2e".to_owned(),
        "/v3/audit-log-destinations/%ff".to_owned(),
        "//v3/audit-log-destinations".to_owned(),
        "/v4/nothing".to_owned(),
    ] {
        api.get(&path).await.expect(404);
    }
}

#[tokio::test]
async fn webhooks_refuse_what_cannot_be() {
    let (_world, api) = World::admin().await;
    let path = "/v3/audit-log-webhook";
    let field = "audit_log_destination_id";
    let on = api.patch(path, &json!({"enabled": true})).await;
    assert_eq!(on.faults(), [fault(field, "is a required field")]);
    let bad = api.patch(path, &json!({field: "x"})).await;
    assert_eq!(bad.faults(), [fault(field, "destination id format is invalid")]);
    assert_eq!(bad.expect(400)["detail"], "Could not parse destination id");
    let unknown = json!({field: "00000000-0000-4000-8000-000000000000"});
    api.patch(path, &unknown).await.expect(404);
    let other = foreign_destination(&api).await;
    api.patch(path, &json!({ field: other })).await.expect(404);
    api.get(&format!("{DESTINATIONS}/{other}")).await.expect(404);
    api.delete(&format!("{DESTINATIONS}/{other}")).await.expect(404);
    api.get(path).await.expect(404);
}

async fn foreign_destination(api: &Client) -> String {
    let platform = api.with_token(crate::support::PLATFORM);
    let org = platform.organization("Other").await;
    let admin = api.with_token(&platform.token(&org, "admin").await);
    admin.destination("theirs").await
}

#[tokio::test]
async fn queries_that_cannot_be_are_told() {
    let (_world, api) = World::admin().await;
    for (query, field) in [
        ("page[size]=0", "page[size]"),
        ("page[size]=1001", "page[size]"),
        ("page[size]=abc", "page[size]"),
        ("filter[name][eq]=a&filter[name][contains]=b", "filter"),
        ("filter[color][eq]=a", "filter"),
    ] {
        for list in [DESTINATIONS, "/v3/portals"] {
            let answer = api.get(&format!("{list}?{query}")).await;
            let faults = answer.faults();
            assert_eq!(faults[0].0, field, "{query}");
            let source = &answer.expect(400)["invalid_parameters"][0]["source"];
            assert_eq!(source, &Value::from("query"));
        }
    }
    let empty = api.get(&format!("{DESTINATIONS}?page[size]=&foo=bar")).await;
    empty.expect(200);
}
