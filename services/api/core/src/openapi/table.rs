//! Every operation.

use super::operation::Operation;

const LOGS: &str = "Audit logs";
const DESTINATIONS: &str = "Destinations";
const WEBHOOKS: &str = "Webhooks";
const REPLAY: &str = "Replay jobs";
const PORTALS: &str = "Portals";
const OPERATOR: &str = "Organizations and tokens";
const ABOUT: &str = "About this API";

const CURSORS: &[&str] = &["PageSize", "PageAfter", "PageBefore", "FilterName"];
const PULL: &[&str] = &[
    "PullSize",
    "PageAfter",
    "PageBefore",
    "FilterTsGte",
    "FilterTsLte",
    "FilterType",
    "FilterText",
    "FilterTrail",
];
const NUMBERS: &[&str] = &["PageSize", "PageNumber", "Filter", "Sort"];
const PULL_NOTE: &str = "In the order the events were stored, oldest first: what arrives meanwhile comes \
    on later pages. Follow `next` until it is null: a page may be short, or empty, because one \
    request looks at a bounded number of events. A cursor is bound to the log and the filter; one \
    whose neighbours have expired is refused. `signature` is Ed25519 over the item's compact JSON \
    without it, its keys in order.";
const TEST_NOTE: &str = "One made-up event goes out on a connection of its own, marked with \
    `x-auditrelay-test`; the answer says how far it came, step by step, and is 200 whatever the \
    receiver did. No webhook's status changes and nothing is stored. For a destination that exists \
    the body, which may be left out, holds what would be changed.";
const ATTEMPTS: &[&str] =
    &["AttemptsSize", "IdAfter", "FilterLane", "FilterOutcome", "FilterAtGte", "FilterAtLte"];
const SHORT_PAGE_NOTE: &str = "The scope is `org` or a portal's id. Follow `next` until it is null: a page \
    may be short, or empty, because one request looks at a bounded number of facts.";
const EVENTS_NOTE: &str = "Server-sent events: `progress` whenever something has changed, then \
    `end`. Each carries the whole job as `ReplayDetail`, so nothing is missed by connecting again.";
const PRIVACY_NOTE: &str = "For events that are admitted from about a second later on; what is stored \
    stays as it is. A field that is left out or null is stored as it comes. `mask` hides a text as \
    `***` and keeps the network of an address (/24, /48). `hash` stores `hmac:` and 32 hexadecimal \
    digits, an address as a unique local one (`fd00::/8`): the same for the same value, by a key of \
    the organization's own.";
const CANCEL_NOTE: &str = "Ends the job that is there now; a body is not needed.";

fn get(path: impl Into<String>, tag: &'static str) -> Operation {
    Operation::new("get", path, tag)
}

fn post(path: impl Into<String>, tag: &'static str) -> Operation {
    Operation::new("post", path, tag)
}

fn put(path: impl Into<String>, tag: &'static str) -> Operation {
    Operation::new("put", path, tag)
}

fn patch(path: impl Into<String>, tag: &'static str) -> Operation {
    Operation::new("patch", path, tag)
}

fn delete(path: impl Into<String>, tag: &'static str) -> Operation {
    Operation::new("delete", path, tag)
}

/// Every operation, in the order of their chapters.
pub fn operations() -> Vec<Operation> {
    let mut all = pull();
    for version in ["/v3", "/v2"] {
        all.extend(organization_log(version));
    }
    all.extend(tests());
    all.extend(webhooks());
    all.extend(quarantine());
    all.extend(portals());
    all.extend(portal_children());
    all.extend(own());
    all.extend(replay_jobs());
    all.extend(operator());
    all.extend(about());
    all
}

