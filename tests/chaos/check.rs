//! What was accepted against what arrived.

use std::collections::{BTreeSet, HashMap, HashSet};

use auditrelay_signing::Verifier;
use auditrelay_testkit::siem::{Delivery, Line, Siem};
use serde_json::Value;

use crate::people::Ledger;

/// What one organization's run came to.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) accepted: usize,
    pub(crate) repeated: usize,
    pub(crate) requests: usize,
    pub(crate) wrong: Vec<String>,
}

/// Ids that were accepted and did not come yet.
pub(crate) fn missing(ledgers: &[&Ledger], arrived: &[String]) -> usize {
    let arrived: HashSet<&String> = arrived.iter().collect();
    accepted(ledgers).filter(|id| !arrived.contains(id)).count()
}

pub(crate) fn accepted<'a>(ledgers: &'a [&Ledger]) -> impl Iterator<Item = &'a String> {
    ledgers.iter().flat_map(|ledger| &ledger.accepted).flat_map(|(_, ids)| ids)
}

/// Live delivery: nothing lost, nothing invented, in order, signed, and numbered without a gap.
pub(crate) fn live(siem: &Siem, ledgers: &[&Ledger], keys: &Verifier) -> Verdict {
    let mut verdict = Verdict::default();
    let arrived = siem.live_ids();
    let mut wrong = |what: &str, count: usize| {
        if count > 0 {
            verdict.wrong.push(format!("{count} {what}"));
        }
    };
    wrong("lost", missing(ledgers, &arrived));
    let sent: HashSet<&String> =
        accepted(ledgers).chain(ledgers.iter().flat_map(|ledger| &ledger.unknown)).collect();
    wrong("invented", arrived.iter().filter(|id| !sent.contains(id)).count());
    let mut first = HashMap::new();
    for (at, id) in arrived.iter().enumerate() {
        first.entry(id).or_insert(at);
    }
    let disorder = |ledger: &&Ledger| {
        let places: Vec<_> = accepted(&[*ledger]).filter_map(|id| first.get(id)).copied().collect();
        places.windows(2).filter(|pair| pair[0] > pair[1]).count()
    };
    wrong("out of order", ledgers.iter().map(disorder).sum());
    wrong("missing in the numbers", gaps(siem));
    wrong("requests ahead of their turn", leaps(siem));
    siem.assert_signed(keys);
    verdict.accepted = accepted(ledgers).count();
    verdict.repeated = arrived.len() - first.len();
    verdict.requests = siem.deliveries().len();
    verdict
}

/// A replay: everything that was delivered before it was asked for, and nothing else.
pub(crate) fn replay(siem: &Siem, job: &Value, past: &[String]) -> Vec<String> {
    let id = job["id"].as_str().unwrap_or_default();
    let replayed: BTreeSet<String> = siem.replayed_ids(id).into_iter().collect();
    let mut wrong = Vec::new();
    if job["state"] != "completed" {
        wrong.push(format!("the replay is not completed: {job}"));
    }
    let lost = past.iter().filter(|id| !replayed.contains(*id)).count();
    if lost > 0 {
        wrong.push(format!("{lost} of {} not replayed", past.len()));
    }
    wrong
}

fn gaps(siem: &Siem) -> usize {
    let numbers: BTreeSet<u64> = siem.taken().iter().flat_map(numbers).collect();
    let whole = usize::try_from(numbers.last().copied().unwrap_or(0)).unwrap_or(0);
    whole - numbers.iter().filter(|number| **number > 0).count()
}

/// Requests of live delivery that were taken while something before them was not.
fn leaps(siem: &Siem) -> usize {
    let (mut next, mut leaps) = (1, 0);
    for delivery in siem.taken().iter().filter(|delivery| delivery.replay_job.is_none()) {
        let numbers = numbers(delivery);
        let (first, last) = (numbers[0], numbers[numbers.len() - 1]);
        let is_whole = numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]);
        leaps += usize::from(first > next || !is_whole);
        next = next.max(last + 1);
    }
    leaps
}

/// Places of a request's events in their log, as its lines say.
fn numbers(delivery: &Delivery) -> Vec<u64> {
    let number = |line: Line| {
        let (_, rest) = line.text.split_once("event_number")?;
        let digits = rest.trim_start_matches(['"', ':', '=']);
        digits.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok()
    };
    delivery.lines().into_iter().map(|line| number(line).unwrap_or(0)).collect()
}
