//! Where the signature sits in a delivered line.
//!
//! The signed text is the delivered line itself without the signature: in CEF without the
//! ` sig=<v>` at its end, in JSON and CPS without the `,"sig":"<v>"` before its closing braces,
//! byte for byte and with nothing re-formatted.

use std::borrow::Cow;

/// The signed text of a line and its signature; none when the line carries no signature where one
/// belongs.
pub fn split(line: &str) -> Option<(Cow<'_, str>, &str)> {
    if line.starts_with('{') { split_json(line) } else { split_cef(line) }
}

/// Values escape `=` and quotes, so that no value can look like a signature.
fn split_cef(line: &str) -> Option<(Cow<'_, str>, &str)> {
    let (text, signature) = line.rsplit_once(" sig=")?;
    is_base64url(signature).then_some((Cow::Borrowed(text), signature))
}

fn split_json(line: &str) -> Option<(Cow<'_, str>, &str)> {
    let (head, rest) = line.rsplit_once(r#","sig":""#)?;
    let (signature, tail) = rest.split_once('"')?;
    if !is_base64url(signature) || !matches!(tail, "}" | "}}") {
        return None;
    }
    Some((Cow::Owned(format!("{head}{tail}")), signature))
}

fn is_base64url(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cef_loses_the_signature_and_the_space_before_it() {
        let line = "2025-06-18T21:02:36Z konghq.com CEF:0|a|b|1.0|c|d|0|user_agent=x y sig=Ab-_9";
        let (text, signature) = split(line).unwrap();
        assert!(text.ends_with("user_agent=x y"));
        assert_eq!(signature, "Ab-_9");
    }

    #[test]
    fn an_empty_last_value_keeps_its_equals_sign() {
        assert_eq!(split("CEF:0|query= sig=AA").unwrap().0, "CEF:0|query=");
    }

    #[test]
    fn json_loses_the_signature_and_the_comma_before_it() {
        assert_eq!(split(r#"{"a":1,"sig":"Ab"}"#), Some((r#"{"a":1}"#.into(), "Ab")));
    }

    #[test]
    fn cps_keeps_both_braces() {
        let line = r#"{"event":{"a":1,"sig":"Ab"}}"#;
        assert_eq!(split(line), Some((r#"{"event":{"a":1}}"#.into(), "Ab")));
    }

    #[test]
    fn a_quoted_look_alike_is_not_a_signature() {
        assert_eq!(split(r#"{"uri":"x,\"sig\":\"Ab\"}"}"#), None);
        let (text, signature) = split(r#"{"uri":"x,\"sig\":\"Ab\"","sig":"Cd"}"#).unwrap();
        assert_eq!((&*text, signature), (r#"{"uri":"x,\"sig\":\"Ab\""}"#, "Cd"));
        assert_eq!(split("CEF:0|user_agent=x sig\\=Ab"), None);
    }

    #[test]
    fn lines_without_a_signature_at_its_place_are_refused() {
        for line in [
            "",
            "{",
            "{}",
            r#"{"sig":"Ab"}"#,
            r#"{"a":1,"sig":"Ab","b":2}"#,
            r#"{"a":1,"sig":""}"#,
            r#"{"a":1,"sig":"Ab"}}}"#,
            r#"{"a":1,"sig":"Ab"#,
            "CEF:0|a sig=",
            "sig=Ab",
            "CEF:0|a sig=Ab b=c",
            "CEF:0|a sig=A=",
        ] {
            assert_eq!(split(line), None, "{line}");
        }
    }
}
