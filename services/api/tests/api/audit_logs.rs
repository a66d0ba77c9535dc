//! The pull API: everything once, in order, signed, whatever arrives meanwhile.

use std::time::Duration;

use auditrelay_model::id::OrgId;
use auditrelay_model::{Clock, Scope};
use auditrelay_runtime::clock::SystemClock;
use reqwest::Method;
use serde_json::{Value, json};

use crate::log::{Log, link, numbers};
use crate::support::{Answer, Client, World};

const PATH: &str = "/v3/audit-logs";

/// An organization with a log, as its administrator sees it.
async fn with_log(records: usize, each: usize) -> (World, Client, Log, String) {
    let world = World::new().await;
    let api = world.api().await;
    let org = api.organization("Acme").await;
    let admin = api.with_token(&api.token(&org, "viewer").await);
    let id: OrgId = org.parse().unwrap();
    let mut log = Log::new(&world, Scope::Organization(id));
    for _ in 0..records {
        let now = SystemClock.now();
        let times: Vec<_> = (0..each).map(|_| now - Duration::from_mins(1)).collect();
        log.append(&times).await;
    }
    (world, admin, log, org)
}

#[tokio::test]
async fn every_event_comes_once_and_in_order_while_others_arrive() {
    let (_world, api, mut log, _) = with_log(30, 7).await;
    let mut page = api.get("/v3/audit-logs?page%5Bsize%5D=50").await.expect(200);
    assert_eq!((link(&page, "previous"), &page["meta"]["page"]["size"]), (None, &json!(50)));
    let (mut all, mut pages) = (numbers(&page), vec![page.clone()]);
    while let Some(next) = link(&page, "next").map(ToOwned::to_owned) {
        log.append(&[SystemClock.now() - Duration::from_secs(1)]).await;
        page = api.get(&next).await.expect(200);
        all.extend(numbers(&page));
        pages.push(page.clone());
    }
    assert_eq!(all, (1..=log.number).collect::<Vec<_>>());
    for (index, page) in pages.iter().enumerate().skip(1) {
        let back = api.get(link(page, "previous").unwrap()).await.expect(200);
        assert_eq!(back["data"], pages[index - 1]["data"]);
        assert_eq!(link(&back, "previous").is_some(), index > 1);
        let again = api.get(link(&back, "next").unwrap()).await.expect(200);
        assert_eq!(numbers(&again)[0], numbers(page)[0]);
    }
}

#[tokio::test]
async fn items_are_signed_with_the_published_key() {
    let (world, api, _log, org) = with_log(1, 12).await;
    let page = api.get(PATH).await.expect(200);
    let verifier = world.config.signing.as_ref().unwrap().jwks().verifier();
    for item in page["data"].as_array().unwrap() {
        let mut item = item.as_object().unwrap().clone();
        assert_eq!(item["org_id"], org.as_str());
        let signature = item.remove("signature").unwrap();
        let text = serde_json::to_vec(&Value::Object(item)).unwrap();
        assert!(verifier.verify(&text, signature.as_str().unwrap()));
    }
    assert_eq!(page["data"][9]["type"], "authorization");
    assert!(page["data"][9].get("uri").is_some() && page["data"][9].get("actor_id").is_none());
    assert_eq!(page["data"][0]["actor_id"], "");
}

#[tokio::test]
async fn filters_choose_by_time_and_type() {
    let (_world, api, mut log, _) = with_log(0, 0).await;
    assert_eq!(numbers(&api.get(PATH).await.expect(200)), [] as [u64; 0]);
    let now = SystemClock.now();
    let at = |minutes| now - Duration::from_mins(minutes);
    // Late ones come behind younger ones, and one instant is shared by many.
    for minutes in [50, 10, 40, 10, 30, 600] {
        let times = [at(minutes); 5];
        log.append(&times).await;
    }
    let get = |query: String| {
        let api = api.clone();
        async move { numbers(&api.get(&format!("{PATH}?{query}")).await.expect(200)) }
    };
    let exactly = format!("filter[ts][gte]={0}&filter[ts][lte]={0}&page[size]=100", at(10));
    assert_eq!(get(exactly).await, [6, 7, 8, 9, 10, 16, 17, 18, 19, 20]);
    let since = format!("filter[ts][gte]={}&page[size]=3", at(30));
    assert_eq!(get(since).await, [6, 7, 8]);
    let until = format!("filter[ts][lte]={}", at(50));
    assert_eq!(get(until).await, [1, 2, 3, 4, 5, 26, 27, 28, 29, 30]);
    assert_eq!(get("filter%5Btype%5D=authorization".to_owned()).await, [10, 20, 30]);
    assert_eq!(get("filter[type]=authentication".to_owned()).await, [] as [u64; 0]);
}

