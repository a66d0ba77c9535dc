//! Log lines on their way to stderr: a thread of their own writes them, so that a reader who is
//! slow, stuck or gone holds nobody up. What does not fit is dropped and counted.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

use super::counts;

/// Lines that wait, and their bytes.
const LINES_MAX: usize = 8_192;
const BYTES_MAX: usize = 8 * 1_024 * 1_024;

/// How long the end of the process waits for the last lines.
const FLUSH: Duration = Duration::from_secs(1);

enum Message {
    Line(Vec<u8>),
    Flush(SyncSender<()>),
}

/// Where lines are handed over; clones share the way.
#[derive(Debug, Clone)]
pub(super) struct Lines {
    sender: SyncSender<Message>,
    bytes: Arc<AtomicUsize>,
}

/// Waits, when it is dropped, until the lines so far are written.
#[derive(Debug)]
pub(super) struct Flush(Lines);

/// Starts the thread that writes to `out`.
pub(super) fn start(out: impl Write + Send + 'static) -> io::Result<(Lines, Flush)> {
    let (sender, receiver) = sync_channel(LINES_MAX);
    let lines = Lines { sender, bytes: Arc::default() };
    let bytes = Arc::clone(&lines.bytes);
    std::thread::Builder::new()
        .name("log".to_owned())
        .spawn(move || write_all(&receiver, &bytes, out))?;
    Ok((lines.clone(), Flush(lines)))
}

fn write_all(receiver: &Receiver<Message>, bytes: &AtomicUsize, mut out: impl Write) {
    while let Ok(message) = receiver.recv() {
        match message {
            Message::Line(line) => {
                // Also after a failure: a full disk gets room again.
                let written = out.write_all(&line);
                bytes.fetch_sub(line.len(), Ordering::Relaxed);
                counts::line(if written.is_ok() { "written" } else { "dropped" });
            }
            Message::Flush(done) => {
                // Nobody may be waiting any longer.
                let (_, _) = (out.flush(), done.send(()));
            }
        }
    }
}

impl Lines {
    fn hand_over(&self, line: &[u8]) {
        let waiting = self.bytes.fetch_add(line.len(), Ordering::Relaxed);
        let sent =
            waiting < BYTES_MAX && self.sender.try_send(Message::Line(line.to_vec())).is_ok();
        if !sent {
            self.bytes.fetch_sub(line.len(), Ordering::Relaxed);
            counts::line("dropped");
        }
    }
}

impl Write for &Lines {
    /// The subscriber writes each line with one call.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.hand_over(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        let (done, waited) = sync_channel(1);
        if self.0.sender.try_send(Message::Flush(done)).is_ok() {
            let _late = waited.recv_timeout(FLUSH);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// As a pipe that is full and that nobody reads.
    struct Stuck(Receiver<()>);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ended = self.0.recv();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_last_lines_are_written_before_the_end() {
        let out = Shared::default();
        let (lines, flush) = start(out.clone()).unwrap();
        for _ in 0..100 {
            (&lines).write_all(b"a line\n").unwrap();
        }
        drop(flush);
        assert_eq!(out.0.lock().unwrap().len(), 700);
    }

    #[test]
    fn nobody_waits_for_a_reader_that_is_stuck_and_what_waits_is_bounded() {
        let (release, stuck) = sync_channel(0);
        let (lines, flush) = start(Stuck(stuck)).unwrap();
        let line = vec![b'x'; 64 * 1_024];
        for _ in 0..1_000 {
            (&lines).write_all(&line).unwrap();
        }
        assert!(lines.bytes.load(Ordering::Relaxed) <= BYTES_MAX + line.len());
        drop(release);
        drop(flush);
    }
}