fn pull() -> Vec<Operation> {
    let page = |path: &str| {
        get(path, LOGS).query(PULL).answers(200, "AuditLogPage").notes(PULL_NOTE).fails(&[429])
    };
    vec![
        page("/v3/audit-logs").says("The organization's events"),
        page("/v3/portals/{portal}/audit-logs").says("A portal's events"),
        get("/v1/coverage", LOGS).says("What is held now").answers(200, "Coverage"),
        get("/v1/privacy", LOGS)
            .says("What of events is not stored as it came")
            .answers(200, "Privacy"),
        put("/v1/privacy", LOGS)
            .says("Mask or hash fields of events")
            .notes(PRIVACY_NOTE)
            .takes("Privacy")
            .answers(200, "Privacy"),
    ]
}

/// What both versions have.
fn organization_log(version: &str) -> Vec<Operation> {
    let path = |path: &str| format!("{version}{path}");
    let list = path("/audit-log-destinations");
    let one = path("/audit-log-destinations/{id}");
    let job = path("/audit-log-replay-job");
    vec![
        get(list.clone(), DESTINATIONS)
            .says("List destinations")
            .notes("Everything on one page unless a size is asked for.")
            .query(CURSORS)
            .answers(200, "DestinationList"),
        post(list, DESTINATIONS)
            .says("Make a destination")
            .takes("NewDestination")
            .answers(201, "Destination"),
        get(one.clone(), DESTINATIONS).says("Show a destination").answers(200, "Destination"),
        patch(one.clone(), DESTINATIONS)
            .says("Change a destination")
            .takes("DestinationPatch")
            .answers(200, "Destination"),
        delete(one, DESTINATIONS)
            .says("Delete a destination")
            .notes("Refused while a webhook names it.")
            .empties()
            .fails(&[409]),
        get(path("/audit-log-webhook/status"), WEBHOOKS)
            .says("How the organization's webhook is doing")
            .answers(200, "WebhookStatus"),
        get(path("/audit-log-webhook/jwks.json"), WEBHOOKS)
            .says("The keys that signatures are checked with")
            .answers(200, "Jwks")
            .open(),
        get(job.clone(), REPLAY)
            .says("The organization's newest replay job")
            .answers(200, "ReplayJob"),
        put(job, REPLAY)
            .says("Send a window of the organization's events again")
            .takes("Window")
            .answers(202, "ReplayJob")
            .fails(&[409, 429]),
    ]
}

/// Does a destination work?
fn tests() -> Vec<Operation> {
    vec![
        post("/v1/destinations/{id}/test", DESTINATIONS)
            .says("Send a test event to a destination")
            .notes(TEST_NOTE)
            .takes("DestinationPatch")
            .answers(200, "TestReport")
            .fails(&[429]),
        post("/v1/destination-tests", DESTINATIONS)
            .says("Send a test event to a destination that is not made yet")
            .notes(TEST_NOTE)
            .takes("DestinationTrial")
            .answers(200, "TestReport")
            .fails(&[429]),
    ]
}

fn webhooks() -> Vec<Operation> {
    let own = "/v3/audit-log-webhook";
    let portal = "/v3/portals/{portal}/audit-log-webhook";
    let inline = "/v2/audit-log-webhook";
    vec![
        get(own, WEBHOOKS).says("The organization's webhook").answers(200, "Webhook").fails(&[404]),
        patch(own, WEBHOOKS)
            .says("Bind or switch the organization's webhook")
            .takes("WebhookPatch")
            .answers(200, "Webhook")
            .fails(&[404]),
        delete(own, WEBHOOKS).says("Remove the organization's webhook").empties().fails(&[404]),
        get(inline, WEBHOOKS)
            .says("The organization's webhook with its destination inside")
            .answers(200, "InlineWebhook"),
        patch(inline, WEBHOOKS)
            .says("Change the webhook and its destination in one")
            .takes("InlineWebhookPatch")
            .answers(200, "InlineWebhook"),
        get(portal, WEBHOOKS).says("A portal's webhook").answers(200, "Webhook"),
        patch(portal, WEBHOOKS)
            .says("Bind or switch a portal's webhook")
            .takes("WebhookPatch")
            .answers(200, "Webhook"),
        delete(portal, WEBHOOKS).says("Remove a portal's webhook").empties(),
        get("/v3/portals/{portal}/audit-log-webhook/status", WEBHOOKS)
            .says("How a portal's webhook is doing")
            .answers(200, "WebhookStatus"),
        get("/v1/webhooks/{scope}/delivery", WEBHOOKS)
            .says("The live lane in detail")
            .notes("The scope is `org` or a portal's id.")
            .answers(200, "Delivery"),
        get("/v1/webhooks/{scope}/attempts", WEBHOOKS)
            .says("The requests of the last seven days, newest first")
            .notes(SHORT_PAGE_NOTE)
            .query(ATTEMPTS)
            .answers(200, "AttemptList"),
    ]
}

