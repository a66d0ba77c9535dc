//! What forms answer: as fit for everybody as the pages that they stand on.

use crate::driver::{Look, in_browser};
use crate::pages::judge;
use crate::scene::Scene;
use crate::sign_in;

#[tokio::test]
async fn what_forms_answer_is_for_all() {
    in_browser(Look { width: 1280, scheme: "light" }, async |browser| {
        let scene = Scene::start().await;
        for (width, scheme) in [(1280, "light"), (360, "dark")] {
            let look = Look { width, scheme };
            browser.look(look).await;
            let go = async |page: &str| browser.go(&scene.address(page)).await;
            let judge = async |name: &str| judge(browser, &scene, name, look).await;

            browser.forget_cookies().await;
            go("sign-in").await;
            browser.fill("API token", "art_nobody").await;
            browser.click("Sign in").await;
            judge("answer-sign-in").await;
            sign_in(browser, &scene.stack, &scene.org).await;

            go("setup/destinations/new").await;
            browser.click("Save").await;
            judge("answer-destination").await;
            browser.fill("Name", "Tried").await;
            browser.fill("Endpoint", &scene.siem.url()).await;
            browser.fill("Authorization Header", "Bearer very-secret").await;
            browser.click("Send test event").await;
            browser.sees("The receiver took it.").await;
            assert!(!browser.text().await.contains("cannot be blank"));
            judge("answer-test").await;

            // Its cookie is lost while somebody types.
            browser.forget_cookies().await;
            browser.click("Save").await;
            browser.sees("what you typed is kept").await;
            judge("answer-lost").await;
            browser.fill("API token", &scene.org.admin).await;
            browser.click("Sign in").await;
            browser.sees("You are signed in again").await;
            judge("answer-kept").await;
            browser.click("Drop it").await;

            go("access/new").await;
            browser.fill("Name", "Collector").await;
            browser.click("Create token").await;
            browser.sees("Copy it now.").await;
            judge("answer-token").await;

            go("keys").await;
            browser.fill("Line", "a line sig=x").await;
            browser.click("Check signature").await;
            judge("answer-key").await;

            go(&format!("setup/portals/{}/replay", scene.portal)).await;
            browser.click("Estimate").await;
            browser.sees("Nothing was sent.").await;
            judge("answer-estimate").await;
            browser.choose("Replay Time Range", "Custom range").await;
            browser.run("document.getElementById('end').value = '2020-01-01T00:00'").await;
            browser.click("Send Replay").await;
            browser.sees("End must").await;
            judge("answer-replay").await;

            go(&format!("setup/portals/{}/quarantine", scene.portal)).await;
            browser.fill("Reason to discard it", "turned \u{202e}round").await;
            browser.click("Discard").await;
            browser.sees("Reason must be one line of printable text.").await;
            judge("answer-discard").await;
            browser.click("Send again").await;
            browser.sees("Sent again, and refused again").await;
            judge("answer-quarantine").await;
        }
    })
    .await;
}
