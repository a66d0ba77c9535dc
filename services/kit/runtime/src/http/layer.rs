//! What happens around every handler.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use http::HeaderValue;
use http::header::USER_AGENT;
use tokio::time::Instant;
use tracing::{Instrument, Span, field};

use super::record::{method_label, observe};
use super::refuse::{as_problem, refusal};
use crate::lifecycle::panic_text;
use crate::problem::Problem;
use crate::telemetry;

/// The longest time from a request's head to its answer's head; longer than any handler's own
/// time-outs (body 10 s, broker 5 s), so it only ends what hangs.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// Set on requests that are observed already.
#[derive(Debug, Clone, Copy)]
struct Observed;

/// Wraps `router`: a span per request that continues the caller's trace, metrics under `service`,
/// a panic, a time-out, an unknown path, a wrong method and an extractor's refusal as problems.
///
/// It sets no fallback, so layered routers can be merged; layering twice counts once.
pub fn layer(router: Router, service: &'static str) -> Router {
    router.layer(middleware::from_fn_with_state(service, around))
}

async fn around(State(service): State<&'static str>, mut request: Request, next: Next) -> Response {
    if request.extensions_mut().insert(Observed).is_some() {
        return next.run(request).await;
    }
    let method = method_label(request.method());
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let route = matched.as_ref().map_or("unmatched", MatchedPath::as_str);
    let span = request_span(&request, method, route);
    let started = Instant::now();
    let response = answer(request, next).instrument(span.clone()).await;
    let status = response.status();
    span.record("http.response.status_code", status.as_u16());
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
        span.record("error.type", status.as_str());
    }
    let took = started.elapsed();
    span.in_scope(|| {
        observe(service, method, route, status, took);
        tracing::debug!(took_us = micros(took), "request answered");
    });
    response
}

/// Only the path: a query may carry what must not be logged.
fn request_span(request: &Request, method: &'static str, route: &str) -> Span {
    let agent = request.headers().get(USER_AGENT).and_then(|agent| agent.to_str().ok());
    let span = tracing::info_span!(
        "request",
        otel.name = format_args!("{method} {route}"),
        otel.kind = "server",
        otel.status_code = field::Empty,
        http.request.method = method,
        http.route = route,
        http.response.status_code = field::Empty,
        error.type = field::Empty,
        url.path = request.uri().path(),
        url.scheme = "http",
        user_agent.original = agent,
        trace_id = field::Empty,
    );
    let parent = request.headers().get("traceparent").and_then(|value| value.to_str().ok());
    if let Some(parent) = parent {
        telemetry::continue_request(&span, parent);
    }
    if let Some(trace_id) = span.in_scope(telemetry::trace_id) {
        span.record("trace_id", trace_id);
    }
    span
}

/// Runs inside the span, so that every problem names its trace.
async fn answer(request: Request, next: Next) -> Response {
    let response = match refusal(&request) {
        Some(problem) => problem.into_response(),
        None => guarded(request, next).await,
    };
    let mut response = as_problem(response);
    let traceparent =
        telemetry::traceparent_for_others().and_then(|text| HeaderValue::try_from(text).ok());
    if let Some(traceparent) = traceparent {
        response.headers_mut().insert("traceparent", traceparent);
    }
    response
}

async fn guarded(request: Request, next: Next) -> Response {
    let handled = AssertUnwindSafe(next.run(request)).catch_unwind();
    match tokio::time::timeout(ANSWER_MAX, handled).await {
        Ok(Ok(response)) => response,
        Ok(Err(panic)) => {
            tracing::error!(panic = panic_text(panic.as_ref()), "handler panicked");
            Problem::internal().into_response()
        }
        Err(_) => {
            tracing::error!("handler took too long");
            let wait = Duration::from_secs(5);
            Problem::unavailable("The request took too long", wait).into_response()
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
