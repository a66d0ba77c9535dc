//! Lines on disk before anybody is told that they were taken.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// A file of lines that only ever grows by whole requests.
#[derive(Debug, Clone)]
pub(super) struct Store(Arc<Mutex<Tail>>);

#[derive(Debug)]
struct Tail {
    file: File,
    length: u64,
}

impl Store {
    /// Opens or makes the file. A last line without its end is the rest of a write that was
    /// never answered for: it is cut off, its sender sends it again.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let mut file = options.read(true).write(true).create(true).truncate(false).open(path)?;
        let length = whole_lines(&mut file)?;
        file.set_len(length)?;
        file.seek(SeekFrom::Start(length))?;
        Ok(Self(Arc::new(Mutex::new(Tail { file, length }))))
    }

    /// Appends the lines of one request, all or none, and returns once they are on disk.
    pub(super) async fn append(&self, lines: Vec<String>) -> io::Result<()> {
        let tail = self.0.clone();
        let written = tokio::task::spawn_blocking(move || {
            tail.lock().unwrap_or_else(PoisonError::into_inner).append(&lines)
        });
        written.await.map_err(io::Error::other)?
    }
}

impl Tail {
    fn append(&mut self, lines: &[String]) -> io::Result<()> {
        let mut text = lines.join("\n");
        if text.is_empty() {
            return Ok(());
        }
        text.push('\n');
        match self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_data()) {
            Ok(()) => {
                self.length += u64::try_from(text.len()).unwrap_or(0);
                Ok(())
            }
            Err(error) => {
                self.file.set_len(self.length)?;
                self.file.seek(SeekFrom::Start(self.length))?;
                Err(error)
            }
        }
    }
}

/// The length up to the end of the last whole line.
fn whole_lines(file: &mut File) -> io::Result<u64> {
    let mut end = file.metadata()?.len();
    let mut block = [0_u8; 4096];
    while end > 0 {
        let start = end.saturating_sub(4096);
        let size = usize::try_from(end - start).unwrap_or(0);
        let part = block.get_mut(..size).unwrap_or_default();
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(part)?;
        if let Some(at) = part.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + u64::try_from(at).unwrap_or(0) + 1);
        }
        end = start;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_torn_line_is_cut_off_and_whole_ones_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events");
        let long = "x".repeat(9000);
        std::fs::write(&path, format!("one\n{long}")).unwrap();
        let store = Store::open(&path).unwrap();
        store.append(vec!["two".to_owned(), "three".to_owned()]).await.unwrap();
        store.append(Vec::new()).await.unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntwo\nthree\n");
        Store::open(&path).unwrap().append(vec!["four".to_owned()]).await.unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntwo\nthree\nfour\n");
    }
}
