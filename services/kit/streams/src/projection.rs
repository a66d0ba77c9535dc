//! State folded from a stream, in memory, and decisions made on it.
//!
//! A follower reads the stream from its start and applies every message in order; it goes on for
//! ever, over broker restarts. Reads that must see every write of others ask the leader for the
//! subject's last sequence first and wait until the fold has it.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard, Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::append::Outgoing;
use crate::connect::{REQUEST_TIMEOUT, Streams};
use crate::error::{AppendError, ReadError};
use crate::fold::Fold;
use crate::follow::Follower;

/// How often a decision is made anew because somebody else appended meanwhile.
const ATTEMPTS: usize = 8;
/// How many may decide at the same time.
const TURNS: usize = 64;
/// How long somebody waits for a turn.
const TURN_PATIENCE: Duration = Duration::from_secs(10);
/// The same as [`ATTEMPTS`] where anybody's append counts.
const ATTEMPTS_OVER_ALL: usize = 50;

/// A folded stream; cheap to clone.
pub struct Projection<F: Fold> {
    streams: Streams,
    shared: Arc<Shared<F>>,
}

impl<F: Fold> Clone for Projection<F> {
    fn clone(&self) -> Self {
        Self { streams: self.streams.clone(), shared: Arc::clone(&self.shared) }
    }
}

/// A state and the sequence of the last fact in it.
#[derive(Debug, Clone, Default)]
pub struct Versioned<S> {
    /// The state.
    pub state: Arc<S>,
    /// Sequence of its last fact; 0 when nothing has happened.
    pub sequence: u64,
    /// A newer version said something in it that this one would lose: nothing is written behind it.
    pub is_beyond: bool,
}

/// What a decision led to.
#[derive(Debug, Clone)]
pub struct Executed<S> {
    /// The state after it.
    pub state: Arc<S>,
    /// Sequence of the last fact that it stored, or of the state it saw when it stored none.
    pub sequence: u64,
}

/// A decision did not lead to stored facts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExecuteError<D> {
    /// A lawful refusal.
    #[error("denied")]
    Denied(D),
    /// The broker did not answer; the facts may be stored or not.
    #[error("the broker did not answer: {0}")]
    Unavailable(String),
    /// Others appended again and again.
    #[error("too many others change the same thing")]
    Contended,
    /// A newer version has written there what this one would lose: it may change it, this one not.
    #[error("a newer version has changed the same thing")]
    Newer,
}

pub(crate) struct Shared<F: Fold> {
    states: RwLock<HashMap<F::Key, Versioned<F::State>>>,
    /// Who decides here on the same thing does so in turn: only other processes are raced with.
    turns: Vec<Mutex<()>>,
    applied: watch::Sender<u64>,
    /// Somebody waited in vain for what is stored: the follower's replica may have stopped.
    behind: Notify,
}

impl<F: Fold> Shared<F> {
    /// Resolves when the leader has what the follower was not brought in time.
    pub(crate) async fn is_behind(&self) {
        self.behind.notified().await;
    }

    /// Applies one message. A fact that cannot be read or cannot follow is reported and skipped:
    /// the state stays as it was.
    pub(crate) fn apply(&self, subject: &str, sequence: u64, payload: &[u8]) {
        if F::concerns(subject) {
            self.apply_ahead(subject, sequence, payload);
        }
        self.applied.send_modify(|applied| *applied = sequence.max(*applied));
    }

    /// Applies a key's last message before the follower has come to it.
    fn apply_ahead(&self, subject: &str, sequence: u64, payload: &[u8]) {
        if let Err(error) = self.fold(subject, sequence, payload) {
            tracing::error!(stream = %F::STREAM, sequence, %error, "a stored fact was skipped");
        }
    }

