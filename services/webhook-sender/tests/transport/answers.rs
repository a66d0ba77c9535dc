//! Answers from a data file, from the socket to what is done about them.

use std::time::Duration;

use auditrelay_model::Timestamp;
use auditrelay_webhook_sender_core::judge::{Verdict, judge};
use serde_json::Value;

use super::receiver::Receiver;
use super::send;

const NOW: Timestamp = Timestamp::from_nanos(1_800_000_000_000_000_000);

#[tokio::test]
async fn every_answer_has_its_consequence() {
    let file: Value = toml::from_str(include_str!("answers.toml")).unwrap();
    let mut wrong = Vec::new();
    for row in file["rows"].as_array().unwrap() {
        let text = |key: &str| row[key].as_str().unwrap();
        let receiver = Receiver::answering(text("answer")).await;
        let outcome = send(&receiver.url()).await;
        let (said, after) = in_words(judge(&outcome, NOW));
        let wanted = (text("verdict"), row["after"].as_u64());
        if (said, after.map(|after| after.as_secs())) != wanted {
            wrong.push(format!("{}: {said}, {after:?}: {outcome:?}", text("row")));
        }
        assert_eq!(receiver.requests().len(), 1, "{}: asked once", text("row"));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

const fn in_words(verdict: Verdict) -> (&'static str, Option<Duration>) {
    match verdict {
        Verdict::Delivered => ("delivered", None),
        Verdict::Retry { after } => ("retry", after),
        Verdict::Hold { probe_after } => ("hold", probe_after),
        Verdict::TooLarge => ("too large", None),
        Verdict::Refused => ("refused", None),
    }
}
