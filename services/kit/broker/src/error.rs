//! Why there is no broker.

use std::path::PathBuf;
use std::time::Duration;

use crate::version::Version;

/// How else to get a server.
pub(crate) const HINT: &str = "\
install nats-server 2.14.7 or newer by any of these:
  brew install nats-server
  https://github.com/nats-io/nats-server/releases (unpack, put on PATH or in NATS_SERVER_BIN)
or run one yourself and give its address:
  docker run -p 4222:4222 nats:2.15 -js";

/// Why there is no broker.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// `NATS_SERVER_BIN` names something that is no server.
    #[error("{path} is not a nats-server: {reason}")]
    NotAServer {
        /// What was tried.
        path: PathBuf,
        /// Why it cannot be used.
        reason: String,
    },
    /// `NATS_SERVER_BIN` names a server below the floor.
    #[error(
        "{path} is nats-server {version}, but {floor} or newer is needed: older servers ignore settings that the audit log relies on, without saying so",
        floor = Version::FLOOR
    )]
    TooOld {
        /// The server.
        path: PathBuf,
        /// What it is.
        version: Version,
    },
    /// There is none, and none could be downloaded.
    #[error("no nats-server was found and it cannot be downloaded: {reason}\n{HINT}")]
    NotProvided {
        /// What was missing or failed.
        reason: String,
    },
    /// Another process uses the store folder.
    #[error("the store {path} is in use by another auditrelay or nats-server")]
    StoreInUse {
        /// The store.
        path: PathBuf,
    },
    /// The store folder cannot be used.
    #[error("the store {path} cannot be used")]
    Store {
        /// The store.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The supervisor could not be run.
    #[error("nats-server cannot be run")]
    Run(#[source] std::io::Error),
    /// The server ended instead of serving.
    #[error("nats-server did not start:\n{log}")]
    Ended {
        /// The last lines that it wrote.
        log: String,
    },
    /// The server did not serve in time.
    #[error("nats-server did not start within {within:?}:\n{log}")]
    TooSlow {
        /// How long it had.
        within: Duration,
        /// The last lines that it wrote.
        log: String,
    },
}
