//! Archives that somebody tampered with.

use auditrelay_signing::manifest::{Delivery, Writing};
use auditrelay_signing::{KeySet, SystemRandom};

use super::*;

const ORG: &str = "998db3e4-5cb7-4dd5-b51c-9878096a6999";

struct Sender(KeySet);

impl Sender {
    fn new() -> Self {
        Self(KeySet::generate("k1", "2026-01-01T00:00:00Z", &SystemRandom::new()).unwrap())
    }

    fn json(&self, number: u64) -> String {
        let (id, rt) = (id(number), 1_000_000 + number * 1_000);
        self.seal_json(&format!(
            r#"{{"event_epoch":1,"event_id":"{id}","event_number":{number},"org_id":"{ORG}","rt":{rt}}}"#
        ))
    }

    fn seal_json(&self, text: &str) -> String {
        let signature = self.0.current().sign(text.as_bytes());
        format!(r#"{},"sig":"{signature}"}}"#, text.strip_suffix('}').unwrap())
    }

    fn cef(&self, number: u64, name: &str) -> String {
        let text = format!(
            "2025-06-18T21:02:36Z konghq.com CEF:0|KongInc|Konnect|1.0|identity|{name}|1|\
             rt=1000 src= org_id={ORG} user_agent=x\\=y externalId={} event_epoch=1 event_number={number}",
            id(number)
        );
        let signature = self.0.current().sign(text.as_bytes());
        format!("{text} sig={signature}")
    }

    fn manifest(&self, numbers: std::ops::RangeInclusive<u64>) -> String {
        self.chained(numbers, None)
    }

    /// The same, behind what ends with this digest.
    fn chained(&self, numbers: std::ops::RangeInclusive<u64>, past: Option<u8>) -> String {
        let mut writing = Writing::default();
        for number in numbers.clone() {
            writing.event((1, number), &id(number));
        }
        if let Some(past) = past {
            writing.chain((1, *numbers.start()), &[past; 32]);
        }
        let delivery = Delivery {
            id: format!("msg_{}", numbers.start()),
            org_id: ORG.to_owned(),
            portal_id: None,
            job: None,
            sent_at: 1_000,
        };
        writing.sign(self.0.current(), delivery)
    }

    fn check<T: AsRef<str>>(&self, texts: impl IntoIterator<Item = T>) -> Report {
        let mut archive = Archive::new(self.0.jwks().verifier());
        for (line, text) in (1..).zip(texts) {
            archive.take(text.as_ref(), || Spot { file: "f".to_owned(), line });
        }
        archive.report()
    }
}

fn id(number: u64) -> String {
    format!("01890a5d-ac96-774b-bcce-{number:012}")
}

fn gaps(report: &Report) -> Vec<(u64, u64)> {
    report.incomplete().flat_map(|(_, gaps)| gaps).map(|gap| (gap.first, gap.last)).collect()
}

#[test]
fn whole_numbers_are_complete_in_any_order_and_format() {
    let sender = Sender::new();
    let cps = |number| {
        let json = sender.json(number);
        let (flat, _) = json.split_once(r#","sig""#).unwrap();
        let text = format!(r#"{{"event":{flat}}}}}"#);
        let signature = sender.0.current().sign(text.as_bytes());
        format!(r#"{},"sig":"{signature}"}}}}"#, text.strip_suffix("}}").unwrap())
    };
    let lines = [
        sender.json(3),
        sender.cef(1, "Authz.a"),
        cps(4),
        sender.manifest(1..=4),
        sender.json(2),
        String::new(),
    ];
    let report = sender.check(&lines);
    assert!(report.is_complete(), "{}", report.to_text());
    assert!(report.to_text().contains("epoch 1: complete from 1 to 4"), "{}", report.to_text());
    assert_eq!((report.counts.lines, report.counts.manifests), (4, 1));
}

#[test]
fn every_missing_line_is_a_gap_with_its_neighbours_times() {
    let sender = Sender::new();
    let all: Vec<String> = (1..=9).map(|number| sender.json(number)).collect();
    for missing in 2..=8 {
        let rest = all.iter().enumerate().filter(|(at, _)| at + 1 != missing).map(|(_, line)| line);
        let report = sender.check(rest);
        let missing = missing as u64;
        assert!(!report.is_complete());
        assert_eq!(gaps(&report), [(missing, missing)]);
        let (_, found) = report.incomplete().next().unwrap();
        let at = |number: u64| Some(i64::try_from(1_000_000 + number * 1_000).unwrap());
        assert_eq!((found[0].after, found[0].before), (at(missing - 1), at(missing + 1)));
    }
}

#[test]
fn a_log_that_was_written_anew_is_found_out_by_the_chain_that_manifests_sign() {
    let sender = Sender::new();
    let lines: Vec<String> = (1..=6).map(|number| sender.json(number)).collect();
    let live = [sender.chained(1..=3, None), sender.chained(4..=6, Some(7))];
    // A replay sends the same numbers and ids; its manifest tells of the past as it is now.
    for (past, complete) in [(Some(7), true), (None, true), (Some(8), false)] {
        let replayed = sender.chained(4..=6, past);
        let report = sender.check(lines.iter().chain(&live).chain([&replayed]));
        assert_eq!(report.is_complete(), complete, "{}", report.to_text());
        assert_eq!(report.to_text().contains("the log was written anew"), !complete);
    }
}

#[test]
fn a_manifest_tells_what_is_missing_at_either_end() {
    let sender = Sender::new();
    let lines = [sender.json(4), sender.json(5), sender.manifest(3..=8)];
    let report = sender.check(&lines);
    assert_eq!(gaps(&report), [(3, 3), (6, 8)]);
    assert!(report.to_text().contains("delivery msg_3: 4 of its events are missing"));
    let nothing = sender.check([sender.manifest(1..=2)]);
    assert_eq!(gaps(&nothing), [(1, 2)]);
    assert!(!sender.check(&lines[..0]).is_complete(), "nothing proves nothing");
}

#[test]
fn every_altered_character_of_a_line_is_noticed() {
    let sender = Sender::new();
    for line in [sender.json(2), sender.cef(2, "Authz.a")] {
        for at in 0..line.len() {
            let other = if line.as_bytes()[at] == b'7' { "8" } else { "7" };
            let mut altered = line.clone();
            altered.replace_range(at..=at, other);
            let report = sender.check([sender.json(1), altered.clone(), sender.json(3)]);
            assert!(!report.is_complete(), "{altered}");
            assert_eq!(gaps(&report), [(2, 2)], "{altered}");
        }
    }
}

#[test]
fn a_line_of_another_key_is_forged_and_named() {
    let (sender, stranger) = (Sender::new(), Sender::new());
    let report = sender.check([sender.json(1), stranger.json(2), stranger.manifest(1..=2)]);
    let lines: Vec<u64> = report.faults.iter().map(|fault| fault.spot.line).collect();
    assert_eq!((report.counts.faults, lines), (2, vec![2, 3]));
    assert!(report.to_text().contains("f:2: the line's signature does not hold"));
}

#[test]
fn repeats_are_counted_and_contradictions_are_faults() {
    let sender = Sender::new();
    let report = sender.check([sender.json(1), sender.json(1), sender.cef(1, "Authz.a")]);
    assert!(report.is_complete(), "{}", report.to_text());
    assert_eq!(report.counts.duplicates, 2);
    let other = sender.json(2).replace(&id(2), &id(7));
    let (text, _) = auditrelay_signing::line::split(&other).unwrap();
    let other = sender.seal_json(&text);
    let report = sender.check([sender.json(1), sender.json(2), other.clone()]);
    assert_eq!(report.faults[0].reason, "another event has the same place in the log");
    let report = sender.check([sender.json(1), other, sender.manifest(1..=2)]);
    assert!(report.to_text().contains("other events stand in the places of its own"));
    assert!(!report.is_complete());
}

#[test]
fn what_a_header_or_a_value_says_is_no_field() {
    let sender = Sender::new();
    let line = sender.cef(1, r"Authz. externalId=x\|rt=5 org_id=y event_number=9");
    let report = sender.check([line]);
    assert!(report.is_complete(), "{}", report.to_text());
    assert_eq!(report.logs[0].0.org, ORG);
}

#[test]
fn a_collectors_documents_are_opened() {
    let sender = Sender::new();
    let wrapped = ["_raw", "message", "event", "log"].into_iter().zip(1..).map(|(key, number)| {
        serde_json::json!({ key: sender.json(number), "host": "siem" }).to_string()
    });
    let report = sender.check(wrapped);
    assert!(report.is_complete(), "{}", report.to_text());
    assert_eq!(report.counts.lines, 4);
    let report = sender.check([r#"{"message":"something else"}"#, "nonsense", "a.b.c"]);
    assert_eq!((report.counts.foreign, report.counts.faults), (3, 0));
}

#[test]
fn programs_get_the_same() {
    let sender = Sender::new();
    let report = sender.check([sender.json(1), sender.json(3)]).to_json();
    assert_eq!(report["complete"], false);
    assert_eq!(report["logs"][0]["epochs"][0]["gaps"][0]["first"], 2);
    assert_eq!(report["logs"][0]["org_id"], ORG);
}
