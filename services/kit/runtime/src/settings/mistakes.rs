//! What is wrong with the settings, one line each.

use std::fmt;

/// One setting that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The key, the variable, or the path of the file.
    pub key: String,
    /// What is wrong, without the value.
    pub reason: String,
}

/// Everything that is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistakes(pub Vec<Mistake>);

impl Mistake {
    pub(super) fn unknown(key: &str, nearest: Option<&str>) -> Self {
        let reason = match nearest {
            Some(nearest) => format!("unknown key (did you mean {nearest}?)"),
            None => "unknown key".to_owned(),
        };
        Self { key: key.to_owned(), reason }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "config: {}: {}", self.key, self.reason)
    }
}

impl Mistakes {
    /// What a process exits with: `EX_CONFIG` of `sysexits.h`.
    pub const EXIT_CODE: u8 = 78;
}

/// A line per mistake, without a newline at the end.
impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.0.iter().enumerate() {
            let newline = if index == 0 { "" } else { "\n" };
            write!(f, "{newline}{mistake}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}
