//! A receiver takes the signature out of a delivered line and checks the rest with the JWKS.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use auditrelay_format::{Vendor, render, seal_line};
use auditrelay_model::destination::LogFormat;
use auditrelay_model::event::{Access, AuditEvent, Authorization, Detail};
use auditrelay_model::{Scope, Timestamp};
use auditrelay_signing::{KeySet, SystemRandom, line};

const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

#[test]
fn every_line_verifies_as_it_was_delivered() {
    let keys = KeySet::generate("k1", "2026-01-01T00:00:00Z", &SystemRandom::new()).unwrap();
    let verifier = keys.jwks().verifier();
    let scope = Scope::Organization(ID.parse().unwrap());
    for event in events() {
        for format in LogFormat::ALL {
            let text = render(&event, scope, *format, &Vendor::default());
            let signature = keys.current().sign(text.as_bytes());
            let delivered = seal_line(text.clone(), *format, &signature);
            let (signed, found) = line::split(&delivered).unwrap();
            assert_eq!(signed, text);
            assert!(verifier.verify(signed.as_bytes(), found), "{delivered}");
            let altered = delivered.replace("list", "edit");
            let (signed, found) = line::split(&altered).unwrap();
            assert!(!verifier.verify(signed.as_bytes(), found), "{altered}");
        }
    }
}

/// The second one tries to look as if it were signed.
fn events() -> [AuditEvent; 2] {
    let forged = r#"list sig=AAAA ,"sig":"AAAA"}"#;
    let authorization = Authorization {
        service: "konnect".to_owned(),
        resource: "control-planes".to_owned(),
        action: "list".to_owned(),
        granted: true,
    };
    let access = Access { method: forged.to_owned(), status_code: 200, query: forged.to_owned() };
    [Detail::Authorization(authorization), Detail::Access(access)].map(|detail| AuditEvent {
        user_agent: forged.to_owned(),
        ..AuditEvent::new(
            ID.parse().unwrap(),
            Timestamp::from_nanos(1_750_280_556_123_456_789),
            detail,
        )
    })
}
