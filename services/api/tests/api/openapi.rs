//! What is described is what is there.

use std::collections::{BTreeMap, BTreeSet};

use auditrelay_api::Config;
use reqwest::Method;
use serde_json::Value;

use crate::support::{Answer, World};

type Routes = BTreeMap<String, BTreeSet<String>>;

const KEPT: &str = include_str!("../../openapi.json");

fn described() -> Routes {
    let document: Value = serde_json::from_str(KEPT).unwrap();
    let methods = |shown: &Value| {
        shown.as_object().unwrap().keys().map(|method| method.to_uppercase()).collect()
    };
    let paths = document["paths"].as_object().unwrap().iter();
    paths.map(|(path, shown)| (path.clone(), methods(shown))).collect()
}

/// The paths as the router itself prints them, without those of the console.
fn paths(router: &axum::Router) -> BTreeSet<String> {
    let printed = format!("{router:?}");
    let texts = printed.split('"').filter(|text| {
        ["/v1/", "/v2/", "/v3/"].iter().any(|version| text.starts_with(version))
            || ["/openapi.json", "/docs"].contains(text)
    });
    texts.map(ToOwned::to_owned).collect()
}

#[tokio::test]
async fn every_route_is_described_and_every_description_is_a_route() {
    let mut world = World::new().await;
    // Stubs for things that we do not have are no part of the API.
    world.config = Config { foreign_stubs: false, ..world.config };
    let (config, streams) = (world.config.clone(), world.streams.clone());
    let router = auditrelay_api::router(config, streams, world.context.clone()).await.unwrap();
    let api = world.api().await;
    let mut routes = Routes::new();
    for path in paths(&router) {
        // The router itself says what it allows when it is asked for something else.
        let concrete = path.replace(['{', '}'], "");
        let answer = api.send(Method::from_bytes(b"PURGE").unwrap(), &concrete, None).await;
        answer.expect(405);
        let allowed = answer.headers["allow"].to_str().unwrap().split(',');
        let allowed = allowed.filter(|method| *method != "HEAD").map(ToOwned::to_owned);
        routes.insert(path, allowed.collect());
    }
    assert_eq!(routes, described());
}

#[tokio::test]
async fn the_description_is_public_and_asks_for_nothing_else() {
    let world = World::new().await;
    let api = world.api().await;
    let served = Answer::of(api.request(Method::GET, "/openapi.json")).await.expect(200);
    assert_eq!(served, serde_json::from_str::<Value>(KEPT).unwrap());
    let page = Answer::of(api.request(Method::GET, "/docs")).await;
    assert_eq!(
        (page.status, &page.headers["content-type"]),
        (200, &"text/html; charset=utf-8".parse().unwrap())
    );
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert!(!policy.contains("unsafe"));
    assert!(page.text.contains("GET /v3/audit-logs"));
}