    fn fold(&self, subject: &str, sequence: u64, payload: &[u8]) -> Result<(), ReadError> {
        let key = F::key(subject)
            .ok_or_else(|| ReadError::Corrupt(format!("unknown subject {subject}")))?;
        let event = F::decode(payload);
        let is_beyond = matches!(event, Err(ReadError::Newer(_))) || !F::may_follow(payload);
        let mut states = self.states.write().unwrap_or_else(PoisonError::into_inner);
        let known = states.entry(key).or_default();
        known.is_beyond |= is_beyond;
        if known.sequence >= sequence || matches!(event, Err(ReadError::Newer(_))) {
            return event.map(drop);
        }
        // What is skipped has been looked at too: the next fact is expected behind it.
        known.sequence = sequence;
        // Copied only while somebody still looks at it as it was.
        F::evolve(Arc::make_mut(&mut known.state), &event?)
            .map_err(|error| ReadError::Corrupt(error.to_string()))
    }
}

impl<F: Fold> Projection<F> {
    /// Begins to follow the stream.
    pub fn start(streams: &Streams, stop: &CancellationToken, tasks: &TaskTracker) -> Self {
        let shared = Arc::new(Shared {
            states: RwLock::new(HashMap::new()),
            turns: (0..TURNS).map(|_| Mutex::default()).collect(),
            applied: watch::Sender::new(0),
            behind: Notify::new(),
        });
        streams.health.follows(F::STREAM, shared.applied.subscribe());
        let follower = Follower { streams: streams.clone(), shared: Arc::clone(&shared) };
        tasks.spawn(follower.run(stop.clone()));
        Self { streams: streams.clone(), shared }
    }

    /// Waits until everything is folded that the stream held when this was called.
    pub async fn caught_up(&self, timeout: Duration) -> Result<(), ReadError> {
        let observed = self.streams.observe(F::STREAM).await?;
        let state = observed
            .ok_or_else(|| ReadError::Unavailable(format!("stream {} does not exist", F::STREAM)))?
            .state;
        // An empty stream has nothing to wait for, whatever its sequences say.
        if state.messages == 0 { Ok(()) } else { self.wait_for(state.last_sequence, timeout).await }
    }

    /// What is known here now.
    pub fn get(&self, key: &F::Key) -> Versioned<F::State> {
        let states = self.shared.states.read().unwrap_or_else(PoisonError::into_inner);
        states.get(key).cloned().unwrap_or_default()
    }

    /// The state with every fact that was stored before the call.
    pub async fn read(&self, key: &F::Key) -> Result<Versioned<F::State>, ReadError> {
        if let Some(last) = self.streams.last(F::STREAM, &F::subject(key)).await? {
            if F::LAST_IS_ENOUGH {
                self.shared.apply_ahead(&last.subject, last.sequence, &last.payload);
            } else {
                self.wait_for_key(key, last.sequence).await?;
            }
        }
        Ok(self.get(key))
    }

    /// Everything that is known here now.
    pub fn all(&self) -> Vec<(F::Key, Arc<F::State>)> {
        let states = self.shared.states.read().unwrap_or_else(PoisonError::into_inner);
        states.iter().map(|(key, known)| (key.clone(), Arc::clone(&known.state))).collect()
    }

