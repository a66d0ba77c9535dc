//! The console as people see it: in a chromium, with its script running.
//!
//! Needs chromium and chromedriver. Where they are not, the tests say so and end, unless
//! `AUDITRELAY_BROWSER_REQUIRED` is set.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "this is test code"
)]

mod driver;

use std::time::Duration;

use auditrelay_testkit::builders::login;
use auditrelay_testkit::siem::{Answer, Siem};
use auditrelay_testkit::stack::{Org, Stack};
use serde_json::json;

use crate::driver::{Browser, Look, in_browser};

const DESK: Look = Look { width: 1280, scheme: "light" };

async fn sign_in(browser: &Browser, stack: &Stack, org: &Org) {
    browser.go(&format!("{}/", stack.console())).await;
    browser.fill("API token", &org.admin).await;
    browser.click("Sign in").await;
}

/// From nothing to a completed replay, by the words of the customer's how-to; nothing is reloaded
/// by hand.
#[tokio::test]
async fn the_how_to_is_followed_to_the_end() {
    in_browser(DESK, async |browser| {
        let stack = Stack::start().await;
        let (org, siem) = (stack.org().await, Siem::start().await);
        let portal = org.portal("Example Portal").await.to_string();
        sign_in(browser, &stack, &org).await;
        browser.click("Organization").await;
        browser.click("Audit Logs Setup").await;
        browser.click("New Webhook").await;
        browser.fill("Name", "SumoLogic").await;
        browser.fill("Endpoint", &siem.url()).await;
        browser.fill("Authorization Header", "Bearer very-secret").await;
        browser.choose("Log Format", "cef").await;
        browser.click("Save").await;
        browser.tab("Dev Portal").await;
        browser.click("New Dev Portal Audit Log").await;
        browser.choose("View region", "This deployment").await;
        browser.choose("Dev Portal", "Example Portal").await;
        browser.tick("Enabled").await;
        browser.choose("Endpoint", "SumoLogic").await;
        browser.click("Save").await;
        browser.sees("Nothing had to be delivered yet.").await;
        browser.run("window.sameAsBefore = true").await;
        let drafts: Vec<_> = (0..900).map(|_| login().with("portal_id", portal.as_str())).collect();
        let sent = org.send(&drafts).await;
        browser.sees("The last attempt was delivered.").await;
        browser.sees("Events delivered 900").await;
        browser.sees("Time Result Events Took Answer").await;
        assert_eq!(browser.run("return window.sameAsBefore").await, true);
        siem.wait_for_live(&sent).await;

        siem.answer_always(Answer::Slow(Duration::from_secs(2), 200));
        browser.click("Organization").await;
        browser.click("Audit Logs Setup").await;
        browser.tab("Dev Portal").await;
        browser.click("Example Portal").await;
        browser.click("Replay").await;
        browser.sees("Unconfigured The job has not been set up.").await;
        browser.choose("Replay Time Range", "Last 6 hours").await;
        browser.click("Send Replay").await;
        browser.run("window.sameAsBefore = true").await;
        browser.sees("Running The job is in progress.").await;
        browser.sees("Another can be sent when it has ended.").await;
        siem.answer_always(Answer::Status(200));
        browser.sees("Completed The job has finished with no errors.").await;
        browser.sees("Events sent 900").await;
        browser.sees("Replay Time Range").await;
        assert_eq!(browser.run("return window.sameAsBefore").await, true);
        assert_eq!(browser.complaints().await, [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn mistakes_take_the_focus_and_lead_to_their_fields() {
    in_browser(DESK, async |browser| {
        let stack = Stack::start().await;
        let org = stack.org().await;
        sign_in(browser, &stack, &org).await;
        browser.go(&format!("{}/console/setup/destinations/new", stack.console())).await;
        browser.fill("Endpoint", "nowhere").await;
        browser.click("Save").await;
        assert_eq!(browser.run("return document.activeElement.className").await, "summary");
        browser.click("Endpoint must be a valid URL.").await;
        assert_eq!(browser.run("return document.activeElement.id").await, "endpoint");
        assert_eq!(browser.run("return document.activeElement.value").await, "nowhere");
        let title = browser.run("return document.title").await;
        assert!(title.as_str().unwrap().starts_with("Error: "), "{title}");
        assert_eq!(browser.complaints().await, [""; 0]);
    })
    .await;
}

/// Names that are scripts, on narrow windows, dark and light.
#[tokio::test]
async fn pages_fit_ask_nobody_else_and_run_nothing_that_was_typed() {
    for scheme in ["light", "dark"] {
        in_browser(Look { width: 320, scheme }, look_at_every_page).await;
    }
}

async fn look_at_every_page(browser: &Browser) {
    let stack = Stack::start().await;
    let org = stack.org().await;
    let name = format!("<img src=x onerror='document.title=1'>{}", "W".repeat(200));
    let body = json!({"name": name, "endpoint": "https://siem.example/?<script>",
        "authorization": "x", "log_format": "json"});
    let made = org.post("/v3/audit-log-destinations", &body).await.must(201);
    let portal = org.portal(&name).await;
    let on = json!({"audit_log_destination_id": made.text("id"), "enabled": true});
    let _ = org.patch(&format!("/v3/portals/{portal}/audit-log-webhook"), &on).await.must(200);
    sign_in(browser, &stack, &org).await;
    for page in [
        "organization".to_owned(),
        "portals".to_owned(),
        "setup/destinations".to_owned(),
        format!("setup/destinations/{}", made.text("id")),
        format!("setup/destinations/{}/delete", made.text("id")),
        "setup/konnect".to_owned(),
        "setup/portals".to_owned(),
        "setup/portals/new".to_owned(),
        format!("setup/portals/{portal}"),
        format!("setup/portals/{portal}/replay"),
    ] {
        browser.go(&format!("{}/console/{page}", stack.console())).await;
        let wide = "const all = document.documentElement; return all.scrollWidth - all.clientWidth";
        assert_eq!(browser.run(wide).await, 0, "{page} is wider than its window");
        let images = "return document.querySelectorAll('img[src=x], main script').length";
        assert_eq!(browser.run(images).await, 0, "{page}");
        let elsewhere = "return performance.getEntriesByType('resource').map((one) => one.name)\
                         .filter((name) => !name.startsWith(location.origin))";
        assert_eq!(browser.run(elsewhere).await, json!([]), "{page}");
        let secret = browser.run("return document.documentElement.outerHTML").await;
        assert!(!secret.as_str().unwrap().contains(&org.admin), "{page}");
    }
    assert_eq!(browser.complaints().await, [""; 0]);
}
