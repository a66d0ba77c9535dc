//! An organization whose events go to a receiver.

use std::sync::Arc;
use std::time::Duration;

use auditrelay_model::{Clock, Timestamp};
use auditrelay_runtime::clock::SystemClock;
use http::Method;
use serde_json::json;
use tokio::time::Instant;

use super::Rig;
use crate::commands::bench::load::{Target, Until, parcels};
use crate::commands::bench::meter::Used;
use crate::commands::bench::receiver::{Arrived, Receiver};
use crate::commands::bench::stage::{Organization, Stage};
use crate::failure::Failure;

/// Requests of producers that are out at once.
const CONNECTIONS: usize = 8;
/// Nothing new for so long: what is missing will not come.
pub(super) const GIVEN_UP: Duration = Duration::from_secs(40);

/// An organization whose events go to a receiver.
pub(super) struct Setting {
    pub(super) stage: Stage,
    pub(super) organization: Organization,
    pub(super) receiver: Receiver,
    pub(super) target: Target,
    destination: String,
}

impl Setting {
    /// With a webhook for the organization's own log, and so many events of it a request.
    pub(super) async fn new(rig: &Rig, batch: u64) -> Result<Self, Failure> {
        let mut setting = Self::without_webhook(rig, batch).await?;
        setting.organization.enable(&setting.destination, None).await?;
        setting.target.parcels = parcels(&setting.organization.producer, batch, &[]);
        Ok(setting)
    }

    /// The same before there is a webhook and anything to send.
    pub(super) async fn without_webhook(rig: &Rig, batch: u64) -> Result<Self, Failure> {
        let stage = rig.stage(true).await?;
        let organization = stage.organization().await?;
        let receiver = Receiver::start().await?;
        let destination = organization.destination(&receiver.url()).await?;
        let target = Target {
            http: rig.http.clone(),
            url: stage.ingest.clone(),
            parcels: Arc::new([]),
            events: batch,
        };
        Ok(Self { stage, organization, receiver, target, destination })
    }

    /// Asks for a replay of what was stored from then until now.
    pub(super) async fn replay(&self, from: Timestamp) -> Result<(), Failure> {
        let window = json!({
            "start_at": (from - Duration::from_mins(1)).to_string(),
            "end_at": SystemClock.now().to_string(),
        });
        let path = "/v3/audit-log-replay-job";
        let _job = self.organization.admin.expect(Method::PUT, path, Some(&window)).await?;
        Ok(())
    }

    /// Sends so many events and waits until all of them came.
    pub(super) async fn deliver(&self, events: u64) -> Delivered {
        self.receiver.forget();
        let (began, before) = (Instant::now(), own_cpu());
        let requests = events.div_ceil(self.target.events);
        let done = self.target.closed(CONNECTIONS, Until::Requests(requests)).await;
        let arrived = self.receiver.wait(done.events, false, GIVEN_UP).await;
        let took = arrived.last.map_or(GIVEN_UP, |last| last - began);
        let own_cpu = own_cpu().saturating_sub(before);
        Delivered { accepted: done.events, arrived, took, own_cpu }
    }
}

/// What came of a load.
pub(super) struct Delivered {
    pub(super) accepted: u64,
    pub(super) arrived: Arrived,
    /// From the first request to the last delivery.
    pub(super) took: Duration,
    /// What producers and receiver used meanwhile.
    pub(super) own_cpu: Duration,
}

fn own_cpu() -> Duration {
    Used::of(std::process::id()).unwrap_or_default().cpu
}
