//! Which nats-server to run.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;

use crate::error::BrokerError;
use crate::provide;
use crate::version::Version;

/// How long a server may take to say its version.
const ANSWER: Duration = Duration::from_secs(10);

/// A nats-server that is new enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binary {
    /// Where it is.
    pub path: PathBuf,
    /// What it says it is.
    pub version: Version,
}

impl Binary {
    /// The server at `path`, if it is one and new enough.
    pub async fn at(path: PathBuf) -> Result<Self, BrokerError> {
        let version = version_of(&path).await?;
        if version < Version::FLOOR {
            return Err(BrokerError::TooOld { path, version });
        }
        Ok(Self { path, version })
    }
}

/// The server to run: the one that `NATS_SERVER_BIN` names (or an error about it), else one on
/// `PATH` that is new enough, else the one provided earlier, else one provided now.
pub async fn find_or_provide() -> Result<Binary, BrokerError> {
    if let Some(path) = env::var_os("NATS_SERVER_BIN").filter(|path| !path.is_empty()) {
        return Binary::at(PathBuf::from(path)).await;
    }
    for path in on_path(env::var_os("PATH")) {
        match Binary::at(path).await {
            Ok(binary) => return Ok(binary),
            Err(reason) => tracing::info!(%reason, "nats-server on PATH is not used"),
        }
    }
    Binary::at(provide::cached_or_downloaded().await?).await
}

fn on_path(path: Option<OsString>) -> Vec<PathBuf> {
    let path = path.unwrap_or_default();
    env::split_paths(&path)
        .map(|folder| folder.join("nats-server"))
        .filter(|file| file.is_file())
        .collect()
}

async fn version_of(path: &Path) -> Result<Version, BrokerError> {
    let failed = |reason: String| BrokerError::NotAServer { path: path.to_owned(), reason };
    let said = Command::new(path).arg("-v").kill_on_drop(true).output();
    let said = match tokio::time::timeout(ANSWER, said).await {
        Ok(Ok(said)) => said,
        Ok(Err(error)) => return Err(failed(error.to_string())),
        Err(_) => return Err(failed("it does not say its version".to_owned())),
    };
    let text = String::from_utf8_lossy(&said.stdout);
    Version::parse(&text).ok_or_else(|| failed("it does not say its version".to_owned()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn server(folder: &Path, says: &str) -> PathBuf {
        let path = folder.join("nats-server");
        fs::write(&path, format!("#!/bin/sh\necho '{says}'\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// One test, because a script that is being written when another thread forks cannot be run.
    #[tokio::test]
    async fn an_old_server_and_what_is_no_server_are_refused_with_a_clear_sentence() {
        let folder = tempfile::tempdir().unwrap();
        let refused = Binary::at(server(folder.path(), "nats-server: v2.9.10")).await.unwrap_err();
        let said = refused.to_string();
        assert!(said.contains("is nats-server 2.9.10, but 2.14.7 or newer is needed"), "{said}");
        for path in [server(folder.path(), "hello"), folder.path().join("missing")] {
            let refused = Binary::at(path).await.unwrap_err();
            assert!(matches!(refused, BrokerError::NotAServer { .. }), "{refused}");
        }
    }

    #[test]
    fn servers_are_looked_for_in_every_folder_of_the_path() {
        let (empty, full) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let found = server(full.path(), "");
        let path = env::join_paths([empty.path(), full.path()]).unwrap();
        assert_eq!(on_path(Some(path)), [found]);
        assert!(on_path(None).is_empty());
    }
}
