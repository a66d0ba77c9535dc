//! Tokens of an identity provider: a real one that signs, on this machine.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auditrelay_api::Config;
use auditrelay_api_core::oidc::{Client as ConsoleClient, Rules};
use auditrelay_api_core::query::Query;
use auditrelay_model::Clock;
use auditrelay_model::secret::Secret;
use auditrelay_runtime::clock::SystemClock;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::{HeaderMap, StatusCode};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::browser::Browser;
use crate::support::{Answer, Client, World};

enum Key {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

/// A provider with a key of each kind; their ids are rs, ec and ed.
struct Provider {
    issuer: String,
    keys: Vec<(&'static str, &'static str, Key)>,
    published: Arc<Mutex<Vec<Value>>>,
    asked: Arc<AtomicUsize>,
    /// The code that it gave out last.
    given: Arc<Mutex<Option<Given>>>,
}

/// A code, the challenge that it was given for, and what it is worth.
#[derive(Clone)]
struct Given {
    code: String,
    challenge: String,
    token: String,
}

/// What the token endpoint says; a code counts once.
fn redeemed(given: &Mutex<Option<Given>>, headers: &HeaderMap, body: &str) -> Option<Json<Value>> {
    let asked = Query::parse(Some(body));
    let given = given.lock().unwrap().take()?;
    let proof = text(&Sha256::digest(asked.get("code_verifier")?));
    let basic = format!("Basic {}", STANDARD.encode("console:s%2Fcret"));
    let right = asked.get("grant_type") == Some("authorization_code")
        && asked.get("code") == Some(&given.code)
        && asked.get("redirect_uri") == Some("http://console.example/console/sign-in/callback")
        && headers["authorization"] == basic
        && proof == given.challenge;
    right.then(|| Json(json!({"id_token": given.token, "token_type": "Bearer"})))
}

fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn seconds() -> i64 {
    SystemClock.now().millis() / 1_000
}

impl Provider {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}/realm", listener.local_addr().unwrap());
        let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let keys = vec![
            ("rs", "RS256", Key::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap())),
            ("ec", "ES256", Key::Ec(ec)),
            ("ed", "EdDSA", Key::Ed(Ed25519KeyPair::generate().unwrap())),
        ];
        let published: Vec<Value> = keys.iter().map(|(id, _, key)| public(id, key)).collect();
        let (published, asked) = (Arc::new(Mutex::new(published)), Arc::new(AtomicUsize::new(0)));
        let document = json!({"issuer": issuer, "jwks_uri": format!("{issuer}/keys"),
            "authorization_endpoint": format!("{issuer}/authorize?from=test"),
            "token_endpoint": format!("{issuer}/token")});
        let given = Arc::new(Mutex::new(None));
        let worth = Arc::clone(&given);
        let token = async move |headers: HeaderMap, body: String| {
            redeemed(&worth, &headers, &body).ok_or(StatusCode::BAD_REQUEST)
        };
        let (shown, count) = (Arc::clone(&published), Arc::clone(&asked));
        let keys_of = move || {
            count.fetch_add(1, Ordering::SeqCst);
            let keys = shown.lock().unwrap().clone();
            async move { Json(json!({ "keys": keys })) }
        };
        let router = Router::new()
            .route("/realm/.well-known/openid-configuration", get(move || async { Json(document) }))
            .route("/realm/keys", get(keys_of))
            .route("/realm/token", post(token));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { issuer, keys, published, asked, given }
    }

    fn claims(&self, role: &str) -> Value {
        json!({"iss": self.issuer, "aud": "auditrelay", "sub": "u-1", "name": "ada@example.com",
            "exp": seconds() + 300, "iat": seconds(), "organization": "Acme", "roles": [role]})
    }

    /// Gives out a code for what a browser was led here with; returns the way back.
    fn vouch(&self, asked: &Query, changes: &[(&str, Value)]) -> String {
        let mut claims = self.claims("audit-viewer");
        claims["aud"] = json!("console");
        claims["nonce"] = json!(asked.get("nonce"));
        for (name, value) in changes {
            claims[*name] = value.clone();
        }
        let challenge = asked.get("code_challenge").unwrap().to_owned();
        let (code, token) = ("a code".to_owned(), self.token("ec", &claims));
        *self.given.lock().unwrap() = Some(Given { code, challenge, token });
        format!("/console/sign-in/callback?code=a+code&state={}", asked.get("state").unwrap())
    }

    /// A token of the key with this id.
    fn token(&self, id: &str, claims: &Value) -> String {
        let (_, algorithm, key) = self.keys.iter().find(|(known, ..)| *known == id).unwrap();
        signed(&json!({"alg": algorithm, "kid": id}), claims, key)
    }
}

