//! A text to look for in events.

use auditrelay_model::event::{AuditEvent, Detail};

/// A text to look for, upper and lower case being the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needle(String);

impl Needle {
    /// Looks for this.
    pub fn new(text: &str) -> Self {
        Self(text.to_lowercase())
    }

    /// The text, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it stands in one of the event's texts.
    pub fn is_in(&self, event: &AuditEvent) -> bool {
        let texts = [
            &event.principal_id,
            &event.principal_name,
            &event.actor_id,
            &event.uri,
            &event.user_agent,
            &event.trace_id,
        ];
        texts.iter().any(|text| self.is_part_of(text))
            || self.is_in_detail(&event.detail)
            || event.client_ip.is_some_and(|ip| self.is_part_of(&ip.to_string()))
            || self.is_part_of(&event.id.to_string())
    }

    fn is_in_detail(&self, detail: &Detail) -> bool {
        match detail {
            Detail::Authentication(detail) => {
                self.is_part_of(detail.method.name()) || self.is_part_of(detail.outcome.name())
            }
            Detail::Authorization(detail) => [&detail.service, &detail.resource, &detail.action]
                .iter()
                .any(|text| self.is_part_of(text)),
            Detail::Access(detail) => {
                self.is_part_of(&detail.method)
                    || self.is_part_of(&detail.query)
                    || self.is_part_of(&detail.status_code.to_string())
            }
        }
    }

    fn is_part_of(&self, text: &str) -> bool {
        // No letter takes twice its bytes in lower case.
        2 * text.len() >= self.0.len() && text.to_lowercase().contains(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use auditrelay_model::Timestamp;
    use auditrelay_model::event::{
        Access, Authentication, AuthenticationOutcome, AuthenticationType,
    };
    use auditrelay_model::id::EventId;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_text_is_found_wherever_it_stands_in_any_case() {
        let event = AuditEvent {
            principal_id: "user-1".to_owned(),
            principal_name: "Zoë".to_owned(),
            client_ip: "10.1.2.3".parse().ok(),
            uri: "/v3/Portals".to_owned(),
            ..AuditEvent::new(
                EventId::from_uuid(Uuid::nil()),
                Timestamp::from_nanos(0),
                Detail::Access(Access {
                    method: "GET".to_owned(),
                    status_code: 403,
                    query: "a=b".to_owned(),
                }),
            )
        };
        for found in ["USER-1", "zoË", "v3/portals", "10.1.2", "403", "get", "A=B", "0000-"] {
            assert!(Needle::new(found).is_in(&event), "{found}");
        }
        for missing in ["user-2", "404", "10.1.3"] {
            assert!(!Needle::new(missing).is_in(&event), "{missing}");
        }
        let login = Authentication {
            method: AuthenticationType::Github,
            outcome: AuthenticationOutcome::Locked,
            success: false,
        };
        let event = AuditEvent { detail: Detail::Authentication(login), ..event };
        for found in ["github", "locked"] {
            assert!(Needle::new(found).is_in(&event), "{found}");
        }
    }

    #[test]
    fn a_text_that_is_longer_in_lower_case_is_found() {
        let detail = Detail::Access(Access {
            method: String::new(),
            status_code: 200,
            query: "İİİİ".to_owned(),
        });
        let id = EventId::from_uuid(Uuid::nil());
        let event = AuditEvent::new(id, Timestamp::from_nanos(0), detail);
        assert!(Needle::new("İİİİ").is_in(&event));
    }
}
