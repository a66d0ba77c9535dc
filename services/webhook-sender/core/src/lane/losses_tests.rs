//! What became of events that a lane could not send: expired, missing, unreadable.

use auditrelay_model::record::Place;
use auditrelay_model::window::RETENTION;

use super::bench::{Bench, DAY, answered, of_epoch, record};
use super::*;

fn position(epoch: u64, number: u64, sequence: u64) -> Position {
    Position { epoch, number, sequence }
}

/// The same record with another body, or seen otherwise.
fn seen(record: Input, change: impl FnOnce(Arrival) -> Arrival) -> Input {
    let Input::Arrived(arrival) = record else { unreachable!() };
    Input::Arrived(change(arrival))
}

fn corrupt(record: Input) -> Input {
    seen(record, |arrival| Arrival { body: Body::Corrupt("it is cut".to_owned()), ..arrival })
}

#[test]
fn a_record_that_cannot_be_read_is_set_aside_event_by_event() {
    let mut bench = Bench::live();
    let effects = bench.effects(corrupt(record(7, 4, &[0; 3])));
    let aside: Vec<_> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Store { fact: DeliveryFact::Quarantined(event), .. } => Some(event),
            _ => None,
        })
        .collect();
    let places = [position(1, 4, 6), position(1, 5, 6), position(1, 6, 7)];
    assert_eq!(aside.iter().map(|event| event.at).collect::<Vec<_>>(), places);
    assert_eq!(aside[0].message, "the record at 7 cannot be read: it is cut");
    assert_eq!(effects.last(), Some(&Effect::Done(7)));
}

#[test]
fn a_record_that_cannot_be_read_ends_a_replay() {
    let mut bench = Bench::replay(0, 20, 9);
    let words = bench.step(corrupt(record(7, 4, &[0; 3])));
    assert_eq!(words, ["stopped corrupt", "forget [7]", "stop reading", "end"]);
}

#[test]
fn a_replay_goes_on_behind_what_it_did_of_a_record_that_it_need_not_read() {
    let mut bench = Bench::replay(0, 20, 1);
    bench.step(record(1, 1, &[1; 12]));
    assert_eq!(bench.answer(200)[0], "delivered 1-10@0");
    bench.start_again();
    let unread =
        seen(record(1, 1, &[1; 12]), |arrival| Arrival { body: Body::NotSelected, ..arrival });
    assert_eq!(bench.step(unread), ["passed 2 to 12@1", "done 1", "end"]);
}

#[test]
fn what_lies_before_the_oldest_record_has_expired_and_what_lies_behind_is_a_hole() {
    for (oldest, word) in [(2, "stopped gap"), (3, "expired 1 to 2")] {
        let mut bench = Bench::replay(0, 20, 9);
        bench.step(record(1, 1, &[1]));
        bench.answer(200);
        let arrival = || seen(record(3, 3, &[1]), |arrival| Arrival { oldest, ..arrival });
        bench.step(arrival());
        assert_eq!(bench.step(arrival())[0], word, "{oldest}");
    }
}

#[test]
fn a_hole_is_told_to_the_operator_by_its_place() {
    let mut bench = Bench::replay(0, 20, 99);
    bench.step(record(1, 1, &[1]));
    bench.answer(200);
    bench.step(record(9, 5, &[1]));
    bench.step(record(9, 5, &[1]));
    let (_, reason) = bench.lane.state().stopped.clone().unwrap();
    let expected =
        "event number 2 is missing from the log, the first of 3 before stream sequence 9";
    assert!(reason.starts_with(expected), "{reason}");
}

/// A record behind what the broker lost of the life before.
fn behind_a_loss(number: u64) -> Input {
    let anew = of_epoch(2, record(3, 1, &[1]), Vec::new());
    let lost = Some(Place { epoch: 1, number });
    seen(anew, |arrival| Arrival { lost, ..arrival })
}

#[test]
fn a_replay_does_not_pass_over_what_the_broker_lost() {
    for (number, word) in [(1, None), (2, Some("stopped gap"))] {
        let mut bench = Bench::replay(0, 20, 9);
        bench.step(record(1, 1, &[1]));
        bench.answer(200);
        let words = bench.step(behind_a_loss(number));
        let stopped = words.iter().find(|word| word.starts_with("stopped"));
        assert_eq!(stopped.map(String::as_str), word, "{number}: {words:?}");
    }
}

