//! Who wants a record, by the configuration.

use std::time::Duration;

use auditrelay_model::config::OrgConfig;
use auditrelay_model::delivery::LaneState;
use auditrelay_model::destination::Destination;
use auditrelay_model::id::DestinationId;
use auditrelay_model::webhook::Webhook;
use auditrelay_model::{Scope, Timestamp, replay};

use crate::lane::{Switch, Target};

/// A webhook's log begins when it could first send; clocks of two machines differ by less.
pub const CLOCK_MARGIN: Duration = Duration::from_secs(5);

/// Whether a record is to be delivered, now or when its webhook is enabled again.
pub fn wanted(config: &OrgConfig, scope: Scope, stored_at: Timestamp) -> bool {
    since(config, scope).is_some_and(|since| stored_at >= since - CLOCK_MARGIN)
}

/// When the scope's webhook could first send; none when there is no such webhook.
pub fn since(config: &OrgConfig, scope: Scope) -> Option<Timestamp> {
    config.webhooks.get(&scope).and_then(|webhook| webhook.since)
}

/// Whether and where a scope's lane may send; `in_flight` is how many requests at a time.
pub fn switch(
    config: &OrgConfig,
    scope: Scope,
    in_flight: impl FnOnce(DestinationId) -> usize,
) -> Switch {
    match config.webhooks.get(&scope) {
        None | Some(Webhook { since: None, .. }) => Switch::Gone,
        Some(_) => match config.enabled_destination(scope) {
            None => Switch::Off,
            Some((webhook, destination)) => Switch::On(Target {
                destination: destination.id,
                log_format: destination.log_format,
                in_flight: in_flight(destination.id),
                changed_at: webhook.updated_at.max(destination.updated_at),
            }),
        },
    }
}

/// Which part of all that goes to a destination goes through the shards that `mine` says: as many
/// as there are enabled webhooks in them, of how many in all.
pub fn share(
    config: &OrgConfig,
    destination: DestinationId,
    mine: impl Fn(Scope) -> bool,
) -> (u64, u64) {
    let (mut here, mut all) = (0, 0);
    for (scope, webhook) in &config.webhooks {
        if webhook.enabled && webhook.destination == Some(destination) {
            all += 1;
            here += u64::from(mine(*scope));
        }
    }
    (here, all)
}

/// Whether and where a job may send: to the destination that it names, or else to the scope's
/// webhook; in the format that it names, or else in the destination's.
pub fn receiver(
    config: &OrgConfig,
    scope: Scope,
    target: replay::Target,
    in_flight: impl Fn(DestinationId) -> usize,
) -> (Switch, Option<Destination>) {
    let (switch, destination) = match target.destination {
        None => (
            switch(config, scope, &in_flight),
            config.enabled_destination(scope).map(|(_, found)| found),
        ),
        Some(id) => match config.destinations.get(&id) {
            None => (Switch::Gone, None),
            Some(destination) => {
                let (log_format, changed_at) = (destination.log_format, destination.updated_at);
                let target =
                    Target { destination: id, log_format, in_flight: in_flight(id), changed_at };
                (Switch::On(target), Some(destination))
            }
        },
    };
    let Some(log_format) = target.log_format else { return (switch, destination.cloned()) };
    let switch = match switch {
        Switch::On(target) => Switch::On(Target { log_format, ..target }),
        Switch::Off | Switch::Gone => switch,
    };
    (switch, destination.map(|found| Destination { log_format, ..found.clone() }))
}

/// Whether the scope's log goes to the receiver that a destination was.
pub fn goes_to(config: &OrgConfig, scope: Scope, receiver: &Destination) -> bool {
    let bound = config.enabled_destination(scope);
    bound.is_some_and(|(_, now)| now.id == receiver.id && now.endpoint == receiver.endpoint)
}

