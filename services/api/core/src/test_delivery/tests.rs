use auditrelay_model::Timestamp;
use auditrelay_model::id::EventId;
use auditrelay_model::test_delivery::{Seen, TestFailure, TestPhase};
use serde_json::json;
use uuid::Uuid;

use super::*;

const DAY: Duration = Duration::from_hours(24);

fn now() -> Timestamp {
    Timestamp::parse_rfc3339("2026-06-15T12:00:00Z").unwrap()
}

fn report(seen: Seen) -> TestReport {
    TestReport {
        at: now(),
        event: EventId::from_uuid(Uuid::nil()),
        duration: Duration::from_nanos(12_345_678),
        seen,
        trace_id: String::new(),
    }
}

fn session(checked: bool, distrust: Option<&str>, holds_for: Duration) -> TlsSession {
    TlsSession {
        version: "TLSv1.3".to_owned(),
        cipher_suite: String::new(),
        application_protocol: "h2".to_owned(),
        checked,
        distrust: distrust.map(str::to_owned),
        chain: vec![Certificate {
            subject: "CN=siem".to_owned(),
            issuer: "CN=ca".to_owned(),
            names: vec!["siem.example".to_owned()],
            not_before: now(),
            not_after: now() + holds_for,
        }],
        duration: Duration::from_millis(2),
    }
}

fn answer() -> HttpAnswer {
    HttpAnswer {
        version: "HTTP/1.1".to_owned(),
        status: 200,
        message: String::new(),
        duration: Duration::from_micros(1),
    }
}

#[test]
fn what_works_and_should_not_stay_so_is_warned_of() {
    let tls = |checked, distrust, days| Some(session(checked, distrust, days * DAY));
    let expires = "the receiver's certificate expires at 2026-06-28T12:00:00Z";
    let table: [(Option<TlsSession>, bool, &[&str]); 9] = [
        (None, true, &["the connection is not encrypted"]),
        (None, false, &[]),
        (tls(true, None, 90), true, &[]),
        (tls(true, None, 14), true, &[]),
        (tls(true, None, 13), true, &[expires]),
        (tls(true, Some("expired"), 0), false, &[]),
        (tls(false, None, 90), true, &["the receiver's certificate is not checked"]),
        (tls(false, None, 13), true, &["the receiver's certificate is not checked", expires]),
        (tls(false, Some("unknown issuer"), 0), true, &["unknown issuer; it is not checked"]),
    ];
    for (tls, answered, warnings) in table {
        let report = report(Seen { tls, answer: answered.then(answer), ..Seen::default() });
        assert_eq!(View::of(&report).warnings, warnings, "{report:?}");
    }
}

#[test]
fn a_report_is_shown_to_the_microsecond_and_says_what_was_not_seen() {
    let shown = |seen| serde_json::to_value(View::of(&report(seen))).unwrap();
    let taken = shown(Seen { answer: Some(answer()), ..Seen::default() });
    assert_eq!((&taken["delivered"], &taken["duration_ms"]), (&json!(true), &json!(12.346)));
    assert_eq!(taken["answer"]["duration_ms"], json!(0.001));
    assert_eq!((&taken["trace_id"], &taken["tls"]), (&json!(null), &json!(null)));
    let failure = TestFailure { phase: TestPhase::Tls, reason: "expired".to_owned() };
    let tls = Some(session(true, None, DAY));
    let failed = shown(Seen { tls, failure: Some(failure), ..Seen::default() });
    assert_eq!(failed["delivered"], false);
    assert_eq!(failed["failure"], json!({"phase": "tls", "reason": "expired"}));
    assert_eq!(failed["tls"]["version"], "TLSv1.3");
    assert_eq!(failed["tls"]["cipher_suite"], json!(null));
    let traced = TestReport { trace_id: "4bf9".to_owned(), ..report(Seen::default()) };
    assert_eq!(View::of(&traced).trace_id.as_deref(), Some("4bf9"));
}

#[test]
fn only_a_chain_that_was_seen_and_found_good_is_trusted() {
    let good = session(true, None, DAY);
    let none = TlsSession { chain: Vec::new(), ..good.clone() };
    let bad = session(true, Some("expired"), DAY);
    assert_eq!([&good, &none, &bad].map(|tls| TlsView::from(tls).trusted), [true, false, false]);
}
