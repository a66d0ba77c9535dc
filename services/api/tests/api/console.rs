//! The console as people use it, without JavaScript.

use auditrelay_model::replay::{Plan, Progress, ReplayFact};
use serde_json::json;

use crate::browser::Browser;
use crate::replay::Scheduler;
use crate::support::{Answer, World};

/// The customer's how-to, step by step, by the words on the screen.
#[tokio::test]
async fn the_how_tos_path_leads_to_a_replay() {
    let (world, api) = World::admin().await;
    let scheduler = Scheduler::start(&world).await;
    api.portal("Example Portal").await;
    let mut browser = Browser::signed_in(&api).await;
    browser.click("Organization").await;
    browser.click("Audit Logs Setup").await;
    browser.sees("Webhook Destination");
    browser.click("New Webhook").await;
    browser.fill("Name", "SumoLogic");
    browser.fill("Endpoint", "https://endpoint4.collection.sumologic.com/receiver/v1/http/1234");
    browser.fill("Authorization Header", "Bearer very-secret");
    browser.choose("Log Format", "cef");
    browser.tick("Disable SSL Verification");
    browser.press("Save").await;
    browser.sees("Created.");
    browser.sees("SSL not verified");
    browser.click("Dev Portal").await;
    // The first link of this name is the sidebar's.
    browser.go("/console/setup/portals").await;
    browser.sees("No Dev Portal has an audit log yet.");
    browser.click("New Dev Portal Audit Log").await;
    browser.choose("View region", "This deployment");
    browser.choose("Dev Portal", "Example Portal");
    browser.tick("Enabled");
    browser.choose("Endpoint", "SumoLogic");
    browser.press("Save").await;
    browser.sees("Saved.");
    browser.sees("Active Nothing had to be delivered yet.");

    browser.click("Organization").await;
    browser.click("Audit Logs Setup").await;
    browser.go("/console/setup/portals").await;
    browser.click("Example Portal").await;
    browser.click("Replay").await;
    browser.sees("Unconfigured The job has not been set up. This is the job's initial state.");
    browser.choose("Replay Time Range", "Last 6 hours");
    let (action, fields) = browser.form("Send Replay");
    browser.press("Send Replay").await;
    browser.sees("Accepted The job has been accepted for scheduling.");
    let command = scheduler.last();
    assert!(command.scope.portal().is_some());

    // The same page sent twice is one job.
    let again = Answer::of(browser.post(&action, &fields)).await;
    assert_eq!(again.status, 303);
    assert_eq!(scheduler.last().job, command.job);
    follow_the_job(&scheduler, &mut browser).await;
}

async fn follow_the_job(scheduler: &Scheduler, browser: &mut Browser) {
    let command = scheduler.last();
    let page = browser.path.split('?').next().unwrap().to_owned();
    let plan = Plan { from_sequence: 1, until_sequence: 5, estimated_events: 2_000, ..Plan::EMPTY };
    scheduler.store(command.scope, &command, vec![ReplayFact::Scheduled(plan)]).await;
    let live = format!("/console/live/{}/replay", command.scope.token());
    browser.go(&live).await;
    browser.sees("Pending The job has been scheduled.");
    browser.go(&page).await;
    let (action, fields) = browser.form("Send Replay");
    let fields: Vec<_> = fields.into_iter().filter(|(name, _)| name != "key").collect();
    let progress = Progress { events_sent: 500, ..Progress::default() };
    let started = ReplayFact::Started { holder: "s".to_owned() };
    let facts = vec![started, ReplayFact::Advanced(progress)];
    scheduler.store(command.scope, &command, facts).await;
    browser.go(&live).await;
    browser.sees("Running The job is in progress.");
    browser.sees("25 %");
    browser.sees("Events to look at 2,000 Events sent 500");
    let busy = Answer::of(browser.post(&action, &fields)).await;
    assert_eq!(busy.status, 409);
    assert!(busy.text.contains("A replay job is currently running."), "{}", busy.text);
    browser.go(&page).await;
    browser.press("Cancel replay").await;
    browser.sees("The replay was cancelled.");
    browser.sees("Why: cancelled in the console");
}

