//! What is kept of a receiver's answer: a short printable text without our secret.

use auditrelay_model::text::is_unsafe;

/// Longest text kept.
pub const MESSAGE_BYTES_MAX: usize = 1024;
const REDACTED: &str = "[redacted]";
/// Shorter credentials would hide ordinary words.
const CREDENTIAL_LEN_MIN: usize = 6;

/// The first [`MESSAGE_BYTES_MAX`] bytes of the body as printable text. The value of the request's
/// `Authorization` header is taken out wherever the receiver repeats it, with or without its
/// scheme, and where the end of what was read cuts it off.
pub fn printable(body: &[u8], authorization: &str) -> String {
    let mut text = String::from_utf8_lossy(body).into_owned();
    let credential = authorization.split_once(' ').map_or("", |(_, rest)| rest.trim());
    for secret in [authorization, credential] {
        if secret.len() >= CREDENTIAL_LEN_MIN {
            text = redact(&text, secret);
        }
    }
    text.retain(|c| !is_unsafe(c));
    text.truncate(text.floor_char_boundary(MESSAGE_BYTES_MAX));
    text
}

fn redact(text: &str, secret: &str) -> String {
    let mut text = text.replace(secret, REDACTED);
    let cut = secret.char_indices().map(|(at, _)| at).rev();
    let longest = cut
        .take_while(|at| *at >= CREDENTIAL_LEN_MIN)
        .find_map(|at| secret.get(..at).filter(|part| text.ends_with(part)).map(str::len));
    if let Some(length) = longest {
        text.truncate(text.len() - length);
        text.push_str(REDACTED);
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn control_characters_are_dropped_and_the_rest_is_cut() {
        let body = b"a\nb\x1b[31mc\0d\xff\r\n";
        assert_eq!(printable(body, ""), "ab[31mcd\u{fffd}");
        assert_eq!(printable(&vec![b'x'; 1 << 20], "").len(), MESSAGE_BYTES_MAX);
        assert_eq!(printable("ä".repeat(1000).as_bytes(), "").len(), MESSAGE_BYTES_MAX);
        assert_eq!(printable(format!("x{}", "ä".repeat(1000)).as_bytes(), "").len(), 1023);
    }

    #[test]
    fn our_authorization_is_taken_out() {
        let body = b"got Bearer s3cr3t-token, that is s3cr3t-token";
        assert_eq!(printable(body, "Bearer s3cr3t-token"), "got [redacted], that is [redacted]");
        assert_eq!(printable(b"key=abcdefgh", "abcdefgh"), "key=[redacted]");
    }

    #[test]
    fn a_cut_off_authorization_is_taken_out_too() {
        assert_eq!(printable(b"you sent s3cr3t-t", "Bearer s3cr3t-token"), "you sent [redacted]");
        assert_eq!(
            printable(b"you sent Bearer s3cr3t-t", "Bearer s3cr3t-token"),
            "you sent [redacted]"
        );
    }

    #[test]
    fn short_credentials_do_not_hide_words() {
        assert_eq!(printable(b"no entry", "Basic no"), "no entry");
    }

    proptest! {
        #[test]
        fn no_secret_and_no_control_character_is_kept(
            body in prop::collection::vec(any::<u8>(), 0..300),
            secret in "[!-~]{6,40}",
            at in any::<prop::sample::Index>(),
        ) {
            let mut echo = body.clone();
            let at = at.index(body.len() + 1);
            echo.splice(at..at, format!("Bearer {secret}").into_bytes());
            let message = printable(&echo, &format!("Bearer {secret}"));
            prop_assert!(message.len() <= MESSAGE_BYTES_MAX);
            prop_assert!(!message.chars().any(is_unsafe));
            prop_assert!(!message.contains(&secret) || REDACTED.contains(&secret));
        }
    }
}