fn quarantine() -> Vec<Operation> {
    let (list, one) = ("/v1/webhooks/{scope}/quarantine", "/v1/webhooks/{scope}/quarantine/{id}");
    vec![
        get(list, WEBHOOKS)
            .says("Events that the receiver refused one by one, newest first")
            .notes(SHORT_PAGE_NOTE)
            .query(&["AttemptsSize", "IdAfter", "FilterState"])
            .answers(200, "QuarantineList"),
        get(one, WEBHOOKS).says("One of them, with the event").answers(200, "ParkedDetail"),
        post(format!("{one}/resend"), WEBHOOKS)
            .says("Send it once more")
            .notes(
                "To the destination that the webhook has now. It stays parked unless it is taken.",
            )
            .answers(200, "ParkedDetail")
            .fails(&[409, 429]),
        post(format!("{one}/discard"), WEBHOOKS)
            .says("Never send it")
            .takes("DiscardRequest")
            .answers(200, "ParkedDetail")
            .fails(&[409, 429]),
    ]
}

fn portals() -> Vec<Operation> {
    let (list, one) = ("/v3/portals", "/v3/portals/{portal}");
    let job = "/v3/portals/{portal}/audit-log-replay-job";
    vec![
        get(list, PORTALS).says("List portals").query(NUMBERS).answers(200, "PortalList"),
        post(list, PORTALS).says("Make a portal").takes("NewPortal").answers(201, "Portal"),
        get(one, PORTALS).says("Show a portal").answers(200, "Portal"),
        patch(one, PORTALS)
            .says("Change a portal")
            .takes("PortalPatch")
            .answers(200, "Portal")
            .fails(&[409]),
        delete(one, PORTALS).says("Delete a portal").empties(),
        get(job, REPLAY).says("A portal's newest replay job").answers(200, "ReplayJob"),
        put(job, REPLAY)
            .says("Send a window of a portal's events again")
            .takes("Window")
            .answers(202, "ReplayJob")
            .fails(&[409, 429]),
    ]
}

/// Empty answers for clients that look at everything below a portal.
fn portal_children() -> Vec<Operation> {
    let empty = |path: &str| {
        get(path, PORTALS).says("Always empty; for clients that look").answers(200, "Empty")
    };
    let missing = |operation: Operation| {
        operation.says("Never found; for clients that look").answers(200, "Empty")
    };
    vec![
        empty("/v3/portals/email-domains"),
        empty("/v3/portals/{portal}/pages"),
        empty("/v3/portals/{portal}/snippets"),
        empty("/v3/portals/{portal}/teams"),
        empty("/v3/portals/{portal}/ip-allow-list"),
        empty("/v3/portals/{portal}/identity-providers"),
        missing(get("/v3/portals/{portal}/email-config", PORTALS)),
        missing(get("/v3/portals/{portal}/custom-domain", PORTALS)),
        missing(delete("/v3/portals/{portal}/custom-domain", PORTALS)),
    ]
}

