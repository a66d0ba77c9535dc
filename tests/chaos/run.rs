//! One run: set the scene, let things go wrong, mend everything, compare.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use auditrelay_testkit::builders::{ago, now};
use auditrelay_testkit::siem::Answer;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::brokers::Ground;
use crate::check;
use crate::clocks;
use crate::confine;
use crate::crowd;
use crate::disks::Disk;
use crate::faults::Fault;
use crate::fleet::{BATCH, Crew, DOUBLE, Env, Fleet, ONE_INGEST};
use crate::history::History;
use crate::network;
use crate::older;
use crate::people::{Call, Caller};
use crate::random::Random;
use crate::scene::{self, DRAIN, Side, Writers};
use crate::steps::every_step;
use crate::stories;

const LOOK: Duration = Duration::from_millis(200);

#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    pub(crate) seed: u64,
    pub(crate) brokers: usize,
    pub(crate) length: Duration,
    pub(crate) story: Story,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Story {
    /// Anything, at any time.
    Random,
    /// A process ends at each step of an event's way, once.
    EveryStep,
    /// The power of all brokers goes, so many times.
    Power(usize),
    /// The brokers' disk becomes full.
    Disk,
    /// The stream of events holds as much as it may.
    Limit,
    /// Clocks of services jump.
    Clocks,
    /// Whoever leads the brokers is killed, ended, put to sleep, cut off.
    Leader,
    /// Most of the brokers are gone.
    Majority,
    /// Cables between brokers are pulled, or carry one way only.
    Cables,
    /// One power cut and two pauses, in the order that is worst.
    Worst,
    /// Brokers of this version become newer ones.
    Upgrade,
    /// Every service has few file descriptors, little time and little memory.
    Scarce,
    /// So many times all of it to many organizations, whose records travel together.
    Crowd(usize),
}

/// What went wrong, and when.
pub(crate) type Incident = (String, Instant);

/// Where a story is played, and by whom.
struct Stage {
    ground: Ground,
    crew: Crew,
    /// How many organizations there are.
    organizations: usize,
    /// How many write for each of them.
    writers: usize,
    settings: Env,
}

impl Story {
    /// Its stage; none where this machine cannot set it.
    async fn stage(self, brokers: usize) -> Option<Stage> {
        let mut stage = Stage {
            ground: Ground::firm(brokers),
            crew: DOUBLE,
            organizations: 3,
            writers: 2,
            settings: Env::new(),
        };
        match self {
            Self::Power(_) | Self::Worst => stage.ground.disk = Disk::Image,
            Self::Disk => stage.ground.disk = Disk::Small(64),
            Self::Crowd(_) => {
                stage.ground.disk = Disk::Image;
                stage.crew = ONE_INGEST;
                (stage.organizations, stage.writers) = (40, 1);
            }
            Self::Limit => drop(stage.settings.insert(stories::LIMIT, stories::LITTLE.to_owned())),
            Self::Clocks => stage.settings = clocks::ours()?,
            Self::Cables => stage.ground.apart = true,
            Self::Upgrade => stage.ground.server = Some(older::server().await?),
            Self::Scarce => confine::can_be_had().then_some(())?,
            Self::Random | Self::EveryStep | Self::Leader | Self::Majority => {}
        }
        stage.ground.can_be_had().await.then_some(stage)
    }
}

/// Plays it; panics with what is wrong.
pub(crate) async fn play(run: Run) {
    let name = format!("{:?}-{}-{}", run.story, run.seed, run.brokers);
    let history = History::new(&name.replace(['(', ')'], ""));
    history.say(&format!("{run:?}"));
    let Some(stage) = run.story.stage(run.brokers).await else {
        history.say("not played: this machine lacks the rights, or what it takes");
        return;
    };
    let mut fleet = Fleet::start(&stage.ground, stage.crew, stage.settings).await;
    let api = Caller::new(vec![fleet.api], Duration::from_secs(10));
    let sides = scene::sides(&api, stage.organizations, stage.writers).await;
    moods(&sides, run.seed);
    let writers = Writers::begin(&fleet, &sides);
    history.say("everything runs");
    let faults = tell(&mut fleet, run, &history, &sides, &api).await;
    for side in &sides {
        side.siem.answer_always(Answer::Status(200));
    }
    writers.stop().await;
    history.say(&format!("everything is mended after {} faults", faults.len()));
    let wrong = compare(&fleet, &sides, &api, &faults, &history).await;
    if !wrong.is_empty() {
        let kept = history.keep();
        let (logs, stores) = fleet.keep();
        let (logs, stores) = (logs.display(), stores.display());
        panic!("{run:?}: {wrong:#?}\nhistory {kept}, logs {logs}, brokers {stores}");
    }
}

