//! What people come for: set it up, notice that it does not work, mend it, recover.

use std::time::Duration;

use auditrelay_testkit::builders::{login, some};
use auditrelay_testkit::siem::{Answer, Siem};
use auditrelay_testkit::stack::Stack;

use crate::driver::in_browser;
use crate::{DESK, sign_in};

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

/// A token that the receiver does not know, seen and mended without a reload.
#[tokio::test]
async fn a_wrong_token_is_noticed_mended_and_caught_up_live() {
    in_browser(DESK, async |browser| {
        let stack = Stack::start().await;
        let (org, siem) = (stack.org().await, Siem::start().await);
        siem.require_authorization("Bearer right");
        sign_in(browser, &stack, &org).await;
        browser.go(&format!("{}/console/setup/destinations/new", stack.console())).await;
        browser.fill("Name", "SIEM").await;
        browser.fill("Endpoint", &siem.url()).await;
        browser.fill("Authorization Header", "Bearer wrong").await;
        browser.click("Save").await;
        browser.tab("Konnect").await;
        browser.tick("Enabled").await;
        browser.choose("Endpoint", "SIEM").await;
        browser.click("Save").await;
        browser.sees("Saved.").await;
        let settings = browser.this_tab().await;
        let sent = org.send(&some(30)).await;
        browser.sees("Inactive Delivery does not succeed at the moment.").await;
        browser.sees("You must act: check the destination's address").await;
        browser.sees("answered 401").await;
        browser.sees("30 events wait").await;
        browser.sees("it expires in 6 days").await;
        browser.run("window.sameAsBefore = true").await;
        let other = browser.new_tab().await;
        browser.look_at_tab(&other).await;
        browser.go(&format!("{}/console/setup/destinations", stack.console())).await;
        browser.click("SIEM").await;
        browser.fill("Authorization Header", "Bearer right").await;
        browser.click("Save").await;
        browser.sees("Saved.").await;
        browser.look_at_tab(&settings).await;
        browser.sees("Active The last attempt was delivered.").await;
        browser.sees("Events delivered 30").await;
        browser.sees("Lag Nothing waits").await;
        assert_eq!(browser.run("return window.sameAsBefore").await, true);
        siem.wait_for_live(&sent).await;
    })
    .await;
}