fn own() -> Vec<Operation> {
    vec![
        get("/v1/replay-job", REPLAY)
            .says("The newest replay job in detail")
            .query(&["PortalId"])
            .answers(200, "ReplayDetail")
            .fails(&[404]),
        post("/v1/replay-job/cancel", REPLAY)
            .says("End a replay job")
            .notes(CANCEL_NOTE)
            .takes("CancelRequest")
            .answers(200, "ReplayDetail")
            .fails(&[404, 409]),
        get("/v1/portals/{portal}/replay-job", REPLAY)
            .says("A portal's newest replay job in detail")
            .answers(200, "ReplayDetail"),
        post("/v1/portals/{portal}/replay-job/cancel", REPLAY)
            .says("End a portal's replay job")
            .notes(CANCEL_NOTE)
            .takes("CancelRequest")
            .answers(200, "ReplayDetail")
            .fails(&[409]),
    ]
}

/// Replay jobs with all that Konnect does not have.
fn replay_jobs() -> Vec<Operation> {
    let (jobs, one) = ("/v1/replay-jobs", "/v1/replay-jobs/{job}");
    let path = |rest: &str| format!("{one}/{rest}");
    let change = |rest: &str| post(path(rest), REPLAY).answers(200, "ReplayDetail").fails(&[409]);
    vec![
        post("/v1/replay-estimates", REPLAY)
            .says("Count what a job would send; nothing is stored or sent")
            .takes("ReplayWish")
            .answers(200, "ReplayEstimate")
            .fails(&[404, 429]),
        get(jobs, REPLAY)
            .says("List replay jobs, the newest first")
            .query(&["PageSize", "PageNumber", "PortalId"])
            .answers(200, "ReplayList")
            .fails(&[404]),
        post(jobs, REPLAY)
            .says("Make a replay job; it waits for those of the same log before it")
            .notes("An `Idempotency-Key` makes a repeated request the same job.")
            .takes("ReplayWish")
            .answers(202, "NewReplay")
            .fails(&[404, 409, 429]),
        post("/v1/portal-replay-jobs", REPLAY)
            .says("Make a replay job for each portal that can have one")
            .takes("PortalReplayWish")
            .answers(202, "PortalReplays")
            .fails(&[429]),
        get(one, REPLAY).says("Show a replay job").answers(200, "ReplayDetail"),
        change("pause").says("Let a replay job wait").takes("Reason"),
        change("resume").says("Let a paused replay job go on"),
        change("cancel").says("End a replay job").takes("Reason"),
        post(path("retry"), REPLAY)
            .says("Make a job for what a failed or cancelled one did not send")
            .answers(202, "NewReplay")
            .fails(&[409, 429]),
        get(path("events"), REPLAY)
            .says("Follow a replay job")
            .notes(EVENTS_NOTE)
            .answers(200, "EventStream")
            .fails(&[429]),
        get(path("report"), REPLAY)
            .says("What an ended replay job did, signed")
            .answers(200, "ReplayReport")
            .fails(&[409]),
    ]
}

fn operator() -> Vec<Operation> {
    let tokens = "/v1/organizations/{org}/tokens";
    vec![
        get("/v1/organizations", OPERATOR)
            .says("List organizations")
            .notes("With the platform's token.")
            .answers(200, "OrganizationList"),
        post("/v1/organizations", OPERATOR)
            .says("Make an organization")
            .notes("With the platform's token.")
            .takes("NewOrganization")
            .answers(201, "Organization"),
        get(tokens, OPERATOR).says("List tokens").answers(200, "TokenList"),
        post(tokens, OPERATOR)
            .says("Issue a token")
            .notes("Its text is shown this once.")
            .takes("NewToken")
            .answers(201, "IssuedToken"),
        delete("/v1/organizations/{org}/tokens/{token}", OPERATOR).says("Revoke a token").empties(),
    ]
}

fn about() -> Vec<Operation> {
    vec![
        get("/v3/organizations/me", ABOUT).says("My organization").answers(200, "MyOrganization"),
        get("/v3/users/me", ABOUT).says("Who I am").answers(200, "Me"),
        get("/openapi.json", ABOUT).says("This description").answers(200, "Empty").open(),
        get("/docs", ABOUT).says("This description as a page").answers(200, "Html").open(),
    ]
}
