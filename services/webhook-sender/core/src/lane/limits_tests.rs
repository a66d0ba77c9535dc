//! How much a lane takes in, and how careful it is while something is wrong.

use auditrelay_model::Window;
use auditrelay_model::replay::Stretch;

use super::bench::{Bench, POLICY, answered, event, record, target};
use super::*;
use crate::batch::weight;
use crate::outcome::Outcome;

fn bytes_of(events: usize) -> usize {
    events * weight(&event(0))
}

#[test]
fn a_lane_takes_no_more_records_than_it_has_room_for() {
    for (mut bench, wants) in
        [(Bench::live(), Wants::FromShard), (Bench::replay(0, 20, 99), Wants::FromReader)]
    {
        for n in 1..=7 {
            bench.step(record(n, n, &[0]));
            assert_eq!(bench.lane.wants(), wants, "{n}");
        }
        bench.step(record(8, 8, &[0]));
        assert_eq!(bench.lane.wants(), Wants::Nothing);
    }
}

#[test]
fn bytes_fill_the_room_too() {
    let room = Caps { events: 8, bytes: bytes_of(4) };
    let mut bench = Bench::new(Course::Live, Policy { room, ..POLICY });
    bench.step(record(1, 1, &[0; 3]));
    assert_eq!(bench.lane.wants(), Wants::FromShard);
    bench.step(record(2, 4, &[0]));
    assert_eq!(bench.lane.wants(), Wants::Nothing);
    bench.answer(200);
    assert_eq!(bench.lane.wants(), Wants::FromShard);
}

#[test]
fn a_batch_is_full_by_its_bytes_and_a_large_event_goes_alone() {
    let batch = Caps { events: 10, bytes: bytes_of(2) };
    let mut bench = Bench::new(Course::Live, Policy { batch, ..POLICY });
    assert_eq!(bench.step(record(1, 1, &[0; 3]))[0], "send 1-2 x2 #1");
    let batch = Caps { events: 10, bytes: bytes_of(1) - 1 };
    let mut bench = Bench::new(Course::Live, Policy { batch, ..POLICY });
    assert_eq!(bench.step(record(1, 1, &[0; 2]))[0], "send 1-1 x1 #1");
}

#[test]
fn what_is_under_way_does_not_wait() {
    let batch = Caps { events: 10, bytes: bytes_of(3) };
    let mut bench = Bench::new(Course::Live, Policy { batch, ..POLICY });
    bench.step(record(1, 1, &[0; 2]));
    assert!(bench.step(record(2, 3, &[0; 2])).is_empty(), "no full batch yet");
    assert_eq!(bench.step(record(3, 5, &[0])), ["prepare 3-5"]);
}

#[test]
fn a_job_sends_the_numbers_that_it_names() {
    let window = Window::stored(Timestamp::from_nanos(0), Timestamp::from_nanos(20));
    let numbers: Arc<[Stretch]> = Arc::new([Stretch { epoch: 1, first: 5, last: 5 }]);
    let selection = Arc::new(Selection { numbers: Some(numbers), ..window.into() });
    let course = Course::Replay { selection, until: 9, patience: Duration::from_hours(1) };
    let mut bench = Bench::new(course, POLICY);
    assert_eq!(bench.step(record(1, 4, &[1; 3])), ["passed 1 to 4@0", "send 5-5 x1 #1"]);
}

#[test]
fn an_event_that_is_refused_alone_is_tried_three_times_whatever_is_wrong_with_it() {
    for status in [400, 413] {
        let mut bench = Bench::live();
        bench.step(record(1, 1, &[0]));
        for (attempt, wait) in [(1, 1), (2, 2)] {
            assert_eq!(
                bench.answer(status),
                [format!("failed #{attempt}"), format!("wake {wait}")]
            );
            bench.step(Input::Woke);
        }
        assert_eq!(bench.answer(status), ["failed #3", "quarantined 1", "done 1"]);
        assert_eq!(bench.step(record(2, 2, &[0; 5])), ["send 2-2 x1 #1"], "the next goes alone");
        assert_eq!(bench.answer(200)[1], "send 3-6 x4 #1");
    }
}

#[test]
fn a_lane_that_must_wait_long_leaves_its_shard_at_once() {
    for (retry_after, leaves) in [("5", false), ("6", true)] {
        let mut bench = Bench::live();
        bench.step(record(1, 1, &[0]));
        let retry_after = Some(retry_after.to_owned());
        let failed =
            bench.outcome(Outcome::Answered { status: 503, retry_after, message: String::new() });
        assert_eq!(failed.contains(&"leave".to_owned()), leaves, "{failed:?}");
    }
}

#[test]
fn a_batch_that_was_written_ahead_follows_although_others_are_out() {
    let mut bench = Bench::parallel(2);
    bench.step(record(1, 1, &[0]));
    let first = bench.sent.clone().unwrap().batch.id;
    bench.step(record(2, 2, &[0; 10]));
    assert_eq!(bench.step(record(3, 12, &[0; 10])), ["prepare 12-21"]);
    let sent = ["delivered 1-1@1", "done 1", "send 12-21 x10 #1"];
    assert_eq!(bench.outcome_of(first, answered(200)), sent);
}

