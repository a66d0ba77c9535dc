//! The one lawful maker of ids and of chance.

use auditrelay_model::backoff::Chance;
use uuid::Uuid;

/// An id that sorts by the time it was made.
#[expect(clippy::disallowed_methods, reason = "the one lawful call")]
pub fn uuid_v7() -> Uuid {
    Uuid::now_v7()
}

/// An id that tells nothing.
#[expect(clippy::disallowed_methods, reason = "the one lawful call")]
pub fn uuid_v4() -> Uuid {
    Uuid::new_v4()
}

/// A number at random, for the jitter of a wait.
pub fn chance() -> Chance {
    // The first four bytes of a version 4 id are all random.
    let [a, b, ..] = uuid_v4().into_bytes();
    Chance(u16::from_be_bytes([a, b]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ_and_later_ids_sort_later() {
        let (first, second) = (uuid_v7(), uuid_v7());
        assert!(first < second);
        assert_ne!(uuid_v4(), uuid_v4());
    }

    #[test]
    fn chance_varies() {
        let first = chance();
        assert!((0..64).any(|_| chance() != first));
    }
}
