//! What a request asks for. Every parameter that is not known is a mistake: passing over it would
//! answer more than was asked for.

use auditrelay_model::event::EventKind;
use auditrelay_model::record::Position;
use auditrelay_model::timestamp::TimestampError;
use auditrelay_model::window::RETENTION;
use auditrelay_model::{Scope, Timestamp, Window};

use super::needle::Needle;
use crate::fault::{Fault, Wrong};
use crate::page::CursorKey;
use crate::query::Query;

/// Items on a page when the request does not say.
const SIZE: usize = 20;
/// Most items on a page.
const SIZE_MAX: u64 = 1000;
/// More parameters are not read.
const PARAMETERS_MAX: usize = 20;

const SIZE_NAME: &str = "page[size]";
const AFTER: &str = "page[after]";
const BEFORE: &str = "page[before]";
const GTE: &str = "filter[ts][gte]";
const LTE: &str = "filter[ts][lte]";
const TYPE: &str = "filter[type]";
/// Our own.
const TEXT: &str = "filter[text]";
/// Our own.
const TRAIL: &str = "filter[trail]";
/// Longest text that is searched for.
const TEXT_CHARS_MAX: usize = 200;
pub(super) const KINDS: &[&str] = &["authorization", "authentication", "gateway_access"];

/// Which part of the log is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// From the window's start.
    Start,
    /// Behind this event.
    After(Position),
    /// Before this event.
    Before(Position),
}

/// One page of a scope's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// Between which times; both included.
    pub window: Window,
    /// Only events of this kind.
    pub kind: Option<EventKind>,
    /// Only events in one of whose texts this stands.
    pub text: Option<Needle>,
    /// Only what happened to the organization itself.
    pub trail: bool,
    /// Items on the page, at most.
    pub size: usize,
    /// Where.
    pub at: At,
    /// What cursors are bound to: the log, and the filter as it was sent.
    context: String,
}

impl Wish {
    /// Reads the query. Without bounds the window is the last seven days; it is never longer, so
    /// that everything in it is still held.
    pub fn parse(
        raw: Option<&str>,
        scope: Scope,
        now: Timestamp,
        key: &CursorKey,
    ) -> Result<Self, Vec<Fault>> {
        check_encoding(raw.unwrap_or_default()).map_err(|fault| vec![fault])?;
        let query = Query::parse(raw);
        let mut faults = names(&query);
        let mut time = |name: &str| {
            let (_, text) = query.pairs().find(|(key, _)| *key == name)?;
            let time = time(text);
            if time.is_none() {
                faults.push(Fault::query(name, Wrong::DateTime));
            }
            time
        };
        let (gte, lte) = (time(GTE), time(LTE));
        if gte.zip(lte).is_some_and(|(gte, lte)| lte < gte) {
            faults.push(Fault::query(LTE, Wrong::Invalid("must not be before filter[ts][gte]")));
        }
        let kind = kind(&query, &mut faults);
        let size = size(&query, &mut faults);
        let text = text(&query, &mut faults);
        let trail = trail(&query, &mut faults);
        let mut context = context(scope, gte, lte, kind);
        if trail {
            context.push_str(" trail");
        }
        if let Some(text) = &text {
            context.push(' ');
            context.push_str(text.as_str());
        }
        let at = place(&query, key, &context, &mut faults);
        if !faults.is_empty() {
            return Err(faults);
        }
        let end = lte.unwrap_or(now).min(now);
        let start = gte.unwrap_or(end - RETENTION).max(now - RETENTION);
        Ok(Self { window: Window::stored(start, end), kind, text, trail, size, at, context })
    }

    /// The cursor that leads on from a place in this log with this filter.
    pub fn seal(&self, key: &CursorKey, at: Position) -> String {
        key.seal_place(&self.context, at)
    }
}

fn context(
    scope: Scope,
    gte: Option<Timestamp>,
    lte: Option<Timestamp>,
    kind: Option<EventKind>,
) -> String {
    let bound = |bound: Option<Timestamp>| bound.map(|at| at.nanos().to_string());
    let [gte, lte] = [gte, lte].map(|at| bound(at).unwrap_or_default());
    format!("{scope} {gte} {lte} {}", kind.map_or("", EventKind::name))
}

