//! `verify`: is what a SIEM has stored complete and genuine?

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use auditrelay_model::id::PortalId;
use auditrelay_model::{Clock, Timestamp};
use auditrelay_runtime::clock::SystemClock;
use auditrelay_signing::{Jwks, Verifier};
use url::Url;

use super::replay;
use crate::archive::{Archive, LogName, Report, Spot};
use crate::client::{Client, ServerArgs};
use crate::failure::Failure;
use crate::output::{self, Output};
use crate::receiver::Keys;
use crate::span;

const EXAMPLES: &str = "\
Examples:
  auditrelay verify events.log
  auditrelay verify events.log manifests.log --jwks jwks.json
  siem-export | auditrelay verify -
  auditrelay verify events.log --replay --wait

Reads what was delivered, a line an event, in JSON, CEF or CPS, as `listen --store` writes it or
inside the documents of a collector (`_raw`, `message`, `event`, `log`), and the manifests that
came as the header x-auditrelay-manifest. Needs nothing but the published keys.

Every event has a number in its log, without gaps: a number that is missing is an event that the
SIEM does not hold. Manifests also tell of events behind the last one that is held. An event in
quarantine was never taken by the receiver, so it is missing too.

The exit code is 0 when everything is there and genuine, 1 when not.";

/// What to check.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    server: ServerArgs,

    /// What was stored: lines and manifests in any order; - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// The published keys, a URL or a file; without it they are asked of the server
    #[arg(long, value_name = "URL|FILE")]
    jwks: Option<String>,

    /// Ask for a replay of what is missing (needs the organization's token)
    #[arg(long)]
    replay: bool,

    /// With --replay: events may be this much out of order around a gap
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = span::parse, requires = "replay")]
    margin: Duration,

    /// With --replay: wait until it has ended
    #[arg(long, requires = "replay")]
    wait: bool,
}

/// The longest line that is read: far above what a line may be.
const LINE_MAX: u64 = 4 * 1024 * 1024;
/// How far back a replay may reach.
const KEPT: Duration = Duration::from_hours(7 * 24);
/// How long before its acceptance an event may have happened, unless ingest is told otherwise.
const LATENESS: Duration = Duration::from_hours(24);

/// Checks.
pub(crate) async fn run(args: VerifyArgs, output: Output) -> Result<ExitCode, Failure> {
    let keys = keys(&args.server.url, args.jwks.as_deref()).await?;
    let mut archive = Archive::new(Verifier::clone(&keys));
    for file in &args.files {
        read(file, &mut archive)?;
    }
    let report = archive.report();
    match output {
        Output::Text => output::line(&report.to_text()),
        Output::Json => output::json(&report.to_json()),
    }
    if args.replay {
        ask(&args, &report).await?;
    }
    Ok(if report.is_complete() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The published keys: at this URL, in this file, or as the server publishes them.
pub(super) async fn keys(server: &Url, jwks: Option<&str>) -> Result<Arc<Verifier>, Failure> {
    let source = match jwks {
        None => published(server)?,
        Some(text) if text.starts_with("http://") || text.starts_with("https://") => {
            Url::parse(text).map_err(|error| Failure::Usage(format!("--jwks: {error}")))?
        }
        Some(file) => {
            let text = std::fs::read_to_string(file).map_err(Failure::io(file))?;
            let jwks: Jwks = serde_json::from_str(&text)
                .map_err(|error| Failure::Usage(format!("{file} is not a JWKS: {error}")))?;
            return Ok(Arc::new(jwks.verifier()));
        }
    };
    let keys = Keys::at(source.clone()).map_err(anyhow::Error::from)?;
    let unreachable = |reason| Failure::Unreachable(format!("{source}: {reason}"));
    keys.verifier().await.map_err(unreachable)
}

fn published(server: &Url) -> Result<Url, Failure> {
    let url = server.join("/v2/audit-log-webhook/jwks.json");
    url.map_err(|error| Failure::Usage(format!("--url: {error}")))
}

fn read(path: &Path, archive: &mut Archive) -> Result<(), Failure> {
    let name = path.display().to_string();
    let taken = if name == "-" {
        take(io::stdin().lock(), &name, archive)
    } else {
        File::open(path).and_then(|file| take(BufReader::new(file), &name, archive))
    };
    taken.map_err(Failure::io(name))
}

fn take(mut reader: impl BufRead, name: &str, archive: &mut Archive) -> io::Result<()> {
    let mut bytes = Vec::new();
    for line in 1_u64.. {
        bytes.clear();
        let read = io::Read::take(&mut reader, LINE_MAX).read_until(b'\n', &mut bytes)?;
        if read == 0 {
            break;
        }
        let spot = || Spot { file: name.to_owned(), line };
        archive.take(&String::from_utf8_lossy(&bytes), spot);
    }
    Ok(())
}

async fn ask(args: &VerifyArgs, report: &Report) -> Result<(), Failure> {
    let client = Client::from_args(&args.server)?;
    let now = SystemClock.now();
    for (log, gaps) in report.incomplete() {
        let portal = log.portal.as_ref().map(|id| id.parse::<PortalId>());
        let portal = portal.transpose().map_err(anyhow::Error::from)?;
        let bounds = gaps.iter().map(|gap| (gap.after, gap.before));
        let window = window(bounds, args.margin, now);
        output::note(&format!("{}: replay of {} to {}", name(log), window.0, window.1));
        replay::ask(&client, portal, window, args.wait, Output::Text).await?;
    }
    Ok(())
}

fn name(log: &LogName) -> &str {
    log.portal.as_deref().unwrap_or(&log.org)
}

/// From just before the first gap to just behind the last one.
fn window(
    gaps: impl Iterator<Item = (Option<i64>, Option<i64>)>,
    margin: Duration,
    now: Timestamp,
) -> (Timestamp, Timestamp) {
    let at = |millis: i64| Timestamp::from_nanos(millis.saturating_mul(1_000_000));
    let (mut start, mut end) = (now, Timestamp::from_nanos(0));
    for (after, before) in gaps {
        let until = before.map_or(now, |before| at(before) + margin);
        start = start.min(after.map_or(until - LATENESS, at) - margin);
        end = end.max(until);
    }
    (start.max(now - KEPT), end.min(now).max(now - KEPT))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000;

    #[test]
    fn a_replay_reaches_from_before_the_first_gap_to_behind_the_last() {
        let at = |seconds: i64| Timestamp::from_nanos(seconds * 1_000_000_000);
        let now = at(10_000_000);
        let minute = Duration::from_mins(1);
        let near = |seconds: i64| Some((10_000_000 - seconds) * SECOND);
        let table = [
            (vec![(near(500), near(400))], (9_999_440, 9_999_660)),
            (vec![(near(500), near(400)), (near(300), near(290))], (9_999_440, 9_999_770)),
            (vec![(near(500), None)], (9_999_440, 10_000_000)),
            (vec![(near(500), near(10))], (9_999_440, 10_000_000)),
            (vec![(Some(0), near(400))], (10_000_000 - 7 * 86_400, 9_999_660)),
            (vec![(None, near(400))], (9_999_660 - 86_400 - 60, 9_999_660)),
        ];
        for (gaps, (start, end)) in table {
            let found = window(gaps.clone().into_iter(), minute, now);
            assert_eq!(found, (at(start), at(end)), "{gaps:?}");
        }
    }
}
