//! What people come for: set it up, notice that it does not work, mend it, recover.

use std::time::Duration;

use auditrelay_testkit::builders::{login, some};
use auditrelay_testkit::siem::{Answer, Siem};
use auditrelay_testkit::stack::Stack;

use crate::driver::{Browser, in_browser};
use crate::hands::Hands;
use crate::{DESK, sign_in};

/// From nothing to a completed replay, by the words of the customer's how-to; nothing is reloaded
/// by hand.
#[tokio::test]
async fn the_how_to_is_followed_to_the_end() {
    in_browser(DESK, async |browser| follow(browser, Hands::Mouse).await).await;
}

#[tokio::test]
async fn the_how_to_needs_no_mouse() {
    in_browser(DESK, async |browser| follow(browser, Hands::Keys).await).await;
}

#[tokio::test]
async fn the_how_to_needs_no_script() {
    in_browser(DESK, async |browser| {
        browser.without_scripts().await;
        follow(browser, Hands::MouseAlone).await;
    })
    .await;
}

async fn follow(browser: &Browser, hands: Hands) {
    let stack = Stack::start().await;
    let (org, siem) = (stack.org().await, Siem::start().await);
    let portal = org.portal("Example Portal").await.to_string();
    browser.go(&format!("{}/", stack.console())).await;
    hands.fill(browser, "API token", &org.admin).await;
    hands.click(browser, "Sign in").await;
    set_up(browser, hands, &siem).await;
    hands.sees(browser, "Nothing had to be delivered yet.").await;
    mark(browser, hands).await;
    let drafts: Vec<_> = (0..900).map(|_| login().with("portal_id", portal.as_str())).collect();
    let sent = org.send(&drafts).await;
    hands.sees(browser, "The last attempt was delivered.").await;
    hands.sees(browser, "Events delivered 900").await;
    hands.sees(browser, "Time Result Events Took Answer").await;
    is_marked(browser, hands).await;
    siem.wait_for_live(&sent).await;
    siem.answer_always(Answer::Slow(Duration::from_secs(2), 200));
    recover(browser, hands).await;
    mark(browser, hands).await;
    hands.sees(browser, "Running The job is in progress.").await;
    hands.sees(browser, "Another can be sent when it has ended.").await;
    siem.answer_always(Answer::Status(200));
    hands.sees(browser, "Completed The job has finished with no errors.").await;
    hands.sees(browser, "Events sent 900").await;
    hands.sees(browser, "Replay Time Range").await;
    hands.sees(browser, "Requests of the job").await;
    is_marked(browser, hands).await;
    assert_eq!(browser.complaints().await, [""; 0]);
}

/// The how-to's prerequisites: a destination, and the log of a Dev Portal that goes there.
async fn set_up(browser: &Browser, hands: Hands, siem: &Siem) {
    hands.click(browser, "Organization").await;
    hands.click(browser, "Audit Logs Setup").await;
    hands.click(browser, "New Webhook").await;
    hands.fill(browser, "Name", "SumoLogic").await;
    hands.fill(browser, "Endpoint", &siem.url()).await;
    hands.fill(browser, "Authorization Header", "Bearer very-secret").await;
    hands.choose(browser, "Log Format", "cef").await;
    hands.click(browser, "Save").await;
    hands.tab(browser, "Dev Portal").await;
    hands.click(browser, "New Dev Portal Audit Log").await;
    hands.choose(browser, "View region", "This deployment").await;
    hands.choose(browser, "Dev Portal", "Example Portal").await;
    hands.tick(browser, "Enabled").await;
    hands.choose(browser, "Endpoint", "SumoLogic").await;
    hands.click(browser, "Save").await;
}

/// The how-to's first half.
async fn recover(browser: &Browser, hands: Hands) {
    hands.click(browser, "Organization").await;
    hands.click(browser, "Audit Logs Setup").await;
    hands.tab(browser, "Dev Portal").await;
    hands.click(browser, "Example Portal").await;
    hands.click(browser, "Replay").await;
    hands.sees(browser, "Unconfigured The job has not been set up.").await;
    hands.choose(browser, "Replay Time Range", "Last 6 hours").await;
    hands.click(browser, "Send Replay").await;
}

/// Where pages change by themselves, whether they are still the same is seen from this.
async fn mark(browser: &Browser, hands: Hands) {
    if hands.is_live() {
        browser.run("window.sameAsBefore = true").await;
    }
}

async fn is_marked(browser: &Browser, hands: Hands) {
    if hands.is_live() {
        assert_eq!(browser.run("return window.sameAsBefore").await, true);
    }
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
        browser.leave(browser.click("Save")).await;
        browser.leave(browser.tab("Konnect")).await;
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
