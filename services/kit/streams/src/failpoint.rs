//! Steps at which a process can be told to end as a crash would end it. Only with the feature
//! `failpoints`, for `tests/chaos`; without it nothing of this is compiled.

/// A step on an event's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A request's events are understood, and none is stored.
    Parsed,
    /// A message is on its way to a stream, and nobody knows whether it is stored.
    Published,
    /// A message is stored, and nobody has been told.
    Acknowledged,
    /// A request's events are stored, and its answer has not left.
    Answering,
    /// A record is read, and nothing has been done with it.
    Pulled,
    /// A batch is about to go to its receiver.
    Sending,
    /// The receiver has answered, and nothing of it is stored.
    Sent,
    /// A batch is done, as the lane's facts and the broker know.
    Done,
}

/// Ends this process when `FAILPOINT` names this step, as in `published:3`: the third time.
#[cfg(feature = "failpoints")]
pub fn reach(step: Step) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    static WANTED: OnceLock<Option<(String, u32)>> = OnceLock::new();
    static TIMES: AtomicU32 = AtomicU32::new(0);
    let wanted = WANTED.get_or_init(|| {
        let text = std::env::var("FAILPOINT").ok()?;
        let (name, times) = text.split_once(':')?;
        Some((name.to_owned(), times.parse().ok()?))
    });
    let Some((name, times)) = wanted else { return };
    let is_it = format!("{step:?}").eq_ignore_ascii_case(name);
    if is_it && TIMES.fetch_add(1, Ordering::SeqCst) + 1 == *times {
        std::process::abort();
    }
}

/// Does nothing: the feature `failpoints` is off.
#[cfg(not(feature = "failpoints"))]
pub const fn reach(_: Step) {}
