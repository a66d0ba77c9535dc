//! Signing in at an identity provider of another site.

use std::sync::{Arc, Mutex};

use auditrelay_runtime::ids;
use auditrelay_signing::{KeySet, SystemRandom};
use auditrelay_testkit::builders::now;
use auditrelay_testkit::stack::{Service, Stack};
use axum::Json;
use axum::extract::Query;
use axum::response::Redirect;
use axum::routing::{get, post};
use serde_json::{Value, json};

use crate::DESK;
use crate::driver::in_browser;
use crate::scene::{HOSTILE, is_hacked};

/// Vouches for Ada, as a viewer of the organization, whoever comes.
async fn provider(organization: &str) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    // The console is at 127.0.0.1, which is another site to a browser.
    let issuer = format!("http://localhost:{}", listener.local_addr().unwrap().port());
    let keys = KeySet::generate("id", &now().to_string(), &SystemRandom::new()).unwrap();
    let seconds = now().millis() / 1_000;
    let claims = json!({"iss": issuer, "aud": "console", "sub": "u-1", "name": format!("Ada {HOSTILE}"),
        "iat": seconds, "exp": seconds + 300, "organization": organization, "roles": ["looks"]});
    let document = json!({"issuer": issuer, "jwks_uri": format!("{issuer}/keys"),
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token")});
    let (published, nonce) = (json!(keys.jwks()), Arc::new(Mutex::new(Value::Null)));
    let asked = Arc::clone(&nonce);
    let authorize = async move |Query(query): Query<Value>| {
        *asked.lock().unwrap() = query["nonce"].clone();
        let (back, state) = (query["redirect_uri"].as_str().unwrap(), &query["state"]);
        Redirect::to(&format!("{back}?code=one&state={}", state.as_str().unwrap()))
    };
    let token = async move || {
        let mut claims = claims;
        claims["nonce"] = nonce.lock().unwrap().clone();
        let key = keys.keys().next().unwrap();
        Json(json!({"id_token": key.sign_jws("JWT", claims.to_string().as_bytes())}))
    };
    let router = axum::Router::new()
        .route("/.well-known/openid-configuration", get(async move || Json(document)))
        .route("/keys", get(async move || Json(published)))
        .route("/authorize", get(authorize))
        .route("/token", post(token));
    tokio::spawn(async move { axum::serve(listener, router).await });
    issuer
}

#[tokio::test]
async fn a_person_signs_in_at_the_provider_and_comes_back_to_the_page() {
    in_browser(DESK, async |browser| {
        let mut stack = Stack::start().await;
        let name = format!("kit {}", ids::uuid_v4());
        let _org = stack.org_called(&name).await;
        let console = stack.console();
        stack.stop(Service::Api).await;
        for (key, value) in [
            ("api.listen", console.trim_start_matches("http://")),
            ("api.public_url", &console),
            ("api.oidc_issuer", &provider(&name).await),
            ("api.oidc_audience", "auditrelay"),
            ("api.oidc_client_id", "console"),
            ("api.oidc_viewers", "looks"),
        ] {
            stack.set(key, value);
        }
        stack.run(Service::Api).await;
        browser.go(&format!("{console}/console/keys")).await;
        browser.click("Sign in with your identity provider").await;
        browser.sees("Signing Keys").await;
        browser.sees(&format!("Ada {HOSTILE} viewer")).await;
        assert_eq!(browser.url().await, format!("{console}/console/keys"));
        // A form that comes when the session is over goes along to the provider and back.
        browser.fill("Line", "typed for long").await;
        browser.forget_cookies().await;
        browser.leave(browser.click("Check signature")).await;
        browser.sees("what you typed is kept").await;
        browser.click("Sign in with your identity provider").await;
        browser.sees("You are signed in again").await;
        browser.sees("Line typed for long").await;
        browser.leave(browser.click("Send it now")).await;
        browser.sees("Line carries no signature at its end").await;
        assert!(!is_hacked(browser).await);
        assert_eq!(browser.complaints().await, [""; 0]);
    })
    .await;
}
