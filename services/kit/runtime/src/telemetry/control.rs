//! Changing what is logged while the process runs, for a while.

use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tracing_subscriber::reload::Handle;
use tracing_subscriber::{EnvFilter, Registry};

use super::LogFilter;

/// The log of this process, once it is installed.
static CONTROL: OnceLock<LogControl> = OnceLock::new();

/// Targets that are ours; all other crates keep to warnings, whatever level is asked for: what
/// they log in detail is not ours to vouch for.
const OURS: [&str; 2] = ["auditrelay", "task"];

/// The way to the filter of the log.
#[derive(Debug)]
pub struct LogControl {
    handle: Handle<EnvFilter, Registry>,
    configured: LogFilter,
    changed: Mutex<Option<Changed>>,
}

/// A filter that is in force for a while.
#[derive(Debug, Clone)]
struct Changed {
    filter: LogFilter,
    until: Instant,
}

/// What is logged now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogState {
    /// What is in force.
    pub filter: LogFilter,
    /// What the settings say.
    pub configured: LogFilter,
    /// When the settings are in force again, if something else is now.
    pub reverts_in: Option<Duration>,
}

impl LogControl {
    pub(super) fn install(handle: Handle<EnvFilter, Registry>, configured: LogFilter) {
        // Telemetry is installed once, and so is this.
        let _again = CONTROL.set(Self { handle, configured, changed: Mutex::new(None) });
    }

    /// The log of this process; none before it is installed.
    pub fn of_process() -> Option<&'static Self> {
        CONTROL.get()
    }

    /// What is logged now.
    pub fn state(&self) -> LogState {
        let changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let configured = self.configured.clone();
        match changed {
            None => LogState { filter: configured.clone(), configured, reverts_in: None },
            Some(Changed { filter, until }) => LogState {
                filter,
                configured,
                reverts_in: Some(until.saturating_duration_since(Instant::now())),
            },
        }
    }

    /// Logs by `filter` for `period`, then by the settings again.
    pub fn change(&'static self, filter: LogFilter, period: Duration) {
        let until = Instant::now() + period;
        tracing::warn!(filter = %filter, for_seconds = period.as_secs(), "log filter changed");
        self.put(Some(Changed { filter, until }));
        tokio::spawn(async move {
            tokio::time::sleep_until(until).await;
            let now = self.changed.lock().unwrap_or_else(PoisonError::into_inner).clone();
            // A later change has an end of its own.
            if now.is_some_and(|now| now.until == until) {
                self.revert();
            }
        });
    }

    /// Logs by the settings again.
    pub fn revert(&self) {
        self.put(None);
        tracing::warn!(filter = %self.configured, "log filter is as configured again");
    }

    fn put(&self, changed: Option<Changed>) {
        let mut known = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        let filter = changed.as_ref().map_or(&self.configured, |changed| &changed.filter);
        // Both were parsed before; a subscriber that is gone logs nothing anyway.
        if let Ok(filter) = EnvFilter::try_new(filter.as_str()) {
            let _gone = self.handle.reload(filter);
        }
        *known = changed;
    }
}

/// The filter that may be asked for while the process runs: a level, which then is that of our
/// own targets, or directives for our own targets.
pub fn runtime_filter(text: &str) -> Result<LogFilter, String> {
    let filter: LogFilter = text.trim().parse()?;
    let mut directives = vec!["warn".to_owned()];
    for directive in filter.as_str().split(',').map(str::trim) {
        let target = directive.split(['=', '[']).next().unwrap_or_default();
        if !directive.contains(['=', '[']) && is_level(directive) {
            directives.extend(OURS.map(|ours| format!("{ours}={directive}")));
        } else if OURS.iter().any(|ours| target.starts_with(ours)) {
            directives.push(directive.to_owned());
        } else {
            return Err("must be a level, or directives for targets of auditrelay".to_owned());
        }
    }
    directives.join(",").parse()
}

fn is_level(text: &str) -> bool {
    text.parse::<tracing::level_filters::LevelFilter>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_that_of_our_own_targets() {
        assert_eq!(runtime_filter("debug").unwrap().as_str(), "warn,auditrelay=debug,task=debug");
        let filter = runtime_filter("auditrelay_ingest=trace").unwrap();
        assert_eq!(filter.as_str(), "warn,auditrelay_ingest=trace");
    }

    #[test]
    fn what_other_crates_say_in_detail_cannot_be_asked_for() {
        for bad in ["hyper=trace", "loud", "", "debug,h2=trace", "[request]=trace"] {
            assert!(runtime_filter(bad).is_err(), "{bad}");
        }
    }
}
