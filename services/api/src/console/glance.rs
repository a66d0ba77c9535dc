//! Many webhooks at a glance: their states with as few questions to the broker as there can be.

use auditrelay_api_core::status;
use auditrelay_model::config::OrgConfig;
use auditrelay_model::delivery::{Lane, LaneState};
use auditrelay_model::{Scope, Timestamp};
use auditrelay_runtime::problem::Problem;

use super::moment::{Moment, count};
use super::place::Place;
use super::words::Badge;
use crate::api::Api;
use crate::problems;

/// A webhook's row in a list.
pub(super) struct Row {
    pub(super) place: Place,
    pub(super) endpoint: Option<String>,
    pub(super) switch: Badge,
    pub(super) status: Badge,
    pub(super) standing: Standing,
    /// Why it is held or behind; nothing when it is neither.
    pub(super) trouble: Option<(Moment, String)>,
    pub(super) delivered: String,
    pub(super) attempt: Option<Moment>,
}

/// How a webhook stands, the one that needs somebody most first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    Inactive,
    Active,
    Off,
}

/// The places of an organization that may have a webhook: its own log, and every portal whose
/// audit log was set up.
pub(super) fn places(config: &OrgConfig, own: Place) -> Vec<Place> {
    let org = own.scope.org();
    let portals = config.portals.values();
    let logged = portals
        .filter(|portal| config.webhooks.contains_key(&Scope::Portal(org, portal.id)))
        .map(|portal| Place::portal(org, portal.id, &portal.display_name));
    std::iter::once(own).chain(logged).collect()
}

/// The rows of these places, in their order. What is a moment old may be missing here; the page
/// of each place asks the leader.
pub(super) async fn rows(
    api: &Api,
    config: &OrgConfig,
    places: Vec<Place>,
) -> Result<Vec<Row>, Problem> {
    let with_webhook = places.iter().filter(|place| config.webhooks.contains_key(&place.scope));
    let lanes = with_webhook.flat_map(|place| lanes(api, place.scope));
    let lanes: Vec<_> = lanes.collect();
    let states = api.lanes.read(&api.streams, &lanes).await;
    let states = states.map_err(|error| problems::unread(&error))?;
    let rows = places.into_iter().map(|place| {
        let named = lanes_of(api, place.scope).into_iter().flatten();
        let found = named.filter_map(|lane| states.get(&(place.scope, lane)));
        let found: Vec<_> = found.map(AsRef::as_ref).collect();
        Row::of(api, config, place, &found)
    });
    Ok(rows.collect())
}

fn lanes(api: &Api, scope: Scope) -> impl Iterator<Item = (Scope, Lane)> {
    lanes_of(api, scope).into_iter().flatten().map(move |lane| (scope, lane))
}

/// The live lane, and that of the newest replay job.
fn lanes_of(api: &Api, scope: Scope) -> [Option<Lane>; 2] {
    let job = api.replays.get(&scope).state.newest.as_ref().map(|job| job.id);
    [Some(Lane::Live), job.map(Lane::Replay)]
}

impl Row {
    fn of(api: &Api, config: &OrgConfig, place: Place, lanes: &[&LaneState]) -> Self {
        let webhook = config.webhooks.get(&place.scope);
        let status = status::View::of(webhook, lanes);
        let destination = webhook.and_then(|webhook| webhook.destination);
        let destination = destination.and_then(|id| config.destinations.get(&id));
        let live = lanes.first().copied();
        let now = api.now();
        let held = live.and_then(|lane| lane.hold.as_ref());
        let held = held.map(|hold| (Moment::new(hold.since, now), hold.reason.clone()));
        let behind = live.and_then(|lane| lane.behind.as_ref());
        let behind = behind.map(|behind| (Moment::new(behind.since, now), behind.reason.clone()));
        let enabled = webhook.is_some_and(|webhook| webhook.enabled);
        Self {
            endpoint: destination.map(|destination| destination.name.clone()),
            switch: Badge::of_switch(enabled),
            status: Badge::of_webhook(status.webhook_status),
            standing: match status.webhook_status {
                "inactive" => Standing::Inactive,
                "active" if enabled => Standing::Active,
                _ => Standing::Off,
            },
            trouble: held.or(behind).or_else(|| refused(&status, now)),
            delivered: count(live.map_or(0, |lane| lane.totals.events_delivered)),
            attempt: Moment::parse(status.last_attempt_at.as_deref(), now),
            place,
        }
    }
}

/// What came last, when that is all that is wrong: an event that was refused alone, say.
fn refused(status: &status::View, now: Timestamp) -> Option<(Moment, String)> {
    let at = Moment::parse(status.last_attempt_at.as_deref(), now)?;
    let why = match status.last_response_code {
        Some(code) => format!("the last request was answered {code}"),
        None => "the last request got no answer".to_owned(),
    };
    (status.webhook_status == "inactive").then_some((at, why))
}