    /// The last applied sequence, as it changes.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.shared.applied.subscribe()
    }

    /// Waits until a sequence is applied.
    pub async fn wait_for(&self, sequence: u64, timeout: Duration) -> Result<(), ReadError> {
        let mut applied = self.shared.applied.subscribe();
        let reached = applied.wait_for(|applied| *applied >= sequence);
        match tokio::time::timeout(timeout, reached).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => {
                Err(ReadError::Unavailable(format!("{} is not followed quickly enough", F::STREAM)))
            }
        }
    }

    /// Decides on the newest state and stores the facts; when somebody else was quicker, decides
    /// again. `decide` may run several times and must not have effects of its own.
    pub async fn execute<D>(
        &self,
        key: &F::Key,
        decide: impl Fn(&F::State) -> Result<Vec<F::Event>, D>,
    ) -> Result<Executed<F::State>, ExecuteError<D>> {
        let _turn = self.turn(key).await.map_err(|error| unavailable(&error))?;
        for _ in 0..ATTEMPTS {
            let seen = self.read(key).await.map_err(|error| unavailable(&error))?;
            if seen.is_beyond {
                return Err(ExecuteError::Newer);
            }
            let events = decide(&seen.state).map_err(ExecuteError::Denied)?;
            let last = seen.sequence;
            // What nobody holds need not be copied when its next fact is applied.
            drop(seen);
            let appended = self.append_all(key, &events, last).await;
            if let Some(executed) = self.executed(key, appended).await? {
                return Ok(executed);
            }
        }
        Err(ExecuteError::Contended)
    }

    /// Like [`Self::execute`], but decided on everything that the stream holds: nobody may have
    /// appended anywhere in it meanwhile. For what is rare and must be so across all keys.
    pub async fn execute_over_all<D>(
        &self,
        key: &F::Key,
        decide: impl Fn(&[(F::Key, Arc<F::State>)]) -> Result<F::Event, D>,
    ) -> Result<Executed<F::State>, ExecuteError<D>> {
        for _ in 0..ATTEMPTS_OVER_ALL {
            let observed = self.streams.observe(F::STREAM).await;
            let observed = observed.map_err(|error| unavailable(&error))?;
            let end = observed.map_or(0, |observed| observed.state.last_sequence);
            self.caught_up(REQUEST_TIMEOUT).await.map_err(|error| unavailable(&error))?;
            if self.get(key).is_beyond {
                return Err(ExecuteError::Newer);
            }
            let event = decide(&self.all()).map_err(ExecuteError::Denied)?;
            let appended = self.streams.append(Outgoing {
                subject: F::subject(key),
                payload: F::encode(key, &event),
                expect_end: Some(end),
                ..Outgoing::default()
            });
            if let Some(executed) = self.executed(key, appended.await).await? {
                return Ok(executed);
            }
        }
        Err(ExecuteError::Contended)
    }

    /// The state once what was appended is in it; nothing when somebody else was quicker.
    async fn executed<D>(
        &self,
        key: &F::Key,
        appended: Result<u64, AppendError>,
    ) -> Result<Option<Executed<F::State>>, ExecuteError<D>> {
        let sequence = match appended {
            Ok(sequence) => sequence,
            Err(AppendError::Conflict) => return Ok(None),
            Err(error) => return Err(ExecuteError::Unavailable(error.to_string())),
        };
        self.wait_for_key(key, sequence).await.map_err(|error| unavailable(&error))?;
        Ok(Some(Executed { state: self.get(key).state, sequence }))
    }

    /// Waits for the others that decide here on the same thing; keys share turns.
    async fn turn(&self, key: &F::Key) -> Result<Option<MutexGuard<'_, ()>>, ReadError> {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let index = usize::try_from(hasher.finish()).unwrap_or_default() % TURNS;
        let Some(turn) = self.shared.turns.get(index) else { return Ok(None) };
        let taken = tokio::time::timeout(TURN_PATIENCE, turn.lock()).await;
        let late = |_| ReadError::Unavailable("too many others wait".to_owned());
        taken.map(Some).map_err(late)
    }

    async fn append_all(
        &self,
        key: &F::Key,
        events: &[F::Event],
        mut last: u64,
    ) -> Result<u64, AppendError> {
        for event in events {
            last = self
                .streams
                .append(Outgoing {
                    subject: F::subject(key),
                    payload: F::encode(key, event),
                    expect_last: Some(last),
                    ..Outgoing::default()
                })
                .await?;
        }
        Ok(last)
    }

    /// A key's facts may be older than what is applied, or deleted by a limit: its own sequence
    /// counts, or the stream's being beyond it.
    async fn wait_for_key(&self, key: &F::Key, sequence: u64) -> Result<(), ReadError> {
        if self.get(key).sequence >= sequence {
            return Ok(());
        }
        let reached = self.wait_for(sequence, REQUEST_TIMEOUT).await;
        if reached.is_err() {
            self.shared.behind.notify_one();
        }
        reached
    }
}

fn unavailable<D>(error: &ReadError) -> ExecuteError<D> {
    ExecuteError::Unavailable(error.to_string())
}
