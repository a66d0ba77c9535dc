//! Pieces of lines that both writers use.

use std::fmt::Write as _;

use auditrelay_model::Timestamp;
use auditrelay_model::event::Detail;

const AUTHENTICATION_TYPE: &str = "AUTHENTICATION_TYPE_";
const AUTHENTICATION_OUTCOME: &str = "AUTHENTICATION_OUTCOME_";

/// The event's class and name as pieces: what is fixed, and what may need escaping.
pub(crate) struct Header<'a> {
    pub(crate) class: Piece<'a>,
    pub(crate) name: Piece<'a>,
}

/// A text in two parts.
pub(crate) enum Piece<'a> {
    /// Written as it is.
    Fixed(&'static str),
    /// A prefix, then one of our own lower-case names in capitals.
    Capitals(&'static str, &'static str),
    /// A prefix, then a producer's text.
    Foreign(&'static str, &'a str),
}

impl<'a> Header<'a> {
    pub(crate) fn of(detail: &'a Detail) -> Self {
        match detail {
            Detail::Authentication(detail) => Self {
                class: Piece::Capitals(AUTHENTICATION_TYPE, detail.method.name()),
                name: Piece::Capitals(AUTHENTICATION_OUTCOME, detail.outcome.name()),
            },
            Detail::Authorization(detail) => Self {
                class: Piece::Foreign("", &detail.service),
                name: Piece::Foreign("Authz.", &detail.resource),
            },
            Detail::Access(_) => {
                Self { class: Piece::Fixed("KongGateway"), name: Piece::Fixed("Ingress") }
            }
        }
    }
}

impl Piece<'_> {
    /// `escape` writes what came from a producer.
    pub(crate) fn write(&self, out: &mut String, escape: impl Fn(&mut String, &str)) {
        match self {
            Self::Fixed(text) => out.push_str(text),
            Self::Capitals(prefix, name) => {
                out.push_str(prefix);
                out.extend(name.chars().map(|c| c.to_ascii_uppercase()));
            }
            Self::Foreign(prefix, text) => {
                out.push_str(prefix);
                escape(out, text);
            }
        }
    }
}

/// Appends a text: what is printable ASCII and not special as it is, in stretches; every other
/// character by `escape`.
pub(crate) fn push_escaped(
    out: &mut String,
    text: &str,
    is_special: impl Fn(u8) -> bool,
    escape: impl Fn(&mut String, char),
) {
    let mut rest = text;
    loop {
        let plain = |byte: &u8| matches!(byte, b' '..=b'~') && !is_special(*byte);
        let (stretch, tail) = rest.split_at(rest.bytes().take_while(plain).count());
        out.push_str(stretch);
        let mut tail = tail.chars();
        let Some(c) = tail.next() else { return };
        escape(out, c);
        rest = tail.as_str();
    }
}

/// Seconds, in UTC: `2025-06-18T21:02:36Z`.
pub(crate) fn push_seconds(out: &mut String, at: Timestamp) {
    const SECOND: i64 = 1_000_000_000;
    let whole = at.nanos().div_euclid(SECOND).saturating_mul(SECOND);
    push(out, &Timestamp::from_nanos(whole));
}

pub(crate) fn push(out: &mut String, value: &impl std::fmt::Display) {
    // Writing into a String cannot fail.
    let _ = write!(out, "{value}");
}

pub(crate) const fn boolean(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}