#[tokio::test]
async fn mistakes_are_told_beside_their_fields() {
    let (_world, api) = World::admin().await;
    let mut browser = Browser::signed_in(&api).await;
    browser.go("/console/setup/destinations/new").await;
    browser.fill("Endpoint", "javascript:alert(1)");
    browser.fill("Authorization Header", "Bearer very-secret");
    browser.press("Save").await;
    assert_eq!(browser.page.status, 400);
    browser.sees("Nothing was changed");
    for (field, error) in
        [("name", "Name cannot be blank."), ("endpoint", "Endpoint must be a valid URL.")]
    {
        browser.sees(error);
        assert!(browser.page.text.contains(&format!("<a href=\"#{field}\">")), "{field}");
        let tied = format!("aria-invalid=\"true\" aria-describedby=\"{field}-error");
        assert!(browser.page.text.contains(&tied), "{field}");
    }
    assert!(browser.page.text.contains("value=\"javascript:alert(1)\""));
    assert!(!browser.page.text.contains("very-secret"));
    api.destination("taken").await;
    browser.fill("Name", "taken");
    browser.fill("Endpoint", "https://siem.example");
    browser.fill("Authorization Header", "Bearer very-secret");
    browser.press("Save").await;
    browser.sees("Name is already the name of another destination.");
    // A menu's entry that the menu does not have.
    browser.go("/console/setup/konnect/replay").await;
    let (action, mut fields) = browser.form("Send Replay");
    fields.retain(|(name, _)| name != "range");
    fields.push(("range".to_owned(), "100d".to_owned()));
    let answer = Answer::of(browser.post(&action, &fields)).await;
    assert_eq!(answer.status, 400);
    assert!(answer.text.contains("Replay Time Range must be one of the choices."));
    fields.retain(|(name, _)| name != "range" && name != "start");
    fields.push(("range".to_owned(), "custom".to_owned()));
    fields.push(("start".to_owned(), "2020-01-01T00:00".to_owned()));
    let answer = Answer::of(browser.post(&action, &fields)).await;
    assert_eq!(answer.status, 400);
    assert!(answer.text.contains("Start must be within the last 7 days."), "{}", answer.text);
}

#[tokio::test]
async fn what_people_typed_is_shown_as_text() {
    let (_world, api) = World::admin().await;
    let names = [
        "<img src=x onerror=alert(1)>",
        "\"><script>alert(1)</script>",
        "'-alert(1)-'",
        "{{7*7}} ${7*7} {% raw %}",
        "</title><svg onload=alert(1)>",
    ];
    for (index, name) in names.iter().enumerate() {
        let body = json!({"name": name, "endpoint": format!("https://siem.example/{index}?<b>"),
            "log_format": "json", "authorization": "Bearer very-secret"});
        let id = api.post("/v3/audit-log-destinations", &body).await.expect(201);
        let portal = api.portal(name).await;
        let on = json!({"audit_log_destination_id": id["id"], "enabled": true});
        api.patch(&format!("/v3/portals/{portal}/audit-log-webhook"), &on).await.expect(200);
        let mut browser = Browser::signed_in(&api).await;
        for path in [
            "/console/overview".to_owned(),
            "/console/portals".to_owned(),
            "/console/setup/destinations".to_owned(),
            format!("/console/setup/destinations/{}", id["id"].as_str().unwrap()),
            format!("/console/setup/destinations/{}/delete", id["id"].as_str().unwrap()),
            "/console/setup/portals".to_owned(),
            format!("/console/setup/portals/{portal}"),
            format!("/console/setup/portals/{portal}/replay"),
        ] {
            browser.go(&path).await;
            assert_eq!(browser.page.status, 200, "{path}");
            browser.sees(name);
            let html = &browser.page.text;
            for bad in ["<img src=x", "<script>", "<svg onload", "onerror=alert(1)>", "very-secret"]
            {
                assert!(!html.contains(bad), "{bad} in {path}: {html}");
            }
            assert!(!html.contains(" style=") && !html.contains(" onclick="), "{path}");
        }
    }
}

#[tokio::test]
async fn a_destination_is_changed_and_deleted_only_when_nobody_uses_it() {
    let (_world, api) = World::admin().await;
    let id = api.destination("siem").await;
    let mut browser = Browser::signed_in(&api).await;
    browser.go("/console/setup/konnect").await;
    browser.tick("Enabled");
    browser.press("Save").await;
    browser.sees("Endpoint is a required field.");
    browser.tick("Enabled");
    browser.choose("Endpoint", "siem");
    browser.press("Save").await;
    browser.sees("Saved.");
    browser.go(&format!("/console/setup/destinations/{id}")).await;
    browser.sees("Stored , and never shown again.");
    let mut other = Browser::signed_in(&api).await;
    other.go(&format!("/console/setup/destinations/{id}")).await;
    browser.fill("Name", "renamed");
    browser.press("Save").await;
    other.fill("Name", "renamed too");
    other.press("Save").await;
    assert_eq!(other.page.status, 409);
    other.sees("Somebody else changed this webhook while you did.");
    let shown = api.get(&format!("/v3/audit-log-destinations/{id}")).await.expect(200);
    assert_eq!((&shown["name"], &shown["log_format"]), (&json!("renamed"), &json!("json")));
    browser.go(&format!("/console/setup/destinations/{id}/delete")).await;
    browser.sees("It is still in use");
    browser.sees("Konnect");
    // Somebody whose page was older.
    let (_, fields) = browser.form("Sign out");
    let path = format!("/console/setup/destinations/{id}/delete");
    let forced = Answer::of(browser.post(&path, &fields)).await;
    assert_eq!(forced.status, 409);
    assert!(forced.text.contains("Destination is in use by a webhook."));
    api.send(reqwest::Method::DELETE, "/v3/audit-log-webhook", None).await.expect(204);
    browser.go(&path).await;
    browser.press("Delete").await;
    browser.sees("No webhook destination yet.");
}
