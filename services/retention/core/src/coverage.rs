//! What EVENTS really holds.

use auditrelay_model::Timestamp;

/// What EVENTS holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Coverage {
    /// Sequence of the oldest record; one beyond the last when there is none.
    pub first_sequence: u64,
    /// Sequence of the newest record ever stored.
    pub last_sequence: u64,
    /// How many records.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Storage time of the oldest record; none when there is none.
    pub oldest: Option<Timestamp>,
}

impl Coverage {
    /// Records that are missing between the first and the last. Age deletes from the front alone
    /// and nothing else may delete, so every one is a loss: the broker does not tell by itself.
    pub fn missing(&self) -> u64 {
        let span = (self.last_sequence + 1).saturating_sub(self.first_sequence);
        if self.records == 0 { 0 } else { span.saturating_sub(self.records) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hole_is_counted_and_expiry_is_none() {
        let held = |first_sequence, last_sequence, records| Coverage {
            first_sequence,
            last_sequence,
            records,
            ..Coverage::default()
        };
        assert_eq!(held(1, 10, 10).missing(), 0);
        assert_eq!(held(4, 10, 7).missing(), 0);
        assert_eq!(held(4, 10, 5).missing(), 2);
        assert_eq!(held(11, 10, 0).missing(), 0);
        assert_eq!(held(0, 0, 0).missing(), 0);
    }
}
