//! What a SIEM has stored, checked with nothing but the published keys.
//!
//! Cast: a stored text is an event's [`line`] or a manifest; lines whose signature holds enter
//! their [`log`] at their place; the [`report`] says which stretches are complete, what is
//! missing between them, and what was forged. Pure.

mod line;
mod log;
mod report;

use std::collections::BTreeMap;

use auditrelay_signing::manifest::Manifest;
use auditrelay_signing::{Verifier, line as signature};

pub(crate) use self::line::LogName;
use self::log::{Log, Taken};
pub(crate) use self::report::Report;

/// Where a stored text was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spot {
    /// The file, as it was named.
    pub(crate) file: String,
    /// Its line, from 1.
    pub(crate) line: u64,
}

/// A text that is not what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Where it is.
    pub(crate) spot: Spot,
    /// What is wrong with it.
    pub(crate) reason: &'static str,
}

/// How many faults are remembered one by one; all are counted.
const FAULTS_SHOWN: usize = 100;

/// Everything that was read so far.
#[derive(Debug)]
pub(crate) struct Archive {
    keys: Verifier,
    logs: BTreeMap<LogName, Log>,
    counts: Counts,
    faults: Vec<Fault>,
}

/// What was read, in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Lines of events whose signature holds, repeated ones included.
    pub(crate) lines: u64,
    /// Lines of events that were there already.
    pub(crate) duplicates: u64,
    /// Manifests whose signature holds.
    pub(crate) manifests: u64,
    /// Genuine lines that name no place: older than the numbers in the lines.
    pub(crate) unplaced: u64,
    /// Lines and manifests that are not genuine, or contradict another.
    pub(crate) faults: u64,
    /// Texts that are neither.
    pub(crate) foreign: u64,
}

impl Archive {
    /// Checks with these keys.
    pub(crate) fn new(keys: Verifier) -> Self {
        Self { keys, logs: BTreeMap::new(), counts: Counts::default(), faults: Vec::new() }
    }

    /// Takes in one stored text.
    pub(crate) fn take(&mut self, text: &str, spot: impl FnOnce() -> Spot) {
        let text = line::unwrapped(text.trim());
        let wrong = if text.is_empty() {
            None
        } else if Manifest::is_like(&text) {
            self.take_manifest(&text)
        } else {
            self.take_line(&text)
        };
        if let Some(reason) = wrong {
            self.counts.faults += 1;
            if self.faults.len() < FAULTS_SHOWN {
                self.faults.push(Fault { spot: spot(), reason });
            }
        }
    }

    fn take_manifest(&mut self, text: &str) -> Option<&'static str> {
        let Ok(manifest) = Manifest::verify(text, &self.keys) else {
            return Some("the manifest's signature does not hold");
        };
        self.counts.manifests += 1;
        let name = LogName {
            org: manifest.delivery.org_id.clone(),
            portal: manifest.delivery.portal_id.clone(),
        };
        let agrees = self.logs.entry(name).or_default().take_manifest(manifest);
        (!agrees).then_some("the log was written anew: another manifest tells of another past")
    }

    fn take_line(&mut self, text: &str) -> Option<&'static str> {
        let Some(event) = line::parse(text) else {
            self.counts.foreign += 1;
            return None;
        };
        let genuine = signature::split(text)
            .is_some_and(|(signed, signature)| self.keys.verify(signed.as_bytes(), signature));
        if !genuine {
            return Some("the line's signature does not hold: forged or altered");
        }
        self.counts.lines += 1;
        let Some(place) = event.place else {
            self.counts.unplaced += 1;
            return None;
        };
        match self.logs.entry(event.log).or_default().take(place, event.id, event.at) {
            Taken::New => None,
            Taken::Again => {
                self.counts.duplicates += 1;
                None
            }
            Taken::Contradicts => Some("another event has the same place in the log"),
        }
    }

    /// What it comes to.
    pub(crate) fn report(self) -> Report {
        let logs = self.logs.iter().map(|(name, log)| (name.clone(), log.findings())).collect();
        Report { logs, counts: self.counts, faults: self.faults }
    }
}

#[cfg(test)]
#[path = "archive_tests.rs"]
mod tests;