fn signed(header: &Value, claims: &Value, key: &Key) -> String {
    let head =
        format!("{}.{}", text(header.to_string().as_bytes()), text(claims.to_string().as_bytes()));
    let random = SystemRandom::new();
    let signature = match key {
        Key::Rsa(key) => {
            let mut signature = vec![0; key.public_modulus_len()];
            key.sign(&RSA_PKCS1_SHA256, &random, head.as_bytes(), &mut signature).unwrap();
            signature
        }
        Key::Ec(key) => key.sign(&random, head.as_bytes()).unwrap().as_ref().to_vec(),
        Key::Ed(key) => key.sign(head.as_bytes()).as_ref().to_vec(),
    };
    format!("{head}.{}", text(&signature))
}

fn public(id: &str, key: &Key) -> Value {
    match key {
        Key::Rsa(key) => {
            // RSAPublicKey of 2048 bits: two headers, a zero, the modulus, and 65537.
            let der = key.public_key().as_ref();
            json!({"kty": "RSA", "kid": id, "use": "sig", "n": text(&der[9..265]), "e": "AQAB"})
        }
        Key::Ec(key) => {
            let point = key.public_key().as_ref();
            json!({"kty": "EC", "crv": "P-256", "kid": id, "x": text(&point[1..33]), "y": text(&point[33..])})
        }
        Key::Ed(key) => {
            json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": id, "x": text(key.public_key().as_ref())})
        }
    }
}

fn rules(issuer: &str) -> Rules {
    let list = |text: &str| vec![text.to_owned()];
    Rules {
        issuer: issuer.to_owned(),
        audience: "auditrelay".to_owned(),
        organization_claim: "organization".to_owned(),
        role_claim: "roles".to_owned(),
        admins: list("audit-admin"),
        viewers: list("audit-viewer"),
        operators: list("operator"),
        clock_skew: Duration::from_secs(30),
    }
}

async fn world() -> (World, Client, Provider) {
    let provider = Provider::start().await;
    let mut world = World::new().await;
    let oidc_client = Some(ConsoleClient {
        id: "console".to_owned(),
        secret: Some(Secret::new("s/cret".to_owned())),
        public_url: "http://console.example".to_owned(),
    });
    let oidc = Some(rules(&provider.issuer));
    world.config = Config { oidc, oidc_client, ..world.config };
    let api = world.api().await;
    api.organization("Acme").await;
    (world, api, provider)
}

