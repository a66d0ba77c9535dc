//! With the broker as it is deployed, every service can do its work and nobody else's.

use std::time::Duration;

use auditrelay_model::Scope;
use auditrelay_model::delivery::{DeliveryEvent, DeliveryFact, Lane, LaneState};
use auditrelay_model::id::{JobId, OrgId, RecordId};
use auditrelay_model::record::Record;
use auditrelay_runtime::ids;
use auditrelay_streams::{NatsSettings, StreamName, Streams};
use auditrelay_testkit::builders::{ago, now, some};
use auditrelay_testkit::siem::{Answer, Siem};
use auditrelay_testkit::stack::{Service, Stack};
use futures::future::{BoxFuture, FutureExt, join_all};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

use crate::ledger::{at_least_once, exactly};

#[tokio::test]
async fn every_service_can_do_its_work() {
    let mut stack = Stack::builder().as_deployed().start().await;
    let (org, siem) = (stack.org().await, Siem::start().await);
    org.deliver_to(&siem, "json").await;
    let mut accepted = org.send(&some(5)).await;
    siem.wait_for_live(&accepted).await;
    siem.answer_next([Answer::Status(401)]);
    accepted.extend(org.send(&some(30)).await);
    siem.wait_for_live(&accepted).await;
    exactly(&siem.live_ids(), &accepted);
    let _ = org.replay(ago(Duration::from_hours(1)), now()).await.must(202);
    let job = org.wait_for_job("completed").await;
    exactly(&siem.replayed_ids(job["id"].as_str().unwrap()), &accepted);
    for path in ["/v3/audit-logs", "/v1/webhooks/org/attempts"] {
        let page = org.get(path).await.must(200);
        assert!(!page.body["data"].as_array().unwrap().is_empty(), "{path}: {}", page.body);
    }
    let destination = org.get("/v3/audit-log-destinations").await.must(200);
    let id = destination.body["data"][0]["id"].as_str().unwrap().to_owned();
    let test = org.post(&format!("/v1/destinations/{id}/test"), &json!({})).await.must(200);
    assert_eq!(test.body["delivered"], true, "{}", test.body);
    let _ = org.get("/v1/coverage").await.must(200);
    for service in Service::ALL {
        stack.kill(service);
        stack.run(service).await;
    }
    accepted.extend(org.send(&some(3)).await);
    siem.wait_for_live(&accepted).await;
    at_least_once(&siem.live_ids(), &accepted);
    assert!(stack.nats.refusals().is_empty(), "{:#?}", stack.nats.refusals());
}

