//! Who may see the console, for how long, and what its pages let nobody do.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use auditrelay_model::{Clock, Timestamp};
use auditrelay_runtime::clock::SystemClock;
use auditrelay_runtime::context::Context;
use reqwest::Method;
use reqwest::header::SET_COOKIE;
use serde_json::json;

use crate::browser::Browser;
use crate::support::{Answer, PLATFORM, World};

const LIST: &str = "/console/setup/destinations";

#[tokio::test]
async fn nobody_sees_a_page_without_signing_in() {
    let (_world, api) = World::admin().await;
    let mut browser = Browser::open(&api, LIST).await;
    assert_eq!(browser.path, "/console/sign-in?next=%2Fconsole%2Fsetup%2Fdestinations");
    let live = Answer::of(browser.request(Method::GET, "/console/live/org/replay")).await;
    assert_eq!(live.status, 401);
    for (token, status) in [("", 400), ("art_unknown", 401), (PLATFORM, 403)] {
        browser.fill("API token", token);
        browser.press("Sign in").await;
        assert_eq!(browser.page.status, status, "{}", browser.page.text);
        assert!(token.is_empty() || !browser.page.text.contains(token));
    }
    browser.fill("API token", &api.token);
    browser.press("Sign in").await;
    assert_eq!((browser.path.as_str(), browser.page.status), (LIST, 200));
    for next in ["https://evil.example", "//evil.example", "/\\evil", "javascript:alert(1)"] {
        let mut browser = Browser::open(&api, "/console/sign-in").await;
        browser.fill("API token", &api.token);
        let (action, mut fields) = browser.form("Sign in");
        fields.retain(|(name, _)| name != "next");
        fields.push(("next".to_owned(), next.to_owned()));
        let answer = Answer::of(browser.post(&action, &fields)).await;
        assert_eq!(answer.headers["location"], "/console/overview", "{next}");
    }
}