#[tokio::test]
async fn a_provider_vouches_for_people_of_an_organization() {
    let (_world, api, provider) = world().await;
    for id in ["rs", "ec", "ed"] {
        let admin = api.with_token(&provider.token(id, &provider.claims("audit-admin")));
        let made = admin.destination(id).await;
        let viewer = api.with_token(&provider.token(id, &provider.claims("audit-viewer")));
        viewer.get(&format!("/v3/audit-log-destinations/{made}")).await.expect(200);
        viewer.delete(&format!("/v3/audit-log-destinations/{made}")).await.expect(403);
        let me = viewer.get("/v3/users/me").await.expect(200);
        assert_eq!(me["email"], "ada@example.com");
        assert_eq!(viewer.get("/v3/organizations/me").await.expect(200)["name"], "Acme");
    }
    let operator = api.with_token(&provider.token("ec", &provider.claims("operator")));
    operator.organization("Made by an operator").await;
    let mut unnamed = provider.claims("audit-admin");
    let orgs = api.get("/v1/organizations").await.expect(200);
    unnamed["organization"] = orgs["data"][0]["id"].clone();
    api.with_token(&provider.token("ed", &unnamed)).get("/v3/portals").await.expect(200);
    assert_eq!(provider.asked.load(Ordering::SeqCst), 1, "keys are kept");
}

#[tokio::test]
async fn what_is_not_the_providers_word_is_refused() {
    let (_world, api, provider) = world().await;
    let good = provider.claims("audit-admin");
    let change = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        provider.token("rs", &claims)
    };
    let token = provider.token("rs", &good);
    let parts: Vec<&str> = token.split('.').collect();
    let header = |header: Value| text(header.to_string().as_bytes());
    let stranger = Key::Ed(Ed25519KeyPair::generate().unwrap());
    let modulus = provider.published.lock().unwrap()[0]["n"].as_str().unwrap().to_owned();
    let hmac = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, modulus.as_bytes());
    let confused = format!("{}.{}", header(json!({"alg": "HS256", "kid": "rs"})), parts[1]);
    let confused_tag = text(aws_lc_rs::hmac::sign(&hmac, confused.as_bytes()).as_ref());
    let mut other_claims = good.clone();
    other_claims["roles"] = json!(["operator"]);
    let bad = [
        change("aud", json!("somebody else")),
        change("iss", json!("http://127.0.0.1:1/realm")),
        change("exp", json!(seconds() - 60)),
        change("exp", Value::Null),
        change("nbf", json!(seconds() + 120)),
        change("organization", json!("Nobody")),
        change("roles", json!(["guest"])),
        change("sub", Value::Null),
        format!("{}.{}.", header(json!({"alg": "none"})), parts[1]),
        format!("{confused}.{confused_tag}"),
        format!("{}.{}.{}", header(json!({"alg": "ES256", "kid": "rs"})), parts[1], parts[2]),
        format!("{}.{}.{}", header(json!({"alg": "RS512", "kid": "rs"})), parts[1], parts[2]),
        format!("{}.{}.{}", parts[0], text(other_claims.to_string().as_bytes()), parts[2]),
        format!("{}.{}.{}", parts[0], parts[1], text(&[7; 256])),
        signed(&json!({"alg": "EdDSA", "kid": "ed"}), &good, &stranger),
        signed(&json!({"alg": "EdDSA", "kid": "unknown"}), &good, &stranger),
        "a.b.c".to_owned(),
        "..".to_owned(),
    ];
    for token in &bad {
        api.with_token(token).get("/v3/portals").await.expect(401);
    }
    api.with_token(&token).get("/v3/portals").await.expect(200);
    for number in 0..50 {
        let unknown = json!({"alg": "EdDSA", "kid": format!("k{number}")});
        let token = signed(&unknown, &good, &stranger);
        api.with_token(&token).get("/v3/portals").await.expect(401);
    }
    assert!(provider.asked.load(Ordering::SeqCst) <= 4, "a flood does not reach the provider");
}

#[tokio::test]
async fn new_keys_are_found_and_an_absent_provider_is_no_refusal() {
    let (world, api, mut provider) = world().await;
    let claims = provider.claims("audit-admin");
    api.with_token(&provider.token("ed", &claims)).get("/v3/portals").await.expect(200);
    let fresh = Key::Ed(Ed25519KeyPair::generate().unwrap());
    *provider.published.lock().unwrap() = vec![public("new", &fresh)];
    provider.keys.push(("new", "EdDSA", fresh));
    let renewed = api.with_token(&provider.token("new", &claims));
    while renewed.get("/v3/portals").await.status != 200 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    api.with_token(&provider.token("rs", &claims)).get("/v3/portals").await.expect(401);
    let mut away = world;
    away.config = Config { oidc: Some(rules("http://127.0.0.1:1/realm")), ..away.config };
    let lonely = away.api().await.with_token(&provider.token("ed", &claims));
    lonely.get("/v3/portals").await.expect(503);
}

