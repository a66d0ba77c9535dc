//! Many webhooks in one sender: what some suffer, the others do not feel.

use std::collections::HashMap;
use std::io::Read as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auditrelay_model::Scope;
use auditrelay_model::destination::Destination;
use auditrelay_model::id::OrgId;
use auditrelay_runtime::ids::uuid_v7;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use flate2::read::GzDecoder;
use futures::future::join_all;
use tokio::time::Instant;

use crate::log::Log;
use crate::receiver::id_of;
use crate::world::World;

/// How long anything may take before a test has failed.
const PATIENCE: Duration = Duration::from_mins(10);

/// Webhooks with receivers of their own.
pub(crate) struct Crowd {
    pub(crate) world: World,
    pub(crate) members: Vec<Member>,
    pub(crate) siem: Arc<Siem>,
}

/// One webhook of one organization.
pub(crate) struct Member {
    pub(crate) log: Log,
    destination: Destination,
}

/// Receives for everybody, each at a path of its own.
#[derive(Default)]
pub(crate) struct Siem {
    sides: Vec<Side>,
    /// When each event came; only where somebody measures.
    came: Mutex<HashMap<String, Instant>>,
}

/// Where one of them receives.
#[derive(Default)]
struct Side {
    hangs: AtomicBool,
    fails: AtomicBool,
    requests: AtomicUsize,
    events: AtomicUsize,
}

impl Crowd {
    /// So many webhooks.
    pub(crate) async fn of(count: usize) -> Self {
        let siem = Siem { sides: (0..count).map(|_| Side::default()).collect(), ..Siem::default() };
        let siem = Arc::new(siem);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/{side}", post(take)).with_state(Arc::clone(&siem));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let world = World::new().await;
        let mut members = Vec::new();
        for side in 0..count {
            let scope = Scope::Organization(OrgId::from_uuid(uuid_v7()));
            let destination = world.another_destination(&format!("http://{address}/{side}"));
            let member = Member { log: world.another_log(scope), destination };
            world.webhook_of(scope, &member.destination, true).await;
            members.push(member);
        }
        Self { world, members, siem }
    }

    /// Every n-th receiver takes requests and never answers.
    pub(crate) fn hang(&self, every: usize) {
        for side in self.siem.sides.iter().step_by(every) {
            side.hangs.store(true, Ordering::SeqCst);
        }
    }

    /// Every receiver answers 503, or none.
    pub(crate) fn fail(&self, fails: bool) {
        self.siem.sides.iter().for_each(|side| side.fails.store(fails, Ordering::SeqCst));
    }

    /// Those whose receivers answer.
    pub(crate) fn healthy(&self) -> impl Iterator<Item = (usize, &Member)> {
        let is_healthy = |side: &Side| !side.hangs.load(Ordering::SeqCst);
        self.members
            .iter()
            .enumerate()
            .filter(move |(index, _)| is_healthy(&self.siem.sides[*index]))
    }

    /// Everybody's log gets a record of so many events.
    pub(crate) async fn append(&self, events: usize) {
        for chunk in self.members.chunks(50) {
            join_all(chunk.iter().map(|member| member.log.append(events))).await;
        }
    }

    /// Waits until each healthy receiver has so many events.
    pub(crate) async fn until_healthy_have(&self, events: usize, mut look: impl FnMut()) {
        let missing = || {
            let short = |index: usize| events.saturating_sub(self.siem.events(index));
            self.healthy().map(|(index, _)| short(index)).sum::<usize>()
        };
        let begun = Instant::now();
        while missing() > 0 {
            assert!(begun.elapsed() < PATIENCE, "{} events are missing", missing());
            look();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Sends an event of each webhook every so often; how long those of healthy receivers
    /// took.
    pub(crate) async fn measure(&self, rounds: u32, every: Duration) -> Vec<Duration> {
        let asked = Mutex::new(Vec::new());
        let begun = Instant::now();
        for round in 0..rounds {
            let turns = self.members.iter().enumerate().map(|(index, member)| {
                let asked = &asked;
                let share = every * count(index) / count(self.members.len());
                async move {
                    tokio::time::sleep_until(begun + every * round + share).await;
                    let ids = member.log.append(1).await;
                    asked.lock().unwrap().push((index, ids[0].clone(), Instant::now()));
                }
            });
            join_all(turns).await;
        }
        let healthy: Vec<usize> = self.healthy().map(|(index, _)| index).collect();
        let asked = asked.into_inner().unwrap();
        let expected = asked.iter().filter(|(index, ..)| healthy.contains(index));
        let mut took = Vec::new();
        for (_, id, at) in expected {
            took.push(self.siem.until_came(id).await.saturating_duration_since(*at));
        }
        took
    }
}

impl Siem {
    pub(crate) fn events(&self, side: usize) -> usize {
        self.sides[side].events.load(Ordering::SeqCst)
    }

    pub(crate) fn requests(&self, side: usize) -> usize {
        self.sides[side].requests.load(Ordering::SeqCst)
    }

    async fn until_came(&self, id: &str) -> Instant {
        let begun = Instant::now();
        loop {
            if let Some(at) = self.came.lock().unwrap().get(id) {
                return *at;
            }
            assert!(begun.elapsed() < PATIENCE, "an event of a healthy receiver is missing");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap()
}

/// So many percent of all are no longer than that.
pub(crate) fn quantile(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

async fn take(State(siem): State<Arc<Siem>>, Path(side): Path<usize>, body: Bytes) -> StatusCode {
    let at = Instant::now();
    let side = &siem.sides[side];
    side.requests.fetch_add(1, Ordering::SeqCst);
    if side.hangs.load(Ordering::SeqCst) {
        std::future::pending::<()>().await;
    }
    if side.fails.load(Ordering::SeqCst) {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    let mut text = String::new();
    GzDecoder::new(&body[..]).read_to_string(&mut text).unwrap();
    let lines = text.lines().count();
    if lines == 1 {
        siem.came.lock().unwrap().entry(id_of(&text)).or_insert(at);
    }
    side.events.fetch_add(lines, Ordering::SeqCst);
    StatusCode::OK
}