#[tokio::test]
async fn cursors_are_only_taken_where_they_were_given() {
    let (world, api, mut log, _) = with_log(3, 5).await;
    let first = api.get("/v3/audit-logs?page[size]=4").await.expect(200);
    let next = link(&first, "next").unwrap().to_owned();
    let other = World::api(&world).await;
    let foreign = other.organization("Other").await;
    let foreign = other.with_token(&other.token(&foreign, "admin").await);
    let refused = [("page[after]".to_owned(), "is not a valid cursor".to_owned())];
    assert_eq!(foreign.get(&next).await.faults(), refused);
    let filtered = format!("{next}&filter[type]=authorization");
    assert_eq!(api.get(&filtered).await.faults(), refused);
    assert_eq!(api.get(&next[..next.len() - 1]).await.faults(), refused);
    let huge = format!("{PATH}?page[after]={}", "A".repeat(7_000));
    assert_eq!(api.get(&huge).await.faults(), refused);
    assert_eq!(numbers(&api.get(&next).await.expect(200)), [5, 6, 7, 8]);
    world.expire_events().await;
    assert_eq!(api.get(&next).await.faults(), refused);
    log = Log::new(&world, log.scope);
    log.epoch = 2;
    log.append(&[SystemClock.now()]).await;
    assert_eq!(api.get(&next).await.faults(), refused);
    let previous = link(&first, "next").unwrap().replace("after", "before");
    let refused = [("page[before]".to_owned(), "is not a valid cursor".to_owned())];
    assert_eq!(api.get(&previous).await.faults(), refused);
    assert_eq!(numbers(&api.get(PATH).await.expect(200)), [1]);
}

#[tokio::test]
async fn a_portals_log_is_its_own() {
    let (world, viewer, _log, org) = with_log(1, 1).await;
    let admin = World::api(&world).await;
    let admin = admin.with_token(&admin.token(&org, "admin").await);
    let portal = admin.portal("p").await;
    let scope = Scope::Portal(org.parse().unwrap(), portal.parse().unwrap());
    Log::new(&world, scope).append(&[SystemClock.now(); 3]).await;
    let path = format!("/v3/portals/{portal}/audit-logs");
    let page = viewer.get(&path).await.expect(200);
    assert_eq!((numbers(&page).len(), &page["data"][0]["portal_id"]), (3, &json!(portal)));
    assert_eq!(numbers(&viewer.get(PATH).await.expect(200)).len(), 1);
    viewer.get("/v3/portals/00000000-0000-4000-8000-000000000000/audit-logs").await.expect(404);
}

#[tokio::test]
async fn the_route_answers_as_clients_expect() {
    let (mut world, api, _log, _) = with_log(1, 1).await;
    let head = api.send(Method::HEAD, PATH, None).await;
    assert_eq!((head.status, head.text.as_str()), (200, ""));
    let post = api.post(PATH, &json!({})).await;
    post.expect(405);
    assert_eq!(post.headers["allow"], "GET,HEAD");
    let xml = api.request(Method::GET, PATH).bearer_auth(&api.token).header("accept", "text/xml");
    let whatever = Answer::of(xml).await;
    whatever.expect(200);
    assert_eq!(whatever.headers["cache-control"], "no-store");
    Answer::of(api.request(Method::GET, "/v3/audit-logs?access_token=x")).await.expect(401);
    let wrong = api.get("/v3/audit-logs?page[size]=0&filter[type]=x&portal=1").await.faults();
    let fields: Vec<_> = wrong.into_iter().map(|(field, _)| field).collect();
    assert_eq!(fields, ["portal", "filter[type]", "page[size]"]);
    world.lose_broker().await;
    api.get(PATH).await.expect(503);
}

/// A thousand of a million: what counts is that the rest is not looked at.
#[tokio::test]
async fn a_large_page_costs_what_it_holds() {
    let (_world, api, mut log, _) = with_log(0, 0).await;
    let now = SystemClock.now();
    for index in 0..200_u64 {
        let at = now - Duration::from_secs(4_000 - index);
        log.append(&vec![at; 100]).await;
    }
    let begun = tokio::time::Instant::now();
    let page = api.get("/v3/audit-logs?page[size]=1000").await.expect(200);
    println!("a page of 1,000 took {:?}", begun.elapsed());
    assert_eq!(numbers(&page), (1..=1000).collect::<Vec<_>>());
    let last = link(&page, "next").unwrap();
    assert_eq!(numbers(&api.get(last).await.expect(200))[0], 1001);
    let narrow = format!("{PATH}?filter[ts][gte]={}", now - Duration::from_secs(3_802));
    assert_eq!(numbers(&api.get(&narrow).await.expect(200))[0], 19_801);
}
