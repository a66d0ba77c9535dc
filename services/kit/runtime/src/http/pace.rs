//! How long a connection may take to say what it wants.
//!
//! A head must be complete soon after its first byte; between two requests a connection may rest
//! much longer: load balancers keep theirs open for a minute, and one that is closed under a
//! request costs that request. hyper's own time-out is one for both.
//!
//! An answer may take as long as it likes while somebody reads it. Who reads nothing, or so little
//! that the socket or an HTTP/2 window stays full, would keep the answer in memory for ever.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::response::Response;
use http::Version;
use http_body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

/// A head must be complete within this time.
const HEAD: Duration = Duration::from_secs(5);
/// A connection without a request is closed after this time.
const REST: Duration = Duration::from_secs(75);
/// Of what is answered something must be taken within this time.
pub(super) const UNREAD: Duration = Duration::from_secs(30);

/// The pace of one connection; clones share it.
#[derive(Debug, Clone)]
pub(super) struct Pace(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    phase: Phase,
    /// Pings arrive between requests too, so bytes do not begin a head there.
    http2: bool,
    unread_max: Duration,
    /// Since when the socket takes nothing.
    blocked: Option<Instant>,
    /// Bodies that are not asked for more: a window of HTTP/2 has no room.
    waiting: u32,
    /// When the last body was asked.
    asked: Instant,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    /// A head has begun, or the connection is new.
    Head(Instant),
    /// So many requests are being answered.
    Busy(u32),
    /// Everything is answered.
    Rest(Instant),
}

impl Pace {
    /// Of a new connection: its first head is expected at once.
    pub(super) fn new(unread_max: Duration) -> Self {
        let now = Instant::now();
        Self(Arc::new(Mutex::new(State {
            phase: Phase::Head(now),
            http2: false,
            unread_max,
            blocked: None,
            waiting: 0,
            asked: now,
        })))
    }

    /// Waits until the connection has been too slow.
    pub(super) async fn exceeded(&self) {
        loop {
            match self.left() {
                Some(Duration::ZERO) => return,
                // A head may begin while a longer rest is waited for.
                Some(left) => sleep(left.min(HEAD)).await,
                None => sleep(HEAD).await,
            }
        }
    }

    /// A request's head is complete; the guard is kept until its answer is written.
    pub(super) fn begin(&self, version: Version) -> Answering {
        self.change(|state| {
            state.http2 = version == Version::HTTP_2;
            state.phase = Phase::Busy(match state.phase {
                Phase::Busy(requests) => requests.saturating_add(1),
                Phase::Head(_) | Phase::Rest(_) => 1,
            });
        });
        Answering(self.clone())
    }

    fn heard(&self) {
        self.change(|state| {
            if matches!(state.phase, Phase::Rest(_)) && !state.http2 {
                state.phase = Phase::Head(Instant::now());
            }
        });
    }

    fn wrote(&self, taken: &Poll<io::Result<usize>>) {
        self.change(|state| {
            if taken.is_pending() {
                state.blocked.get_or_insert_with(Instant::now);
                return;
            }
            state.blocked = None;
            // The end of an answer is with hyper before it is on its way.
            if matches!(state.phase, Phase::Rest(_)) && !state.http2 {
                state.phase = Phase::Rest(Instant::now());
            }
        });
    }

    fn asked(&self, waited: bool, waits: bool) {
        self.change(|state| {
            state.asked = Instant::now();
            state.waiting = state.waiting - u32::from(waited) + u32::from(waits);
        });
    }

    fn answered(&self) {
        self.change(|state| {
            state.phase = match state.phase {
                Phase::Busy(requests) if requests > 1 => Phase::Busy(requests - 1),
                Phase::Busy(_) | Phase::Head(_) | Phase::Rest(_) => Phase::Rest(Instant::now()),
            };
        });
    }

    fn left(&self) -> Option<Duration> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_phase = match state.phase {
            Phase::Head(since) => Some((since, HEAD)),
            Phase::Rest(since) => Some((since, REST)),
            Phase::Busy(_) => None,
        };
        let blocked = state.blocked.map(|since| (since, state.unread_max));
        let waits = (state.waiting > 0).then_some((state.asked, state.unread_max));
        let bounds = [of_phase, blocked, waits].into_iter().flatten();
        bounds.map(|(since, max)| max.saturating_sub(since.elapsed())).min()
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(super) struct Answering(Pace);

impl Answering {
    /// The answer, which ends this when it is written.
    pub(super) fn with(self, response: Response) -> Response {
        self.0.asked(false, true);
        response.map(|body| Body::new(AnswerBody { body, waits: true, answering: self }))
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.answered();
    }
}

struct AnswerBody {
    body: Body,
    waits: bool,
    answering: Answering,
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        self.answering.0.asked(self.waits, false);
    }
}

impl HttpBody for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        let waited = std::mem::replace(&mut self.waits, frame.is_ready());
        self.answering.0.asked(waited, self.waits);
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A connection that tells its pace when it hears something.
pub(super) struct Heard {
    pub(super) stream: TcpStream,
    pub(super) pace: Pace,
}

impl AsyncRead for Heard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.pace.heard();
        }
        polled
    }
}

impl AsyncWrite for Heard {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let taken = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.pace.wrote(&taken);
        taken
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let taken = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.pace.wrote(&taken);
        taken
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLACK: Duration = Duration::from_millis(500);

    fn near(left: Option<Duration>, wanted: Duration) -> bool {
        left.is_some_and(|left| left <= wanted && left + SLACK > wanted)
    }

    #[test]
    fn a_head_has_less_time_than_a_rest_and_work_has_no_bound() {
        let pace = Pace::new(UNREAD);
        assert!(near(pace.left(), HEAD));
        let (first, second) = (pace.begin(Version::HTTP_11), pace.begin(Version::HTTP_11));
        assert_eq!(pace.left(), None);
        drop(first);
        pace.heard();
        assert_eq!(pace.left(), None, "the second is not answered");
        drop(second);
        assert!(near(pace.left(), REST));
        pace.heard();
        assert!(near(pace.left(), HEAD));
    }

    #[test]
    fn a_ping_begins_no_head() {
        let pace = Pace::new(UNREAD);
        drop(pace.begin(Version::HTTP_2));
        pace.heard();
        assert!(near(pace.left(), REST));
    }

    #[test]
    fn an_answer_lasts_until_its_body_is_gone() {
        let pace = Pace::new(UNREAD);
        let answer = pace.begin(Version::HTTP_11).with(Response::new(Body::from("1234")));
        assert_eq!(answer.body().size_hint().exact(), Some(4));
        assert!(near(pace.left(), UNREAD), "nobody has asked for it");
        drop(answer);
        assert!(near(pace.left(), REST));
    }

    #[tokio::test]
    async fn a_stream_that_has_nothing_to_say_is_not_unread() {
        let pace = Pace::new(UNREAD);
        let silent = futures::stream::pending::<Result<Bytes, io::Error>>();
        let answer = pace.begin(Version::HTTP_2).with(Response::new(Body::from_stream(silent)));
        let mut frames = answer.into_body().into_data_stream();
        assert!(futures::poll!(futures::StreamExt::next(&mut frames)).is_pending());
        assert_eq!(pace.left(), None);
    }

    #[test]
    fn a_socket_that_takes_nothing_has_less_time_than_a_rest() {
        let pace = Pace::new(UNREAD);
        drop(pace.begin(Version::HTTP_11));
        pace.wrote(&Poll::Pending);
        assert!(near(pace.left(), UNREAD));
        pace.wrote(&Poll::Ready(Ok(1)));
        assert!(near(pace.left(), REST));
    }
}
