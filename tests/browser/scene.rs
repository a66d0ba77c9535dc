//! An organization in which every stored text is hostile, and every page that shows it.

use auditrelay_testkit::builders::{access, denied, login};
use auditrelay_testkit::siem::{Answer, Siem};
use auditrelay_testkit::stack::{Org, Stack};
use serde_json::{Value, json};

use crate::driver::Browser;
use crate::sign_in;

/// Runs if it is ever taken for markup.
const HOSTILE: &str = "<img src=x onerror='window.hacked=1'><script>window.hacked=1</script>";

/// Everything that there can be to see.
pub(crate) struct Scene {
    pub(crate) stack: Stack,
    pub(crate) org: Org,
    destination: String,
    portal: String,
    viewer: String,
    siem: Siem,
}

impl Scene {
    pub(crate) async fn start() -> Self {
        let stack = Stack::start().await;
        let (org, siem) = (stack.org().await, Siem::start().await);
        let name = format!("{HOSTILE}{}", "W".repeat(120));
        let body = json!({"name": name, "endpoint": format!("{}?<script>", siem.url()),
            "authorization": "Bearer very-secret", "log_format": "json"});
        let made = org.post("/v3/audit-log-destinations", &body).await.must(201);
        let destination = made.text("id");
        let portal = org.portal(&name).await.to_string();
        let on = json!({"audit_log_destination_id": destination, "enabled": true});
        let _ = org.patch(&format!("/v3/portals/{portal}/audit-log-webhook"), &on).await.must(200);
        let tokens = format!("/v1/organizations/{}/tokens", org.id);
        let token = json!({"name": name, "role": "viewer"});
        let viewer = org.post(&tokens, &token).await.must(201).text("id");
        let scene = Self { stack, org, destination, portal, viewer, siem };
        scene.fill().await;
        scene
    }

    /// Events with hostile texts; some of them fail to be delivered first.
    async fn fill(&self) {
        self.siem.answer_next([Answer::Status(503)]);
        let of_portal = |draft: auditrelay_testkit::builders::Draft| {
            draft.with("portal_id", self.portal.as_str()).with("user_agent", HOSTILE)
        };
        let drafts = [
            login().with("principal_name", HOSTILE),
            denied().with("resource", HOSTILE).with("action", HOSTILE),
            access(&format!("/{HOSTILE}")).with("principal_id", HOSTILE),
        ];
        let sent = self.org.send(&drafts.map(of_portal)).await;
        self.siem.wait_for_live(&sent).await;
        let replay = json!({"start_at": auditrelay_testkit::builders::ago(std::time::Duration::from_mins(10)).to_string(),
            "end_at": auditrelay_testkit::builders::now().to_string()});
        let path = format!("/v3/portals/{}/audit-log-replay-job", self.portal);
        let _ = self.org.put(&path, &replay).await.must(202);
        let detail = format!("/v1/portals/{}/replay-job", self.portal);
        auditrelay_testkit::wait::until("the job to end", async || {
            let job = self.org.get(&detail).await.body;
            if job["state"] == "completed" { Ok(()) } else { Err(job.to_string()) }
        })
        .await;
    }

    /// Signs in, finds the pages whose addresses cannot be known before, and names them all.
    pub(crate) async fn pages(&self, browser: &Browser) -> Vec<String> {
        sign_in(browser, &self.stack, &self.org).await;
        let (destination, portal) = (&self.destination, &self.portal);
        let mut pages = vec![
            "overview".to_owned(),
            "overview?show=off".to_owned(),
            "organization".to_owned(),
            "access".to_owned(),
            "access/new".to_owned(),
            format!("access/{}/revoke", self.viewer),
            "keys".to_owned(),
            "portals".to_owned(),
            "portals/new".to_owned(),
            "setup/destinations".to_owned(),
            "setup/destinations/new".to_owned(),
            format!("setup/destinations/{destination}"),
            format!("setup/destinations/{destination}/delete"),
            "setup/konnect".to_owned(),
            "setup/konnect/replay".to_owned(),
            "setup/konnect/requests".to_owned(),
            "setup/portals".to_owned(),
            "setup/portals/new".to_owned(),
            format!("setup/portals/{portal}"),
            format!("setup/portals/{portal}/replay"),
            format!("setup/portals/{portal}/requests"),
            format!("setup/portals/{portal}/quarantine"),
            "events".to_owned(),
            format!("events?log={portal}"),
            "events?text=nothing-like-this".to_owned(),
        ];
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
