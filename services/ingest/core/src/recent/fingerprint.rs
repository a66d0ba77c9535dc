//! What an event says, in eight bytes.

use std::hash::{DefaultHasher, Hash, Hasher};

use auditrelay_model::event::{AuditEvent, Detail};

/// Differs where two events under the same id say different things; only within one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(u64);

impl Fingerprint {
    /// Of everything that the producer said: a repetition has another `traceparent`.
    pub fn of(event: &AuditEvent) -> Self {
        let mut hasher = DefaultHasher::new();
        let AuditEvent { id, ts, principal_id, principal_name, actor_id, client_ip, .. } = event;
        (id, ts, principal_id, principal_name, actor_id, client_ip).hash(&mut hasher);
        let AuditEvent { uri, user_agent, trace_id, platform_initiated, .. } = event;
        (uri, user_agent, trace_id, platform_initiated, event.kind()).hash(&mut hasher);
        match &event.detail {
            Detail::Authentication(it) => (it.method, it.outcome, it.success).hash(&mut hasher),
            Detail::Authorization(it) => {
                (&it.service, &it.resource, &it.action, it.granted).hash(&mut hasher);
            }
            Detail::Access(it) => (&it.method, it.status_code, &it.query).hash(&mut hasher),
        }
        Self(hasher.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_trace_of_the_request_makes_no_difference() {
        let event = crate::admit::tests::event(1);
        let traced = AuditEvent { traceparent: "00-a-b-01".to_owned(), ..event.clone() };
        assert_eq!(Fingerprint::of(&event), Fingerprint::of(&traced));
        let other = AuditEvent { uri: "/other".to_owned(), ..event.clone() };
        assert_ne!(Fingerprint::of(&event), Fingerprint::of(&other));
        let Detail::Authorization(mut detail) = event.detail.clone() else { return };
        detail.granted = !detail.granted;
        let other = AuditEvent { detail: Detail::Authorization(detail), ..event.clone() };
        assert_ne!(Fingerprint::of(&event), Fingerprint::of(&other));
    }
}