/// What a lane goes on from: its last fact's state, unless that belongs to an earlier webhook.
pub fn inherited(last: Option<(Timestamp, LaneState)>, since: Timestamp) -> LaneState {
    last.filter(|(at, state)| state.stopped.is_none() && *at + CLOCK_MARGIN >= since)
        .map(|(_, state)| state)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use auditrelay_model::destination::{LogFormat, SealedSecret, TlsPolicy};
    use auditrelay_model::id::{OrgId, PortalId};
    use uuid::Uuid;

    const SCOPE: Scope = Scope::Organization(OrgId::from_uuid(Uuid::nil()));

    fn second(n: i64) -> Timestamp {
        Timestamp::from_nanos(n * 1_000_000_000)
    }

    const SIEM: DestinationId = DestinationId::from_uuid(Uuid::nil());

    fn destination() -> Destination {
        let authorization =
            SealedSecret { key_id: String::new(), nonce: Vec::new(), ciphertext: Vec::new() };
        Destination {
            id: SIEM,
            name: String::new(),
            endpoint: String::new(),
            authorization,
            log_format: LogFormat::Json,
            tls: TlsPolicy::Verify,
            created_at: second(0),
            updated_at: second(3),
            implicit: false,
        }
    }

    fn config(since: Option<Timestamp>) -> OrgConfig {
        let webhook = Webhook { destination: None, enabled: false, since, updated_at: second(0) };
        OrgConfig { webhooks: [(SCOPE, webhook)].into(), ..OrgConfig::default() }
    }

    #[test]
    fn records_from_before_the_webhook_are_not_wanted() {
        let config = config(Some(second(100)));
        assert!(wanted(&config, SCOPE, second(95)));
        assert!(!wanted(&config, SCOPE, second(94)));
        assert!(!wanted(&OrgConfig::default(), SCOPE, second(200)));
    }

    #[test]
    fn a_webhook_that_could_never_send_is_none() {
        assert_eq!(switch(&config(None), SCOPE, |_| 1), Switch::Gone);
        assert_eq!(switch(&config(Some(second(1))), SCOPE, |_| 1), Switch::Off);
    }

    #[test]
    fn a_destination_is_shared_by_the_webhooks_that_send_to_it() {
        let scopes = [1, 2, 3, 4, 5].map(|n| {
            Scope::Portal(OrgId::from_uuid(Uuid::nil()), PortalId::from_uuid(Uuid::from_u128(n)))
        });
        let [mine, also, elsewhere, off, other] = scopes;
        let webhook = |enabled, destination| Webhook {
            destination: Some(destination),
            enabled,
            since: None,
            updated_at: second(0),
        };
        let another = DestinationId::from_uuid(Uuid::from_u128(9));
        let webhooks = [
            (mine, webhook(true, SIEM)),
            (also, webhook(true, SIEM)),
            (elsewhere, webhook(true, SIEM)),
            (off, webhook(false, SIEM)),
            (other, webhook(true, another)),
        ];
        let config = OrgConfig { webhooks: webhooks.into(), ..OrgConfig::default() };
        assert_eq!(share(&config, SIEM, |scope| scope != elsewhere), (2, 3));
    }

    #[test]
    fn a_log_goes_to_a_receiver_until_something_takes_it_from_it() {
        let there = destination();
        let moved = Destination { endpoint: "https://else.where".to_owned(), ..there.clone() };
        let renamed = Destination { name: "SIEM".to_owned(), ..there.clone() };
        let to = |enabled, bound, destination: &Destination| {
            let webhook =
                Webhook { destination: bound, enabled, since: None, updated_at: second(0) };
            OrgConfig {
                webhooks: [(SCOPE, webhook)].into(),
                destinations: [(SIEM, destination.clone())].into(),
                ..OrgConfig::default()
            }
        };
        for (config, goes) in [
            (to(true, Some(SIEM), &there), true),
            (to(true, Some(SIEM), &renamed), true),
            (to(false, Some(SIEM), &there), false),
            (to(true, None, &there), false),
            (to(true, Some(SIEM), &moved), false),
            (OrgConfig::default(), false),
        ] {
            assert_eq!(goes_to(&config, SCOPE, &there), goes, "{:?}", config.webhooks);
        }
    }

    #[test]
    fn a_job_may_name_where_it_goes_and_how_it_is_written() {
        let destinations = [(SIEM, destination())].into();
        let config = OrgConfig { destinations, ..config(Some(second(1))) };
        let receiver = |destination, log_format| {
            receiver(&config, SCOPE, replay::Target { destination, log_format }, |_| 3)
        };
        assert_eq!(receiver(None, None), (Switch::Off, None));
        let gone = DestinationId::from_uuid(Uuid::from_u128(9));
        assert_eq!(receiver(Some(gone), Some(LogFormat::Cef)), (Switch::Gone, None));
        for (named, written) in [(None, LogFormat::Json), (Some(LogFormat::Cef), LogFormat::Cef)] {
            let (switch, found) = receiver(Some(SIEM), named);
            let target = Target {
                destination: SIEM,
                log_format: written,
                in_flight: 3,
                changed_at: second(3),
            };
            assert_eq!(switch, Switch::On(target));
            assert_eq!(found, Some(Destination { log_format: written, ..destination() }));
        }
    }

    #[test]
    fn a_new_webhook_does_not_inherit_from_the_one_before_it() {
        let state = |code: Option<&str>| LaneState {
            stopped: code.map(|code| (code.to_owned(), String::new())),
            cursor: Some(auditrelay_model::record::Position::default()),
            ..LaneState::default()
        };
        let goes_on = |at, state| inherited(Some((at, state)), second(100)).cursor.is_some();
        assert!(goes_on(second(101), state(None)));
        assert!(!goes_on(second(90), state(None)));
        assert!(!goes_on(second(101), state(Some("removed"))));
    }
}
