//! Who may do what.

use reqwest::Method;
use serde_json::json;

use crate::support::{Answer, PLATFORM, World};

#[tokio::test]
async fn every_role_may_do_what_the_table_says() {
    let world = World::new().await;
    let api = world.api().await;
    let org = api.organization("Acme").await;
    let tokens = format!("/v1/organizations/{org}/tokens");
    let mut callers = vec![api.clone()];
    for role in ["admin", "viewer", "producer"] {
        callers.push(api.with_token(&api.token(&org, role).await));
    }
    // What a permitted caller is told is another matter: 200, or that the body is wrong.
    for (method, path, statuses) in [
        (Method::GET, "/v3/audit-log-destinations", [403, 200, 200, 403]),
        (Method::POST, "/v3/audit-log-destinations", [403, 400, 403, 403]),
        (Method::GET, "/v2/audit-log-webhook", [403, 200, 200, 403]),
        (Method::PATCH, "/v3/audit-log-webhook", [403, 400, 403, 403]),
        (Method::GET, "/v3/audit-log-webhook/status", [403, 200, 200, 403]),
        (Method::GET, "/v3/portals", [403, 200, 200, 403]),
        (Method::POST, "/v3/portals", [403, 400, 403, 403]),
        (Method::GET, "/v3/audit-log-replay-job", [403, 200, 200, 403]),
        (Method::PUT, "/v3/audit-log-replay-job", [403, 400, 403, 403]),
        (Method::GET, "/v1/replay-job", [403, 200, 200, 403]),
        (Method::POST, "/v1/replay-job/cancel", [403, 400, 403, 403]),
        (Method::GET, "/v1/webhooks/org/delivery", [403, 200, 200, 403]),
        (Method::GET, "/v1/webhooks/org/attempts", [403, 200, 200, 403]),
        (Method::GET, "/v1/webhooks/org/quarantine", [403, 200, 200, 403]),
        (Method::POST, "/v1/webhooks/org/quarantine/1/discard", [403, 400, 403, 403]),
        (Method::POST, "/v1/destination-tests", [403, 400, 403, 403]),
        (Method::GET, "/v1/coverage", [403, 200, 200, 403]),
        (Method::GET, "/v3/audit-logs", [403, 200, 200, 403]),
        (Method::GET, "/v3/teams", [403, 200, 200, 403]),
        (Method::GET, tokens.as_str(), [200, 200, 200, 403]),
        (Method::POST, tokens.as_str(), [400, 400, 403, 403]),
        (Method::GET, "/v1/organizations", [200, 403, 403, 403]),
        (Method::POST, "/v1/organizations", [400, 403, 403, 403]),
    ] {
        for (caller, status) in callers.iter().zip(statuses) {
            let body = (method != Method::GET).then_some(r#"{"enabled":5,"name":5,"unknown":1}"#);
            let answer = caller.send(method.clone(), path, body).await;
            assert_eq!(answer.status, status, "{method} {path} {}", answer.text);
            answer.expect(status);
        }
    }
}

#[tokio::test]
async fn nobody_without_a_good_token_learns_anything() {
    let (_world, api) = World::admin().await;
    for header in [None, Some("Bearer"), Some("Bearer art_unknown"), Some("Basic YTpi")] {
        for (method, path) in [
            (Method::GET, "/v3/audit-log-destinations"),
            (Method::POST, "/v3/audit-log-destinations"),
            (Method::GET, "/v3/portals/not-a-uuid"),
        ] {
            let mut request = api.request(method, path).body("{");
            if let Some(header) = header {
                request = request.header("authorization", header);
            }
            let answer = Answer::of(request).await;
            answer.expect(401);
            assert_eq!(answer.headers["www-authenticate"], "Bearer");
        }
    }
}

#[tokio::test]
async fn tokens_are_listed_without_their_text_and_end_when_revoked() {
    let world = World::new().await;
    let api = world.api().await;
    let (org, other) = (api.organization("Acme").await, api.organization("Other").await);
    let path = format!("/v1/organizations/{org}/tokens");
    let body = json!({"name": "ci", "role": "admin", "expires_at": "2100-01-01T00:00:00Z"});
    let made = api.post(&path, &body).await.expect(201);
    let text = made["token"].as_str().unwrap();
    assert!(text.starts_with("art_") && text.len() == 47, "{text}");
    let admin = api.with_token(text);
    let listed = admin.get(&path).await.expect(200);
    let shown = json!({"id": made["id"], "name": "ci", "role": "admin", "prefix": &text[..12],
        "expires_at": "2100-01-01T00:00:00Z"});
    assert_eq!(listed["data"], json!([shown]));
    admin.get(&format!("/v1/organizations/{other}/tokens")).await.expect(404);
    let revoke = format!("{path}/{}", made["id"].as_str().unwrap());
    api.delete(&revoke).await.expect(204);
    api.delete(&revoke).await.expect(404);
    admin.get(&path).await.expect(401);
    let nobody = "00000000-0000-4000-8000-000000000000";
    api.get(&format!("/v1/organizations/{nobody}/tokens")).await.expect(404);
    let issue = json!({"name": "x", "role": "admin"});
    api.post(&format!("/v1/organizations/{nobody}/tokens"), &issue).await.expect(404);
    let wrong = api.post(&path, &json!({"name": "x", "role": "root", "scopes": []})).await;
    let fields: Vec<String> = wrong.faults().into_iter().map(|(field, _)| field).collect();
    assert_eq!(fields, ["role", "scopes"]);
    assert_eq!(api.token, PLATFORM);
}
