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
