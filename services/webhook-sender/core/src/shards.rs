//! Which shards a sender takes and gives up, so that each gets its share. A lease makes a shard
//! exclusive; this only says whom it should go to.

use std::collections::BTreeSet;

/// Shards of live delivery.
pub const SHARDS: u8 = 8;

/// What to do about leases.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// Finish and give these up.
    pub release: Vec<u8>,
    /// Try these in turn until [`Plan::room`] of them are taken.
    pub try_take: Vec<u8>,
    /// How many to take.
    pub room: usize,
}

/// Compares what is held with the fair share among `members` (this sender included). `preference`
/// spreads the senders over the shards, so that they seldom try the same one first.
pub fn plan(held: &BTreeSet<u8>, members: usize, preference: u64) -> Plan {
    let share = usize::from(SHARDS).div_ceil(members.max(1));
    if held.len() > share {
        let release = held.iter().rev().take(held.len() - share).copied().collect();
        return Plan { release, ..Plan::default() };
    }
    let room = share - held.len();
    let first = u8::try_from(preference % u64::from(SHARDS)).unwrap_or(0);
    let free = |shard: &u8| !held.contains(shard);
    let try_take = if room == 0 {
        Vec::new()
    } else {
        (0..SHARDS).map(|n| (first + n) % SHARDS).filter(free).collect()
    };
    Plan { release: Vec::new(), try_take, room }
}

/// The shard that brings a group's records.
pub fn of_group(group: u64) -> u8 {
    u8::try_from(group / u64::from(SHARDS)).unwrap_or(SHARDS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets `members` senders plan in turn until nobody changes anything.
    fn settle(mut held: Vec<BTreeSet<u8>>) -> Vec<BTreeSet<u8>> {
        for _ in 0..100 {
            let before = held.clone();
            for me in 0..held.len() {
                let todo = plan(&held[me], held.len(), me as u64 * 3);
                for shard in todo.release {
                    held[me].remove(&shard);
                }
                let mut room = todo.room;
                for shard in todo.try_take {
                    if room > 0 && !held.iter().any(|other| other.contains(&shard)) {
                        held[me].insert(shard);
                        room -= 1;
                    }
                }
            }
            if before == held {
                return held;
            }
        }
        panic!("leases never came to rest: {held:?}");
    }

    #[test]
    fn every_shard_is_held_once_and_nobody_has_more_than_a_share() {
        for members in 1..=12 {
            let held = settle(vec![BTreeSet::new(); members]);
            let all: Vec<u8> = held.iter().flatten().copied().collect();
            assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 8, "{members}: {held:?}");
            assert_eq!(all.len(), 8, "{members}: {held:?}");
            assert!(held.iter().all(|mine| mine.len() <= 8_usize.div_ceil(members)));
        }
    }

    #[test]
    fn a_newcomer_gets_its_share_and_a_survivor_takes_over() {
        let held = settle(vec![(0..8).collect(), BTreeSet::new()]);
        assert_eq!(held.iter().map(BTreeSet::len).collect::<Vec<_>>(), [4, 4]);
        let survivor = held.into_iter().next().unwrap();
        assert_eq!(settle(vec![survivor])[0].len(), 8);
    }

    #[test]
    fn nothing_but_what_is_too_much_is_given_up_and_no_more_is_taken_than_the_share() {
        let held: BTreeSet<u8> = (0..6).collect();
        let release = Plan { release: vec![5, 4], try_take: Vec::new(), room: 0 };
        assert_eq!(plan(&held, 2, 0), release);
        let held = BTreeSet::from([3]);
        let take = Plan { release: Vec::new(), try_take: vec![2, 4, 5, 6, 7, 0, 1], room: 2 };
        assert_eq!(plan(&held, 3, 1_002), take, "it begins with the one that it prefers");
    }

    #[test]
    fn a_group_belongs_to_the_shard_of_its_first_octal_digit() {
        assert_eq!((of_group(0), of_group(7), of_group(8), of_group(63)), (0, 0, 1, 7));
    }
}
