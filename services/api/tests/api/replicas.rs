//! Two API processes: what one answered, the other knows.

use serde_json::json;

use crate::support::{World, destination};

#[tokio::test]
async fn what_one_replica_answered_the_other_shows_at_once() {
    let world = World::new().await;
    let (one, other) = (world.api().await, world.api().await);
    let org = one.organization("Acme").await;
    let one = one.with_token(&one.token(&org, "admin").await);
    // A token that the other replica has never seen.
    let other = one.at(&other);
    for round in 0..20 {
        let name = format!("d{round}");
        let id = one.destination(&name).await;
        let path = format!("/v3/audit-log-destinations/{id}");
        assert_eq!(other.get(&path).await.expect(200)["name"], name);
        let bind = json!({"audit_log_destination_id": id, "enabled": true});
        other.patch("/v3/audit-log-webhook", &bind).await.expect(200);
        one.delete(&path).await.expect(409);
        one.delete("/v3/audit-log-webhook").await.expect(204);
        other.delete(&path).await.expect(204);
        one.get(&path).await.expect(404);
    }
}

#[tokio::test]
async fn a_token_that_one_replica_revoked_ends_on_the_other() {
    let world = World::new().await;
    let (one, other) = (world.api().await, world.api().await);
    let org = one.organization("Acme").await;
    let path = format!("/v1/organizations/{org}/tokens");
    for _ in 0..20 {
        let made = one.post(&path, &json!({"name": "t", "role": "admin"})).await.expect(201);
        let holder = other.with_token(made["token"].as_str().unwrap());
        holder.get("/v3/portals").await.expect(200);
        one.delete(&format!("{path}/{}", made["id"].as_str().unwrap())).await.expect(204);
        holder.get("/v3/portals").await.expect(401);
    }
}

#[tokio::test]
async fn racing_writers_never_mix_and_names_stay_unique() {
    let world = World::new().await;
    let (one, other) = (world.api().await, world.api().await);
    let org = one.organization("Acme").await;
    let one = one.with_token(&one.token(&org, "admin").await);
    let other = one.at(&other);
    let list = "/v3/audit-log-destinations";
    let body = destination("same");
    let (first, second) = tokio::join!(one.post(list, &body), other.post(list, &body));
    let mut statuses = [first.status, second.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 400], "one of them has the name");
    let all = one.get(list).await.expect(200);
    assert_eq!(all["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn one_of_many_gets_an_organizations_name_while_others_change_theirs() {
    let world = World::new().await;
    let (one, other) = (world.api().await, world.api().await);
    let org = one.organization("Busy").await;
    let busy = one.with_token(&one.token(&org, "admin").await);
    let body = json!({"name": "Wanted"});
    let racing = (0..5).map(|number| {
        let (api, busy, body) = ([&one, &other][number % 2].clone(), busy.clone(), body.clone());
        tokio::spawn(async move {
            busy.destination(&format!("d{number}")).await;
            api.post("/v1/organizations", &body).await.status
        })
    });
    let mut statuses = Vec::new();
    for racing in racing.collect::<Vec<_>>() {
        statuses.push(racing.await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 400, 400, 400, 400]);
}

#[tokio::test]
async fn without_a_broker_the_answer_is_to_come_back() {
    let (mut world, api) = World::admin().await;
    api.get("/v3/audit-log-destinations").await.expect(200);
    world.lose_broker().await;
    let answer = api.get("/v3/audit-log-destinations").await;
    answer.expect(503);
    assert_eq!(answer.headers["retry-after"], "5");
    let write = api.post("/v3/audit-log-destinations", &destination("d")).await;
    assert_eq!(write.expect(503)["detail"], "The event store is not reachable");
    let request = api.request(reqwest::Method::GET, "/v2/audit-log-webhook/jwks.json");
    crate::support::Answer::of(request).await.expect(200);
}
