//! Accepting connections, bounding them, and letting them go.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;
use tower_service::Service;

use super::pace::{Answering, Heard, Pace, UNREAD};
use crate::lifecycle::Drain;

/// Connections open at once; more wait in the listener's backlog.
const CONNECTIONS_MAX: usize = 8_192;
/// hyper's buffer per connection, and so the largest head it reads.
const BUFFER_BYTES_MAX: usize = 64 * 1_024;
/// Requests at once on one HTTP/2 connection.
const STREAMS_MAX: u32 = 256;
/// How often an HTTP/2 peer is asked whether it is still there.
const PING: Duration = Duration::from_secs(20);

/// Serves `router` until the soft stop, then lets requests finish until the hard stop; returns
/// when the last connection is closed.
pub async fn serve(listener: TcpListener, router: Router, drain: Drain) {
    let bounds = Bounds { connections: CONNECTIONS_MAX, unread: UNREAD };
    serve_within(bounds, listener, router, drain).await;
}

/// What connections may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Open at once.
    pub(super) connections: usize,
    /// How long none of an answer may be taken.
    pub(super) unread: Duration,
}

/// The same within other bounds.
pub(super) async fn serve_within(
    bounds: Bounds,
    listener: TcpListener,
    router: Router,
    drain: Drain,
) {
    let connections = TaskTracker::new();
    let permits = Arc::new(Semaphore::new(bounds.connections));
    let builder = Arc::new(builder());
    while let Some((stream, peer, permit)) = accept(&listener, &permits, &drain).await {
        let pace = Pace::new(bounds.unread);
        let stream = Heard { stream, pace };
        let connection =
            connection(Arc::clone(&builder), stream, peer, router.clone(), drain.clone());
        connections.spawn(async move {
            let _permit = permit;
            connection.await;
        });
    }
    drop(listener);
    connections.close();
    tokio::select! {
        () = connections.wait() => {}
        () = drain.hard.cancelled() => {}
    }
}

/// The next connection, or `None` at the soft stop.
async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
    drain: &Drain,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let next = async {
        let permit = Arc::clone(permits).acquire_owned().await.ok()?;
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => return Some((stream, peer, permit)),
                Err(error) => {
                    // Out of file descriptors, mostly: trying at once would only burn.
                    tracing::warn!(%error, "connection was not accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    };
    tokio::select! {
        biased;
        () = drain.soft.cancelled() => None,
        () = drain.hard.cancelled() => None,
        accepted = next => accepted,
    }
}

async fn connection(
    builder: Arc<Builder<TokioExecutor>>,
    heard: Heard,
    peer: SocketAddr,
    router: Router,
    drain: Drain,
) {
    // Answers are small and whole; waiting to fill a packet only adds delay.
    let _ = heard.stream.set_nodelay(true);
    let pace = heard.pace.clone();
    let service = {
        let pace = pace.clone();
        service_fn(move |request: Request<Incoming>| {
            let answering = pace.begin(request.version());
            dispatch(router.clone(), request, peer, answering)
        })
    };
    let stream = TokioIo::new(heard);
    let mut connection = pin!(builder.serve_connection(stream, service).into_owned());
    let mut too_slow = pin!(pace.exceeded());
    let mut draining = false;
    loop {
        tokio::select! {
            biased;
            () = drain.hard.cancelled() => return,
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(error, "connection ended badly");
                }
                return;
            }
            () = too_slow.as_mut() => return,
            () = drain.soft.cancelled(), if !draining => {
                draining = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

async fn dispatch(
    mut router: Router,
    mut request: Request<Incoming>,
    peer: SocketAddr,
    answering: Answering,
) -> Result<Response, Infallible> {
    request.extensions_mut().insert(ConnectInfo(peer));
    let response = router.call(request.map(Body::new)).await?;
    Ok(answering.with(response))
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    // `Pace` bounds what hyper's own time-out would.
    builder.http1().header_read_timeout(None).max_buf_size(BUFFER_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING)
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(u32::try_from(BUFFER_BYTES_MAX).unwrap_or(u32::MAX));
    builder
}