async fn tell(
    fleet: &mut Fleet,
    run: Run,
    history: &History,
    sides: &[Side],
    api: &Caller,
) -> Vec<Incident> {
    match run.story {
        Story::Random => torment(fleet, run, history, sides, api).await,
        Story::EveryStep => every_step(fleet, history, sides, api).await,
        Story::Power(cuts) => stories::power(fleet, history, sides, (run.seed, cuts)).await,
        Story::Disk => stories::disk(fleet, history, sides).await,
        Story::Limit => stories::limit(fleet, history, sides).await,
        Story::Clocks => clocks::jump(fleet, history, sides, api).await,
        Story::Leader => stories::leader(fleet, history, sides).await,
        Story::Majority => stories::majority(fleet, history, sides).await,
        Story::Cables => network::cables(fleet, history, sides).await,
        Story::Worst => stories::worst(fleet, history, sides).await,
        Story::Upgrade => stories::upgrade(fleet, history, sides).await,
        Story::Scarce => confine::scarcity(fleet, history, sides).await,
        Story::Crowd(rounds) => crowd::story(fleet, history, sides, rounds).await,
    }
}

/// The first receiver is well, the second in a mood, the third silent most of the time.
fn moods(sides: &[Side], seed: u64) {
    let random = Mutex::new(Random::new(seed ^ 0xfeed));
    sides[1].siem.answer_by(move |_| {
        let mut random = random.lock().unwrap_or_else(PoisonError::into_inner);
        match random.below(12) {
            0 => Answer::Status(500),
            1 => Answer::Disconnect,
            2 => Answer::RetryAfter(429, 1),
            3 => Answer::Slow(Duration::from_millis(400), 200),
            _ => Answer::Status(200),
        }
    });
    sides[2].siem.answer_always(Answer::Silence);
}

/// Things go wrong, one or two at a time, with quiet in between.
async fn torment(
    fleet: &mut Fleet,
    run: Run,
    history: &History,
    sides: &[Side],
    api: &Caller,
) -> Vec<Incident> {
    let mut random = Random::new(run.seed);
    let (begun, mut faults, mut asked) = (Instant::now(), Vec::new(), false);
    let (short, long) = (Duration::from_millis(100), Duration::from_millis(2_500));
    while begun.elapsed() < run.length {
        if !random.one_in(4) {
            let mut now_wrong = Vec::new();
            for _ in 0..=random.below(2) {
                let fault = Fault::any(&mut random, fleet);
                if now_wrong.iter().any(|other: &Fault| other.whom == fault.whom) {
                    continue;
                }
                let name = fault.name(fleet);
                history.say(&name);
                faults.push((name, Instant::now()));
                fault.happen(fleet).await;
                now_wrong.push(fault);
            }
            tokio::time::sleep(random.between(short, long)).await;
            for fault in now_wrong {
                fault.mend(fleet);
            }
        }
        for process in fleet.services.iter_mut().chain(&mut fleet.brokers.all) {
            assert_eq!(process.ended(), None, "a fault elsewhere must not end a process");
        }
        if !asked && begun.elapsed() > run.length / 2 {
            asked = true;
            history.say("a replay is asked for");
            ask(api, &sides[0]).await;
        }
        tokio::time::sleep(random.between(short, long)).await;
    }
    faults
}

