//! The lane, step by step.

use auditrelay_model::id::EventId;
use auditrelay_model::replay::SentIds;
use uuid::Uuid;

use super::bench::{Bench, POLICY, SECOND, answered, of_epoch, record, refused, target};
use super::*;

#[test]
fn an_idle_lane_sends_at_once_and_collects_while_a_request_is_out() {
    let mut bench = Bench::live();
    assert_eq!(bench.step(record(1, 1, &[0])), ["send 1-1 x1 #1"]);
    assert!(bench.step(record(2, 2, &[0, 0])).is_empty());
    assert!(bench.step(record(3, 4, &[0])).is_empty());
    assert_eq!(bench.answer(200), ["delivered 1-1@1", "done 1", "send 2-4 x3 #1"]);
    assert_eq!(bench.answer(204), ["delivered 2-4@3", "done 2", "done 3"]);
}

#[test]
fn a_record_larger_than_a_batch_is_acknowledged_when_its_last_event_is_done() {
    let mut bench = Bench::live();
    assert_eq!(bench.step(record(7, 1, &[0; 15])), ["send 1-10 x10 #1"]);
    // Everything up to sequence 6 is done.
    assert_eq!(bench.answer(200), ["delivered 1-10@6", "send 11-15 x5 #1"]);
    assert_eq!(bench.answer(200), ["delivered 11-15@7", "done 7"]);
}

#[test]
fn a_failing_receiver_is_retried_then_held_and_probed() {
    let mut bench = Bench::live();
    bench.step(record(1, 1, &[0; 3]));
    let first = bench.sent.clone().unwrap().batch.id;
    for (attempt, wait) in [(1, 1), (2, 2), (3, 4), (4, 8)] {
        let failed = bench.outcome(refused());
        // The second failure is when the shard goes on without it.
        let leaves = failed.contains(&"behind 0".to_owned());
        assert_eq!(leaves, attempt == 2, "{failed:?}");
        assert_eq!(failed.first(), Some(&format!("failed #{attempt}")));
        assert_eq!(failed.last(), Some(&format!("wake {wait}")));
        assert_eq!(bench.step(Input::Woke), [format!("send 1-3 x3 #{}", attempt + 1)]);
        assert_eq!(bench.sent.clone().unwrap().batch.id, first, "a retry keeps its id");
    }
    assert_eq!(bench.answer(503), ["failed #5", "held", "wake 30", "forget [1]", "stop reading"]);
    assert_eq!(bench.lane.wants(), Wants::Nothing);
    assert!(bench.step(Input::Woke).is_empty());
    assert_eq!(bench.lane.wants(), Wants::FromReader);
    assert_eq!(bench.step(record(1, 1, &[0; 3])), ["send 1-1 x1 #1"]);
    assert_eq!(bench.answer(503), ["failed #1", "wake 60", "forget [1]", "stop reading"]);
    bench.step(Input::Woke);
    bench.step(record(1, 1, &[0; 3]));
    assert_eq!(bench.answer(200), ["delivered 1-1@0", "resumed", "wake 0"]);
    bench.running += SECOND;
    assert_eq!(bench.step(Input::Woke), ["send 2-3 x2 #1"]);
    assert_eq!(bench.answer(200), ["delivered 2-3@1", "done 1", "wake 0"]);
    assert_eq!(bench.step(Input::Exhausted), ["ask"]);
    assert_eq!(bench.step(Input::Rejoin(Rejoin::Welcome)), ["stop reading", "caught up"]);
    assert_eq!(bench.lane.wants(), Wants::FromShard);
}

#[test]
fn what_the_customer_must_mend_holds_at_once_and_a_change_probes_at_once() {
    let mut bench = Bench::live();
    bench.step(record(1, 1, &[0]));
    let held = bench.answer(401);
    assert_eq!(held[..4], ["failed #1", "behind 0", "leave", "held, act"]);
    bench.step(Input::Configured(Switch::On(target(1))));
    assert_eq!(bench.lane.wants(), Wants::FromReader);
    assert_eq!(bench.step(record(1, 1, &[0])), ["send 1-1 x1 #1"]);
}

#[test]
fn the_poisoned_event_is_found_and_set_aside_and_the_rest_flows() {
    let mut bench = Bench::live();
    let mut log = bench.step(record(1, 1, &[0; 10]));
    // The receiver refuses whatever holds number 7.
    for _ in 0..20 {
        let Some(request) = bench.sent.take() else { break };
        let poisoned = (request.batch.first.number..=request.batch.last.number).contains(&7);
        let status = answered(if poisoned { 400 } else { 200 });
        log.extend(bench.outcome_of(request.batch.id, status));
        if log.last().is_some_and(|word| word.starts_with("wake")) {
            log.extend(bench.step(Input::Woke));
        }
    }
    let requests = log.iter().filter(|word| word.starts_with("send")).count();
    assert!(log.contains(&"quarantined 7".to_owned()), "{log:?}");
    assert!(log.contains(&"done 1".to_owned()), "{log:?}");
    assert!(requests <= 10, "{log:?}");
    assert_eq!(bench.lane.state().totals.events_delivered, 9);
}

