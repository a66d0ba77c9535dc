//! Somebody tries tokens: nothing is learned by it, and nobody else waits for it.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::future::join_all;
use tokio::time::Instant;

use crate::support::World;

const PATH: &str = "/v3/audit-log-destinations";

#[tokio::test]
async fn a_flood_of_guesses_is_answered_alike_and_costs_the_others_nothing() {
    let (world, admin) = World::admin().await;
    let asked = world.asked("$JS.API.STREAM.MSG.GET.CONFIG").await;
    let guesses = (0..400).map(|guess| {
        let guess = match guess % 4 {
            // One that is somebody's but for its last character, one that begins like it.
            0 => format!("{}!", &admin.token[..admin.token.len() - 1]),
            1 => format!("{}{guess:035}", &admin.token[..12]),
            2 => format!("art_{guess:043}"),
            _ => format!("arp_{guess:064}"),
        };
        let guesser = admin.with_token(&guess);
        async move { guesser.get(PATH).await }
    });
    let begun = Instant::now();
    let (answers, slowest) = tokio::join!(join_all(guesses), async {
        let mut slowest = Duration::ZERO;
        for _ in 0..10 {
            let begun = Instant::now();
            admin.get(PATH).await.expect(200);
            slowest = slowest.max(begun.elapsed());
        }
        slowest
    });
    let (took, asked) = (begun.elapsed(), asked.load(Ordering::SeqCst));
    let told: BTreeSet<String> = answers
        .iter()
        .map(|answer| {
            let mut told = answer.expect(401);
            told.as_object_mut().unwrap().remove("instance");
            told.to_string()
        })
        .collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(slowest < Duration::from_secs(5), "{slowest:?}");
    // Whether one of them was issued a moment ago is asked for all of them together.
    let most = 30 + usize::try_from(took.as_millis()).unwrap() / 50 * 2;
    assert!((1..most).contains(&asked), "{asked} questions to the broker in {took:?}");
}