/// Begins a sign-in; what the provider is asked for.
async fn led(browser: &mut Browser, provider: &Provider) -> Query {
    browser.go("/console/sign-in").await;
    browser.sees("Sign in with your identity provider");
    let begin = browser.request(Method::GET, "/console/sign-in/provider?next=/console/keys");
    let answer = Answer::of(begin).await;
    let cookie = answer.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.contains("; HttpOnly; SameSite=Lax"), "{cookie}");
    let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
    browser.cookies.insert(name.to_owned(), value.to_owned());
    let there = answer.headers["location"].to_str().unwrap();
    let asked = there.strip_prefix(&format!("{}/authorize?from=test&", provider.issuer)).unwrap();
    let asked = Query::parse(Some(asked));
    assert_eq!(asked.get("code_challenge_method"), Some("S256"));
    asked
}

#[tokio::test]
async fn people_sign_in_to_the_console_at_the_provider() {
    let (_world, api, provider) = world().await;
    let mut browser = Browser::open(&api, "/console/sign-in").await;
    let asked = led(&mut browser, &provider).await;
    let back = provider.vouch(&asked, &[]);
    browser.go(&back).await;
    assert_eq!(browser.page.status, 200, "{}", browser.page.text);
    browser.click("Go on").await;
    assert_eq!(browser.path, "/console/keys");
    browser.sees("ada@example.com viewer");
    // Once was enough: the browser does not hold any more what it began with.
    browser.go(&back).await;
    browser.sees("Signing in took too long, or was begun in another browser.");

    let declined = "The identity provider did not sign you in.";
    let nobody = "what it says of you allows nothing here";
    for (changes, words) in [
        (vec![("nonce", json!("another"))], nobody),
        (vec![("aud", json!("auditrelay"))], nobody),
        (vec![("roles", json!("none"))], nobody),
        (vec![("roles", json!("operator"))], nobody),
        (vec![("organization", json!("Nowhere"))], nobody),
        (vec![("exp", json!(seconds() - 300))], nobody),
    ] {
        let mut browser = Browser::open(&api, "/console/sign-in").await;
        let asked = led(&mut browser, &provider).await;
        browser.go(&provider.vouch(&asked, &changes)).await;
        assert_eq!(browser.page.status, 403);
        browser.sees(words);
        browser.go("/console/keys").await;
        assert!(browser.path.starts_with("/console/sign-in"), "{changes:?}");
    }
    let mut browser = Browser::open(&api, "/console/sign-in").await;
    let asked = led(&mut browser, &provider).await;
    let state = asked.get("state").unwrap();
    let way = |rest: &str| format!("/console/sign-in/callback?{rest}");
    browser.go(&way("code=a+code&state=another")).await;
    browser.sees("was begun in another browser");
    browser.go(&way(&format!("error=access_denied&state={state}"))).await;
    browser.sees(declined);
    browser.go(&way(&format!("code=unknown&state={state}"))).await;
    browser.sees(declined);
}

#[tokio::test]
async fn without_a_client_at_the_provider_nobody_is_led_there() {
    let (_world, api) = World::admin().await;
    let mut browser = Browser::open(&api, "/console/sign-in").await;
    assert!(!browser.page.text.contains("identity provider"));
    for path in ["/console/sign-in/provider", "/console/sign-in/callback?code=x&state=y"] {
        browser.go(path).await;
        assert_eq!(browser.page.status, 404, "{path}");
    }
}
