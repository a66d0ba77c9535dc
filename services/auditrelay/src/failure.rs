//! Why a command did not do what it was asked, and the exit code that says so.

use crate::client::ClientError;
use crate::output::{self, Output};

/// Wrong command line (`EX_USAGE`).
pub(crate) const USAGE: u8 = 64;
/// The other side cannot be reached (`EX_UNAVAILABLE`).
const UNAVAILABLE: u8 = 69;
/// A file or a socket does not obey (`EX_IOERR`).
const IO: u8 = 74;
/// Wrong settings (`EX_CONFIG`).
const CONFIG: u8 = 78;

/// Why a command ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The arguments contradict each other, or one cannot be read.
    #[error("{0}")]
    Usage(String),
    /// A server answered, and not as hoped; or nobody answered.
    #[error("{0}")]
    Client(#[from] ClientError),
    /// The broker is away.
    #[error("{0}")]
    Unreachable(String),
    /// What a name points to cannot be read, written or listened on.
    #[error("{what}: {source}")]
    Io {
        /// The file or the address.
        what: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// One line for each mistake.
    #[error("{0}")]
    Settings(String),
    /// Anything else.
    #[error("{0:#}")]
    Other(#[from] anyhow::Error),
}

impl Failure {
    /// Names the file or address that an I/O error is about.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    /// The process's exit code.
    pub(crate) const fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => USAGE,
            Self::Unreachable(_) | Self::Client(ClientError::Unreachable { .. }) => UNAVAILABLE,
            Self::Client(ClientError::Refused(_) | ClientError::Unreadable { .. })
            | Self::Other(_) => 1,
            Self::Io { .. } => IO,
            Self::Settings(_) => CONFIG,
        }
    }

    /// Tells it on stderr: in words, or the server's own document for machines.
    pub(crate) fn print(&self, output: Output) {
        match (self, output) {
            // Already `config: <key>: <reason>` lines.
            (Self::Settings(lines), _) => output::note(lines.trim_end()),
            (Self::Client(ClientError::Refused(refusal)), Output::Json) => {
                output::note(&refusal.document.to_string());
            }
            (_, Output::Json) => {
                output::note(&serde_json::json!({ "error": self.to_string() }).to_string());
            }
            (_, Output::Text) => output::note(&format!("auditrelay: {self}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_has_its_own_exit_code() {
        let unreachable = ClientError::Unreachable {
            url: "http://127.0.0.1:1".to_owned(),
            reason: "refused".to_owned(),
        };
        let io = Failure::io("f")(std::io::Error::other("x"));
        let cases = [
            (Failure::Usage(String::new()), 64),
            (Failure::Client(unreachable), 69),
            (Failure::Unreachable(String::new()), 69),
            (io, 74),
            (Failure::Settings(String::new()), 78),
            (Failure::Other(anyhow::anyhow!("x")), 1),
        ];
        for (failure, code) in cases {
            assert_eq!(failure.code(), code, "{failure}");
        }
    }
}
