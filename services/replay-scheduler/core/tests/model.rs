//! Random commands, and crashes between any two facts, against a model that is too small to be
//! wrong: after each of them folding all stored facts anew tells what the model says.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;

use auditrelay_model::id::{JobId, OrgId};
use auditrelay_model::replay::{
    Failure, Job, Jobs, Plan, Progress, ReplayEvent, Terms, WAITING_MAX, evolve,
};
use auditrelay_model::{Scope, Timestamp, Window};
use auditrelay_replay_scheduler_core::{Action, Command, Decided, decide};
use proptest::prelude::*;
use uuid::Uuid;

/// What can be asked of the job with a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ask {
    Configure { window: i64 },
    LineUp { window: i64 },
    Schedule { empty: bool },
    Start,
    Advance { to: u64 },
    Complete { at: u64 },
    Pause,
    Resume,
    Cancel,
    Fail,
}

const END: u64 = 5;

/// How one job stands.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stand {
    state: &'static str,
    paused: bool,
    window: i64,
    done: u64,
    empty: bool,
}

impl Stand {
    fn lives(&self) -> bool {
        matches!(self.state, "accepted" | "pending" | "running")
    }
}

/// All jobs of one log, as simply as can be.
#[derive(Debug, Clone, Default)]
struct Model {
    jobs: BTreeMap<u128, Stand>,
    newest: Option<u128>,
    queue: Vec<u128>,
}

impl Model {
    fn ask(&mut self, job: u128, ask: Ask) {
        match ask {
            Ask::Configure { window } => self.configure(job, window),
            Ask::LineUp { window } => self.line_up(job, window),
            Ask::Cancel if self.queue.contains(&job) => {
                self.queue.retain(|waiting| *waiting != job);
                self.set(job, "cancelled");
            }
            _ if self.newest == Some(job) => self.change(job, ask),
            _ => {}
        }
    }

    fn begin(&mut self, job: u128, window: i64) {
        let stand = Stand { state: "accepted", paused: false, window, done: 0, empty: false };
        self.jobs.insert(job, stand);
        self.newest = Some(job);
    }

    fn configure(&mut self, job: u128, window: i64) {
        if self.jobs.contains_key(&job) {
            return;
        }
        let newest = self.newest.and_then(|newest| Some((newest, self.jobs.get(&newest)?.clone())));
        let Some((old, stand)) = newest.filter(|(_, stand)| stand.lives()) else {
            return self.begin(job, window);
        };
        let again = stand.window == window && !stand.paused && stand.done == 0;
        let waits = stand.state != "running" && !stand.paused && self.queue.is_empty();
        if !again && waits {
            self.set(old, "failed");
            self.begin(job, window);
        }
    }

    fn line_up(&mut self, job: u128, window: i64) {
        if self.jobs.contains_key(&job) || self.queue.len() >= WAITING_MAX {
            return;
        }
        let busy = self.newest.is_some_and(|newest| self.jobs[&newest].lives());
        if busy {
            let stand = Stand { state: "accepted", paused: false, window, done: 0, empty: false };
            self.jobs.insert(job, stand);
            self.queue.push(job);
        } else {
            self.begin(job, window);
        }
    }

    fn change(&mut self, job: u128, ask: Ask) {
        let stand = self.jobs[&job].clone();
        match (stand.state, ask) {
            ("accepted", Ask::Schedule { empty: true }) => self.set(job, "completed"),
            ("accepted", Ask::Schedule { empty: false }) => self.set(job, "pending"),
            ("pending", Ask::Start) => self.set(job, "running"),
            ("running", Ask::Advance { to }) if to > stand.done => {
                self.jobs.get_mut(&job).unwrap().done = to;
            }
            ("pending" | "running", Ask::Complete { at }) if at >= END => {
                self.set(job, "completed");
            }
            (_, Ask::Pause) if stand.lives() => self.jobs.get_mut(&job).unwrap().paused = true,
            (_, Ask::Resume) if stand.lives() => self.jobs.get_mut(&job).unwrap().paused = false,
            (_, Ask::Cancel) if stand.lives() => self.set(job, "cancelled"),
            (_, Ask::Fail) if stand.lives() => self.set(job, "failed"),
            _ => {}
        }
    }

    fn set(&mut self, job: u128, state: &'static str) {
        let stand = self.jobs.get_mut(&job).unwrap();
        stand.state = state;
        if !stand.lives() {
            stand.paused = false;
            if self.newest == Some(job) && !self.queue.is_empty() {
                self.newest = Some(self.queue.remove(0));
            }
        }
    }

    /// Every job's number, state and whether it is paused; then who is under way and who waits.
    fn told(&self) -> String {
        let jobs = self.jobs.iter().map(|(job, stand)| line(*job, stand.state, stand.paused));
        format!("{} | {:?} {:?}", jobs.collect::<String>(), self.newest, self.queue)
    }
}

fn line(job: u128, state: &str, paused: bool) -> String {
    format!("{job}:{state}{} ", if paused { "/paused" } else { "" })
}

