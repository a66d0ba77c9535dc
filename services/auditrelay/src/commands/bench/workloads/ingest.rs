//! Events in: how many a second, against an empty handler and the bare broker.

use std::collections::BTreeMap;
use std::time::Duration;

use auditrelay_model::Scope;
use auditrelay_model::id::{OrgId, PortalId};
use auditrelay_streams::StreamState;

use super::{Effort, Rig, spread};
use crate::commands::bench::limits::{NullHandler, RawBroker};
use crate::commands::bench::load::{Target, Until, parcels};
use crate::commands::bench::report::{Limit, Row};
use crate::commands::bench::stage::Stage;
use crate::commands::bench::stats::{Ledger, float, per_million, per_second};
use crate::failure::Failure;

/// What one measurement is about.
#[derive(Debug, Clone, Copy)]
struct Case {
    events: u64,
    scopes: usize,
    connections: usize,
    against: Against,
}

/// What it is compared with.
#[derive(Debug, Clone, Copy)]
enum Against {
    /// Requests are what it costs.
    Handler,
    /// Records are.
    Broker,
}

/// Every case, with a broker that syncs always or now and then.
pub(in crate::commands::bench) async fn run(
    rig: &Rig,
    sync_always: bool,
) -> Result<Vec<Row>, Failure> {
    let effort = rig.effort;
    let stage = rig.stage(sync_always).await?;
    let raw = RawBroker::start(&stage.streams, sync_always).await?;
    let handler = NullHandler::start().await?;
    let organization = stage.organization().await?;
    let portals = organization.portals(effort.many).await?;
    let case = |events, scopes, connections, against| Case { events, scopes, connections, against };
    let cases = [
        case(1, 1, 64, Against::Handler),
        case(1, effort.many, 64, Against::Handler),
        case(16, 1, 64, Against::Handler),
        case(16, effort.many, 64, Against::Handler),
        case(500, 1, 30, Against::Broker),
        case(500, 30.min(effort.many), 30.min(effort.many), Against::Broker),
        case(500, effort.many, 64, Against::Broker),
    ];
    let mut rows = Vec::new();
    for case in cases {
        let scopes = portals.get(..case.scopes.min(portals.len())).unwrap_or_default();
        let scopes: &[PortalId] = if case.scopes == 1 { &[] } else { scopes };
        let target = Target {
            http: rig.http.clone(),
            url: stage.ingest.clone(),
            parcels: parcels(&organization.producer, case.events, scopes),
            events: case.events,
        };
        let logs = logs(organization.id, scopes);
        let under = UnderTest { stage: &stage, raw: &raw, handler: &handler, logs };
        let mut row = under.measure(&target, case, effort).await?;
        let sync = match (&rig.given, sync_always) {
            (Some(_), _) => "as given",
            (None, true) => "always",
            (None, false) => "default",
        };
        row.name =
            format!("ingest: {} a request, {} scopes, sync {sync}", case.events, case.scopes);
        rows.push(row);
    }
    raw.stop().await;
    stage.stop().await;
    Ok(rows)
}

/// The system and what it is compared with.
struct UnderTest<'a> {
    stage: &'a Stage,
    raw: &'a RawBroker,
    handler: &'a NullHandler,
    /// Where the events go.
    logs: Vec<Scope>,
}

impl UnderTest<'_> {
    async fn measure(&self, target: &Target, case: Case, effort: Effort) -> Result<Row, Failure> {
        let Case { connections, .. } = case;
        // Connections, writers and caches are there before it counts.
        let _warm = target.closed(connections, Until::After(effort.span / 4)).await;
        let (before, stored) = (self.stage.reading(), state(self.stage).await?);
        let numbers = self.numbers().await?;
        let (mut rates, mut limits, mut accepted) = (Vec::new(), Vec::new(), 0);
        for _ in 0..effort.rounds {
            let done = target.closed(connections, Until::After(effort.span)).await;
            rates.push(per_second(done.events, done.took));
            accepted += done.events;
            limits.push(self.limit(target, case, effort.span).await);
        }
        let costs = self.stage.reading().since(&before, &["broker", "ingest"], accepted);
        let delivered = self.numbers().await? - numbers;
        let now = state(self.stage).await?;
        let bytes = float(now.bytes.saturating_sub(stored.bytes));
        let records = now.messages.saturating_sub(stored.messages).max(1);
        let what = match case.against {
            Against::Handler => "empty handler",
            Against::Broker => "bare broker",
        };
        let mut more = BTreeMap::from([
            ("bytes stored an event", per_million(bytes, accepted) / 1_000_000.0),
            ("events a record", float(accepted) / float(records)),
        ]);
        if let Against::Handler = case.against {
            let events = usize::try_from(accepted / records).unwrap_or(1).max(1);
            let writers = case.scopes.min(connections);
            let bare = self.raw.publish(writers, events, effort.span).await;
            more.insert("bare broker with such records, events/s", bare);
        }
        Ok(Row {
            name: String::new(),
            rate: spread(&rates)?,
            unit: "events/s",
            limit: Some(Limit { what, rate: spread(&limits)? }),
            costs,
            ledger: Some(Ledger { accepted, delivered, repeated: 0 }),
            more,
        })
    }

    async fn limit(&self, target: &Target, case: Case, span: Duration) -> f64 {
        match case.against {
            Against::Handler => self.handler.measure(target, case.connections, span).await,
            Against::Broker => {
                let events = usize::try_from(case.events).unwrap_or(1);
                self.raw.publish(case.scopes.min(case.connections), events, span).await
            }
        }
    }

    /// How many events the logs hold, by their last numbers.
    async fn numbers(&self) -> Result<u64, Failure> {
        let mut sum = 0;
        for log in &self.logs {
            let end = self.stage.streams.chain_end(*log).await.map_err(anyhow::Error::from)?;
            sum += end.and_then(|end| end.link).map_or(0, |link| link.last_number);
        }
        Ok(sum)
    }
}

fn logs(organization: OrgId, portals: &[PortalId]) -> Vec<Scope> {
    if portals.is_empty() {
        return vec![Scope::Organization(organization)];
    }
    portals.iter().map(|portal| Scope::Portal(organization, *portal)).collect()
}

async fn state(stage: &Stage) -> Result<StreamState, Failure> {
    Ok(stage.streams.events_state().await.map_err(anyhow::Error::from)?)
}
