//! How much is said of callers: enough to know, and no more however often they call.

use std::collections::HashMap;
use std::time::Duration;

use super::{AccessEvent, AccessFact, Denied, Principal, Reason};
use crate::Timestamp;
use crate::id::{OrgId, TokenId};
use crate::origin::Origin;

/// A token's use is said again after this long.
const USED_AGAIN: Duration = Duration::from_hours(1);
/// Denied calls of one caller and reason within this time are told together, but for the first.
const TOGETHER: Duration = Duration::from_mins(1);
/// Most callers that are remembered of each kind; beyond it those that matter least are forgotten.
const CALLERS_MAX: usize = 50_000;

/// What a process has said of callers lately.
#[derive(Debug, Default)]
pub struct Tally {
    used: HashMap<(OrgId, TokenId), Timestamp>,
    denied: HashMap<(OrgId, Principal, Reason), Minute>,
}

/// Denied calls since one that was told at once.
#[derive(Debug)]
struct Minute {
    began: Timestamp,
    first: Timestamp,
    count: u64,
    last: Origin,
}

impl Tally {
    /// A token was used; what is to be said, if it is time to.
    pub fn used(&mut self, org: OrgId, token: TokenId, now: Timestamp) -> Option<AccessEvent> {
        let key = (org, token);
        if self.used.get(&key).is_some_and(|said| now.since(*said) < USED_AGAIN) {
            return None;
        }
        if self.used.len() >= CALLERS_MAX {
            self.used.retain(|_, said| now.since(*said) < USED_AGAIN);
        }
        if self.used.len() >= CALLERS_MAX {
            return None;
        }
        self.used.insert(key, now);
        Some(AccessEvent {
            at: now,
            org,
            principal: Principal::Token(token),
            fact: AccessFact::Used,
        })
    }

    /// A call was denied; the first of a minute is to be said at once.
    pub fn denied(
        &mut self,
        (org, principal, reason): (OrgId, Principal, Reason),
        origin: Origin,
        now: Timestamp,
    ) -> Option<AccessEvent> {
        let key = (org, principal, reason);
        if let Some(minute) = self.denied.get_mut(&key) {
            if minute.count == 0 {
                minute.first = now;
            }
            minute.count += 1;
            minute.last = origin;
            return None;
        }
        if self.denied.len() >= CALLERS_MAX {
            return None;
        }
        let said = event(&key, now, 1, origin.clone());
        self.denied.insert(key, Minute { began: now, first: now, count: 0, last: origin });
        Some(said)
    }

    /// What is to be said of minutes that are over; of all of them at the end.
    pub fn due(&mut self, now: Timestamp, is_end: bool) -> Vec<AccessEvent> {
        let over = |minute: &Minute| is_end || now.since(minute.began) >= TOGETHER;
        let told = self.denied.iter().filter(|(_, minute)| over(minute) && minute.count > 0);
        let told = told
            .map(|(key, minute)| event(key, minute.first, minute.count, minute.last.clone()))
            .collect();
        // Who goes on is told once a minute, who has stopped is forgotten.
        self.denied.retain(|_, minute| !over(minute) || minute.count > 0);
        for minute in self.denied.values_mut().filter(|minute| over(minute)) {
            (minute.began, minute.count) = (now, 0);
        }
        told
    }
}

fn event(
    (org, principal, reason): &(OrgId, Principal, Reason),
    at: Timestamp,
    count: u64,
    origin: Origin,
) -> AccessEvent {
    let fact = AccessFact::Denied(Denied { reason: *reason, count, origin });
    AccessEvent { at, org: *org, principal: principal.clone(), fact }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_nanos(0) + Duration::from_secs(seconds)
    }

    fn caller(number: u128) -> (OrgId, Principal, Reason) {
        let token = TokenId::from_uuid(Uuid::from_u128(number));
        (OrgId::from_uuid(Uuid::nil()), Principal::Token(token), Reason::Forbidden)
    }

    #[test]
    fn a_use_is_said_once_an_hour() {
        let mut tally = Tally::default();
        let (org, token) = (OrgId::from_uuid(Uuid::nil()), TokenId::from_uuid(Uuid::nil()));
        let said: Vec<_> =
            (0..7_300).filter(|seconds| tally.used(org, token, at(*seconds)).is_some()).collect();
        assert_eq!(said, [0, 3_600, 7_200]);
    }

    #[test]
    fn of_a_flood_the_first_call_is_told_and_then_a_count_a_minute() {
        let mut tally = Tally::default();
        let (mut told, mut at_once) = (Vec::new(), 0);
        for second in 0..180 {
            for _ in 0..100 {
                let said = tally.denied(caller(1), Origin::default(), at(second));
                at_once += u64::from(said.is_some());
            }
            told.extend(tally.due(at(second), false));
        }
        assert_eq!(told.first().map(|event| event.at), Some(at(0)), "when the first of them came");
        told.extend(tally.due(at(180), true));
        let counts: Vec<u64> = told
            .iter()
            .map(|event| match &event.fact {
                AccessFact::Denied(denied) => denied.count,
                AccessFact::Used => 0,
            })
            .collect();
        assert_eq!((at_once, counts.iter().sum::<u64>()), (1, 18_000 - 1));
        assert!(counts.len() <= 4, "{counts:?}");
        assert!(tally.due(at(300), false).is_empty());
        assert!(tally.denied.is_empty(), "who stopped is forgotten");
    }

    #[test]
    fn no_more_callers_are_remembered_than_there_is_room_for() {
        let mut tally = Tally::default();
        for number in 0..=CALLERS_MAX as u128 {
            tally.denied(caller(number), Origin::default(), at(0));
        }
        assert_eq!(tally.denied.len(), CALLERS_MAX);
    }

    #[test]
    fn callers_that_were_told_an_hour_ago_make_room() {
        let mut tally = Tally::default();
        let org = OrgId::from_uuid(Uuid::nil());
        let token = |number: usize| TokenId::from_uuid(Uuid::from_u128(number as u128));
        for number in 0..CALLERS_MAX {
            assert!(tally.used(org, token(number), at(number as u64 % 2)).is_some());
        }
        assert!(tally.used(org, token(CALLERS_MAX), at(3_599)).is_none(), "no room");
        assert!(tally.used(org, token(CALLERS_MAX), at(3_600)).is_some());
        assert_eq!(tally.used.len(), CALLERS_MAX / 2 + 1);
    }
}
