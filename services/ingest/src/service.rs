//! Wiring.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use auditrelay_runtime::context::Context;
use auditrelay_streams::{AccessLog, ConfigFold, Projection, StreamName, Streams};
use axum::Router;
use tokio::net::TcpListener;

use crate::appender::Appender;
use crate::auth::Producers;
use crate::config::Config;
use crate::health::Health;
use crate::http::{self, Ingest};
use crate::quota::Gate;
use crate::room::Room;
use crate::telemetry::Telemetry;
use crate::trail::Trail;

/// How often readiness is looked at again.
const LOOK: Duration = Duration::from_secs(1);
/// How long the broker may take to answer a ping.
const ANSWER: Duration = Duration::from_secs(2);
/// How long the projection may take to catch up before it is asked again.
const CATCH_UP: Duration = Duration::from_secs(5);

/// A started service.
#[derive(Debug, Clone, Copy)]
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
}

/// Starts the service; it stops with the context's drain.
pub async fn start(config: Config, streams: Streams, context: Context) -> anyhow::Result<Running> {
    let listen = config.listen;
    let router = router(config, streams, context.clone()).await?;
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("ingest cannot listen on {listen}"))?;
    let address = listener.local_addr()?;
    let drain = context.drain.clone();
    context.drain.spawn("ingest", auditrelay_runtime::http::serve(listener, router, drain));
    tracing::info!(%address, "ingest listens");
    Ok(Running { address })
}

/// The service's routes, for a listener of its own or one that is shared. The work behind them
/// stops with the context's drain.
pub async fn router(config: Config, streams: Streams, context: Context) -> anyhow::Result<Router> {
    let drain = &context.drain;
    let projection = Projection::<ConfigFold>::start(&streams, &drain.soft, &drain.tasks);
    context.readiness.set("ingest", Err("starting".to_owned()));
    let telemetry = Telemetry::new(&context.metrics);
    let appender = Appender::new(&config, streams.clone(), &context, telemetry.clone());
    let watch = Watch {
        streams: streams.clone(),
        projection: projection.clone(),
        health: appender.health(),
        caught_up: false,
    };
    drain.spawn("ingest readiness", watch.run(context.clone()));
    let ends = (&drain.soft, &drain.tasks);
    let log = AccessLog::start(&streams, "ingest", Arc::clone(&context.clock), ends);
    if config.trail {
        let (clock, telemetry) = (Arc::clone(&context.clock), telemetry.clone());
        let (appender, max_lateness) = (appender.clone(), config.limits.max_lateness);
        Trail { streams, appender, clock, telemetry, max_lateness }.start(drain);
    }
    let ingest = Ingest {
        producers: Producers::new(projection, log, config.proxies.clone()),
        appender,
        room: Room::new(config.max_inflight, telemetry.inflight_bytes.clone()),
        gate: Gate::new(config.quotas, telemetry.clone()),
        clock: Arc::clone(&context.clock),
        telemetry,
        config,
    };
    Ok(auditrelay_runtime::http::layer(http::routes(ingest), "ingest"))
}

/// Ready once the streams are there and every token is known; not ready while the broker is away
/// or does not store.
struct Watch {
    streams: Streams,
    projection: Projection<ConfigFold>,
    health: Health,
    caught_up: bool,
}

impl Watch {
    async fn run(mut self, context: Context) {
        let (soft, readiness) = (&context.drain.soft, &context.readiness);
        if !self.streams.wait_for(&[StreamName::Events, StreamName::Config], soft).await {
            return;
        }
        loop {
            readiness.set("ingest", self.look().await);
            tokio::select! {
                () = soft.cancelled() => break,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
        readiness.set("ingest", Err("stopping".to_owned()));
    }

    async fn look(&mut self) -> Result<(), String> {
        if !self.streams.is_connected() {
            return Err("no connection to the broker".to_owned());
        }
        if !self.caught_up {
            let reached = self.projection.caught_up(CATCH_UP).await;
            reached.map_err(|error| error.to_string())?;
            self.caught_up = true;
        }
        // A broker that hangs keeps its connections.
        match tokio::time::timeout(ANSWER, self.streams.flush()).await {
            Ok(flushed) => flushed.map_err(|error| error.to_string())?,
            Err(_) => return Err("the broker does not answer".to_owned()),
        }
        self.health.trouble().map_or(Ok(()), |trouble| Err(trouble.to_owned()))
    }
}
