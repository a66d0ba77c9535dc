//! Subjects: built and parsed here and nowhere else.

use auditrelay_model::Scope;
use auditrelay_model::access::{AccessFact, Principal};
use auditrelay_model::delivery::Lane;
use auditrelay_model::id::{JobId, OrgId, TokenId};

/// How many shard consumers live delivery has; each takes the groups that begin with its digit.
pub const SHARDS: u8 = 8;

/// Where commands for replay jobs are answered.
pub(crate) const REPLAY_COMMANDS: &str = "audit.command.replay";
/// Where parked events are sent again or discarded.
pub(crate) const QUARANTINE_COMMANDS: &str = "audit.command.quarantine";
/// Where test deliveries are asked for.
pub(crate) const TEST_COMMANDS: &str = "audit.command.test-delivery";

/// The last tokens of DELIVERY subjects that are no lane's.
const PARKED: &str = "quarantine";
const RELEASED: &str = "release";

/// `audit.events.<g>.<h>.<org>.<scope>`.
pub(crate) fn events(scope: Scope) -> String {
    let group = scope.group();
    format!("audit.events.{}.{}.{}.{}", group / 8, group % 8, scope.org(), scope.token())
}

/// All records of one shard.
pub(crate) fn shard(shard: u8) -> String {
    format!("audit.events.{shard}.>")
}

/// The shard that a scope's records come through.
pub fn shard_of(scope: Scope) -> u8 {
    // Below GROUPS / 8 = 8.
    u8::try_from(scope.group() / 8).unwrap_or(u8::MAX)
}

/// `audit.config.<org>`.
pub(crate) fn config(org: OrgId) -> String {
    format!("audit.config.{org}")
}

/// `audit.replay.<org>.<scope>`.
pub(crate) fn replay(scope: Scope) -> String {
    format!("audit.replay.{}.{}", scope.org(), scope.token())
}

/// `audit.delivery.<org>.<scope>.<lane>`.
pub(crate) fn delivery(scope: Scope, lane: Lane) -> String {
    format!("audit.delivery.{}.{}.{}", scope.org(), scope.token(), lane.token())
}

/// `audit.delivery.<org>.<scope>.quarantine`.
pub(crate) fn parked(scope: Scope) -> String {
    format!("audit.delivery.{}.{}.{PARKED}", scope.org(), scope.token())
}

/// `audit.delivery.<org>.<scope>.release`.
pub(crate) fn released(scope: Scope) -> String {
    format!("audit.delivery.{}.{}.{RELEASED}", scope.org(), scope.token())
}

/// Whether a DELIVERY subject is that of a lane.
pub(crate) fn is_lane(subject: &str) -> bool {
    !subject.rsplit('.').next().is_some_and(|last| [PARKED, RELEASED].contains(&last))
}

/// All lanes of one scope.
pub(crate) fn deliveries(scope: Scope) -> String {
    format!("audit.delivery.{}.{}.*", scope.org(), scope.token())
}

/// `audit.access.<service>.<org>.<principal>.<what>`.
pub(crate) fn access(
    service: &str,
    org: OrgId,
    principal: &Principal,
    fact: &AccessFact,
) -> String {
    let principal = match principal {
        Principal::Token(id) => id.to_string(),
        Principal::Federated(_) => "oidc".to_owned(),
    };
    let what = match fact {
        AccessFact::Used => USED,
        AccessFact::Denied(_) => "denied",
    };
    format!("audit.access.{service}.{org}.{principal}.{what}")
}

/// Where every service says that a token is used.
pub(crate) fn uses(service: &str, org: OrgId, token: TokenId) -> String {
    format!("audit.access.{service}.{org}.{token}.{USED}")
}

const USED: &str = "used";

/// The organization of an ACCESS subject.
pub(crate) fn org_of_access(subject: &str) -> Option<OrgId> {
    subject.split('.').nth(3)?.parse().ok()
}

/// `audit.retention.<what>`.
pub(crate) fn retention(what: &str) -> String {
    format!("audit.retention.{what}")
}

/// `audit.lease.<name>`.
pub(crate) fn lease(name: &str) -> String {
    format!("audit.lease.{name}")
}

/// The scope of an EVENTS or REPLAY subject: its last two tokens.
pub(crate) fn scope_at_end(subject: &str) -> Option<Scope> {
    let mut tokens = subject.rsplit('.');
    let scope = tokens.next()?;
    let org: OrgId = tokens.next()?.parse().ok()?;
    Scope::from_token(org, scope)
}

/// The organization of a CONFIG subject.
pub(crate) fn org_at_end(subject: &str) -> Option<OrgId> {
    subject.rsplit('.').next()?.parse().ok()
}

/// The lane of a DELIVERY subject.
pub(crate) fn lane_at_end(subject: &str) -> Option<(Scope, Lane)> {
    let (head, lane) = subject.rsplit_once('.')?;
    let lane = match lane {
        "live" => Lane::Live,
        job => Lane::Replay(job.parse::<JobId>().ok()?),
    };
    Some((scope_at_end(head)?, lane))
}

#[cfg(test)]
mod tests {
    use super::*;
    use auditrelay_model::id::PortalId;
    use uuid::Uuid;

    #[test]
    fn subjects_lead_back_to_what_they_name() {
        let org = OrgId::from_uuid(Uuid::from_u128(1));
        let job = Lane::Replay(JobId::from_uuid(Uuid::from_u128(3)));
        for scope in
            [Scope::Organization(org), Scope::Portal(org, PortalId::from_uuid(Uuid::from_u128(2)))]
        {
            assert_eq!(scope_at_end(&events(scope)), Some(scope));
            assert_eq!(scope_at_end(&replay(scope)), Some(scope));
            assert!(events(scope).starts_with(shard(shard_of(scope)).trim_end_matches('>')));
            for lane in [Lane::Live, job] {
                assert_eq!(lane_at_end(&delivery(scope, lane)), Some((scope, lane)));
            }
        }
        assert_eq!(org_at_end(&config(org)), Some(org));
        let scope = Scope::Organization(org);
        assert!(is_lane(&delivery(scope, job)) && is_lane(&delivery(scope, Lane::Live)));
        assert!(!is_lane(&parked(scope)) && !is_lane(&released(scope)));
        let token = TokenId::from_uuid(Uuid::from_u128(4));
        let used = access("api", org, &Principal::Token(token), &AccessFact::Used);
        assert_eq!((org_of_access(&used), &used), (Some(org), &uses("api", org, token)));
        assert_eq!(scope_at_end("audit.events.0.0.x.org"), None);
        assert_eq!(lane_at_end("live"), None);
    }
}
