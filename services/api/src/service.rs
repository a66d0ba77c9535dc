//! Wiring: the router works as soon as it is there; until the streams are, it answers 503.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use auditrelay_runtime::context::Context;
use auditrelay_runtime::http::{layer, serve};
use auditrelay_streams::{StreamName, Streams};
use axum::Router;
use tokio::net::TcpListener;

use crate::api::{Api, CATCH_UP};
use crate::config::Config;
use crate::http;

/// The name under which this service says whether it is ready.
const PART: &str = "api";
/// What it reads and writes.
const NEEDED: [StreamName; 5] = [
    StreamName::Config,
    StreamName::Replay,
    StreamName::Delivery,
    StreamName::Events,
    StreamName::Access,
];
/// How often readiness is looked at again.
const LOOK: Duration = Duration::from_secs(1);
/// How soon to try again to catch up.
const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// A started service.
#[derive(Debug, Clone, Copy)]
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
}

/// Every route, wrapped in what happens around handlers. Follows the streams from here on.
pub async fn router(config: Config, streams: Streams, context: Context) -> anyhow::Result<Router> {
    context.readiness.set(PART, Err("waiting for its streams".to_owned()));
    let api = Api::new(config, streams, &context)?;
    let router = layer(http::router(api.clone()), PART);
    let drain = context.drain.clone();
    drain.spawn(PART, watch(api, context));
    Ok(router)
}

/// Starts the service; it stops with the context's drain.
pub async fn start(config: Config, streams: Streams, context: Context) -> anyhow::Result<Running> {
    let listen = config.listen;
    let listener =
        TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
    let address = listener.local_addr()?;
    let router = router(config, streams, context.clone()).await?;
    let drain = context.drain.clone();
    context.drain.spawn("api http", serve(listener, router, drain));
    tracing::info!(%address, "the API listens");
    Ok(Running { address })
}

/// Says that the API is ready once it knows what the broker knows, and while it is connected.
async fn watch(api: Api, context: Context) {
    let stop = context.drain.soft.clone();
    loop {
        let missing = api.streams.missing(&NEEDED).await;
        if missing.is_empty() {
            break;
        }
        let reason = format!(
            "waiting for its streams {}: is the retention service running?",
            missing.join(", ")
        );
        context.readiness.set(PART, Err(reason));
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(AGAIN_AFTER) => {}
        }
    }
    loop {
        let configs = api.configs.caught_up(CATCH_UP).await;
        match configs.and(api.replays.caught_up(CATCH_UP).await) {
            Ok(()) => break,
            Err(error) => context.readiness.set(PART, Err(error.to_string())),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(AGAIN_AFTER) => {}
        }
    }
    while !stop.is_cancelled() {
        let connected = api.streams.is_connected();
        let lost = || "the connection to the broker is lost".to_owned();
        context.readiness.set(PART, connected.then_some(()).ok_or_else(lost));
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}