#[test]
fn while_anything_is_wrong_one_request_at_a_time_goes_out() {
    for status in [400, 503] {
        let mut bench = Bench::parallel(2);
        bench.step(record(1, 1, &[0]));
        assert_eq!(bench.answer(status), ["failed #1", "wake 1"]);
        bench.step(record(2, 2, &[0; 10]));
        let mut sent = bench.step(Input::Woke);
        sent.retain(|word| word.starts_with("send"));
        assert_eq!(sent, ["send 1-1 x1 #2"], "{status}");
        if status == 503 {
            assert!(bench.step(record(3, 12, &[0; 10])).is_empty());
        }
    }
}

#[test]
fn a_probe_goes_alone_and_what_came_while_the_lane_held_is_dropped() {
    let mut bench = Bench::parallel(2);
    bench.step(record(1, 1, &[0; 10]));
    bench.answer(401);
    assert!(bench.step(Input::Overflowed).is_empty(), "there is nothing more to drop");
    assert_eq!(bench.step(record(1, 1, &[0; 20])), ["forget [1]", "stop reading"]);
    bench.step(Input::Woke);
    assert_eq!(bench.step(record(1, 1, &[0; 20])), ["send 1-1 x1 #1"]);
}

#[test]
fn a_lane_without_anything_to_probe_with_looks_again_later_and_does_not_rejoin() {
    let mut bench = Bench::live();
    bench.step(record(1, 1, &[0]));
    bench.answer(401);
    bench.step(Input::Woke);
    assert_eq!(bench.step(Input::Exhausted), ["wake 30", "stop reading"]);
    assert!(Bench::replay(0, 20, 9).step(Input::Exhausted).is_empty());
}

#[test]
fn a_lane_found_held_probes_soon_and_not_all_of_them_at_once() {
    let mut bench = Bench::live();
    bench.step(record(1, 1, &[0]));
    bench.answer(401);
    assert_eq!(bench.start_again(), ["wake 1"], "half of two seconds, by chance");
}

#[test]
fn a_lane_that_holds_waits_for_the_requests_that_are_out() {
    let mut bench = Bench::parallel(2);
    bench.step(record(1, 1, &[0]));
    let first = bench.sent.clone().unwrap().batch.id;
    bench.step(record(2, 2, &[0; 10]));
    let held = bench.outcome_of(first, answered(401));
    assert_eq!(held, ["failed #1", "behind 0", "leave", "held, act", "wake 30"]);
    assert_eq!(bench.step(Input::Woke), ["wake 2"], "one is still out");
    assert_eq!(bench.answer(503), ["failed #1", "forget [1, 2]", "stop reading"]);
}

#[test]
fn a_lane_that_ended_is_not_revived() {
    let mut bench = Bench::live();
    bench.step(Input::Configured(Switch::Gone));
    assert!(bench.step(Input::Configured(Switch::On(target(1)))).is_empty());
    assert!(bench.step(record(1, 1, &[0])).is_empty());
}

#[test]
fn a_lane_that_is_switched_off_stops_reading_once() {
    let mut bench = Bench::live();
    bench.step(record(1, 1, &[0]));
    bench.answer(200);
    bench.step(Input::Overflowed);
    assert_eq!(bench.step(Input::Configured(Switch::Off)), ["stop reading"]);
    assert!(bench.step(Input::Overflowed).is_empty());
}

#[test]
fn a_replay_that_is_drained_says_no_more_of_what_it_passes() {
    let mut bench = Bench::replay(10, 20, 9);
    bench.step(record(1, 1, &[15]));
    bench.step(record(2, 2, &[99]));
    bench.step(Input::Drain);
    assert_eq!(bench.answer(200), ["delivered 1-1@1", "done 1", "end"]);
}

#[test]
fn a_replay_is_told_once_that_it_makes_room() {
    let mut bench = Bench::replay(10, 20, 9);
    assert_eq!(bench.step(Input::Yield(true)), ["yielded"]);
    assert!(bench.step(Input::Yield(true)).is_empty());
}

#[test]
fn a_replay_that_need_not_make_room_any_more_still_waits_for_its_receiver() {
    let mut bench = Bench::replay(0, 20, 9);
    bench.step(Input::Yield(true));
    bench.step(record(1, 1, &[1]));
    assert_eq!(bench.answer(503), ["failed #1", "wake 1"]);
    assert_eq!(bench.step(Input::Yield(false)), ["went on"]);
}

#[test]
fn a_replay_that_was_over_is_over_when_it_is_started_again() {
    let mut bench = Bench::replay(0, 20, 1);
    bench.step(record(1, 1, &[1]));
    assert_eq!(bench.answer(200), ["delivered 1-1@1", "done 1", "end"]);
    assert_eq!(bench.start_again(), ["end"]);
    let mut bench = Bench::replay(0, 20, 9);
    bench.step(Input::Configured(Switch::Gone));
    assert_eq!(bench.start_again(), ["end"]);
}