#[test]
fn a_receiver_that_refuses_everything_is_held_after_a_few_events() {
    let mut bench = Bench::live();
    bench.step(record(1, 1, &[0; 10]));
    let mut log = Vec::new();
    while bench.lane.state().hold.is_none() {
        log = bench.answer(400);
        if log.last().is_some_and(|word| word.starts_with("wake"))
            && bench.lane.state().hold.is_none()
        {
            bench.step(Input::Woke);
        }
    }
    assert_eq!(bench.lane.state().totals.events_quarantined, 3, "{log:?}");
}

#[test]
fn a_batch_that_is_too_large_is_halved() {
    let mut bench = Bench::live();
    bench.step(record(1, 1, &[0; 10]));
    let words = bench.answer(413);
    assert_eq!(words, ["failed #1", "send 1-1 x1 #1", "prepare 2-2"], "bytes are halved too");
}

#[test]
fn a_body_that_came_out_too_large_goes_with_fewer_events() {
    let mut bench = Bench::live();
    bench.step(record(1, 1, &[0; 10]));
    let batch = bench.sent.clone().unwrap().batch.id;
    assert_eq!(bench.step(Input::Cut { batch, fits: 4 }), ["send 1-4 x4 #1"]);
}

#[test]
fn repeats_are_acknowledged_only_when_they_are_done() {
    let mut bench = Bench::live();
    bench.step(record(1, 1, &[0]));
    assert!(bench.step(record(1, 1, &[0])).is_empty());
    assert_eq!(bench.answer(200), ["delivered 1-1@1", "done 1"]);
    assert_eq!(bench.step(record(1, 1, &[0])), ["done 1"]);
}

#[test]
fn a_gap_in_the_shard_makes_the_lane_read_on_its_own() {
    let mut bench = Bench::live();
    bench.step(record(1, 1, &[0]));
    bench.answer(200);
    assert_eq!(bench.step(record(3, 3, &[0])), ["behind 1", "leave"]);
    assert_eq!(bench.step(record(2, 2, &[0])), ["send 2-2 x1 #1"]);
}

#[test]
fn a_lane_rejoins_under_load_and_is_behind_until_it_has_sent_what_it_read() {
    let mut bench = Bench::live();
    bench.step(record(1, 1, &[0]));
    bench.step(Input::Overflowed);
    bench.step(record(2, 2, &[0]));
    assert_eq!(bench.step(Input::Exhausted), ["ask"]);
    assert_eq!(bench.step(Input::Rejoin(Rejoin::Welcome)), ["stop reading"]);
    assert_eq!(bench.lane.wants(), Wants::FromShard);
    bench.step(record(3, 3, &[0]));
    assert_eq!(bench.answer(200), ["delivered 1-1@1", "done 1", "send 2-3 x2 #1"]);
    assert_eq!(bench.answer(200), ["delivered 2-3@3", "done 2", "done 3", "caught up"]);
}

#[test]
fn a_lane_that_falls_behind_again_before_it_caught_up_leaves_without_another_fact() {
    let mut bench = Bench::live();
    bench.step(record(1, 1, &[0]));
    bench.step(Input::Overflowed);
    bench.step(Input::Exhausted);
    bench.step(Input::Rejoin(Rejoin::Welcome));
    assert_eq!(bench.step(Input::Overflowed), ["leave"]);
    assert_eq!(bench.lane.wants(), Wants::FromReader);
}

#[test]
fn what_is_missing_twice_is_counted_as_expired() {
    let mut bench = Bench::live();
    bench.step(record(1, 1, &[0]));
    bench.answer(200);
    bench.step(Input::Overflowed);
    assert_eq!(bench.step(record(9, 5, &[0])), ["stop reading"]);
    assert_eq!(bench.step(record(9, 5, &[0])), ["expired 3 to 4", "send 5-5 x1 #1"]);
}

#[test]
fn a_disabled_webhook_rests_and_goes_on_where_it_was() {
    let mut bench = Bench::live();
    bench.step(Input::Configured(Switch::Off));
    assert_eq!(bench.step(record(5, 8, &[0])), ["behind 7", "leave", "forget [5]", "stop reading"]);
    assert_eq!(bench.lane.wants(), Wants::Nothing);
    bench.step(Input::Configured(Switch::On(target(2))));
    assert_eq!(bench.lane.wants(), Wants::FromReader);
    assert_eq!(bench.step(record(5, 8, &[0])), ["send 8-8 x1 #1"]);
}

