//! `keys`: files with signing and sealing keys.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use auditrelay_model::{Clock, Timestamp};
use auditrelay_runtime::clock::SystemClock;
use auditrelay_runtime::ids;
use auditrelay_signing::{KeySet, SealingKeys, SystemRandom, Zeroizing};
use clap::{Subcommand, ValueEnum};
use serde_json::json;

use crate::failure::Failure;
use crate::files;
use crate::output::{self, Output};

const EXAMPLES: &str = "\
Examples:
  auditrelay keys generate signing signing.json
  auditrelay keys generate sealing sealing.json
  auditrelay keys rotate signing signing.json

Files are made readable by their owner only. A rotation keeps the older keys: receivers verify
with them what was signed before.";

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
    /// Put a new current key into an existing file
    Rotate {
        /// What the keys are for
        kind: Kind,
        /// The file to change
        file: PathBuf,
    },
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
        KeysAction::Rotate { kind, file } => (rotate(kind, &file)?, file),
    };
    match output {
        Output::Json => output::json(&json!({ "kid": kid, "file": file.display().to_string() })),
        Output::Text => output::line(&format!("{}: current key {kid}", file.display())),
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

fn rotate(kind: Kind, file: &Path) -> Result<String, Failure> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(Failure::io(name.clone()))?;
    let now = SystemClock.now();
    let kid = key_id(now);
    let random = SystemRandom::new();
    let content = match kind {
        Kind::Signing => {
            let mut keys =
                KeySet::from_json(&text).with_context(|| format!("{name}: signing keys"))?;
            keys.rotate(&kid, &now.to_string(), &random).map_err(anyhow::Error::from)?;
            keys.to_json()
        }
        Kind::Sealing => {
            let mut keys =
                SealingKeys::from_json(&text).with_context(|| format!("{name}: sealing keys"))?;
            keys.rotate(&kid, &random).map_err(anyhow::Error::from)?;
            keys.to_json()
        }
    };
    files::replace_private(file, &content).map_err(Failure::io(name))?;
    Ok(kid)
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
