//! Each form says what is wrong beside its field, and keeps what was typed.

use auditrelay_testkit::stack::Stack;
use auditrelay_testkit::wait;

use crate::driver::{Browser, in_browser};
use crate::{DESK, sign_in};

#[tokio::test]
async fn mistakes_take_the_focus_and_lead_to_their_fields() {
    in_browser(DESK, async |browser| {
        let stack = Stack::start().await;
        let org = stack.org().await;
        sign_in(browser, &stack, &org).await;
        browser.go(&format!("{}/console/setup/destinations/new", stack.console())).await;
        browser.fill("Endpoint", "nowhere").await;
        browser.leave(browser.click("Save")).await;
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

/// Whether the page says these words, with the focus on the summary and the field tied to them.
async fn refuses(browser: &Browser, field: &str, words: &str) {
    browser.sees(words).await;
    let tied = format!(
        "const field = document.getElementById('{field}'); \
         return document.activeElement.className === 'summary' \
         && field.getAttribute('aria-invalid') === 'true' \
         && document.getElementById('{field}-error').textContent.includes({words:?})"
    );
    wait::until(&format!("{field} to be tied to what is wrong: {words}"), async || {
        let found = browser.run(&tied).await;
        if found == true { Ok(()) } else { Err(found.to_string()) }
    })
    .await;
}

#[tokio::test]
async fn every_form_tells_its_mistakes_and_keeps_what_was_typed() {
    in_browser(DESK, async |browser| {
        let stack = Stack::start().await;
        let org = stack.org().await;
        browser.go(&format!("{}/", stack.console())).await;
        browser.fill("API token", "art_nobody").await;
        browser.click("Sign in").await;
        browser.sees("This token is not known, has expired or was revoked.").await;
        sign_in(browser, &stack, &org).await;
        let go = async |page: &str| {
            browser.go(&format!("{}/console/{page}", stack.console())).await;
        };
        let typed = async |id: &str| {
            browser.run(&format!("return document.getElementById('{id}').value")).await
        };

        go("access/new").await;
        browser.choose("Ends", "At a time of your own").await;
        browser.run("document.getElementById('until').value = '2020-01-01T00:00'").await;
        browser.click("Create token").await;
        refuses(browser, "name", "Name cannot be blank.").await;
        browser.sees("Ends at must be in the future.").await;
        assert_eq!(typed("until").await, "2020-01-01T00:00");

        go("keys").await;
        browser.fill("Line", "no signature").await;
        browser.click("Check signature").await;
        browser.sees("Line carries no signature at its end").await;
        assert_eq!(typed("line").await, "no signature");

        go("portals/new").await;
        browser.click("Save").await;
        refuses(browser, "name", "Name cannot be blank.").await;

        org.portal("Example Portal").await;
        go("setup/portals/new").await;
        browser.click("Save").await;
        refuses(browser, "portal", "Choose a Dev Portal.").await;
        browser.choose("Dev Portal", "Example Portal").await;
        browser.click("Save").await;
        refuses(browser, "endpoint", "Choose an endpoint.").await;

        go("setup/konnect").await;
        browser.tick("Enabled").await;
        browser.click("Save").await;
        refuses(browser, "endpoint", "Endpoint is a required field.").await;
        assert_eq!(browser.run("return document.getElementById('enabled').checked").await, true);

        go("events?range=custom&from=2026-01-02T00:00:07&to=2026-01-01T00:00:00").await;
        refuses(browser, "to", "To must not be before From.").await;
        assert_eq!(typed("from").await, "2026-01-02T00:00:07");
        assert_eq!(browser.complaints().await, [""; 0]);
    })
    .await;
}