#[test]
fn a_removed_webhook_ends_its_lane_after_the_request_that_is_out() {
    let mut bench = Bench::live();
    bench.step(record(1, 1, &[0]));
    assert!(bench.step(Input::Configured(Switch::Gone)).is_empty());
    assert_eq!(
        bench.answer(200),
        ["delivered 1-1@1", "done 1", "stopped removed", "stop reading", "end"]
    );
}

#[test]
fn draining_finishes_the_request_that_is_out_and_nothing_else() {
    let mut bench = Bench::live();
    bench.step(record(1, 1, &[0]));
    bench.step(record(2, 2, &[0]));
    assert!(bench.step(Input::Drain).is_empty());
    assert_eq!(bench.answer(200), ["delivered 1-1@1", "done 1", "end"]);
}

#[test]
fn a_replay_sends_its_window_and_says_what_it_passed() {
    let mut bench = Bench::replay(10, 20, 4);
    assert!(bench.step(record(1, 1, &[1, 2])).is_empty());
    assert_eq!(
        bench.step(record(2, 3, &[3, 10, 99, 20])),
        ["passed 3 to 3@1", "done 1", "send 4-6 x2 #1"]
    );
    assert!(bench.step(record(4, 7, &[15, 21])).is_empty());
    assert_eq!(bench.lane.wants(), Wants::Nothing);
    assert_eq!(bench.answer(200), ["delivered 4-6@2", "done 2", "send 7-7 x1 #1"]);
    assert_eq!(bench.answer(200), ["delivered 7-7@3", "passed 1 to 8@4", "done 4", "end"]);
    let totals = bench.lane.state().totals;
    assert_eq!((totals.events_delivered, totals.events_passed), (3, 5));
}

#[test]
fn a_replay_whose_end_is_proven_by_a_later_record_says_that_it_is_there() {
    let mut bench = Bench::replay(0, 20, 4);
    bench.step(record(1, 1, &[1]));
    bench.answer(200);
    assert_eq!(bench.step(record(6, 2, &[1])), ["passed 0 to 1@4", "end"]);
}

#[test]
fn a_hole_ends_a_replay() {
    let mut bench = Bench::replay(0, 20, 9);
    bench.step(record(1, 1, &[1]));
    bench.answer(200);
    assert_eq!(bench.step(record(3, 3, &[1])), ["stop reading"]);
    assert_eq!(
        bench.step(record(3, 3, &[1])),
        ["stopped gap", "forget [2, 3]", "stop reading", "end"]
    );
}

#[test]
fn what_expires_under_a_replay_is_counted_and_the_rest_is_sent() {
    let mut bench = Bench::replay(0, 20, 9);
    bench.step(record(1, 1, &[1]));
    bench.answer(200);
    let expired = || match record(5, 4, &[1]) {
        Input::Arrived(arrival) => Input::Arrived(Arrival { oldest: 5, ..arrival }),
        other => other,
    };
    assert_eq!(bench.step(expired()), ["stop reading"]);
    assert_eq!(bench.step(expired()), ["expired 2 to 3", "send 4-4 x1 #1"]);
    assert_eq!(bench.lane.state().totals.events_expired, 2);
}

#[test]
fn a_replay_says_which_ids_it_has_delivered_and_which_numbers_a_batch_left_out() {
    let mut bench = Bench::replay(10, 20, 9);
    bench.step(record(1, 1, &[15, 3, 16, 17]));
    bench.answer(200);
    let sent = bench.lane.state().sent.unwrap();
    let id = EventId::from_uuid(Uuid::nil());
    assert_eq!(Some(sent), SentIds::extend(None, [id, id, id]));
    assert_eq!(bench.sent.unwrap().batch.runs(), [(1, 1), (3, 4)]);
}

#[test]
fn a_replay_is_given_up_when_the_receiver_stays_away() {
    let mut bench = Bench::replay(0, 20, 9);
    bench.step(record(1, 1, &[1]));
    let held = bench.answer(404);
    assert_eq!(held, ["failed #1", "held, act", "forget [1]", "stop reading", "park 30"]);
    bench.now = bench.now + Duration::from_secs(3601);
    assert_eq!(bench.start_again(), ["stopped receiver", "stop reading", "end"]);
}

#[test]
fn a_full_batch_is_written_while_the_one_before_it_is_out() {
    let mut bench = Bench::live();
    bench.step(record(1, 1, &[0]));
    assert!(bench.step(record(2, 2, &[0; 9])).is_empty());
    assert_eq!(bench.step(record(3, 11, &[0; 9])), ["prepare 2-11"]);
    assert!(bench.step(record(4, 20, &[0; 30])).is_empty(), "one ahead, no more");
    let sent = ["delivered 1-1@1", "done 1", "send 2-11 x10 #1", "prepare 12-21"];
    assert_eq!(bench.answer(200), sent);
}

