//! `auditrelay.access.v1`.

use auditrelay_model::Timestamp;
use auditrelay_model::access::{AccessEvent, AccessFact, Denied, Principal, Reason};
use auditrelay_proto::access::v1 as wire;
use prost::Message;
use wire::access_event::Fact;

use super::event::{number_of, value_of};
use super::{DecodeError, parse, required, types};

/// Begins the name of somebody who has no token.
const FEDERATED: &str = "oidc:";

pub(crate) fn encode(event: &AccessEvent) -> Vec<u8> {
    let fact = match &event.fact {
        AccessFact::Used => Fact::Used(wire::Used {}),
        AccessFact::Denied(denied) => Fact::Denied(wire::Denied {
            reason: number_of(Reason::ALL, denied.reason),
            count: denied.count,
            origin: Some(types::origin(&denied.origin)),
        }),
    };
    wire::AccessEvent {
        at_ns: event.at.nanos(),
        org_id: event.org.to_string(),
        principal: event.principal.to_string(),
        fact: Some(fact),
    }
    .encode_to_vec()
}

pub(crate) fn decode(bytes: &[u8]) -> Result<AccessEvent, DecodeError> {
    let event =
        wire::AccessEvent::decode(bytes).map_err(|_| DecodeError::Malformed("access event"))?;
    let principal = match event.principal.strip_prefix(FEDERATED) {
        Some(name) => Principal::Federated(name.to_owned()),
        None => Principal::Token(parse(&event.principal, "principal")?),
    };
    let fact = match required(event.fact, "fact")? {
        Fact::Used(wire::Used {}) => AccessFact::Used,
        Fact::Denied(denied) => AccessFact::Denied(Denied {
            reason: value_of(Reason::ALL, denied.reason, "reason")?,
            count: denied.count,
            origin: types::read_origin(required(denied.origin, "origin")?),
        }),
    };
    let at = Timestamp::from_nanos(event.at_ns);
    Ok(AccessEvent { at, org: parse(&event.org_id, "org_id")?, principal, fact })
}
