//! Functions that take any bytes and fail when a promise is broken; see README.md.

#![expect(clippy::expect_used, clippy::panic, reason = "a broken promise ends the run")]
#![expect(clippy::missing_panics_doc, reason = "that is what they are for")]

mod answer;
mod asked;
mod sent;
mod signed;

use auditrelay_model::Timestamp;

/// What any bytes are given to.
pub type Target = fn(&[u8]);

/// All of them, by name.
pub const TARGETS: [(&str, Target); 9] = [
    ("ingest", sent::ingest),
    ("documents", asked::documents),
    ("endpoint", asked::endpoint),
    ("query", asked::query),
    ("claims", asked::claims),
    ("stored", stored),
    ("keys", signed::keys),
    ("times", answer::times),
    ("answer", answer::answer),
];

/// Some time.
const NOW: Timestamp = Timestamp::from_nanos(1_800_000_000_123_456_789);

/// Gives bytes to the target of this name.
pub fn run(name: &str, data: &[u8]) {
    let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).expect("a known target");
    target(data);
}

/// Whatever lies in a stream is read or refused.
fn stored(data: &[u8]) {
    let _ = auditrelay_streams::readers_of(data);
}

fn text(data: &[u8]) -> String {
    String::from_utf8_lossy(data).into_owned()
}
