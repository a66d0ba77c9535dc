//! What may be said in the setting of the log level.

use std::fmt;
use std::str::FromStr;

use tracing_subscriber::EnvFilter;

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// A log filter that can be used: a level, or directives like `info,auditrelay_ingest=debug`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFilter(String);

impl LogFilter {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for LogFilter {
    fn default() -> Self {
        Self("info".to_owned())
    }
}

impl fmt::Display for LogFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for LogFilter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        for directive in text.split(',').map(str::trim) {
            // A lone word would be read as the name of a module, and `verbose` would pass.
            let lone_word = directive.chars().all(|c| c.is_ascii_alphanumeric());
            if lone_word && !LEVELS.contains(&directive.to_ascii_lowercase().as_str()) {
                return Err(format!("must be one of {}", LEVELS.join(", ")));
            }
        }
        EnvFilter::try_new(text).map_err(|error| error.to_string())?;
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_a_level_or_directives() {
        for good in ["info", "WARN", "off", "info,auditrelay_ingest=debug", "auditrelay_api=trace"]
        {
            assert!(good.parse::<LogFilter>().is_ok(), "{good}");
        }
        for bad in ["", "verbose", "info,", "auditrelay_api=loud"] {
            assert!(bad.parse::<LogFilter>().is_err(), "{bad}");
        }
    }
}
