//! A SIEM: a real HTTP or HTTPS receiver that answers as it is told and remembers what it saw.
//!
//! Cast: the [`Siem`] listens; an [`Answer`] is what a request gets, from a queue first, then by a
//! rule; a [`Delivery`] is a request as it came, unpacked, with what it was answered. The ledger
//! counts an event as taken when its request was answered `2xx`, which is what a sender believes.

mod delivery;
mod server;

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use auditrelay_signing::Verifier;
use auditrelay_signing::manifest::{Link, Manifest};
use tokio_util::sync::CancellationToken;

pub use delivery::{Delivery, Line};

use crate::wait;

/// What a request gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// This status, at once.
    Status(u16),
    /// This status and a `Retry-After` in seconds.
    RetryAfter(u16, u64),
    /// This status, after a while.
    Slow(Duration, u16),
    /// Nothing, with the connection open.
    Silence,
    /// Nothing, and the connection closed.
    Disconnect,
}

/// Decides what a request gets when nothing is queued.
type Rule = Arc<dyn Fn(&Delivery) -> Answer + Send + Sync>;

/// A running receiver; closed when dropped.
pub struct Siem {
    address: SocketAddr,
    tls: Option<tokio_rustls::TlsAcceptor>,
    shared: Arc<Shared>,
    open: CancellationToken,
}

/// What the receiver does and has seen.
#[derive(Default)]
pub(crate) struct Shared {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    authorization: Option<String>,
    says: Option<String>,
    queued: VecDeque<Answer>,
    rule: Option<Rule>,
    deliveries: Vec<Delivery>,
    /// Indexes of `deliveries`, in the order in which they were answered `2xx`.
    taken: Vec<usize>,
    busy: usize,
    busiest: usize,
}

impl Siem {
    /// Listens on a free port of this machine and takes everything.
    pub async fn start() -> Self {
        Self::listen(None).await
    }

    /// The same with TLS, under a certificate that nobody knows.
    pub async fn start_with_tls() -> Self {
        Self::listen(Some(server::self_signed())).await
    }

    async fn listen(tls: Option<tokio_rustls::TlsAcceptor>) -> Self {
        let listener = server::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await;
        let address = listener.local_addr().expect("a bound socket has an address");
        let mut siem =
            Self { address, tls, shared: Arc::default(), open: CancellationToken::new() };
        siem.serve(listener);
        siem
    }

