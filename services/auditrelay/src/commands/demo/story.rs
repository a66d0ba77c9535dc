//! What happens in the demo, step by step, through the public API only.

use std::time::Duration;

use auditrelay_model::id::PortalId;
use auditrelay_model::{Clock, Timestamp};
use auditrelay_runtime::clock::SystemClock;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use url::Url;

use super::account::{Account, Side};
use super::producer::{Load, Producer};
use super::stage::Stage;
use super::watch::Sightings;
use crate::client::Client;
use crate::failure::Failure;
use crate::receiver::{Keys, Receiver, ReceiverOptions};
use crate::system::System;

/// Events before the new SIEM is connected, and while it catches up.
const BEFORE: u64 = 1_600;
const DURING: u64 = 400;
/// How long the new SIEM thinks about each request, as one across the internet does; it also
/// makes the replay long enough to be watched.
const LATENCY: Duration = Duration::from_millis(150);
const LOOK: Duration = Duration::from_millis(50);
const HOUR: Duration = Duration::from_hours(1);

const FIRST_TOKEN: &str = "Splunk first-siem";
const WRONG_TOKEN: &str = "Splunk wrong-token";
const SECOND_TOKEN: &str = "Splunk new-siem";

/// Who takes part.
struct Scene {
    stage: Stage,
    admin: Client,
    producer: Client,
    jwks: Url,
    portal: PortalId,
}

/// Plays everything and gives the account.
pub(super) async fn play(system: &System, stage: Stage) -> Result<Account, Failure> {
    let admin = Client::new(&system.url, &system.tokens.admin)?;
    let producer = Client::new(&system.url, &system.tokens.producer)?;
    let jwks = system.url.join("/v2/audit-log-webhook/jwks.json").map_err(anyhow::Error::from)?;
    stage.part(1, "A developer portal gets an audit-log webhook, with a wrong token");
    let made = stage
        .call(&admin, Method::POST, "/v3/portals", Some(json!({ "name": "Developers" })))
        .await?;
    let portal = id(&made)?.parse().map_err(anyhow::Error::from)?;
    let scene = Scene { stage, admin, producer, jwks, portal };

    let first = scene.receiver(FIRST_TOKEN, Duration::ZERO).await?;
    let destination = scene.connect("First SIEM", &first, WRONG_TOKEN).await?;
    let traffic = scene.traffic(0, BEFORE, 400);
    let waited = scene.outage(&first, &traffic).await?;
    let mut accepted = scene.repair(&first, traffic, &destination).await?;
    let first_side = Side::new(&accepted, waited, first.stop().await);

    scene.stage.part(4, "A new SIEM replaces it; it has none of the history");
    let second = scene.receiver(SECOND_TOKEN, LATENCY).await?;
    scene.connect("New SIEM", &second, SECOND_TOKEN).await?;
    let traffic = scene.traffic(BEFORE, DURING, 200);
    scene.stage.good(&format!("{DURING} more events are on their way while it catches up"));
    let replay = scene.replay().await?;
    accepted.extend(traffic.finish().await?);
    scene.wait_for(&second, &accepted).await;
    let second_side = Side::new(&accepted, 0, second.stop().await);
    Ok(Account { first: first_side, second: second_side, replay })
}

impl Scene {
    async fn receiver(&self, token: &str, latency: Duration) -> Result<Receiver, Failure> {
        let options = ReceiverOptions {
            authorization: Some(token.to_owned()),
            keys: Some(Keys::at(self.jwks.clone()).map_err(anyhow::Error::from)?),
            latency,
            ..ReceiverOptions::default()
        };
        Receiver::start(([127, 0, 0, 1], 0).into(), options).await.map_err(Failure::io("receiver"))
    }

    fn webhook_path(&self) -> String {
        format!("/v3/portals/{}/audit-log-webhook", self.portal)
    }

    /// Makes a destination and binds the portal's webhook to it.
    async fn connect(
        &self,
        name: &str,
        receiver: &Receiver,
        token: &str,
    ) -> Result<String, Failure> {
        let destination = json!({
            "name": name,
            "endpoint": receiver.endpoint(),
            "authorization": token,
            "log_format": "cef",
        });
        let (stage, admin) = (self.stage, &self.admin);
        let made = stage
            .call(admin, Method::POST, "/v3/audit-log-destinations", Some(destination))
            .await?;
        let destination = id(&made)?.to_owned();
        let bind = json!({ "enabled": true, "audit_log_destination_id": destination });
        stage.call(admin, Method::PATCH, &self.webhook_path(), Some(bind)).await?;
        Ok(destination)
    }

    fn traffic(&self, first: u64, count: u64, rate: u64) -> Producer {
        let load = Load { portal: self.portal, first, count, rate };
        Producer::start(self.producer.clone(), load)
    }

    async fn status(&self) -> Result<Value, Failure> {
        Ok(self.admin.get(&format!("{}/status", self.webhook_path())).await?)
    }

