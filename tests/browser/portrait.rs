//! The pictures in the README, taken anew.

use std::path::PathBuf;
use std::time::Duration;

use auditrelay_testkit::builders::{ago, login, now, some};
use auditrelay_testkit::siem::{Answer, Siem};
use auditrelay_testkit::stack::{Org, Stack};
use serde_json::json;

use crate::DESK;
use crate::driver::{Look, from_base64, in_browser};
use crate::sign_in;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../services/api/assets");

async fn log(org: &Org, siem: &Siem, siem_name: &str, name: &str) -> String {
    let body = json!({"name": siem_name, "endpoint": siem.url(),
        "authorization": "Bearer very-secret", "log_format": "cef"});
    let destination = org.post("/v3/audit-log-destinations", &body).await.must(201).text("id");
    let portal = org.portal(name).await.to_string();
    let on = json!({"audit_log_destination_id": destination, "enabled": true});
    let _ = org.patch(&format!("/v3/portals/{portal}/audit-log-webhook"), &on).await.must(200);
    let drafts: Vec<_> = (0..240).map(|_| login().with("portal_id", portal.as_str())).collect();
    let _ = org.send(&drafts).await;
    portal
}

#[tokio::test]
#[ignore = "writes the README's pictures"]
async fn pictures_for_the_readme() {
    in_browser(DESK, async |browser| {
        let stack = Stack::start().await;
        let org = stack.org_called("Example").await;
        let (siem, deaf) = (Siem::start().await, Siem::start().await);
        deaf.answer_always(Answer::Status(401));
        deaf.say("unknown token");
        let own = org.deliver_to(&siem, "json").await;
        let renamed = format!("/v3/audit-log-destinations/{own}");
        let _ = org.patch(&renamed, &json!({"name": "SIEM"})).await.must(200);
        let sent = org.send(&some(300)).await;
        siem.wait_for_live(&sent).await;
        siem.require_authorization("Bearer very-secret");
        let portal = log(&org, &siem, "Security SIEM", "Developer portal").await;
        log(&org, &deaf, "Partner SIEM", "Partner portal").await;
        let more = json!({"name": "After the outage", "portal_id": portal});
        let job = org.replay_job(ago(Duration::from_hours(6)), now(), &more).await.must(202);
        org.wait_for_job_id(&job.text("id"), "completed").await;
        sign_in(browser, &stack, &org).await;
        browser.sees("2 Active").await;
        browser.sees("answered 401").await;
        let replay = format!("setup/portals/{portal}/replay");
        for (page, name, scheme) in
            [("overview", "overview", "light"), (replay.as_str(), "replay", "dark")]
        {
            browser.look(Look { width: 1120, scheme }).await;
            browser.go(&format!("{}/console/{page}", stack.console())).await;
            let picture = from_base64(&browser.picture().await);
            let path = PathBuf::from(FOLDER).join(format!("picture-{name}.png"));
            std::fs::write(path, picture).unwrap();
        }
    })
    .await;
}
