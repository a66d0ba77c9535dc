use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::response::IntoResponse;
use axum::routing::get;

use super::*;

async fn serve(router: Router) -> Url {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    Url::parse(&format!("http://{address}")).unwrap()
}

#[test]
fn a_refusal_names_each_parameter() {
    let refusal = Refusal {
        call: "PUT /v3/audit-log-replay-job".to_owned(),
        status: StatusCode::BAD_REQUEST,
        document: serde_json::json!({
            "status": 400, "title": "Bad Request", "detail": "Invalid parameter",
            "invalid_parameters": [
                {"field": "start_at", "reason": "must be an RFC 3339 date-time"},
                {"field": "kind", "reason": "must be one of the choices", "choices": ["a", "b"]},
            ],
        }),
    };
    assert_eq!(
        refusal.to_string(),
        "PUT /v3/audit-log-replay-job: 400 Invalid parameter\n  \
         start_at: must be an RFC 3339 date-time\n  kind: must be one of the choices (a, b)"
    );
}

fn refused(call: &str, status: u16, document: serde_json::Value) -> String {
    let status = StatusCode::from_u16(status).unwrap();
    Refusal { call: call.to_owned(), status, document }.to_string()
}

#[test]
fn a_refusal_says_what_can_be_done() {
    let at = |call: &str, status| refused(call, status, Value::Null);
    assert!(at("GET /v1/replay-job", 401).contains("set AUDITRELAY_TOKEN "));
    assert!(at("GET /v1/organizations", 401).contains("set AUDITRELAY_PLATFORM_TOKEN "));
    assert!(at("POST /v1/audit-events", 404).contains("ingest does not listen there"));
    assert!(!at("GET /v1/replay-job", 404).contains('\n'));
}

#[test]
fn of_many_parameters_the_first_are_named() {
    let parameters: Vec<Value> =
        (0..13).map(|n| serde_json::json!({ "field": n.to_string(), "reason": "bad" })).collect();
    let document = serde_json::json!({ "detail": "no", "invalid_parameters": parameters });
    let said = refused("POST /v1/audit-events", 400, document);
    assert_eq!(said.lines().count(), 12, "{said}");
    assert!(said.ends_with("\n  9: bad\n  and 3 more"), "{said}");
}

#[test]
fn only_http_urls_are_servers() {
    assert!(super::server_url("https://audit.example").is_ok());
    for bad in ["nonsense", "ftp://x", ""] {
        assert!(super::server_url(bad).unwrap_err().contains("such as"), "{bad}");
    }
}

#[tokio::test]
async fn a_busy_server_gets_the_same_request_again() {
    let calls = Arc::new(AtomicUsize::new(0));
    let seen = calls.clone();
    let router = Router::new().route(
        "/v1/x",
        get(move || async move {
            if seen.fetch_add(1, Ordering::SeqCst) < 2 {
                return StatusCode::SERVICE_UNAVAILABLE.into_response();
            }
            r#"{"ok":true}"#.into_response()
        }),
    );
    let client = Client::new(&serve(router).await, "art_x").unwrap();
    let call = Call { method: Method::GET, path: "/v1/x", body: None, idempotency_key: None };
    let mut pauses = 0;
    let answer =
        client.patiently(&call, Duration::from_secs(10), |_, _| pauses += 1).await.unwrap();
    assert_eq!(answer.body, serde_json::json!({"ok": true}));
    assert_eq!((pauses, calls.load(Ordering::SeqCst)), (2, 3));
}

#[tokio::test]
async fn silence_names_the_address() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    let error = Client::new(&url, "art_x").unwrap().get("/v1/x").await.unwrap_err();
    assert!(matches!(&error, ClientError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("127.0.0.1"), "{error}");
}

#[tokio::test]
async fn an_error_page_of_a_proxy_is_shown_as_it_is() {
    let router =
        Router::new().route("/v1/x", get(|| async { (StatusCode::BAD_GATEWAY, "<h1>oops</h1>") }));
    let client = Client::new(&serve(router).await, "art_x").unwrap();
    let error = client.get("/v1/x").await.unwrap_err();
    assert!(error.to_string().contains("502 <h1>oops</h1>"), "{error}");
}

#[test]
fn a_token_never_shows_in_debug() {
    let url = Url::parse("http://127.0.0.1:1").unwrap();
    let client = Client::new(&url, "art_hunter2").unwrap();
    assert!(!format!("{client:?}").contains("hunter2"));
}
