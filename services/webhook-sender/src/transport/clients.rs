//! The delivery clients: one for every organization and TLS policy that was used lately.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use auditrelay_model::destination::TlsPolicy;
use auditrelay_model::id::OrgId;
use bytes::Bytes;
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::Instant;

use super::tls::Tls;
use super::{HEAD_BYTES_MAX, HEAD_FIELDS_MAX};
use crate::guard::Guard;

/// Connections to a receiver that wait for the next batch.
const IDLE_CONNECTIONS_MAX: usize = 2;
/// Shorter than what proxies on the way keep a silent connection for.
const IDLE_WAIT: Duration = Duration::from_secs(30);
/// By then a client's idle connections are gone too.
const FORGET_AFTER: Duration = Duration::from_mins(1);

pub(super) type DeliveryClient = Client<HttpsConnector<Guard>, Full<Bytes>>;

#[derive(Debug)]
pub(super) struct Clients {
    guard: Guard,
    tls: Arc<Tls>,
    kept: Mutex<HashMap<(OrgId, TlsPolicy), Kept>>,
}

#[derive(Debug)]
struct Kept {
    client: DeliveryClient,
    used_at: Instant,
}

impl Clients {
    pub(super) fn new(guard: Guard, tls: Arc<Tls>) -> Self {
        Self { guard, tls, kept: Mutex::default() }
    }

    /// The organization's client, made when there is none; those that nobody used are forgotten.
    pub(super) fn of(
        &self,
        org: OrgId,
        policy: TlsPolicy,
    ) -> Result<DeliveryClient, rustls::Error> {
        let now = Instant::now();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = kept.get_mut(&(org, policy)) {
            kept.used_at = now;
            return Ok(kept.client.clone());
        }
        kept.retain(|_, kept| now.duration_since(kept.used_at) < FORGET_AFTER);
        let client = client(self.tls.config(policy, None)?, self.guard.clone());
        kept.insert((org, policy), Kept { client: client.clone(), used_at: now });
        Ok(client)
    }
}

fn client(tls: rustls::ClientConfig, guard: Guard) -> DeliveryClient {
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .enable_http2()
        .wrap_connector(guard);
    Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_WAIT)
        .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
        .http1_max_buf_size(HEAD_BYTES_MAX)
        .http1_max_headers(HEAD_FIELDS_MAX)
        .http2_max_header_list_size(u32::try_from(HEAD_BYTES_MAX).unwrap_or(u32::MAX))
        .build(connector)
}
