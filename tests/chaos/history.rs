//! What happened, in order, with times; kept in a file that a failed run leaves behind.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

pub(crate) struct History {
    begun: Instant,
    lines: Mutex<Vec<String>>,
    file: PathBuf,
}

impl History {
    pub(crate) fn new(name: &str) -> Self {
        let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("chaos-{name}.log"));
        Self { begun: Instant::now(), lines: Mutex::default(), file }
    }

    pub(crate) fn say(&self, what: &str) {
        let line = format!("{:8.3} {what}", self.begun.elapsed().as_secs_f64());
        eprintln!("{line}");
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    /// Writes it down; says where.
    pub(crate) fn keep(&self) -> String {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner).join("\n");
        let mut file = std::fs::File::create(&self.file).expect("a writable target folder");
        file.write_all(lines.as_bytes()).expect("room for the history");
        self.file.display().to_string()
    }
}
