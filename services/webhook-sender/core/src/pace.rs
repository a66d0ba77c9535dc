//! How many requests may be out to one destination at the same time: one more for every round of
//! good answers, half as many when it is overloaded, slightly fewer when it slows down.

use std::time::Duration;

use crate::outcome::{FailureKind, Outcome};

/// A window in thousandths of a request, so that it can grow by parts of one.
const ONE: u64 = 1_000;
/// So many requests are out before anything is known.
const FIRST: u64 = 8 * ONE;
/// A round trip of so many times the best one is a queue at the receiver.
const SLOW_FACTOR: u32 = 4;
/// Round trips below this are never called slow.
const SLOW_MIN: Duration = Duration::from_millis(100);
/// The best round trip is forgotten by this part of the difference with every answer.
const FORGET: u32 = 64;

/// How a destination is paced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    window: u64,
    max: u64,
    best: Option<Duration>,
    /// The window was cut then: what was out at that moment does not cut it again.
    cut_at: Option<Duration>,
}

impl Pace {
    /// At most `max` requests at the same time.
    pub fn new(max: usize) -> Self {
        let max = (max.max(1) as u64).saturating_mul(ONE);
        Self { window: FIRST.min(max), max, best: None, cut_at: None }
    }

    /// Requests that may be out now; at least one.
    pub fn window(&self) -> usize {
        usize::try_from(self.window / ONE).unwrap_or(usize::MAX).max(1)
    }

    /// A request ended at `running` that took `round_trip`.
    pub fn ended(&mut self, outcome: &Outcome, round_trip: Duration, running: Duration) {
        let began = running.saturating_sub(round_trip);
        let was_cut_since = self.cut_at.is_some_and(|cut| cut > began);
        match outcome {
            Outcome::Answered { status: 429 | 503, .. }
            | Outcome::Failed { kind: FailureKind::Timeout | FailureKind::Connect, .. } => {
                if !was_cut_since {
                    self.cut(self.window / 2, running);
                }
            }
            Outcome::Answered { status: 200..=299, .. } => {
                let best = self.learn(round_trip);
                let slow = round_trip > SLOW_MIN && round_trip > best * SLOW_FACTOR;
                if !slow {
                    self.window = (self.window + ONE * ONE / self.window.max(ONE)).min(self.max);
                } else if !was_cut_since {
                    self.cut(self.window - self.window / 10, running);
                }
            }
            Outcome::Answered { .. } | Outcome::Failed { .. } => {}
        }
    }

    fn cut(&mut self, window: u64, running: Duration) {
        self.window = window.max(ONE);
        self.cut_at = Some(running);
    }

    fn learn(&mut self, round_trip: Duration) -> Duration {
        let best = match self.best {
            Some(best) if best < round_trip => best + round_trip.saturating_sub(best) / FORGET,
            Some(_) | None => round_trip,
        };
        self.best = Some(best);
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Duration = Duration::from_millis(20);

    fn answered(status: u16) -> Outcome {
        Outcome::Answered { status, retry_after: None, message: String::new() }
    }

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn good_answers_add_one_request_a_round_up_to_the_cap() {
        let mut pace = Pace::new(10);
        assert_eq!(pace.window(), 8);
        for n in 0..9 {
            pace.ended(&answered(200), QUICK, at(n));
        }
        assert_eq!(pace.window(), 9);
        for n in 0..100 {
            pace.ended(&answered(200), QUICK, at(n));
        }
        assert_eq!(pace.window(), 10);
    }

    #[test]
    fn an_overloaded_receiver_gets_half_once_a_round_and_never_nothing() {
        let mut pace = Pace::new(64);
        pace.ended(&answered(429), QUICK, at(1_000));
        assert_eq!(pace.window(), 4);
        pace.ended(&answered(503), QUICK, at(1_010));
        assert_eq!(pace.window(), 4, "it was out when the window was cut");
        for round in 2..20 {
            pace.ended(&answered(503), QUICK, at(round * 1_000));
        }
        assert_eq!(pace.window(), 1);
    }

    #[test]
    fn a_receiver_that_slows_down_gets_less() {
        let mut pace = Pace::new(64);
        pace.ended(&answered(200), QUICK, at(0));
        pace.ended(&answered(200), QUICK * 20, at(1_000));
        assert_eq!(pace.window(), 7);
    }

    #[test]
    fn what_began_when_the_window_was_cut_cuts_it_again() {
        let mut pace = Pace::new(64);
        pace.ended(&answered(503), QUICK, at(1_000));
        pace.ended(&answered(503), QUICK, at(1_020));
        assert_eq!(pace.window(), 2);
    }

    #[test]
    fn slow_is_long_in_itself_and_several_times_the_best() {
        for (best, now, window) in [(1, 100, 8), (60, 180, 8), (60, 400, 7), (400, 400, 8)] {
            let mut pace = Pace::new(64);
            pace.ended(&answered(200), at(best), at(1_000));
            pace.ended(&answered(200), at(now), at(2_000));
            assert_eq!(pace.window(), window, "{now} ms where {best} ms was the best");
        }
    }

    #[test]
    fn the_best_round_trip_is_learned_at_once_and_forgotten_slowly() {
        let mut pace = Pace::new(64);
        pace.ended(&answered(200), at(400), at(1_000));
        pace.ended(&answered(200), QUICK, at(2_000));
        pace.ended(&answered(200), at(150), at(3_000));
        assert_eq!(pace.window(), 7, "it was quicker once");
        for round in 4..60 {
            pace.ended(&answered(200), at(150), at(round * 1_000));
        }
        assert!(pace.window() > 9, "that was long ago: {}", pace.window());
    }

    #[test]
    fn what_is_refused_says_nothing_about_load() {
        let mut pace = Pace::new(64);
        pace.ended(&answered(400), QUICK, at(0));
        assert_eq!(pace.window(), 8);
    }
}
