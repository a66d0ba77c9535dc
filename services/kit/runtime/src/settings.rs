//! Settings from a TOML file and the environment; every mistake is reported at once.
//!
//! `[ingest] listen` in the file, `AUDITRELAY_INGEST_LISTEN` in the environment and the key
//! `ingest.listen` are the same setting; the environment wins. Values never appear in a mistake:
//! any of them may be a secret.

mod file;
mod mistakes;
mod nearest;
mod shape;
mod units;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use auditrelay_model::secret::Secret;

pub use mistakes::{Mistake, Mistakes};
pub use shape::Shape;
pub(crate) use units::duration;

const PREFIX: &str = "AUDITRELAY_";

/// What the operator has set, and what is wrong with it.
#[derive(Debug)]
pub struct Settings {
    file: BTreeMap<String, file::Value>,
    /// By full name, only those with our prefix.
    env: BTreeMap<String, String>,
    asked: BTreeSet<String>,
    shapes: BTreeMap<String, Shape>,
    sections: BTreeSet<String>,
    mistakes: Vec<Mistake>,
    doubts: Vec<Mistake>,
}

impl Settings {
    /// Reads `file` (at most 1 MiB of TOML) and those of `env` that begin with `AUDITRELAY_`.
    pub fn load(
        file: Option<&Path>,
        env: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, Mistakes> {
        let file = file.map(file::read).transpose()?.unwrap_or_default();
        let env = env
            .filter(|(name, value)| name.starts_with(PREFIX) && !is_service_link(name, value))
            .collect();
        let (asked, sections) = (BTreeSet::new(), BTreeSet::new());
        let (shapes, mistakes, doubts) = (BTreeMap::new(), Vec::new(), Vec::new());
        Ok(Self { file, env, asked, shapes, sections, mistakes, doubts })
    }

    /// A text.
    pub fn text(&mut self, key: &str, default: &str) -> String {
        self.is(key, "text", Some(default.to_owned()));
        self.value(key).unwrap_or_else(|| default.to_owned())
    }

    /// A text that may be left out.
    pub fn optional(&mut self, key: &str) -> Option<String> {
        self.is(key, "text", None);
        self.value(key)
    }

    /// Texts: an array in the file, separated by commas in the environment.
    pub fn list(&mut self, key: &str) -> Vec<String> {
        self.is(key, "list", None);
        let text = self.value(key).unwrap_or_default();
        text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
    }

    /// Anything that can be parsed; `what` says what it must be: "a socket address".
    pub fn parse<T: FromStr>(&mut self, key: &str, default: T, what: &str) -> T {
        self.is(key, what, None);
        self.read(key, default, |text| text.parse().map_err(|_| format!("must be {what}")))
    }

    /// A whole number within `range`.
    pub fn number(&mut self, key: &str, default: u64, range: RangeInclusive<u64>) -> u64 {
        self.is_between(key, "number", &default, &range, u64::to_string);
        self.read(key, default, |text| units::number(text, &range))
    }

    /// A duration with its unit within `range`: `250ms`, `5s`, `10m`, `24h`, `7d`.
    pub fn duration(
        &mut self,
        key: &str,
        default: Duration,
        range: RangeInclusive<Duration>,
    ) -> Duration {
        self.is_between(key, "duration", &default, &range, |value| units::show(*value));
        self.read(key, default, |text| units::duration(text, &range))
    }

    /// A number of bytes within `range`: `512`, `256KiB`, `1MB` (10⁶), `8GiB`.
    pub fn size(&mut self, key: &str, default: u64, range: RangeInclusive<u64>) -> u64 {
        self.is_between(key, "size", &default, &range, |value| units::show_size(*value));
        self.read(key, default, |text| units::size(text, &range))
    }

    /// `true` or `false`.
    pub fn flag(&mut self, key: &str, default: bool) -> bool {
        self.is(key, "true or false", Some(default.to_string()));
        self.read(key, default, |text| text.parse().map_err(|_| "must be true or false".to_owned()))
    }

    /// A secret: the value itself, or `<key>_file` with the path of a file that holds it (a
    /// newline at its end is not part of it).
    pub fn secret(&mut self, key: &str) -> Option<Secret> {
        let path_key = format!("{key}_file");
        self.is(key, "secret", None);
        let (value, path) = (self.value(key), self.value(&path_key));
        match (value, path) {
            (None, None) => None,
            (Some(value), None) => Some(Secret::new(value)),
            (Some(_), Some(_)) => {
                self.mistake(key, format!("is set twice: here and by {path_key}"));
                None
            }
            (None, Some(path)) => match file::read_secret(Path::new(&path)) {
                Ok(secret) => {
                    self.keep_private(&path_key, Path::new(&path));
                    Some(secret)
                }
                Err(reason) => {
                    self.mistake(&path_key, format!("{path}: {reason}"));
                    None
                }
            },
        }
    }

    /// The path of a file with a secret that somebody else reads.
    pub fn private_file(&mut self, key: &str) -> Option<PathBuf> {
        let path = PathBuf::from(self.optional(key)?);
        self.keep_private(key, &path);
        Some(path)
    }

    /// Who can write a secret can be somebody else; who can read it, too, but containers mount
    /// secrets so that everybody in them may.
    fn keep_private(&mut self, key: &str, path: &Path) {
        match file::others_may(path) {
            Some(file::Others::Write) => {
                self.mistake(key, format!("{}: everybody may write it", path.display()));
            }
            Some(file::Others::Read) => {
                self.doubt(key, format!("{}: everybody may read it", path.display()));
            }
            None => {}
        }
    }

    /// Records that `key` is wrong for a reason that no type can say.
    pub fn mistake(&mut self, key: &str, reason: String) {
        let path_key = format!("{key}_file");
        // That a secret is missing says nothing new when its file could not be read.
        if self.mistakes.iter().any(|known| known.key == path_key) {
            return;
        }
        let set_by =
            [key, &path_key].map(variable).into_iter().find(|name| self.env.contains_key(name));
        let reason = match set_by {
            Some(variable) => format!("{reason} (set by {variable})"),
            None => reason,
        };
        self.mistakes.push(Mistake { key: key.to_owned(), reason });
    }

    /// Records that `key` is in order, and may all the same not be what somebody wants.
    pub fn doubt(&mut self, key: &str, reason: String) {
        self.doubts.push(Mistake { key: key.to_owned(), reason });
    }

    /// What is in order and doubtful.
    pub fn doubts(&self) -> Vec<Mistake> {
        self.doubts.clone()
    }

    /// Says that `key` is known although this process does not read it.
    pub fn allow(&mut self, key: &str) {
        self.asked.insert(key.to_owned());
    }

    /// Says that every key below `section` is known: a file shared by several services.
    pub fn allow_section(&mut self, section: &str) {
        self.sections.insert(section.to_owned());
    }

    /// Every mistake, those among them that nobody asked for; call it when all is read.
    pub fn finish(mut self) -> Result<(), Mistakes> {
        let unknown = self.unknown();
        self.mistakes.extend(unknown);
        if self.mistakes.is_empty() { Ok(()) } else { Err(Mistakes(self.mistakes)) }
    }

    /// The value of `key`, remembering that it was asked for; an empty variable is not set.
    fn value(&mut self, key: &str) -> Option<String> {
        self.asked.insert(key.to_owned());
        if let Some(text) = self.env.get(&variable(key)).map(|text| text.trim())
            && !text.is_empty()
        {
            return Some(text.to_owned());
        }
        match self.file.get(key)? {
            file::Value::Text(text) => Some(text.clone()),
            file::Value::Unusable(what) => {
                let reason = format!("must not be {what}");
                self.mistakes.push(Mistake { key: key.to_owned(), reason });
                None
            }
        }
    }

    fn read<T>(
        &mut self,
        key: &str,
        default: T,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> T {
        let Some(text) = self.value(key) else { return default };
        match parse(&text) {
            Ok(value) => value,
            Err(reason) => {
                self.mistake(key, reason);
                default
            }
        }
    }

    fn unknown(&self) -> Vec<Mistake> {
        let known = |key: &str| {
            self.asked.contains(key)
                || key.split_once('.').is_some_and(|(head, _)| self.sections.contains(head))
        };
        let in_file = self.file.keys().filter(|key| !known(key)).map(|key| {
            let nearest = nearest::nearest(key, self.asked.iter().map(String::as_str));
            Mistake::unknown(key, nearest)
        });
        let variables: BTreeSet<String> = self.asked.iter().map(|key| variable(key)).collect();
        let sections: Vec<String> =
            self.sections.iter().map(|section| variable(section) + "_").collect();
        let known = |name: &str| {
            variables.contains(name) || sections.iter().any(|section| name.starts_with(section))
        };
        let in_env = self.env.keys().filter(|name| !known(name)).map(|name| {
            let nearest = nearest::nearest(name, variables.iter().map(String::as_str));
            Mistake::unknown(name, nearest)
        });
        in_file.chain(in_env).collect()
    }
}

/// The environment variable that sets `key`.
fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.to_ascii_uppercase().replace(['.', '-'], "_"))
}

/// Kubernetes gives every pod variables about every service of its namespace; a service called
/// `auditrelay-api` makes `AUDITRELAY_API_SERVICE_HOST` and its kind. They are nobody's typo.
fn is_service_link(name: &str, value: &str) -> bool {
    let tail = |marker: &str| name.rsplit_once(marker).map(|(_, tail)| tail);
    let of_a_port = tail("_PORT_").is_some_and(|tail| {
        let mut parts = tail.split('_');
        parts.next().is_some_and(|port| port.parse::<u16>().is_ok())
            && parts.next().is_some_and(|protocol| matches!(protocol, "TCP" | "UDP" | "SCTP"))
    });
    let url = ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme));
    name.ends_with("_SERVICE_HOST")
        || tail("_SERVICE_PORT").is_some_and(|tail| tail.is_empty() || tail.starts_with('_'))
        || of_a_port
        || (name.ends_with("_PORT") && url)
}

#[cfg(test)]
mod tests;