pub(crate) async fn ask(api: &Caller, side: &Side) {
    let window =
        json!({"start_at": ago(Duration::from_hours(1)).to_string(), "end_at": now().to_string()});
    let path = "/v3/audit-log-replay-job";
    let call = Call { method: "PUT", path, token: &side.org.admin, body: Some(window) };
    let begun = Instant::now();
    // A call may be stored although its answer was lost: then the next one meets a running job.
    while begun.elapsed() < Duration::from_secs(30) {
        let answered = tokio::time::timeout(Duration::from_secs(12), api.until(202, &call)).await;
        if answered.is_ok() || job(api, side).await["state"] != "unconfigured" {
            return;
        }
    }
    panic!("the replay was not accepted");
}

async fn job(api: &Caller, side: &Side) -> Value {
    let path = "/v1/replay-job";
    api.until(200, &Call { method: "GET", path, token: &side.org.admin, body: None }).await
}

async fn compare(
    fleet: &Fleet,
    sides: &[Side],
    api: &Caller,
    faults: &[Incident],
    history: &History,
) -> Vec<String> {
    let mut wrong = Vec::new();
    let took = scene::drained(sides).await;
    history.say(&format!("all of it arrived {:.1} s later", took.as_secs_f64()));
    let keys = fleet.keys.verifier();
    for (index, side) in sides.iter().enumerate() {
        let verdict = side.with_ledgers(|ledgers| check::live(&side.siem, ledgers, &keys));
        history.say(&format!(
            "organization {index}: {} accepted, {} repeated, {} requests, wrong: {:?}",
            verdict.accepted, verdict.repeated, verdict.requests, verdict.wrong
        ));
        wrong.extend(verdict.wrong.into_iter().map(|what| format!("organization {index}: {what}")));
        if verdict.repeated > (faults.len() + 1) * BATCH {
            wrong.push(format!("organization {index}: {} repeated", verdict.repeated));
        }
    }
    let replayed = replay(api, &sides[0]).await;
    history.say(&format!("the replay: {replayed:?}"));
    wrong.extend(replayed);
    wrong.extend(fleet.brokers.damage());
    tell_silences(sides, faults, history);
    wrong
}

/// The job of the middle, if there is one, ends, and one more brings everything.
async fn replay(api: &Caller, side: &Side) -> Vec<String> {
    let was_asked = job(api, side).await["state"] != "unconfigured";
    let mut wrong = if was_asked { ended(api, side, &[]).await } else { Vec::new() };
    if !wrong.is_empty() {
        return wrong;
    }
    let past: Vec<String> =
        side.with_ledgers(|ledgers| check::accepted(ledgers).cloned().collect());
    let before = job(api, side).await["id"].clone();
    ask(api, side).await;
    let begun = Instant::now();
    while job(api, side).await["id"] == before && begun.elapsed() < DRAIN {
        tokio::time::sleep(LOOK).await;
    }
    wrong.extend(ended(api, side, &past).await);
    wrong
}

async fn ended(api: &Caller, side: &Side, past: &[String]) -> Vec<String> {
    let begun = Instant::now();
    loop {
        let job = job(api, side).await;
        let over = ["completed", "failed", "cancelled"].iter().any(|state| job["state"] == *state);
        if over || begun.elapsed() > DRAIN {
            return check::replay(&side.siem, &job, past);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The longest time without an acceptance after each kind of fault, until the next one.
fn tell_silences(sides: &[Side], faults: &[Incident], history: &History) {
    let mut times: Vec<Instant> = Vec::new();
    for side in sides {
        side.with_ledgers(|ledgers| {
            times.extend(ledgers.iter().flat_map(|one| &one.accepted).map(|(at, _)| *at));
        });
    }
    times.sort_unstable();
    let mut longest = std::collections::BTreeMap::<&str, Duration>::new();
    for pair in times.windows(2) {
        if let Some((name, _)) = faults.iter().rfind(|(_, at)| *at < pair[1]) {
            let known = longest.entry(name).or_default();
            *known = (pair[1] - pair[0]).max(*known);
        }
    }
    for (name, silence) in longest {
        history.say(&format!("{name}: {:.2} s without a 202", silence.as_secs_f64()));
    }
}
