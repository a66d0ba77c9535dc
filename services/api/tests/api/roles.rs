//! Who may do what.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, PLATFORM, World};

/// What each role may do: platform, admin, viewer, producer. A new route falls under one of these
/// rules, or it must be put under another.
fn allowed(method: &str, path: &str) -> [bool; 4] {
    let is_read = method == "GET";
    match path {
        "/v1/organizations" => [true, false, false, false],
        path if path.starts_with("/v1/organizations/") => [true, true, is_read, false],
        "/v3/organizations/me" | "/v3/users/me" => [false, true, true, true],
        _ => [false, true, is_read, false],
    }
}

/// Every operation that needs a token, as it is described.
fn operations() -> Vec<(Method, String)> {
    let document: Value = serde_json::from_str(include_str!("../../openapi.json")).unwrap();
    let mut all = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            if operation.get("security") != Some(&json!([])) {
                all.push((method.to_uppercase().parse().unwrap(), path.clone()));
            }
        }
    }
    assert!(all.len() > 50, "{all:?}");
    all
}

/// The path with ids in it. What is deleted does not exist; everything else is there.
fn concrete(path: &str, method: &Method, (org, portal, destination): (&str, &str, &str)) -> String {
    let nothing = "00000000-0000-4000-8000-000000000000";
    let real =
        |id: &str| if *method == Method::DELETE { nothing.to_owned() } else { id.to_owned() };
    let path = path.replace("{org}", org).replace("{scope}", "org");
    let path = path.replace("{portal}", &real(portal)).replace("{id}", &real(destination));
    path.split('/')
        .map(|part| if part.starts_with('{') { nothing } else { part })
        .collect::<Vec<_>>()
        .join("/")
}

const NONSENSE: &str = r#"{"enabled":5,"name":5,"start_at":5,"unknown":1}"#;

/// What a permitted caller is told is another matter: all is well, or that the body is wrong, or
/// that there is no such thing.
#[tokio::test]
async fn every_role_may_do_what_the_table_says_on_every_route() {
    let world = World::new().await;
    let api = world.api().await;
    let org = api.organization("Acme").await;
    let mut callers = vec![api.clone()];
    for role in ["admin", "viewer", "producer"] {
        callers.push(api.with_token(&api.token(&org, role).await));
    }
    let (portal, destination) = (callers[1].portal("p").await, callers[1].destination("d").await);
    let other = api.organization("Other").await;
    let stranger = api.with_token(&api.token(&other, "admin").await);
    for (method, path) in operations() {
        let place = concrete(&path, &method, (&org, &portal, &destination));
        let body = (method != Method::GET).then_some(NONSENSE);
        for (caller, allowed) in callers.iter().zip(allowed(method.as_str(), &path)) {
            let answer = caller.send(method.clone(), &place, body).await;
            let refused = [401, 403].contains(&answer.status);
            // Before it is asked who may, a name can be none at all.
            let nothing = answer.status == 404 && !allowed;
            assert_eq!(
                refused || nothing,
                !allowed,
                "{method} {path}: {} {}",
                answer.status,
                answer.text
            );
            // Those that do not run here are asked by some.
            assert_ne!(answer.status, 500, "{method} {path}");
            if refused {
                answer.expect(403);
            }
        }
        let named = ["{org}", "{portal}", "{id}"].iter().any(|id| path.contains(id));
        if named {
            let answer = stranger.send(method.clone(), &place, body).await;
            let hidden = [400, 404, 415, 503].contains(&answer.status);
            assert!(hidden, "{method} {path}: {} {}", answer.status, answer.text);
            assert!(!answer.text.contains(&portal) && !answer.text.contains("example.com"));
        }
    }
    let left = callers[1].get("/v3/portals").await.expect(200);
    assert_eq!(left["data"][0]["id"], portal, "nothing was changed");
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
    let body = json!({"name": "ci", "role": "admin", "expires_at": "2030-01-01T00:00:00Z"});
    let made = api.post(&path, &body).await.expect(201);
    let text = made["token"].as_str().unwrap();
    assert!(text.starts_with("art_") && text.len() == 47, "{text}");
    let admin = api.with_token(text);
    let listed = admin.get(&path).await.expect(200);
    let shown = json!({"id": made["id"], "name": "ci", "role": "admin", "prefix": &text[..12],
        "expires_at": "2030-01-01T00:00:00Z"});
    let mut seen = listed["data"][0].clone();
    seen.as_object_mut().unwrap().remove("last_used_at");
    assert_eq!((listed["data"].as_array().unwrap().len(), &seen), (1, &shown));
    let used = || async { admin.get(&path).await.expect(200)["data"][0]["last_used_at"].clone() };
    while used().await.is_null() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
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
