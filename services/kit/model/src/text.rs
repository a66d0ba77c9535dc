//! Characters in texts that others wrote.

/// Characters that could break a line, hide in it or turn its reading direction: C0 and C1
/// controls, the line and paragraph separator, and the marks that steer bidirectional text.
pub const fn is_unsafe(c: char) -> bool {
    matches!(
        c,
        '\0'..='\x1f'
            | '\x7f'..='\u{9f}'
            | '\u{61c}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
    )
}
