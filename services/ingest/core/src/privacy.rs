//! Privacy: what an organization does not want to be stored is masked, or hashed, before anything
//! else sees the event.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use auditrelay_model::event::{AuditEvent, Detail};
use auditrelay_model::privacy::{Privacy, PrivateField, Treatment};

/// What is shown of a masked text.
const MASKED: &str = "***";
/// Bytes of a hash that are shown of a text: 128 bits.
const SHOWN: usize = 16;

/// Treats events as one organization wants it.
pub struct Redaction<'a> {
    /// What is treated.
    pub privacy: &'a Privacy,
    /// The keyed hash of a value.
    pub hash: &'a dyn Fn(&str) -> [u8; 32],
}

impl Redaction<'_> {
    /// Treats one event.
    pub fn apply(&self, event: &mut AuditEvent) {
        if self.privacy.0.is_empty() {
            return;
        }
        if let (Some(treatment), Some(address)) =
            (self.privacy.of(PrivateField::ClientIp), event.client_ip)
        {
            event.client_ip = Some(self.address(treatment, address));
        }
        for (field, text) in [
            (PrivateField::PrincipalId, &mut event.principal_id),
            (PrivateField::PrincipalName, &mut event.principal_name),
            (PrivateField::ActorId, &mut event.actor_id),
            (PrivateField::UserAgent, &mut event.user_agent),
            (PrivateField::Uri, &mut event.uri),
        ] {
            self.text(field, text);
        }
        if let Detail::Access(access) = &mut event.detail {
            self.text(PrivateField::Query, &mut access.query);
        }
    }

    /// What is not there says nothing.
    fn text(&self, field: PrivateField, text: &mut String) {
        let Some(treatment) = self.privacy.of(field).filter(|_| !text.is_empty()) else { return };
        *text = match treatment {
            Treatment::Mask => MASKED.to_owned(),
            Treatment::Hash => {
                let shown = (self.hash)(text).into_iter().take(SHOWN);
                shown.fold("hmac:".to_owned(), |shown, byte| format!("{shown}{byte:02x}"))
            }
        };
    }

    /// An address stays one, so that every format and every reader still takes it: masked, its
    /// network; hashed, a unique local one (`fd00::/8`), which no client has.
    fn address(&self, treatment: Treatment, address: IpAddr) -> IpAddr {
        match (treatment, address) {
            (Treatment::Mask, IpAddr::V4(v4)) => {
                let [a, b, c, _] = v4.octets();
                Ipv4Addr::new(a, b, c, 0).into()
            }
            (Treatment::Mask, IpAddr::V6(v6)) => {
                let [a, b, c, ..] = v6.segments();
                Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0).into()
            }
            (Treatment::Hash, _) => {
                let mut octets = [0xfd; 16];
                let hash = (self.hash)(&address.to_string());
                octets.iter_mut().skip(1).zip(hash).for_each(|(to, from)| *to = from);
                Ipv6Addr::from(octets).into()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn treated(event: &AuditEvent, field: PrivateField, treatment: Treatment) -> AuditEvent {
        let privacy = Privacy([(field, treatment)].into());
        let hash = |value: &str| [u8::try_from(value.len()).unwrap(); 32];
        let mut event = event.clone();
        Redaction { privacy: &privacy, hash: &hash }.apply(&mut event);
        event
    }

    fn event() -> AuditEvent {
        AuditEvent {
            principal_id: "ada".to_owned(),
            client_ip: Some("198.51.100.7".parse().unwrap()),
            ..crate::admit::tests::event(1)
        }
    }

    #[test]
    fn a_text_is_hidden_or_hashed_and_nothing_else_changes() {
        let before = event();
        let masked = treated(&before, PrivateField::PrincipalId, Treatment::Mask);
        assert_eq!(masked, AuditEvent { principal_id: "***".to_owned(), ..before.clone() });
        let hashed = treated(&before, PrivateField::PrincipalId, Treatment::Hash);
        assert_eq!(hashed.principal_id, format!("hmac:{}", "03".repeat(16)));
        let nothing = treated(&before, PrivateField::PrincipalName, Treatment::Hash);
        assert_eq!(nothing, before, "an empty text stays empty");
    }

    #[test]
    fn an_address_stays_an_address() {
        let address = |text: &str, treatment| {
            let event = AuditEvent { client_ip: Some(text.parse().unwrap()), ..event() };
            treated(&event, PrivateField::ClientIp, treatment).client_ip.unwrap().to_string()
        };
        assert_eq!(address("198.51.100.7", Treatment::Mask), "198.51.100.0");
        assert_eq!(address("2001:db8:1:2::7", Treatment::Mask), "2001:db8:1::");
        assert!(address("198.51.100.7", Treatment::Hash).starts_with("fd0c:c0c:"));
    }

    #[test]
    fn every_field_can_be_treated() {
        let mut event = AuditEvent {
            principal_name: "a".to_owned(),
            actor_id: "a".to_owned(),
            user_agent: "a".to_owned(),
            uri: "a".to_owned(),
            ..event()
        };
        event.detail = Detail::Access(auditrelay_model::event::Access {
            method: "GET".to_owned(),
            status_code: 200,
            query: "a".to_owned(),
        });
        for field in PrivateField::ALL {
            for treatment in Treatment::ALL {
                assert_ne!(treated(&event, *field, *treatment), event, "{field:?}");
            }
        }
    }
}
