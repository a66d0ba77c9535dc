//! Who may see and do what, for how long, in how many tabs, and with which keys.

use auditrelay_testkit::builders::some;
use auditrelay_testkit::stack::Stack;
use serde_json::json;

use crate::driver::in_browser;
use crate::hands::{ENTER, TAB, reach};
use crate::scene::Scene;
use crate::{DESK, sign_in};

#[tokio::test]
async fn a_viewer_sees_no_buttons_and_is_refused() {
    in_browser(DESK, async |browser| {
        let scene = Scene::start().await;
        let pages = scene.pages(browser).await;
        let Scene { stack, org, .. } = &scene;
        let tokens = format!("/v1/organizations/{}/tokens", org.id);
        let viewer = org.post(&tokens, &json!({"name": "looker", "role": "viewer"})).await;
        let viewer = org.with_token(&viewer.must(201).text("token"));
        browser.forget_cookies().await;
        sign_in(browser, stack, &viewer).await;
        browser.sees("you see everything here and change nothing").await;
        for page in pages.iter().filter(|page| *page != "sign-in") {
            browser.go(&scene.address(page)).await;
            let ways = "const all = (what, name) => \
                 [...document.querySelectorAll(`main ${what}`)].map((one) => one.getAttribute(name)); \
                 const links = all('a', 'href').filter((way) => /\\/(new|delete|revoke)$/.test(way)); \
                 return [...links, ...all('form[method=post]:has(button)', 'action')]";
            let ways = browser.run(ways).await;
            let checks = if page == "keys" { json!(["/console/keys#check"]) } else { json!([]) };
            assert_eq!(ways, checks, "{page}");
        }
        // A form of somebody who may, sent by somebody who may not.
        let forced = "const done = arguments[arguments.length - 1]; \
             const token = document.querySelector('[name=form_token]').value; \
             fetch('/console/access', {method: 'POST', \
             body: new URLSearchParams({form_token: token, name: 'x', role: 'admin', life: 'never'})})\
             .then((answer) => done(answer.status))";
        assert_eq!(browser.run_async(forced).await, 403);
    })
    .await;
}

#[tokio::test]
async fn a_session_that_ends_is_told_in_every_tab() {
    in_browser(DESK, async |browser| {
        let stack = Stack::start().await;
        let org = stack.org().await;
        sign_in(browser, &stack, &org).await;
        let page = format!("{}/console/setup/konnect", stack.console());
        browser.go(&page).await;
        let first = browser.this_tab().await;
        let second = browser.new_tab().await;
        browser.look_at_tab(&second).await;
        browser.go(&page).await;
        browser.click("Sign out").await;
        browser.sees("You are signed out.").await;
        browser.look_at_tab(&first).await;
        browser.sees("Your session has ended. Sign in again").await;
        browser.click("Sign in again").await;
        browser.fill("API token", &org.admin).await;
        browser.click("Sign in").await;
        browser.sees("The organization's own audit log.").await;
        assert!(browser.url().await.ends_with("/console/setup/konnect"));
    })
    .await;
}

#[tokio::test]
async fn what_was_typed_when_the_session_was_over_is_not_lost() {
    in_browser(DESK, async |browser| {
        let stack = Stack::start().await;
        let org = stack.org().await;
        sign_in(browser, &stack, &org).await;
        browser.go(&format!("{}/console/setup/destinations/new", stack.console())).await;
        browser.fill("Name", "Typed for long").await;
        browser.fill("Endpoint", "https://siem.example/in").await;
        browser.fill("Authorization Header", "Bearer very-secret").await;
        browser.forget_cookies().await;
        browser.click("Save").await;
        browser.sees("Your session has ended, and nothing was changed.").await;
        browser.fill("API token", "art_nobody").await;
        browser.click("Sign in").await;
        browser.sees("This token is not known").await;
        browser.fill("API token", &org.admin).await;
        browser.click("Sign in").await;
        browser.sees("Name Typed for long").await;
        let html = browser.run("return document.documentElement.outerHTML").await;
        assert!(!html.as_str().unwrap().contains("very-secret"));
        assert_eq!(org.get("/v3/audit-log-destinations").await.must(200).body["data"], json!([]));
        browser.click("Send it now").await;
        browser.sees("Created.").await;
        browser.sees("Typed for long").await;
    })
    .await;
}

