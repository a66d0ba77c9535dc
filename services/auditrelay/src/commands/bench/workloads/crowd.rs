//! Webhooks, more and more of them, in as many organizations as they need.

use std::sync::Arc;

use futures::future::try_join_all;

use crate::commands::bench::load::{Parcel, parcels};
use crate::commands::bench::stage::{Organization, Stage};
use crate::failure::Failure;

/// Portals of an organization, at most.
const PORTALS: usize = 1_000;

/// Portals with a webhook each, all to one receiver.
pub(super) struct Crowd {
    endpoint: String,
    tenants: Vec<Tenant>,
    webhooks: usize,
}

struct Tenant {
    organization: Organization,
    destination: String,
    portals: usize,
}

impl Crowd {
    /// Nobody yet.
    pub(super) const fn sending_to(endpoint: String) -> Self {
        Self { endpoint, tenants: Vec::new(), webhooks: 0 }
    }

    /// Grows to so many webhooks; requests of so many events for each of the new ones.
    pub(super) async fn grow(
        &mut self,
        stage: &Stage,
        webhooks: usize,
        events: u64,
    ) -> Result<Arc<[Parcel]>, Failure> {
        while self.tenants.len() * PORTALS < webhooks {
            let organization = stage.organization().await?;
            let destination = organization.destination(&self.endpoint).await?;
            self.tenants.push(Tenant { organization, destination, portals: 0 });
        }
        let mut missing = webhooks.saturating_sub(self.webhooks);
        self.webhooks += missing;
        let growing = self.tenants.iter_mut().map(|tenant| {
            let more = missing.min(PORTALS - tenant.portals);
            missing -= more;
            tenant.grow(more, events)
        });
        Ok(try_join_all(growing).await?.concat().into())
    }
}

impl Tenant {
    async fn grow(&mut self, webhooks: usize, events: u64) -> Result<Vec<Parcel>, Failure> {
        if webhooks == 0 {
            return Ok(Vec::new());
        }
        let portals = self.organization.portals(webhooks).await?;
        for portal in &portals {
            self.organization.enable(&self.destination, Some(*portal)).await?;
        }
        self.portals += webhooks;
        Ok(parcels(&self.organization.producer, events, &portals).to_vec())
    }
}
