//! The folder of one server: its data, its configuration, its log, and the lock on it all.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use crate::error::BrokerError;
use crate::options::BrokerOptions;

/// A server whose parent has just died needs a moment to end; its successor waits for it.
const LOCK_TRIES: u32 = 60;
const LOCK_PAUSE: Duration = Duration::from_millis(50);
/// A longer log begins anew at the next start.
const LOG_BYTES_MAX: u64 = 1_024 * 1_024;
/// How much of the log's end an error shows.
const TAIL_BYTES: u64 = 4_096;
const TAIL_LINES: usize = 12;

/// A locked store, ready for a server.
#[derive(Debug)]
pub(crate) struct Store {
    /// Absolute.
    folder: PathBuf,
    /// The log is the lock too: the server inherits it as its stderr and so holds the lock until
    /// it has really ended, even when this process died before it.
    log: File,
}

impl Store {
    /// Makes, locks and fills the folder. Blocks, for seconds when the store is in use.
    pub(crate) fn open(options: &BrokerOptions) -> Result<Self, BrokerError> {
        let failed = |source: io::Error| BrokerError::Store { path: options.store.clone(), source };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&options.store).map_err(failed)?;
        let folder = options.store.canonicalize().map_err(failed)?;
        let log = OpenOptions::new()
            .create(true)
            .read(true)
            .append(true)
            .mode(0o600)
            .open(folder.join("nats-server.log"))
            .map_err(failed)?;
        lock(&log, &folder)?;
        if log.metadata().map_err(failed)?.len() > LOG_BYTES_MAX {
            log.set_len(0).map_err(failed)?;
        }
        let store = Self { folder, log };
        store.fill(options).map_err(failed)?;
        Ok(store)
    }

    pub(crate) fn config_file(&self) -> PathBuf {
        self.folder.join("nats-server.conf")
    }

    /// The log, for a child to write to.
    pub(crate) fn log_handle(&self) -> io::Result<File> {
        self.log.try_clone()
    }

    /// The file in which the server of this process id says where it listens.
    pub(crate) fn ports_file(&self, binary: &Path, pid: u32) -> PathBuf {
        let name = binary.file_name().unwrap_or_default().to_string_lossy();
        self.folder.join("run").join(format!("{name}_{pid}.ports"))
    }

    /// How long the log is.
    pub(crate) fn log_len(&self) -> u64 {
        self.log.metadata().map_or(0, |metadata| metadata.len())
    }

    /// The last lines of the log from `start` on.
    pub(crate) fn log_tail(&self, start: u64) -> String {
        let from = start.max(self.log_len().saturating_sub(TAIL_BYTES));
        let mut bytes = Vec::new();
        // A handle of its own: this one shares its position with the server's.
        let read = File::open(self.folder.join("nats-server.log")).and_then(|mut log| {
            log.seek(SeekFrom::Start(from))?;
            log.take(TAIL_BYTES).read_to_end(&mut bytes)
        });
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        match (read, lines.as_slice()) {
            (Err(error), _) => format!("(its log cannot be read: {error})"),
            (Ok(_), []) => "(it wrote nothing)".to_owned(),
            (Ok(_), lines) => {
                lines.get(lines.len().saturating_sub(TAIL_LINES)..).unwrap_or(lines).join("\n")
            }
        }
    }

    fn fill(&self, options: &BrokerOptions) -> io::Result<()> {
        let run = self.folder.join("run");
        // What a killed server left there would name ports that nobody listens on.
        match fs::remove_dir_all(&run) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        fs::create_dir(&run)?;
        fs::write(self.config_file(), options.config(&self.folder))
    }
}

fn lock(log: &File, folder: &Path) -> Result<(), BrokerError> {
    for _ in 0..LOCK_TRIES {
        match log.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) => sleep(LOCK_PAUSE),
            Err(TryLockError::Error(source)) => {
                return Err(BrokerError::Store { path: folder.to_owned(), source });
            }
        }
    }
    Err(BrokerError::StoreInUse { path: folder.to_owned() })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_store_belongs_to_one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let options = BrokerOptions::new(folder.path().join("deep/store"));
        let first = Store::open(&options).unwrap();
        let held = first.log_handle().unwrap();
        drop(first);
        let refused = Store::open(&options).unwrap_err();
        assert!(matches!(refused, BrokerError::StoreInUse { .. }), "{refused}");
        drop(held);
        Store::open(&options).unwrap();
    }

    #[test]
    fn an_error_shows_the_end_of_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(&BrokerOptions::new(folder.path())).unwrap();
        writeln!(store.log, "of an earlier start").unwrap();
        let start = store.log_len();
        assert_eq!(store.log_tail(start), "(it wrote nothing)");
        for number in 0..100 {
            writeln!(store.log, "line {number}").unwrap();
        }
        let tail = store.log_tail(start);
        assert!(tail.starts_with("line 88\n") && tail.ends_with("line 99"), "{tail}");
    }

    #[test]
    fn a_place_that_cannot_be_a_store_is_named() {
        let refused = Store::open(&BrokerOptions::new("/proc/nothing/here")).unwrap_err();
        assert!(refused.to_string().contains("/proc/nothing/here"), "{refused}");
    }
}
