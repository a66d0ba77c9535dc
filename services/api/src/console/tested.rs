//! What came of a test event: each phase with what was seen in it.

use askama::Template;
use askama::filters::HtmlSafe;
use auditrelay_api_core::test_delivery::{CertificateView, TlsView, View};

/// What came of a test event.
#[derive(Template)]
#[template(path = "tested.html")]
pub(super) struct Tested {
    delivered: bool,
    took: String,
    failure: Option<(&'static str, String)>,
    warnings: Vec<String>,
    phases: Vec<Phase>,
    answer: Option<(u16, String)>,
    event: String,
}

/// One phase that was reached.
struct Phase {
    name: &'static str,
    took: String,
    said: Vec<String>,
}

impl HtmlSafe for Tested {}

impl Tested {
    pub(super) fn of(view: View) -> Self {
        let mut phases = Vec::new();
        if let Some(dns) = &view.dns {
            let mut said = vec![dns.addresses.join(", ")];
            if dns.refused > 0 {
                said.push(format!("{} more may not be dialled", dns.refused));
            }
            phases.push(Phase { name: "DNS", took: millis(dns.duration_ms), said });
        }
        if let Some(connection) = &view.connection {
            let said = vec![connection.address.clone()];
            phases.push(Phase { name: "Connection", took: millis(connection.duration_ms), said });
        }
        if let Some(tls) = &view.tls {
            phases.push(Phase { name: "TLS", took: millis(tls.duration_ms), said: of_tls(tls) });
        }
        if let Some(answer) = &view.answer {
            let said = vec![format!("{} {}", answer.version, answer.status)];
            phases.push(Phase { name: "Answer", took: millis(answer.duration_ms), said });
        }
        Self {
            delivered: view.delivered,
            took: millis(view.duration_ms),
            failure: view.failure.map(|failure| (phase(failure.phase), failure.reason)),
            warnings: view.warnings,
            phases,
            answer: view.answer.map(|answer| (answer.status, answer.message)),
            event: view.event_id,
        }
    }
}

/// The phase's name as people read it.
fn phase(name: &'static str) -> &'static str {
    match name {
        "endpoint" => "Endpoint",
        "dns" => "DNS",
        "connect" => "Connection",
        "tls" => "TLS",
        _ => "Answer",
    }
}

fn of_tls(tls: &TlsView) -> Vec<String> {
    let parts = [&tls.version, &tls.cipher_suite, &tls.application_protocol];
    let agreed: Vec<&str> = parts.into_iter().filter_map(|part| part.as_deref()).collect();
    let mut said = Vec::new();
    if !agreed.is_empty() {
        said.push(agreed.join(", "));
    }
    said.extend(tls.chain.iter().map(of_certificate));
    said.push(match (&tls.distrust, tls.trusted) {
        (Some(why), _) => format!("Not to be trusted: {why}"),
        (None, true) => "To be trusted".to_owned(),
        (None, false) => "No certificate was shown".to_owned(),
    });
    said
}

fn of_certificate(one: &CertificateView) -> String {
    let names = match one.names.as_slice() {
        [] => String::new(),
        names => format!(" for {}", names.join(", ")),
    };
    format!("{}{names}, issued by {}, until {}", one.subject, one.issuer, one.not_after)
}

fn millis(number: f64) -> String {
    format!("{number:.1} ms")
}

#[cfg(test)]
mod tests {
    use auditrelay_api_core::test_delivery::{AnswerView, FailureView, LookupView};

    use super::*;

    #[test]
    fn what_was_seen_is_shown_as_text() {
        let view = View {
            delivered: false,
            failure: Some(FailureView { phase: "http", reason: "answered 401".to_owned() }),
            warnings: vec!["the connection is not encrypted".to_owned()],
            at: String::new(),
            duration_ms: 12.345,
            event_id: "e".to_owned(),
            dns: Some(LookupView {
                addresses: vec!["203.0.113.7".to_owned()],
                refused: 2,
                duration_ms: 0.5,
            }),
            connection: None,
            tls: None,
            answer: Some(AnswerView {
                version: "HTTP/1.1".to_owned(),
                status: 401,
                message: "<script>no</script>".to_owned(),
                duration_ms: 3.0,
            }),
            trace_id: None,
        };
        let html = Tested::of(view).to_string();
        for words in ["Answer: answered 401", "2 more may not be dialled", "12.3 ms", "401"] {
            assert!(html.contains(words), "{words} in {html}");
        }
        assert!(!html.contains("<script>"), "{html}");
    }
}
