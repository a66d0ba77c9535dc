//! `/log-filter`: what is logged, and for a while something else.
//!
//! Everybody who reaches the admin port may look; only who is on the machine (in the pod, through
//! `kubectl port-forward`) may change it.

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::{ConnectInfo, RawQuery};
use axum::response::{IntoResponse, Response};
use axum::{Extension, body::Bytes};
use http::StatusCode;
use serde_json::json;

use super::fresh;
use crate::problem::Problem;
use crate::settings::duration;
use crate::telemetry::{LogControl, LogState, runtime_filter};

/// How long a change lasts unless it says so, and at most.
const PERIOD: Duration = Duration::from_mins(10);
const PERIOD_MAX: Duration = Duration::from_hours(1);

type Peer = Option<Extension<ConnectInfo<SocketAddr>>>;

pub(super) async fn show() -> Response {
    match LogControl::of_process() {
        Some(control) => shown(&control.state()),
        None => Problem::not_found().into_response(),
    }
}

/// The body is the filter; `?for=30m` says for how long.
pub(super) async fn change(peer: Peer, RawQuery(query): RawQuery, body: Bytes) -> Response {
    let control = match reachable(peer) {
        Ok(control) => control,
        Err(problem) => return problem.into_response(),
    };
    let filter = match std::str::from_utf8(&body).map_err(|_| "must be text".to_owned()) {
        Ok(text) => runtime_filter(text),
        Err(reason) => Err(reason),
    };
    match (filter, period(query.as_deref())) {
        (Ok(filter), Ok(period)) => {
            control.change(filter, period);
            shown(&control.state())
        }
        (Err(reason), _) => refused(&format!("The log filter {reason}")),
        (_, Err(reason)) => refused(&format!("for {reason}")),
    }
}

pub(super) async fn revert(peer: Peer) -> Response {
    match reachable(peer) {
        Ok(control) => {
            control.revert();
            shown(&control.state())
        }
        Err(problem) => problem.into_response(),
    }
}

fn reachable(peer: Peer) -> Result<&'static LogControl, Problem> {
    let here =
        peer.is_some_and(|Extension(ConnectInfo(peer))| peer.ip().to_canonical().is_loopback());
    if !here {
        let detail = "The log filter is changed from the machine itself, through loopback";
        return Err(Problem::new(StatusCode::FORBIDDEN, "Forbidden", detail));
    }
    LogControl::of_process().ok_or_else(Problem::not_found)
}

fn period(query: Option<&str>) -> Result<Duration, String> {
    match query {
        None | Some("") => Ok(PERIOD),
        Some(query) => {
            let text = query.strip_prefix("for=").ok_or("is the only parameter")?;
            duration(text, &(Duration::from_secs(1)..=PERIOD_MAX))
        }
    }
}

fn refused(detail: &str) -> Response {
    Problem::new(StatusCode::BAD_REQUEST, "Bad Request", detail).into_response()
}

fn shown(state: &LogState) -> Response {
    let body = json!({
        "filter": state.filter.as_str(),
        "configured": state.configured.as_str(),
        "reverts_in_seconds": state.reverts_in.map(|period| period.as_secs()),
    });
    fresh(StatusCode::OK, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_lasts_an_hour_at_most() {
        assert_eq!(period(None), Ok(PERIOD));
        assert_eq!(period(Some("for=90s")), Ok(Duration::from_secs(90)));
        for bad in ["for=2h", "for=soon", "until=tomorrow"] {
            assert!(period(Some(bad)).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn nobody_else_changes_the_log() {
        let far = Extension(ConnectInfo(SocketAddr::from(([10, 0, 0, 1], 9))));
        let answer = change(Some(far), RawQuery(None), Bytes::from_static(b"debug")).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN);
        assert_eq!(revert(None).await.status(), StatusCode::FORBIDDEN);
    }
}
