//! An organization in which every stored text is hostile, and every page that shows it.

use std::time::Duration;

use auditrelay_testkit::builders::{access, ago, denied, ids, login, now};
use auditrelay_testkit::siem::{Answer, Siem};
use auditrelay_testkit::stack::{Org, Stack};
use auditrelay_testkit::wait;
use serde_json::{Value, json};

use crate::driver::Browser;
use crate::sign_in;

/// Runs if it is ever taken for markup.
pub(crate) const HOSTILE: &str =
    "<img src=x onerror='window.hacked=1'><script>window.hacked=1</script>";

/// Everything that there can be to see.
pub(crate) struct Scene {
    pub(crate) stack: Stack,
    pub(crate) org: Org,
    pub(crate) siem: Siem,
    /// Delivers, but for one event.
    pub(crate) portal: String,
    /// Its receiver knows nobody, and a replay waits for it.
    broken: String,
    destination: String,
    viewer: String,
    _deaf: Siem,
}

impl Scene {
    pub(crate) async fn start() -> Self {
        let stack = Stack::start().await;
        let name = format!("{HOSTILE}{}", "W".repeat(120));
        let org = stack.org_called(&name).await;
        let (siem, deaf) = (Siem::start().await, Siem::start().await);
        siem.say(HOSTILE);
        deaf.say(HOSTILE);
        deaf.answer_always(Answer::Status(401));
        let (destination, portal) = log(&org, &siem, &name).await;
        let (_, broken) = log(&org, &deaf, &format!("broken {name}")).await;
        let tokens = format!("/v1/organizations/{}/tokens", org.id);
        let token = json!({"name": name, "role": "viewer"});
        let viewer = org.post(&tokens, &token).await.must(201).text("id");
        let revoked = org.post(&tokens, &token).await.must(201).text("id");
        let _ = org.delete(&format!("{tokens}/{revoked}")).await.must(204);
        let scene = Self { stack, org, siem, portal, broken, destination, viewer, _deaf: deaf };
        scene.fill().await;
        scene
    }

    /// Events with hostile texts. A request fails first, one event is refused alone.
    async fn fill(&self) {
        let drafts = |portal: &str| {
            let drafts = [
                login().with("principal_name", HOSTILE),
                denied().with("resource", HOSTILE).with("action", HOSTILE),
                access(&format!("/{HOSTILE}")).with("principal_id", HOSTILE),
                access("/refused"),
                access("/refused too"),
            ];
            drafts.map(|draft| draft.with("portal_id", portal).with("user_agent", HOSTILE))
        };
        let sent = drafts(&self.portal);
        let mut ids = ids(&sent);
        let refused = ids.split_off(3);
        self.siem.answer_next([Answer::Status(503)]);
        self.siem.answer_by(move |delivery| {
            let any = refused.iter().any(|id| delivery.brings(id));
            Answer::Status(if any { 422 } else { 200 })
        });
        let _ = self.org.send(&sent).await;
        self.siem.wait_for_live(&ids).await;
        let _ = self.org.send(&drafts(&self.broken)).await;
        self.discard_one_of_two().await;
        self.replay(&self.portal, "completed").await;
        self.replay(&self.broken, "running").await;
        let status = format!("/v3/portals/{}/audit-log-webhook/status", self.broken);
        wait::until("the deaf one to be inactive", async || {
            let status = self.org.get(&status).await.must(200).body;
            if status["webhook_status"] == "inactive" { Ok(()) } else { Err(status.to_string()) }
        })
        .await;
    }

    /// With a hostile reason.
    async fn discard_one_of_two(&self) {
        let list = format!("/v1/webhooks/{}/quarantine", self.portal);
        let parked = wait::until("two events to be parked", async || {
            let parked = self.org.get(&list).await.must(200).body["data"].take();
            if parked.as_array().is_some_and(|all| all.len() == 2) {
                Ok(parked)
            } else {
                Err(parked.to_string())
            }
        })
        .await;
        let one = parked[0]["id"].to_string().replace('"', "");
        let reason = json!({"reason": HOSTILE});
        let _ = self.org.post(&format!("{list}/{one}/discard"), &reason).await.must(200);
    }

    /// A job with a hostile name.
    async fn replay(&self, portal: &str, until: &str) {
        let more = json!({"name": HOSTILE, "portal_id": portal});
        let job = self.org.replay_job(ago(Duration::from_mins(10)), now(), &more).await.must(202);
        self.org.wait_for_job_id(&job.text("id"), until).await;
    }

    /// Signs in, finds the pages whose addresses cannot be known before, and names them all.
    pub(crate) async fn pages(&self, browser: &Browser) -> Vec<String> {
        sign_in(browser, &self.stack, &self.org).await;
        let Self { destination, portal, broken, viewer, .. } = self;
        let known = [
            "sign-in",
            "overview",
            "overview?show=off",
            "organization",
            "access",
            "access/new",
            "keys",
            "portals",
            "portals/new",
            "setup/destinations",
            "setup/destinations/new",
            "setup/konnect",
            "setup/konnect/replay",
            "setup/konnect/requests",
            "setup/konnect/quarantine",
            "setup/portals",
            "setup/portals/new",
            "events",
            "events?text=nothing-like-this",
            "nothing-like-this",
        ];
        let mut pages = known.map(ToOwned::to_owned).to_vec();
        pages.extend([
            format!("access/{viewer}/revoke"),
            format!("setup/destinations/{destination}"),
            format!("setup/destinations/{destination}/delete"),
            format!("events?log={portal}"),
            format!("setup/portals/{broken}?broken"),
            format!("setup/portals/{broken}/replay?broken"),
            format!("setup/portals/{portal}/quarantine?state=discarded"),
        ]);
        let of_portal = ["", "/replay", "/requests", "/quarantine"];
        pages.extend(of_portal.map(|tab| format!("setup/portals/{portal}{tab}")));
        for list in [format!("setup/portals/{portal}/requests"), format!("events?log={portal}")] {
            browser.go(&self.address(&list)).await;
            let link = "return document.querySelector('main tbody a').getAttribute('href')";
            let link = browser.run(link).await;
            pages.push(link.as_str().unwrap().trim_start_matches("/console/").to_owned());
        }
        pages
    }

    pub(crate) fn address(&self, page: &str) -> String {
        format!("{}/console/{page}", self.stack.console())
    }
}

/// Whether anything that was stored ran or was taken for markup.
pub(crate) async fn is_hacked(browser: &Browser) -> bool {
    let found = "return Boolean(window.hacked) || \
                 document.querySelectorAll('img[src=x], main script').length > 0";
    browser.run(found).await == Value::Bool(true)
}

/// A destination, and a portal whose log goes there.
async fn log(org: &Org, siem: &Siem, name: &str) -> (String, String) {
    let body = json!({"name": name, "endpoint": format!("{}?<script>", siem.url()),
        "authorization": "Bearer very-secret", "log_format": "json"});
    let destination = org.post("/v3/audit-log-destinations", &body).await.must(201).text("id");
    let portal = org.portal(name).await.to_string();
    let on = json!({"audit_log_destination_id": destination, "enabled": true});
    let _ = org.patch(&format!("/v3/portals/{portal}/audit-log-webhook"), &on).await.must(200);
    (destination, portal)
}
