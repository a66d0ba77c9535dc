//! The settings file and files with secrets.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use auditrelay_model::secret::Secret;

use super::mistakes::{Mistake, Mistakes};

const FILE_BYTES_MAX: u64 = 1_024 * 1_024;
const SECRET_BYTES_MAX: u64 = 64 * 1_024;

/// What stands behind a key of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// A text, number, boolean, or an array of them joined with commas.
    Text(String),
    /// Something that no setting is.
    Unusable(&'static str),
}

/// The most that everybody on the machine may do with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Others {
    Read,
    Write,
}

/// None where only some may do anything, or the file cannot be looked at.
pub(super) fn others_may(path: &Path) -> Option<Others> {
    let mode = std::fs::metadata(path).ok()?.permissions().mode();
    if mode & 0o002 != 0 {
        Some(Others::Write)
    } else if mode & 0o004 != 0 {
        Some(Others::Read)
    } else {
        None
    }
}

/// The keys of the file, flat: `ingest.listen`.
pub(super) fn read(path: &Path) -> Result<BTreeMap<String, Value>, Mistakes> {
    let mistake =
        |reason: String| Mistakes(vec![Mistake { key: path.display().to_string(), reason }]);
    let text = read_bounded(path, FILE_BYTES_MAX).map_err(mistake)?;
    if others_may(path) == Some(Others::Write) {
        return Err(mistake("everybody may write it".to_owned()));
    }
    // Editors on Windows begin a file with a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        mistake(format!("{} {}", position(text, error.span()), error.message()))
    })?;
    let mut flat = BTreeMap::new();
    flatten("", table, &mut flat);
    Ok(flat)
}

/// A secret of its own file.
pub(super) fn read_secret(path: &Path) -> Result<Secret, String> {
    let mut text = read_bounded(path, SECRET_BYTES_MAX)?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    if text.is_empty() { Err("is empty".to_owned()) } else { Ok(Secret::new(text)) }
}

fn read_bounded(path: &Path, limit: u64) -> Result<String, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut text = String::new();
    file.take(limit + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > limit {
        return Err(format!("too large (at most {limit} bytes)"));
    }
    Ok(text)
}

/// Only the place: the line itself, which the parser's own message shows, may hold a secret.
fn position(text: &str, span: Option<std::ops::Range<usize>>) -> String {
    let start = span.map_or(0, |span| span.start);
    let before = text.get(..start).unwrap_or("");
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    format!("line {line}, column {column}:")
}

fn flatten(prefix: &str, table: toml::Table, flat: &mut BTreeMap<String, Value>) {
    for (name, value) in table {
        let key = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
        match value {
            toml::Value::Table(table) => flatten(&key, table, flat),
            other => {
                flat.insert(key, usable(other));
            }
        }
    }
}

fn usable(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::Text(text),
        toml::Value::Integer(number) => Value::Text(number.to_string()),
        toml::Value::Float(number) => Value::Text(number.to_string()),
        toml::Value::Boolean(flag) => Value::Text(flag.to_string()),
        toml::Value::Datetime(_) => Value::Unusable("a date"),
        toml::Value::Table(_) => Value::Unusable("a table"),
        toml::Value::Array(items) => {
            let items = items.into_iter().map(usable).map(|item| match item {
                Value::Text(text) if !text.contains(',') => Some(text),
                Value::Text(_) | Value::Unusable(_) => None,
            });
            match items.collect::<Option<Vec<_>>>() {
                Some(items) => Value::Text(items.join(",")),
                None => Value::Unusable("an array of anything but plain values without commas"),
            }
        }
    }
}