#[test]
fn a_batch_that_was_written_ahead_waits_for_the_one_that_fails() {
    let mut bench = Bench::live();
    bench.step(record(1, 1, &[0]));
    bench.step(record(2, 2, &[0; 10]));
    assert_eq!(bench.answer(503), ["failed #1", "wake 1"]);
    assert_eq!(bench.step(Input::Woke), ["send 1-1 x1 #2"]);
    assert_eq!(bench.answer(200), ["delivered 1-1@1", "done 1", "send 2-11 x10 #1"]);
}

#[test]
fn several_requests_are_out_and_facts_keep_the_order_of_the_log() {
    let mut bench = Bench::parallel(2);
    bench.step(record(1, 1, &[0]));
    let first = bench.sent.clone().unwrap().batch.id;
    assert!(bench.step(record(2, 2, &[0])).is_empty(), "a second one must be worth it");
    assert_eq!(bench.step(record(3, 3, &[0; 9])), ["send 2-11 x10 #1"]);
    assert!(bench.answer(200).is_empty(), "the first is still out");
    assert_eq!(bench.lane.state().cursor, None);
    assert!(bench.step(record(4, 12, &[0; 20])).is_empty(), "no more than two under way");
    let words = bench.outcome_of(first, answered(200));
    let facts = ["delivered 1-1@1", "done 1", "delivered 2-11@3", "done 2", "done 3"];
    assert_eq!(words[..5], facts, "{words:?}");
    assert_eq!(words[5..], ["send 12-21 x10 #1", "send 22-31 x10 #1"], "{words:?}");
}

#[test]
fn requests_that_fail_together_are_tried_again_one_by_one() {
    let mut bench = Bench::parallel(2);
    bench.step(record(1, 1, &[0]));
    let first = bench.sent.clone().unwrap().batch.id;
    bench.step(record(2, 2, &[0; 10]));
    let second = bench.sent.clone().unwrap().batch.id;
    assert_eq!(bench.outcome_of(second, answered(503)), ["failed #1", "wake 1"]);
    assert_eq!(bench.outcome_of(first, answered(503)), ["failed #1"]);
    assert_eq!(bench.step(Input::Woke), ["send 1-1 x1 #2"]);
    assert_eq!(bench.answer(200), ["delivered 1-1@1", "done 1", "send 2-11 x10 #2"]);
    assert_eq!(bench.sent.clone().unwrap().batch.id, second, "a retry keeps its id");
}

#[test]
fn a_receiver_that_has_come_back_gets_more_and_more() {
    let mut bench = Bench::new(Course::Live, Policy { resume_rate: 8, ..POLICY });
    bench.step(record(1, 1, &[0]));
    bench.answer(401);
    bench.step(Input::Woke);
    bench.step(record(1, 1, &[0]));
    bench.answer(200);
    bench.step(record(2, 2, &[0; 40]));
    let mut sizes = Vec::new();
    for _ in 0..4 {
        bench.running += Duration::from_millis(250);
        bench.step(Input::Woke);
        sizes.push(bench.sent.clone().unwrap().batch.events);
        let paused = bench.answer(200);
        assert!(paused.last().unwrap().starts_with("wake"), "{paused:?}");
    }
    assert_eq!(sizes, [4, 8, 10, 10], "doubles, up to the cap");
}

#[test]
fn a_replay_makes_room_when_it_is_told_and_says_so() {
    let mut bench = Bench::replay(0, 20, 9);
    bench.step(record(1, 1, &[1; 30]));
    assert_eq!(bench.step(Input::Yield(true)), ["yielded"]);
    assert_eq!(bench.answer(200), ["delivered 1-10@0", "wake 10"]);
    assert_eq!(bench.step(Input::Woke), ["send 11-20 x10 #1"], "it gets on all the same");
    assert_eq!(bench.answer(200), ["delivered 11-20@0", "wake 10"]);
    assert_eq!(bench.step(Input::Yield(false)), ["went on", "send 21-30 x10 #1"]);
    assert!(bench.step(Input::Yield(false)).is_empty());
}

#[test]
fn a_whole_life_of_the_log_that_expired_is_counted_exactly() {
    let mut bench = Bench::live();
    bench.step(record(1, 1, &[0; 2]));
    bench.answer(200);
    bench.step(Input::Overflowed);
    let ended = [(1, 7, 40), (2, 5, 60)];
    let ended = ended.map(|(epoch, number, sequence)| Position { epoch, number, sequence });
    let arrival = of_epoch(3, record(90, 1, &[0]), ended.to_vec());
    let words = bench.step(arrival);
    assert_eq!(words[..2], ["expired 5 to 7", "expired 5 to 5"], "{words:?}");
    assert_eq!(bench.lane.state().totals.events_expired, 10);
    assert_eq!(bench.sent.clone().unwrap().batch.first.epoch, 3);
}