    fn serve(&mut self, listener: tokio::net::TcpListener) {
        self.open = CancellationToken::new();
        let (shared, open) = (Arc::clone(&self.shared), self.open.clone());
        tokio::spawn(server::serve(listener, self.tls.clone(), shared, open));
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}/audit", self.address)
    }

    /// Closes the port and every connection; requests in hand get no answer.
    pub fn close(&self) {
        self.open.cancel();
    }

    /// Listens on its port again.
    pub async fn open(&mut self) {
        self.close();
        let listener = server::bind(self.address).await;
        self.serve(listener);
    }

    /// From here on only this `Authorization` is taken; others are answered 401.
    pub fn require_authorization(&self, value: &str) {
        self.shared.lock().authorization = Some(value.to_owned());
    }

    /// From here on every answer says this.
    pub fn say(&self, words: &str) {
        self.shared.lock().says = Some(words.to_owned());
    }

    /// Answers the next requests with these, one each.
    pub fn answer_next(&self, answers: impl IntoIterator<Item = Answer>) {
        self.shared.lock().queued.extend(answers);
    }

    /// Answers every request that nothing is queued for with this.
    pub fn answer_always(&self, answer: Answer) {
        self.answer_by(move |_| answer);
    }

    /// Answers every request that nothing is queued for by a rule.
    pub fn answer_by(&self, rule: impl Fn(&Delivery) -> Answer + Send + Sync + 'static) {
        self.shared.lock().rule = Some(Arc::new(rule));
    }

    /// Every request, in the order of arrival.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.shared.lock().deliveries.clone()
    }

    /// Requests that were answered `2xx`, in the order of the answers.
    pub fn taken(&self) -> Vec<Delivery> {
        let state = self.shared.lock();
        state.taken.iter().map(|index| state.deliveries[*index].clone()).collect()
    }

    /// Ids of the events that live delivery brought, in order, repeats included.
    pub fn live_ids(&self) -> Vec<String> {
        self.ids_of(None)
    }

    /// Ids of the events that a replay job brought, in order, repeats included.
    pub fn replayed_ids(&self, job: &str) -> Vec<String> {
        self.ids_of(Some(job))
    }

    fn ids_of(&self, job: Option<&str>) -> Vec<String> {
        let taken = self.taken().into_iter();
        let real = taken.filter(|delivery| delivery.header("x-auditrelay-test").is_empty());
        let of_lane = real.filter(|delivery| delivery.replay_job.as_deref() == job);
        of_lane.flat_map(|delivery| delivery.ids()).collect()
    }

    /// Most requests that were in hand at the same time.
    pub fn busiest(&self) -> usize {
        self.shared.lock().busiest
    }

    /// Waits until live delivery has brought each of these events.
    pub async fn wait_for_live(&self, expected: &[String]) {
        self.wait_for("live delivery", None, expected).await;
    }

    /// Waits until a replay job has brought each of these events.
    pub async fn wait_for_replayed(&self, job: &str, expected: &[String]) {
        self.wait_for("the replay", Some(job), expected).await;
    }

    async fn wait_for(&self, who: &str, job: Option<&str>, expected: &[String]) {
        let what = format!("{who} of {} events", expected.len());
        wait::until_so(&what, || {
            let found: std::collections::HashSet<_> = self.ids_of(job).into_iter().collect();
            let missing = expected.iter().filter(|id| !found.contains(*id)).count();
            let last = self.deliveries().last().map(|last| last.answered);
            if missing == 0 {
                return Ok(());
            }
            Err(format!("{missing} are missing; the last of the requests was answered {last:?}"))
        })
        .await;
    }

    /// Waits until this many requests have come, whatever they were answered.
    pub async fn wait_for_requests(&self, count: usize) {
        self.wait_for_so_many(count, |state| state.deliveries.len()).await;
    }

    /// Waits until this many requests were answered `2xx`.
    pub async fn wait_for_taken(&self, count: usize) {
        self.wait_for_so_many(count, |state| state.taken.len()).await;
    }

    async fn wait_for_so_many(&self, count: usize, look: impl Fn(&State) -> usize) {
        wait::until_so(&format!("{count} requests"), || {
            let seen = look(&self.shared.lock());
            if seen >= count { Ok(()) } else { Err(format!("{seen} requests")) }
        })
        .await;
    }

    /// Fails unless every line and every request carries a signature of one of these keys, and all of
    /// them tell of the same past of each log.
    pub fn assert_signed(&self, keys: &Verifier) {
        let mut past = HashMap::new();
        for delivery in self.deliveries() {
            let Manifest { delivery: of, chain, .. } = delivery.assert_signed(keys);
            if let Some(Link { before, digest }) = chain {
                let log = (of.org_id, of.portal_id, before);
                let known = past.entry(log).or_insert_with(|| digest.clone());
                assert_eq!(*known, digest, "the log before {before:?} has changed");
            }
        }
    }
}

impl Drop for Siem {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    /// What answers say, if they were told.
    pub(crate) fn says(&self) -> Option<String> {
        self.lock().says.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A test that panicked while it held the lock has failed already.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a request; says what it gets and where it stands in the ledger.
    pub(crate) fn arrived(&self, delivery: Delivery) -> (usize, Answer) {
        let mut state = self.lock();
        let known =
            state.authorization.as_ref().is_none_or(|wanted| *wanted == delivery.authorization);
        let answer = if known {
            let queued = state.queued.pop_front();
            let by_rule = || state.rule.as_ref().map(|rule| rule(&delivery));
            queued.or_else(by_rule).unwrap_or(Answer::Status(202))
        } else {
            Answer::Status(401)
        };
        state.deliveries.push(delivery);
        state.busy += 1;
        state.busiest = state.busiest.max(state.busy);
        (state.deliveries.len() - 1, answer)
    }

    /// Notes what a request is answered, just before the answer goes out.
    pub(crate) fn answered(&self, index: usize, status: u16) {
        let mut state = self.lock();
        state.deliveries[index].answered = Some(status);
        if (200..300).contains(&status) {
            state.taken.push(index);
        }
    }

    pub(crate) fn left(&self) {
        self.lock().busy -= 1;
    }
}

#[cfg(test)]
mod tests;