    /// Waits for the webhook's status; asks quietly, shows the last call.
    async fn until_status(&self, wanted: &str) -> Result<Value, Failure> {
        while self.status().await?.get("webhook_status").and_then(Value::as_str) != Some(wanted) {
            tokio::time::sleep(LOOK).await;
        }
        let path = format!("{}/status", self.webhook_path());
        Ok(self.stage.call(&self.admin, Method::GET, &path, None).await?)
    }

    /// The receiver refuses; events are accepted all the same, and wait.
    async fn outage(&self, receiver: &Receiver, traffic: &Producer) -> Result<u64, Failure> {
        let stage = self.stage;
        stage.part(2, "Developers log in; the SIEM answers 401");
        let status = self.until_status("inactive").await?;
        // Some more, so that there is something to catch up with.
        while traffic.accepted() < 600 {
            tokio::time::sleep(LOOK).await;
        }
        let refused = receiver.with_ledger(|ledger| ledger.answered_with(StatusCode::UNAUTHORIZED));
        let code = status.get("last_response_code").and_then(Value::as_u64).unwrap_or(0);
        stage.bad(&format!(
            "the webhook is inactive: last response {code}, {refused} requests refused"
        ));
        let waiting = traffic.accepted();
        let held = receiver.with_ledger(|ledger| ledger.lines);
        stage.say(&format!(
            "{waiting} events are accepted and on disk, {held} are delivered: they wait."
        ));
        stage.say("A wrong token is for people to mend, so it is not tried over and over.");
        Ok(u64::try_from(waiting).unwrap_or(u64::MAX))
    }

    /// The token is mended; nobody does anything else.
    async fn repair(
        &self,
        receiver: &Receiver,
        traffic: Producer,
        destination: &str,
    ) -> Result<Vec<String>, Failure> {
        let stage = self.stage;
        stage.part(3, "The token is mended, and nothing else is done");
        let path = format!("/v3/audit-log-destinations/{destination}");
        let token = json!({ "authorization": FIRST_TOKEN });
        stage.call(&self.admin, Method::PATCH, &path, Some(token)).await?;
        stage.say("The change itself makes the lane try again, from the event where it stopped.");
        self.until_status("active").await?;
        let accepted = traffic.finish().await?;
        self.wait_for(receiver, &accepted).await;
        stage.good(&format!("it caught up by itself: {} events delivered", accepted.len()));
        Ok(accepted)
    }

    /// Waits until the receiver holds every event; the demo's deadline ends a wait in vain.
    async fn wait_for(&self, receiver: &Receiver, ids: &[String]) {
        let all_there = || receiver.with_ledger(|ledger| ids.iter().all(|id| ledger.count(id) > 0));
        while !all_there() {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Asks for the last hour and watches the job to its end.
    async fn replay(&self) -> Result<Sightings, Failure> {
        let (stage, admin) = (self.stage, &self.admin);
        stage.part(5, "A replay of the last hour brings the history to the new SIEM");
        let path = format!("/v3/portals/{}/audit-log-replay-job", self.portal);
        let now = SystemClock.now();
        let window = json!({ "start_at": (now - HOUR).to_string(), "end_at": now.to_string() });
        stage.say("It runs beside the live events and sends what was stored, in its order.");
        let job = stage.call(admin, Method::PUT, &path, Some(window)).await?;
        let state = job.get("status").and_then(Value::as_str).unwrap_or("unknown");
        let mut sightings = Sightings::beginning_with(state);
        loop {
            let job = sightings.next(admin, self.portal).await?;
            if job.state == "running" {
                self.second_wish(&path, now).await?;
            }
            if job.is_ended() {
                break;
            }
        }
        stage.call(admin, Method::GET, &path, None).await?;
        stage.good(&sightings.words());
        let unseen = sightings.unseen();
        if !unseen.is_empty() {
            let between =
                |name| sightings.newest().get(name).and_then(Value::as_str).unwrap_or("?");
            stage.say(&format!(
                "too short to be seen from outside: {} (the job: accepted at {}, ended at {})",
                unseen.join(", "),
                between("accepted_at"),
                between("updated_at"),
            ));
        }
        Ok(sightings)
    }

    /// A running job refuses another window. Should it just have ended, the new job finds that
    /// window empty and ends at once.
    async fn second_wish(&self, path: &str, now: Timestamp) -> Result<(), Failure> {
        let (start, end) = (now - 2 * HOUR, now - HOUR);
        let window = json!({ "start_at": start.to_string(), "end_at": end.to_string() });
        let (_, answer) = self.stage.ask(&self.admin, Method::PUT, path, Some(window)).await?;
        if answer.status == StatusCode::CONFLICT {
            self.stage.say("While it runs, a request for another window is refused.");
        }
        Ok(())
    }
}

fn id(made: &Value) -> Result<&str, Failure> {
    let id = made.get("id").and_then(Value::as_str);
    id.ok_or_else(|| Failure::Other(anyhow::anyhow!("the answer has no id")))
}