#[tokio::test]
async fn cookies_and_pages_are_guarded() {
    let (_world, api) = World::admin().await;
    let mut browser = Browser::open(&api, "/console/sign-in").await;
    browser.fill("API token", &api.token);
    let (action, fields) = browser.form("Sign in");
    for (origin, name, secure) in
        [("https://", "__Host-auditrelay=", true), ("http://", "auditrelay=", false)]
    {
        let host = api.base.trim_start_matches("http://");
        let origin = format!("{origin}{host}");
        let answer = Answer::of(browser.post(&action, &fields).header("origin", origin)).await;
        assert_eq!(answer.status, 303);
        let cookie = answer.headers[SET_COOKIE].to_str().unwrap().to_owned();
        assert!(cookie.starts_with(name), "{cookie}");
        assert!(cookie.contains("; Path=/; HttpOnly; SameSite=Strict"), "{cookie}");
        assert_eq!(cookie.contains("Secure"), secure);
        assert!(!cookie.contains(&api.token));
    }
    browser.press("Sign in").await;
    for path in ["/console/overview", "/console/nothing", "/console/sign-in", LIST] {
        browser.go(path).await;
        let headers = &browser.page.headers;
        let policy = headers["content-security-policy"].to_str().unwrap();
        for part in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"] {
            assert!(policy.contains(part), "{policy}");
        }
        assert_eq!(headers["cache-control"], "no-store");
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert!(headers["content-type"].to_str().unwrap().starts_with("text/html"));
    }
    browser.go("/console/nothing").await;
    assert_eq!(browser.page.status, 404);
    browser.go(LIST).await;
    let style = browser.page.text.split("href=\"").find(|rest| rest.contains("console.css"));
    let style = style.unwrap().split('"').next().unwrap().to_owned();
    let answer = Answer::of(browser.request(Method::GET, &style)).await;
    assert_eq!(
        (answer.status, &answer.headers["content-type"].to_str().unwrap()[..8]),
        (200, "text/css")
    );
    assert!(answer.headers["cache-control"].to_str().unwrap().contains("immutable"));
    for path in [
        "/console/assets/",
        "/console/assets/x/console.css",
        "/console/assets/..%2f..%2fetc/passwd",
    ] {
        assert_eq!(Answer::of(browser.request(Method::GET, path)).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn forms_of_others_are_refused() {
    let (_world, api) = World::admin().await;
    let mut browser = Browser::signed_in(&api).await;
    browser.go("/console/setup/destinations/new").await;
    browser.fill("Name", "x");
    browser.fill("Endpoint", "https://siem.example");
    browser.fill("Authorization Header", "Bearer x");
    let (action, good) = browser.form("Save");
    let mut other = Browser::signed_in(&api).await;
    other.go("/console/setup/destinations/new").await;
    let theirs = other.form("Save").1.into_iter().find(|(name, _)| name == "form_token");
    let without: Vec<_> = good.iter().filter(|(name, _)| name != "form_token").cloned().collect();
    let with_theirs: Vec<_> = without.iter().cloned().chain(theirs).collect();
    for request in [
        browser.post(&action, &without),
        browser.post(&action, &with_theirs),
        browser.post(&action, &good).header("sec-fetch-site", "cross-site"),
        browser.post(&action, &good).header("sec-fetch-site", "same-site"),
        browser.post(&action, &good).header("origin", "https://evil.example"),
        browser.post(&action, &good).header("origin", "null"),
    ] {
        let answer = Answer::of(request).await;
        assert_eq!(answer.status, 403, "{}", answer.text);
    }
    let json = browser.request(Method::POST, &action).header("content-type", "application/json");
    assert_eq!(Answer::of(json.body("{}")).await.status, 415);
    let large = browser.post(&action, &[("name".to_owned(), "x".repeat(64 * 1024))]);
    assert_eq!(Answer::of(large).await.status, 413);
    assert_eq!(api.get("/v3/audit-log-destinations").await.expect(200)["data"], json!([]));
    let fine = browser.post(&action, &good).header("sec-fetch-site", "same-origin");
    assert_eq!(Answer::of(fine).await.status, 303);
}

#[tokio::test]
async fn a_session_works_on_every_replica_and_ends_with_its_token() {
    let world = World::new().await;
    let (one, other) = (world.api().await, world.api().await);
    let org = one.organization("Acme").await;
    let path = format!("/v1/organizations/{org}/tokens");
    let made = one.post(&path, &json!({"name": "me", "role": "admin"})).await.expect(201);
    let api = one.with_token(made["token"].as_str().unwrap());
    let browser = Browser::signed_in(&api).await;
    let mut elsewhere = Browser::open(&api.at(&other), "/console/sign-in").await;
    elsewhere.cookies.clone_from(&browser.cookies);
    elsewhere.go(LIST).await;
    assert_eq!(elsewhere.path, LIST);
    for (name, value) in &browser.cookies {
        let mut forged = Browser::open(&api, "/console/sign-in").await;
        forged.cookies.insert(name.clone(), format!("{value}A"));
        forged.go(LIST).await;
        assert!(forged.path.starts_with("/console/sign-in"));
    }
    one.delete(&format!("{path}/{}", made["id"].as_str().unwrap())).await.expect(204);
    elsewhere.go(LIST).await;
    assert_eq!(elsewhere.path, "/console/sign-in?next=%2Fconsole%2Fsetup%2Fdestinations&why=ended");
}

#[tokio::test]
async fn signing_out_ends_copies_too_on_every_replica() {
    let (world, api) = World::admin().await;
    let mut browser = Browser::signed_in(&api).await;
    let other = world.api().await;
    let mut elsewhere = Browser::open(&api.at(&other), "/console/sign-in").await;
    elsewhere.cookies.clone_from(&browser.cookies);
    let copy = browser.cookies.clone();
    browser.press("Sign out").await;
    browser.sees("You are signed out.");
    browser.cookies = copy;
    for browser in [&mut browser, &mut elsewhere] {
        browser.go(LIST).await;
        assert!(browser.path.ends_with("why=ended"), "{}", browser.path);
    }
    // Another sign-in with the same token is another session.
    assert_eq!(Browser::signed_in(&api).await.page.status, 200);
}

/// The real time, moved on by hand.
#[derive(Debug, Default)]
struct MovedClock(AtomicI64);

impl Clock for MovedClock {
    fn now(&self) -> Timestamp {
        let minutes = u64::try_from(self.0.load(Ordering::SeqCst)).unwrap();
        SystemClock.now() + Duration::from_mins(minutes)
    }
}

#[tokio::test]
async fn a_session_ends_when_nobody_uses_it() {
    let world = World::new().await;
    let clock = Arc::new(MovedClock::default());
    let context =
        Context { clock: Arc::clone(&clock) as Arc<dyn Clock>, ..Context::new("c".into()) };
    let api = world.api_by(context).await;
    let org = api.organization("Acme").await;
    let api = api.with_token(&api.token(&org, "viewer").await);
    let mut browser = Browser::signed_in(&api).await;
    for minutes in [20, 40, 60] {
        clock.0.store(minutes, Ordering::SeqCst);
        browser.go(LIST).await;
        assert_eq!(browser.path, LIST, "{minutes}");
    }
    // A script that asks again and again keeps nobody signed in.
    clock.0.store(80, Ordering::SeqCst);
    browser.go("/console/live/org/delivery").await;
    assert_eq!(browser.page.status, 200);
    clock.0.store(91, Ordering::SeqCst);
    browser.go(LIST).await;
    assert!(browser.path.ends_with("why=ended"), "{}", browser.path);
}

#[tokio::test]
async fn what_was_typed_outlives_the_session_and_its_path_is_the_only_one_it_is_for() {
    let (_world, api) = World::admin().await;
    let mut browser = Browser::signed_in(&api).await;
    browser.go("/console/setup/destinations/new").await;
    browser.fill("Name", "typed");
    browser.fill("Endpoint", "https://siem.example");
    browser.fill("Authorization Header", "Bearer very-secret");
    browser.cookies.clear();
    browser.press("Save").await;
    assert_eq!(browser.page.status, 401);
    browser.fill("API token", &api.token);
    browser.press("Sign in").await;
    browser.sees("authorization typed, and not shown");
    assert!(!browser.page.text.contains("very-secret"));
    let (action, fields) = browser.form("Send it now");
    let elsewhere = Answer::of(browser.post("/console/portals", &fields)).await;
    assert_eq!(elsewhere.status, 400, "{}", elsewhere.text);
    let forged = fields.iter().cloned().map(|(name, value)| match name.as_str() {
        "kept" => (name, format!("{value}A")),
        _ => (name, value),
    });
    let forged = Answer::of(browser.post(&action, &forged.collect::<Vec<_>>())).await;
    assert_eq!(forged.status, 400, "{}", forged.text);
    assert_eq!(api.get("/v3/audit-log-destinations").await.expect(200)["data"], json!([]));
    browser.press("Send it now").await;
    browser.sees("Created.");
    // What does not fit is not kept, and the sign-in says so.
    browser.go("/console/keys").await;
    browser.cookies.clear();
    browser.fill("Line", &"é".repeat(10_000));
    browser.press("Check signature").await;
    browser.sees("nothing was changed. Sign in again to go on.");
}

#[tokio::test]
async fn roles_see_what_they_may_do() {
    let world = World::new().await;
    let api = world.api().await;
    let org = api.organization("Acme").await;
    let producer = api.token(&org, "producer").await;
    let mut browser = Browser::open(&api, "/console/sign-in").await;
    browser.fill("API token", &producer);
    browser.press("Sign in").await;
    assert_eq!(browser.page.status, 403);
    browser.sees("This token may only send audit events.");
    let admin = api.with_token(&api.token(&org, "admin").await);
    let destination = admin.destination("siem").await;
    let viewer = api.with_token(&api.token(&org, "viewer").await);
    let mut browser = Browser::signed_in(&viewer).await;
    browser.sees("you see everything here and change nothing");
    for path in [
        LIST,
        &format!("{LIST}/{destination}"),
        "/console/setup/konnect",
        "/console/setup/konnect/replay",
        "/console/setup/portals",
        "/console/portals",
    ] {
        browser.go(path).await;
        assert_eq!(browser.page.status, 200, "{path}");
        for words in [">Save<", ">New ", ">Delete", ">Send Replay<"] {
            assert!(!browser.page.text.contains(words), "{words} in {path}");
        }
    }
    let (_, mut fields) = browser.form("Sign out");
    for field in [("name", "x"), ("range", "1h"), ("region", "local")] {
        fields.push((field.0.to_owned(), field.1.to_owned()));
    }
    for path in [
        LIST,
        &format!("{LIST}/{destination}"),
        &format!("{LIST}/{destination}/delete"),
        "/console/setup/konnect",
        "/console/setup/konnect/replay",
        "/console/setup/konnect/replay/cancel",
        "/console/setup/portals",
        "/console/portals",
    ] {
        assert_eq!(Answer::of(browser.post(path, &fields)).await.status, 403, "{path}");
    }
    let pages =
        ["/console/portals/new", "/console/setup/portals/new", "/console/setup/destinations/new"];
    for path in pages {
        browser.go(path).await;
        assert_eq!(browser.page.status, 403, "{path}");
        browser.sees("You may not do this");
    }
}
