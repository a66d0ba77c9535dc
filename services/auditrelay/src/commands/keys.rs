//! `keys`: files with signing and sealing keys.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use auditrelay_model::{Clock, Timestamp};
use auditrelay_runtime::clock::SystemClock;
use auditrelay_runtime::ids;
use auditrelay_signing::{KeyError, KeySet, SealingKeys, SystemRandom, Zeroizing};
use clap::{Subcommand, ValueEnum};
use serde_json::json;

use crate::failure::Failure;
use crate::files;
use crate::output::{self, Output};

const EXAMPLES: &str = "\
Examples:
  auditrelay keys generate signing signing.json
  auditrelay keys announce signing signing.json    publish a new key, sign with the old one
  auditrelay keys promote signing signing.json KID sign with it, once every service knows it
  auditrelay keys rotate signing signing.json      both at once, where a gap does no harm

Files are made readable by their owner only; services read them when they start. Older keys are
kept: receivers verify with them what was signed before.";

/// What to do with keys.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct KeysArgs {
    #[command(subcommand)]
    action: KeysAction,
}

#[derive(Debug, Subcommand)]
enum KeysAction {
    /// Make a new key file; an existing file is left alone
    Generate {
        /// What the keys are for
        kind: Kind,
        /// The file to make
        file: PathBuf,
        /// Take an existing file for done
        #[arg(long)]
        keep: bool,
    },
    /// Add a new key that is published but not used yet
    Announce(Place),
    /// Use a key that was announced
    Promote {
        #[command(flatten)]
        place: Place,
        /// Name of the key
        key: String,
    },
    /// Add a new key and use it at once
    Rotate(Place),
    /// Take a key away: what it signed verifies no more, what it sealed cannot be opened
    Retire {
        #[command(flatten)]
        place: Place,
        /// Name of the key
        key: String,
    },
}

/// An existing key file.
#[derive(Debug, clap::Args)]
struct Place {
    /// What the keys are for
    kind: Kind,
    /// The file to change
    file: PathBuf,
}

