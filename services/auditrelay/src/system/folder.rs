//! The data folder: one process at a time, secrets readable by their owner only.

use std::fs::{DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use auditrelay_runtime::ids;

use super::bootstrap::Tokens;
use crate::commands::keys::{fresh_sealing_keys, fresh_signing_keys};
use crate::commands::org::PLATFORM_TOKEN;
use crate::failure::Failure;
use crate::files;

const TOKENS: &str = "tokens.json";

/// An open data folder; it is locked until this is dropped.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Opens the folder, makes what is missing in it, and locks it.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let name = path.display().to_string();
        let failed = |error| Failure::io(name.clone())(error);
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
        let path = path.canonicalize().map_err(failed)?;
        let lock = File::create(path.join("lock")).map_err(failed)?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => failed(io::Error::other("another auditrelay uses it")),
            TryLockError::Error(error) => failed(error),
        })?;
        let folder = Self { path, _lock: lock };
        folder.make("signing.json", || Ok(fresh_signing_keys()?.1.to_string()))?;
        folder.make("sealing.json", || Ok(fresh_sealing_keys()?.1.to_string()))?;
        folder.make("platform-token", || Ok(fresh_token()))?;
        folder.make("privacy-key", || Ok(fresh_token()))?;
        Ok(folder)
    }

    fn make(
        &self,
        name: &str,
        content: impl FnOnce() -> Result<String, Failure>,
    ) -> Result<(), Failure> {
        let path = self.path.join(name);
        if path.exists() {
            return Ok(());
        }
        // Written aside first: a crash must not leave half a key behind.
        files::replace_private(&path, &content()?).map_err(Failure::io(path.display().to_string()))
    }

    fn file(&self, name: &str) -> String {
        self.path.join(name).display().to_string()
    }

    /// The file with the signing keys.
    pub(super) fn signing_keys(&self) -> String {
        self.file("signing.json")
    }

    /// The file with the sealing keys.
    pub(super) fn sealing_keys(&self) -> String {
        self.file("sealing.json")
    }

    /// The file with the key of hashed fields.
    pub(super) fn privacy_key(&self) -> String {
        self.file("privacy-key")
    }

    /// The file with the platform's token.
    pub(crate) fn platform_token(&self) -> String {
        self.file("platform-token")
    }

    /// The file with the organization and its tokens.
    pub(super) fn tokens(&self) -> PathBuf {
        self.path.join(TOKENS)
    }

    /// Where the broker keeps the streams.
    pub(super) fn broker_store(&self) -> PathBuf {
        self.path.join("nats")
    }
}

/// Where `dev` keeps everything unless it is told otherwise.
pub(crate) fn default_data() -> PathBuf {
    match std::env::var_os("XDG_DATA_HOME").filter(|home| !home.is_empty()) {
        Some(home) => Path::new(&home).join("auditrelay"),
        None => PathBuf::from(".auditrelay"),
    }
}

/// The token that `dev` made, by the variable that would hold it; none where `dev` never ran.
pub(crate) fn kept_token(variable: &str) -> Option<String> {
    let data = default_data();
    if variable == PLATFORM_TOKEN {
        return std::fs::read_to_string(data.join("platform-token")).ok();
    }
    let tokens = std::fs::read_to_string(data.join(TOKENS)).ok()?;
    serde_json::from_str::<Tokens>(&tokens).ok().map(|tokens| tokens.admin)
}

/// 244 bits of chance.
fn fresh_token() -> String {
    format!("arp_{}{}", ids::uuid_v4().simple(), ids::uuid_v4().simple())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn everything_in_it_is_private_and_kept() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("data");
        let first = {
            let folder = Folder::open(&path).unwrap();
            std::fs::read_to_string(folder.signing_keys()).unwrap()
        };
        let folder = Folder::open(&path).unwrap();
        assert_eq!(std::fs::read_to_string(folder.signing_keys()).unwrap(), first);
        for name in [folder.signing_keys(), folder.sealing_keys(), folder.platform_token()] {
            let mode = std::fs::metadata(&name).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn two_processes_never_share_it() {
        let parent = tempfile::tempdir().unwrap();
        let _first = Folder::open(parent.path()).unwrap();
        let second = Folder::open(parent.path()).unwrap_err();
        assert!(second.to_string().contains("another auditrelay"), "{second}");
    }
}