/// Row by row of a data file: what is refused and should not be is missing, what is not refused and
/// should be is one permission too many.
#[tokio::test]
async fn every_user_may_say_and_hear_what_is_its_own_and_nothing_else() {
    let stack = Stack::builder().as_deployed().start().await;
    let file: Value = toml::from_str(include_str!("bad_input/permissions.toml")).unwrap();
    let (says, hears) = (rows(&file["say"], "to"), rows(&file["hear"], "from"));
    assert!(says.len() > 130 && hears.len() >= 10, "{} {}", says.len(), hears.len());
    let mut wrong = Vec::new();
    for service in Service::ALL {
        let user = service.user();
        let said = says.iter().map(|(to, _)| format!("PUB {to} {user}.nowhere 0\r\n\r\n"));
        let heard = (1..).zip(&hears);
        let heard = heard.map(|(number, (from, _))| format!("SUB {from} {number}\r\n"));
        let words = said.chain(heard).collect::<Vec<_>>().concat();
        let refused = refused_by_the_broker(&stack.nats.url(user), user, &words).await;
        for (what, (subject, who)) in says
            .iter()
            .map(|row| ("Publish", row))
            .chain(hears.iter().map(|row| ("Subscription", row)))
        {
            let may = who.split(' ').any(|name| name == user);
            let refusal = format!("{what} to \"{subject}\"");
            if may == refused.iter().any(|line| line.contains(&refusal)) {
                wrong.push(format!("{user}: {refusal}: may {may}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Subjects, and who may use them.
fn rows(rows: &Value, key: &str) -> Vec<(String, String)> {
    let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
    let mut all = Vec::new();
    for row in rows.as_array().unwrap() {
        let (subject, who) = (text(row, key), text(row, "who"));
        if subject.contains("<every>") {
            let each = StreamName::ALL.iter().map(|name| subject.replace("<every>", name.as_str()));
            all.extend(each.map(|subject| (subject, who.clone())));
        } else {
            all.push((subject, who));
        }
    }
    all
}

/// Says all of it as this user; what the broker says of what it refused.
async fn refused_by_the_broker(url: &str, user: &str, words: &str) -> Vec<String> {
    let (of_user, address) = url.split(',').next().unwrap().rsplit_once('@').unwrap();
    let password = of_user.rsplit_once(':').unwrap().1;
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let (reader, mut writer) = stream.into_split();
    let who = json!({"user": user, "pass": password, "verbose": false, "headers": true});
    let all = format!("CONNECT {who}\r\n{words}PING\r\n");
    writer.write_all(all.as_bytes()).await.unwrap();
    let (mut lines, mut refused) = (BufReader::new(reader).lines(), Vec::new());
    while let Some(line) = lines.next_line().await.unwrap() {
        if line == "PONG" {
            break;
        }
        if line.contains("ermissions") {
            refused.push(line);
        }
    }
    refused
}

/// A refused publish is never answered, so each of these takes as long as a broker that is away.
#[tokio::test]
async fn nobody_writes_where_another_service_writes() {
    let stack = Stack::builder().as_deployed().start().await;
    let mut tries: Vec<BoxFuture<'_, Result<(), String>>> = Vec::new();
    for service in Service::ALL {
        let settings = NatsSettings {
            url: stack.nats.url(service.user()),
            credentials: None,
            name: "intruder".to_owned(),
        };
        let streams = auditrelay_streams::connect(&settings).await.unwrap();
        if service != Service::Ingest {
            tries.push(append_record(streams.clone(), service).boxed());
        }
        if service != Service::Sender {
            tries.push(append_delivery(streams.clone(), service).boxed());
            tries.push(take_lease(streams.clone(), service).boxed());
        }
        if service != Service::Retention {
            tries.push(change_stream(streams.clone(), service).boxed());
        }
        if ![Service::Scheduler, Service::Sender].contains(&service) {
            tries.push(make_consumer(streams, service).boxed());
        }
    }
    let done: Vec<_> = join_all(tries).await.into_iter().filter_map(Result::err).collect();
    assert!(done.is_empty(), "{done:?}");
    assert!(!stack.nats.refusals().is_empty(), "the broker says what it refuses");
}

async fn append_record(streams: Streams, service: Service) -> Result<(), String> {
    let record = Record {
        id: RecordId::from_uuid(ids::uuid_v7()),
        scope: scope(),
        epoch: 1,
        first_number: 1,
        previous_digest: None,
        accepted_at: now(),
        idempotency_key: None,
        events: Vec::new(),
    };
    refused(service, "append to EVENTS", streams.append_record(&record, 0).await.is_err())
}

async fn append_delivery(streams: Streams, service: Service) -> Result<(), String> {
    let event = DeliveryEvent {
        at: now(),
        scope: scope(),
        lane: Lane::Live,
        sender: "intruder".to_owned(),
        fact: DeliveryFact::CaughtUp,
        state: LaneState::default(),
    };
    refused(service, "append to DELIVERY", streams.append_delivery(&event, 0).await.is_err())
}

async fn take_lease(streams: Streams, service: Service) -> Result<(), String> {
    let taken = streams.try_lease("intruder", "intruder").await;
    refused(service, "take a lease", !matches!(taken, Ok(Some(_))))
}

async fn change_stream(streams: Streams, service: Service) -> Result<(), String> {
    let observed = streams.observe(StreamName::Events).await.unwrap().unwrap();
    refused(service, "change EVENTS", streams.update_stream(&observed.spec).await.is_err())
}

async fn make_consumer(streams: Streams, service: Service) -> Result<(), String> {
    let job = JobId::from_uuid(ids::uuid_v7());
    let made = streams.create_replay_consumer(scope(), job, 1).await;
    refused(service, "make a consumer", made.is_err())
}

fn refused(service: Service, what: &str, refused: bool) -> Result<(), String> {
    if refused { Ok(()) } else { Err(format!("{service} could {what}")) }
}

fn scope() -> Scope {
    Scope::Organization(OrgId::from_uuid(ids::uuid_v4()))
}
