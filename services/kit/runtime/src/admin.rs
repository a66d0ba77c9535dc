//! What the operator asks a process: does it live, is it ready, how does it do, what is it; and
//! what it is to log for a while.

mod log;

use std::io;
use std::net::SocketAddr;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, VARY};
use http::{HeaderMap, StatusCode};
use serde_json::json;
use tokio::net::TcpListener;

use crate::context::Context;
use crate::lifecycle::Drain;
use crate::metrics::Exposition;
use crate::{build, http as server};

/// Listens on `listen` and answers `/live`, `/ready`, `/metrics`, `/version` and `/log-filter`
/// until the hard stop: a process that drains is still observed. Returns the address that was bound.
pub async fn serve(listen: SocketAddr, context: Context) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(listen).await?;
    let address = listener.local_addr()?;
    // Not counted among the tasks that are drained, and its soft stop is their hard one.
    let mut drain = Drain::new();
    drain.soft = context.drain.hard.clone();
    let router = router(context);
    tokio::spawn(server::serve(listener, router, drain));
    Ok(address)
}

/// The admin routes, for those who serve them elsewhere.
pub fn router(context: Context) -> Router {
    let router = Router::new()
        .route("/live", get(live))
        .route("/ready", get(ready))
        .route("/metrics", get(metrics))
        .route("/version", get(version))
        .route("/log-filter", get(log::show).put(log::change).delete(log::revert))
        .with_state(context);
    server::layer(router, "admin")
}

async fn live() -> Response {
    fresh(StatusCode::OK, json!({ "status": "live" }))
}

async fn ready(State(context): State<Context>) -> Response {
    let mut missing = context.readiness.missing();
    let drain = &context.drain;
    if drain.leaving.is_cancelled() || drain.soft.is_cancelled() {
        missing.push(("process", "draining".to_owned()));
    }
    if missing.is_empty() {
        return fresh(StatusCode::OK, json!({ "status": "ready" }));
    }
    let missing: Vec<_> = missing
        .into_iter()
        .map(|(part, reason)| json!({ "part": part, "reason": reason }))
        .collect();
    let body = json!({ "status": "not ready", "missing": missing });
    fresh(StatusCode::SERVICE_UNAVAILABLE, body)
}

async fn metrics(State(context): State<Context>, headers: HeaderMap) -> Response {
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
    let exposition = Exposition::accepted(accept);
    let head =
        [(CONTENT_TYPE, exposition.content_type()), (CACHE_CONTROL, "no-store"), (VARY, "accept")];
    (head, context.metrics.expose(exposition)).into_response()
}

async fn version(State(context): State<Context>) -> Response {
    let body = json!({
        "version": build::VERSION,
        "revision": build::REVISION,
        "instance": context.instance,
    });
    fresh(StatusCode::OK, body)
}

fn fresh(status: StatusCode, body: serde_json::Value) -> Response {
    (status, [(CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http::Request;
    use tower::ServiceExt;

    use super::*;

    async fn get(context: &Context, path: &str) -> (StatusCode, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = router(context.clone()).oneshot(request).await.unwrap();
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_process_is_ready_when_no_part_is_missing_and_it_does_not_drain() {
        let context = Context::new("one".to_owned());
        assert_eq!(get(&context, "/ready").await, (StatusCode::OK, r#"{"status":"ready"}"#.into()));
        context.readiness.set("broker", Err("not connected".to_owned()));
        let (status, body) = get(&context, "/ready").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(body.contains(r#"{"part":"broker","reason":"not connected"}"#), "{body}");
        context.readiness.set("broker", Ok(()));
        context.drain.soft.cancel();
        assert!(get(&context, "/ready").await.1.contains("draining"));
        assert_eq!(get(&context, "/live").await.0, StatusCode::OK);
    }

    #[tokio::test]
    async fn metrics_and_version_are_answered() {
        let context = Context::new("one".to_owned());
        assert!(get(&context, "/metrics").await.1.contains("auditrelay_build_info{"));
        let (_, version) = get(&context, "/version").await;
        assert!(version.contains(r#""instance":"one""#), "{version}");
    }

    #[tokio::test]
    async fn it_answers_while_the_process_drains_and_until_the_hard_stop() {
        let context = Context::new("one".to_owned());
        let address = serve(([127, 0, 0, 1], 0).into(), context.clone()).await.unwrap();
        context.drain.soft.cancel();
        assert!(tokio::net::TcpStream::connect(address).await.is_ok());
        let _ = context.drain.stop(std::time::Duration::ZERO).await;
        let gone = async {
            while tokio::net::TcpStream::connect(address).await.is_ok() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(5), gone).await.unwrap();
    }
}