#[test]
fn what_the_broker_lost_is_counted_by_a_live_lane_and_the_rest_is_sent() {
    let mut bench = Bench::live();
    bench.step(record(1, 1, &[0]));
    bench.answer(200);
    let effects = bench.effects(behind_a_loss(4));
    let fact = DeliveryFact::Expired { to: position(1, 4, 2), events: 3, early: true };
    let stored =
        |effect: &Effect| matches!(effect, Effect::Store { fact: told, .. } if *told == fact);
    assert!(effects.iter().any(stored), "{effects:?}");
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Send(_))), "{effects:?}");
}

#[test]
fn what_is_gone_before_its_time_is_told_as_such() {
    let retention = i64::try_from(RETENTION.as_nanos()).unwrap();
    for (oldest, age, early) in
        [(3, retention - 1, true), (3, retention, false), (0, retention, true)]
    {
        let mut bench = Bench::live();
        bench.step(record(1, 1, &[0]));
        bench.answer(200);
        bench.step(Input::Overflowed);
        let stored_at = Timestamp::from_nanos(DAY * 400 - age);
        let arrival =
            || seen(record(3, 3, &[1]), |arrival| Arrival { stored_at, oldest, ..arrival });
        bench.step(arrival());
        let effects = bench.effects(arrival());
        let fact = DeliveryFact::Expired { to: position(1, 2, 2), events: 1, early };
        let stored =
            |effect: &Effect| matches!(effect, Effect::Store { fact: told, .. } if *told == fact);
        assert!(effects.iter().any(stored), "{effects:?}");
    }
}

#[test]
fn what_expired_while_a_lane_was_away_is_counted_when_its_shard_takes_it_back() {
    let table = [
        (position(1, 5, 9), Some("expired 4 to 5")),
        (position(1, 2, 9), Some("expired 1 to 2")),
        (position(2, 3, 20), Some("expired 3 to 3")),
        (position(1, 1, 1), None),
    ];
    for (last, expired) in table {
        let mut bench = Bench::live();
        bench.step(record(1, 1, &[0]));
        bench.answer(200);
        bench.step(Input::Overflowed);
        bench.step(Input::Exhausted);
        let words = bench.step(Input::Rejoin(Rejoin::WelcomeWithout { last }));
        let told = words.iter().find(|word| word.starts_with("expired"));
        assert_eq!(told.map(String::as_str), expired, "{words:?}");
    }
}

#[test]
fn a_shard_that_refuses_a_lane_twice_makes_it_read_anew() {
    let mut bench = Bench::live();
    bench.step(record(1, 1, &[0]));
    bench.answer(200);
    bench.step(Input::Overflowed);
    for answer in [&[][..], &["stop reading"]] {
        assert_eq!(bench.step(Input::Exhausted), ["ask"]);
        assert_eq!(bench.step(Input::Rejoin(Rejoin::NotYet)), *answer);
    }
}

#[test]
fn where_the_present_life_of_a_log_ends_says_nothing_about_losses() {
    let mut bench = Bench::live();
    bench.step(record(1, 1, &[0]));
    bench.answer(200);
    bench.step(Input::Overflowed);
    let ended = vec![position(1, 1, 1), position(2, 3, 9)];
    assert_eq!(bench.step(of_epoch(2, record(9, 1, &[0]), ended))[0], "send 1-1 x1 #1");
}

#[test]
fn a_delivered_batch_waits_for_refused_events_before_it() {
    let mut bench = Bench::parallel(2);
    bench.step(record(1, 1, &[0; 3]));
    let first = bench.sent.clone().unwrap().batch.id;
    assert_eq!(bench.step(record(2, 4, &[0; 10])), ["send 4-13 x10 #1"]);
    assert!(bench.answer(200).is_empty());
    assert_eq!(bench.outcome_of(first, answered(400)), ["failed #1", "send 1-2 x2 #1"]);
    assert_eq!(bench.answer(200), ["delivered 1-2@0", "send 3-3 x1 #1"]);
    let words = bench.answer(200);
    assert_eq!(words[..2], ["delivered 3-3@1", "done 1"], "{words:?}");
    assert_eq!(words[2..], ["delivered 4-13@2", "done 2"], "{words:?}");
}