fn told(jobs: &Jobs) -> String {
    let number = |job: &Job| job.id.uuid().as_u128();
    let mut all: Vec<&Job> = jobs.all().collect();
    all.sort_by_key(|job| number(job));
    let lines = all.iter().map(|job| line(number(job), job.state_name(), job.paused.is_some()));
    let waiting: Vec<_> = jobs.waiting.iter().map(number).collect();
    let lines = lines.collect::<String>();
    format!("{lines} | {:?} {waiting:?}", jobs.newest.as_ref().map(number))
}

fn at(sequence: u64) -> Progress {
    Progress { sequence, requests: sequence, events_sent: sequence, ..Progress::default() }
}

fn command(job: u128, ask: Ask) -> Command {
    let configure = |window: i64, may_wait| Action::Configure {
        window: Window::stored(Timestamp::from_nanos(0), Timestamp::from_nanos(window)),
        terms: Terms::default(),
        snapshot_sequence: 9,
        may_wait,
    };
    let plan =
        |empty| if empty { Plan::EMPTY } else { Plan { until_sequence: END, ..Plan::EMPTY } };
    let failure = Failure { code: "gap".to_owned(), reason: "gap".to_owned() };
    let action = match ask {
        Ask::Configure { window } => configure(window, false),
        Ask::LineUp { window } => configure(window, true),
        Ask::Schedule { empty } => Action::Schedule(plan(empty)),
        Ask::Start => Action::Start { holder: "a".to_owned() },
        Ask::Advance { to } => Action::Advance(at(to)),
        Ask::Complete { at: sequence } => Action::Complete(at(sequence)),
        Ask::Pause => Action::Pause { reason: "night".to_owned() },
        Ask::Resume => Action::Resume,
        Ask::Cancel => Action::Cancel { reason: "enough".to_owned(), progress: at(0) },
        Ask::Fail => Action::Fail { failure, progress: at(0) },
    };
    Command { job: JobId::from_uuid(Uuid::from_u128(job)), action }
}

/// All facts that were stored.
#[derive(Default)]
struct Stored(Vec<ReplayEvent>);

impl Stored {
    fn append(&mut self, decided: &[Decided]) {
        self.0.extend(decided.iter().map(|decided| ReplayEvent {
            at: Timestamp::from_nanos(1),
            scope: Scope::Organization(OrgId::from_uuid(Uuid::nil())),
            job: decided.job,
            actor: "test".to_owned(),
            origin: None,
            fact: decided.fact.clone(),
        }));
    }

    /// As a process that begins anew sees it.
    fn fold(&self) -> Jobs {
        self.0.iter().fold(Jobs::default(), |jobs, event| {
            evolve(jobs, event).expect("what was decided can follow")
        })
    }
}

fn any_ask() -> impl Strategy<Value = Ask> {
    prop_oneof![
        (1i64..3).prop_map(|window| Ask::Configure { window }),
        (1i64..3).prop_map(|window| Ask::LineUp { window }),
        prop::bool::weighted(0.2).prop_map(|empty| Ask::Schedule { empty }),
        Just(Ask::Start),
        (1..=END).prop_map(|to| Ask::Advance { to }),
        (1..=END).prop_map(|at| Ask::Complete { at }),
        Just(Ask::Pause),
        Just(Ask::Resume),
        Just(Ask::Cancel),
        Just(Ask::Fail),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn whatever_is_asked_and_wherever_it_crashes_the_facts_tell_what_the_model_says(
        asks in prop::collection::vec((1u128..6, any_ask(), 0usize..4), 0..60)
    ) {
        let (mut stored, mut model) = (Stored::default(), Model::default());
        for (job, ask, crash_after) in asks {
            let command = command(job, ask);
            if let Ok(decided) = decide(&stored.fold(), &command) {
                // Killed between two facts, whoever comes next asks the same once more.
                let whole = decided.len() <= crash_after;
                stored.append(decided.get(..crash_after).unwrap_or(&decided));
                if !whole {
                    let again = decide(&stored.fold(), &command);
                    prop_assert!(again.is_ok());
                    stored.append(&again.unwrap());
                    finish(&mut stored);
                }
            }
            model.ask(job, ask);
            prop_assert_eq!(told(&stored.fold()), model.told(), "after {:?} of {}", ask, job);
            // Asked once more, because the answer was lost: nothing happens twice.
            if let (Ok(again), Ask::Configure { .. } | Ask::LineUp { .. }) =
                (decide(&stored.fold(), &command), ask)
            {
                prop_assert!(again.is_empty() || !model.jobs.contains_key(&job));
            }
        }
    }
}

/// What the scheduler does by itself for a job that has nothing to read.
fn finish(stored: &mut Stored) {
    let jobs = stored.fold();
    let Some(job) = jobs.living().filter(|job| job.plan().is_some_and(Plan::is_empty)) else {
        return;
    };
    let done = Command { job: job.id, action: Action::Complete(Progress::default()) };
    stored.append(&decide(&jobs, &done).unwrap());
}