#[tokio::test]
async fn two_tabs_do_not_overwrite_each_other() {
    in_browser(DESK, async |browser| {
        let stack = Stack::start().await;
        let org = stack.org().await;
        let body = json!({"name": "siem", "endpoint": "https://siem.example",
            "authorization": "Bearer very-secret", "log_format": "json"});
        let id = org.post("/v3/audit-log-destinations", &body).await.must(201).text("id");
        sign_in(browser, &stack, &org).await;
        let page = format!("{}/console/setup/destinations/{id}", stack.console());
        browser.go(&page).await;
        let first = browser.this_tab().await;
        let second = browser.new_tab().await;
        browser.look_at_tab(&second).await;
        browser.go(&page).await;
        browser.fill("Name", "theirs").await;
        browser.click("Save").await;
        browser.sees("Saved.").await;
        browser.look_at_tab(&first).await;
        browser.fill("Name", "mine").await;
        browser.click("Save").await;
        browser.sees("Somebody else changed this webhook while you did.").await;
        let typed = browser.run("return document.getElementById('name').value").await;
        assert_eq!(typed, "mine");
    })
    .await;
}

/// From the sign-in to a saved portal, with the keyboard alone.
#[tokio::test]
async fn the_keyboard_is_enough() {
    in_browser(DESK, async |browser| {
        let stack = Stack::start().await;
        let org = stack.org().await;
        browser.go(&format!("{}/console/portals/new", stack.console())).await;
        browser.press(&format!("{}{ENTER}", org.admin)).await;
        browser.sees("New portal").await;
        browser.press(TAB).await;
        assert_eq!(browser.focused().await, "Skip to content");
        browser.press(ENTER).await;
        reach(browser, "Name", "main").await;
        browser.press("By keyboard").await;
        reach(browser, "Save", "main").await;
        let outline = "return getComputedStyle(document.activeElement).outlineStyle";
        assert_eq!(browser.run(outline).await, "solid");
        browser.press(ENTER).await;
        browser.sees("Created.").await;
        browser.sees("By keyboard").await;
        browser.go(&format!("{}/console/events", stack.console())).await;
        browser.press("/").await;
        assert_eq!(browser.focused().await, "Text");
    })
    .await;
}

#[tokio::test]
async fn a_theme_is_kept_and_events_are_followed() {
    in_browser(DESK, async |browser| {
        let stack = Stack::start().await;
        let org = stack.org().await;
        sign_in(browser, &stack, &org).await;
        browser.go(&format!("{}/console/events?kind=authorization", stack.console())).await;
        browser.leave(browser.click("Dark")).await;
        let theme = "return [document.documentElement.dataset.theme, \
                     getComputedStyle(document.body).colorScheme, location.search]";
        assert_eq!(browser.run(theme).await, json!(["dark", "dark", "?kind=authorization"]));
        browser.click("Follow live").await;
        browser.sees("Following: new events appear here.").await;
        let sent = org.send(&some(9)).await;
        browser.sees("Following: 3 new since you began.").await;
        browser.sees("Denied konnect delete on control-planes/*").await;
        browser.click("Stop following").await;
        browser.zone("Asia/Tokyo").await;
        browser.go(&format!("{}/console/access", stack.console())).await;
        let told = "const time = document.querySelector('main time'); return [time.title.includes(\
                    new Date(time.dateTime).toLocaleString('en-US', {timeZone: 'Asia/Tokyo'})), \
                    time.title.endsWith(' UTC'), / ago$/.test(time.textContent)]";
        browser.sees(" ago").await;
        assert_eq!(browser.run(told).await, json!([true, true, true]));
        browser.go(&format!("{}/console/events", stack.console())).await;
        browser.fill("Text", &sent[1]).await;
        browser.leave(browser.click("Search")).await;
        browser.run("document.querySelector('main tbody a').click()").await;
        browser.sees(&sent[1]).await;
        browser.sees("Valid Signature in cef, with the key kit-1").await;
        browser.sees("The log began with its record").await;
        let line = browser.run("return document.querySelector('pre').textContent").await;
        browser.go(&format!("{}/console/keys", stack.console())).await;
        browser.fill("Line", line.as_str().unwrap()).await;
        browser.click("Check signature").await;
        browser.sees("Valid Signed with the key kit-1 and unchanged since.").await;
        browser.fill("Line", &line.as_str().unwrap().replace("grace", "mallory")).await;
        browser.click("Check signature").await;
        browser.sees("Not valid None of the keys above signed exactly this text.").await;
        assert_eq!(browser.complaints().await, [""; 0]);
    })
    .await;
}