/// What happens to the keys of a file.
#[derive(Debug, Clone, Copy)]
enum Turn<'a> {
    Announce,
    Promote(&'a str),
    Rotate,
    Retire(&'a str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Ed25519: signs every delivered line
    Signing,
    /// AES-256: seals destinations' authorization values
    Sealing,
}

/// Does it.
pub(crate) fn run(args: KeysArgs, output: Output) -> Result<ExitCode, Failure> {
    let (kid, file) = match args.action {
        KeysAction::Generate { file, keep: true, .. } if file.exists() => return Ok(kept(&file)),
        KeysAction::Generate { kind, file, .. } => (generate(kind, &file)?, file),
        KeysAction::Announce(place) => (turn(&place, Turn::Announce)?, place.file),
        KeysAction::Promote { place, key } => (turn(&place, Turn::Promote(&key))?, place.file),
        KeysAction::Rotate(place) => (turn(&place, Turn::Rotate)?, place.file),
        KeysAction::Retire { place, key } => (turn(&place, Turn::Retire(&key))?, place.file),
    };
    match output {
        Output::Json => output::json(&json!({ "kid": kid, "file": file.display().to_string() })),
        Output::Text => output::line(&format!("{}: key {kid}", file.display())),
    }
    Ok(ExitCode::SUCCESS)
}

fn kept(file: &Path) -> ExitCode {
    output::line(&format!("{}: kept", file.display()));
    ExitCode::SUCCESS
}

fn generate(kind: Kind, file: &Path) -> Result<String, Failure> {
    let (kid, content) = match kind {
        Kind::Signing => fresh_signing_keys()?,
        Kind::Sealing => fresh_sealing_keys()?,
    };
    let name = file.display().to_string();
    files::create_private(file, &content).map_err(|source| match source.kind() {
        ErrorKind::AlreadyExists => {
            Failure::io(format!("{name} is left alone (`keys rotate` adds a key to it)"))(source)
        }
        _ => Failure::io(name)(source),
    })?;
    Ok(kid)
}

/// Changes a key file and tells which key it was about.
fn turn(place: &Place, turn: Turn<'_>) -> Result<String, Failure> {
    let name = place.file.display().to_string();
    let text = std::fs::read_to_string(&place.file).map_err(Failure::io(name.clone()))?;
    let text = Zeroizing::new(text);
    let now = SystemClock.now();
    let (kid, content) = match place.kind {
        Kind::Signing => {
            let mut keys =
                KeySet::from_json(&text).with_context(|| format!("{name}: signing keys"))?;
            (turned(&mut keys, turn, now)?, keys.to_json())
        }
        Kind::Sealing => {
            let mut keys =
                SealingKeys::from_json(&text).with_context(|| format!("{name}: sealing keys"))?;
            (turned(&mut keys, turn, now)?, keys.to_json())
        }
    };
    files::replace_private(&place.file, &content).map_err(Failure::io(name))?;
    Ok(kid)
}

fn turned(keys: &mut impl Keys, turn: Turn<'_>, now: Timestamp) -> anyhow::Result<String> {
    let new = key_id(now);
    let kid = match turn {
        Turn::Announce | Turn::Rotate => &new,
        Turn::Promote(kid) | Turn::Retire(kid) => kid,
    };
    match turn {
        Turn::Announce => keys.announce(kid, now)?,
        Turn::Promote(_) => keys.promote(kid)?,
        Turn::Rotate => {
            keys.announce(kid, now)?;
            keys.promote(kid)?;
        }
        Turn::Retire(_) => keys.retire(kid)?,
    }
    Ok(kid.to_owned())
}

/// What both kinds of keys can do.
trait Keys {
    fn announce(&mut self, kid: &str, now: Timestamp) -> Result<(), KeyError>;
    fn promote(&mut self, kid: &str) -> Result<(), KeyError>;
    fn retire(&mut self, kid: &str) -> Result<(), KeyError>;
}

impl Keys for KeySet {
    fn announce(&mut self, kid: &str, now: Timestamp) -> Result<(), KeyError> {
        Self::announce(self, kid, &now.to_string(), &SystemRandom::new())
    }

    fn promote(&mut self, kid: &str) -> Result<(), KeyError> {
        Self::promote(self, kid)
    }

    fn retire(&mut self, kid: &str) -> Result<(), KeyError> {
        Self::retire(self, kid)
    }
}

impl Keys for SealingKeys {
    fn announce(&mut self, kid: &str, _now: Timestamp) -> Result<(), KeyError> {
        Self::announce(self, kid, &SystemRandom::new())
    }

    fn promote(&mut self, kid: &str) -> Result<(), KeyError> {
        Self::promote(self, kid)
    }

    fn retire(&mut self, kid: &str) -> Result<(), KeyError> {
        Self::retire(self, kid)
    }
}

/// A new signing key file: the key's id and the content.
pub(crate) fn fresh_signing_keys() -> Result<(String, Zeroizing<String>), Failure> {
    let now = SystemClock.now();
    let kid = key_id(now);
    let keys = KeySet::generate(&kid, &now.to_string(), &SystemRandom::new())
        .map_err(anyhow::Error::from)?;
    Ok((kid, keys.to_json()))
}

/// A new sealing key file: the key's id and the content.
pub(crate) fn fresh_sealing_keys() -> Result<(String, Zeroizing<String>), Failure> {
    let kid = key_id(SystemClock.now());
    let keys = SealingKeys::generate(&kid, &SystemRandom::new()).map_err(anyhow::Error::from)?;
    Ok((kid, keys.to_json()))
}

/// The day, for people, and enough chance that two never meet.
fn key_id(now: Timestamp) -> String {
    let day: String = now.to_rfc3339_seconds().chars().take(10).collect();
    let random = ids::uuid_v4().simple().to_string();
    format!("{day}-{}", random.get(..8).unwrap_or(&random))
}