/// A text that is percent-encoded and UTF-8 behind it.
fn check_encoding(raw: &str) -> Result<(), Fault> {
    let wrong = Fault::query("query", Wrong::Invalid("is not valid percent-encoding"));
    let mut parts = raw.split('%');
    let mut decoded = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let Some((hex, rest)) = part.split_at_checked(2) else { return Err(wrong) };
        let digits = hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        let Some(byte) = u8::from_str_radix(hex, 16).ok().filter(|_| digits) else {
            return Err(wrong);
        };
        decoded.push(byte);
        decoded.extend_from_slice(rest.as_bytes());
    }
    if std::str::from_utf8(&decoded).is_ok() { Ok(()) } else { Err(wrong) }
}

/// Names that nobody knows and names that come twice.
fn names(query: &Query) -> Vec<Fault> {
    if query.pairs().count() > PARAMETERS_MAX {
        return vec![Fault::query("query", Wrong::Invalid("has too many parameters"))];
    }
    let mut faults: Vec<Fault> = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for (name, _) in query.pairs() {
        let wrong = match name {
            "filter[ts]" => Wrong::Invalid("needs an operator"),
            SIZE_NAME | AFTER | BEFORE | GTE | LTE | TYPE | TEXT | TRAIL
                if seen.contains(&name) =>
            {
                Wrong::Invalid("is repeated")
            }
            SIZE_NAME | AFTER | BEFORE | GTE | LTE | TYPE | TEXT | TRAIL => {
                seen.push(name);
                continue;
            }
            _ => Wrong::Unknown,
        };
        let fault = Fault::query(shown(name), wrong);
        if !faults.contains(&fault) {
            faults.push(fault);
        }
    }
    faults
}

/// A name as it may be repeated in an answer.
fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(64).collect()
}

/// A time; one that cannot be counted lies before or behind everything.
fn time(text: &str) -> Option<Timestamp> {
    match Timestamp::parse_rfc3339(text) {
        Ok(at) => Some(at),
        Err(TimestampError::NotADateTime) => None,
        Err(TimestampError::OutOfRange) if text.starts_with(['0', '1']) => {
            Some(Timestamp::from_nanos(i64::MIN))
        }
        Err(TimestampError::OutOfRange) => Some(Timestamp::from_nanos(i64::MAX)),
    }
}

fn kind(query: &Query, faults: &mut Vec<Fault>) -> Option<EventKind> {
    let (_, name) = query.pairs().find(|(key, _)| *key == TYPE)?;
    let kind = EventKind::from_name(name);
    if kind.is_none() {
        faults.push(Fault::query(TYPE, Wrong::Choices(KINDS)));
    }
    kind
}

fn trail(query: &Query, faults: &mut Vec<Fault>) -> bool {
    match query.get(TRAIL) {
        Some("true") => true,
        None | Some("false") => false,
        Some(_) => {
            faults.push(Fault::query(TRAIL, Wrong::Choices(&["true", "false"])));
            false
        }
    }
}

fn text(query: &Query, faults: &mut Vec<Fault>) -> Option<Needle> {
    let text = query.get(TEXT)?;
    if text.chars().count() > TEXT_CHARS_MAX {
        faults.push(Fault::query(TEXT, Wrong::Invalid("is longer than 200 characters")));
        return None;
    }
    Some(Needle::new(text))
}

fn size(query: &Query, faults: &mut Vec<Fault>) -> usize {
    let Some(text) = query.get(SIZE_NAME) else { return SIZE };
    let digits = text.strip_prefix('-').unwrap_or(text);
    let wrong = if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        Wrong::Type("integer")
    } else if text.starts_with('-') {
        Wrong::Min(1)
    } else {
        // More digits than a number has are a large number.
        match text.parse().unwrap_or(u64::MAX) {
            0 => Wrong::Min(1),
            1..=SIZE_MAX => return text.parse().unwrap_or(SIZE),
            _ => Wrong::Max(SIZE_MAX),
        }
    };
    faults.push(Fault::query(SIZE_NAME, wrong));
    SIZE
}

fn place(query: &Query, key: &CursorKey, context: &str, faults: &mut Vec<Fault>) -> At {
    let mut open = |name: &str| {
        let place = key.open_place(context, query.get(name)?);
        if place.is_none() {
            faults.push(Fault::query(name, Wrong::Cursor));
        }
        place
    };
    let (after, before) = (open(AFTER), open(BEFORE));
    if query.get(AFTER).is_some() && query.get(BEFORE).is_some() {
        faults.push(Fault::query("page", Wrong::Invalid("use one of after and before")));
    }
    match (after, before) {
        (Some(position), _) => At::After(position),
        (None, Some(position)) => At::Before(position),
        (None, None) => At::Start,
    }
}
