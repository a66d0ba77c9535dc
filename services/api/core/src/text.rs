//! Texts that people type.

use crate::fault::Wrong;

/// Most characters of a name.
const NAME_LENGTH_MAX: u64 = 255;

/// What is wrong with a name; spaces around it are kept as they were sent.
pub fn name_fault(name: &str) -> Option<Wrong> {
    if name.trim().is_empty() {
        Some(Wrong::Blank)
    } else if longer(name, NAME_LENGTH_MAX) {
        Some(Wrong::MaxLength(NAME_LENGTH_MAX))
    } else if name.chars().any(char::is_control) {
        Some(Wrong::Invalid("must not contain control characters"))
    } else {
        None
    }
}

/// Whether the text has more characters than `limit`.
pub fn longer(text: &str, limit: u64) -> bool {
    u64::try_from(text.chars().count()).is_ok_and(|count| count > limit)
}

/// The first `limit` characters.
pub fn cut(text: &str, limit: usize) -> String {
    text.chars().take(limit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_have_255_characters_of_any_script() {
        assert_eq!(name_fault(&"ü".repeat(255)), None);
        assert_eq!(name_fault(&"ü".repeat(256)), Some(Wrong::MaxLength(255)));
    }
}
