//! What a job did, signed: fetching it, and checking it with nothing but the published keys.

use std::path::PathBuf;
use std::process::ExitCode;

use auditrelay_model::id::{EventId, JobId};
use auditrelay_model::replay::SentIds;
use serde_json::{Value, json};

use crate::client::{Client, ServerArgs};
use crate::commands::verify;
use crate::failure::Failure;
use crate::output::{self, Output};

const EXAMPLES: &str = "\
Examples:
  auditrelay replay report 01980d2e-… > report.json
  auditrelay replay report --verify report.json --jwks jwks.json
  auditrelay replay report --verify report.json --ids received.txt

With --ids the file holds the ids of the events that were received, one a line, in the order in
which they came; an id that came twice in a row of repeats counts once.";

/// The `typ` of a report's signature.
const TYPE: &str = "auditrelay-replay-report+json";

/// Which report.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ReportArgs {
    #[command(flatten)]
    server: ServerArgs,

    /// The job whose report is fetched
    #[arg(required_unless_present = "verify", value_name = "JOB")]
    job: Option<JobId>,

    /// Check the report in this file instead of fetching one
    #[arg(long, value_name = "FILE", conflicts_with = "job")]
    verify: Option<PathBuf>,

    /// The published keys, a URL or a file; without it they are asked of the server
    #[arg(long, value_name = "URL|FILE", requires = "verify")]
    jwks: Option<String>,

    /// Check that these are the ids of the events that were sent
    #[arg(long, value_name = "FILE", requires = "verify")]
    ids: Option<PathBuf>,
}

/// Does it.
pub(super) async fn run(args: ReportArgs, output: Output) -> Result<ExitCode, Failure> {
    if let (Some(job), None) = (args.job, &args.verify) {
        let client = Client::from_args(&args.server)?;
        output::json(&client.get(&format!("/v1/replay-jobs/{job}/report")).await?);
        return Ok(ExitCode::SUCCESS);
    }
    let Some(file) = &args.verify else {
        return Err(Failure::Usage("say JOB, or --verify FILE".to_owned()));
    };
    let text = read(file)?;
    let keys = verify::keys(&args.server.url, args.jwks.as_deref()).await?;
    let opened = open(&text, |jws| keys.open_jws(TYPE, jws));
    let ids = args.ids.as_ref().map(read).transpose()?;
    match opened.and_then(|report| check_ids(&report, ids.as_deref()).map(|()| report)) {
        Ok(report) => {
            tell(&report, ids.is_some(), output);
            Ok(ExitCode::SUCCESS)
        }
        Err(reason) => {
            match output {
                Output::Json => output::json(&json!({ "verified": false, "reason": reason })),
                Output::Text => output::line(&format!("not verified: {reason}")),
            }
            Ok(ExitCode::FAILURE)
        }
    }
}

fn read(path: &PathBuf) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(Failure::io(path.display().to_string()))
}

/// What was signed; what stands beside it for people must say the same.
fn open(text: &str, opened: impl Fn(&str) -> Option<Vec<u8>>) -> Result<Value, String> {
    let document: Value =
        serde_json::from_str(text).map_err(|error| format!("the file is not JSON: {error}"))?;
    let jws = document.get("jws").and_then(Value::as_str).ok_or("the file holds no `jws`")?;
    let payload = opened(jws).ok_or("no published key made the signature")?;
    let report: Value = serde_json::from_slice(&payload).map_err(|error| error.to_string())?;
    if document.get("report") == Some(&report) {
        Ok(report)
    } else {
        Err("the readable report is not the one that was signed".to_owned())
    }
}

fn check_ids(report: &Value, ids: Option<&str>) -> Result<(), String> {
    let Some(ids) = ids else { return Ok(()) };
    let mut seen = std::collections::HashSet::new();
    let mut distinct = Vec::new();
    for line in ids.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let id: EventId = line.parse().map_err(|error| format!("{line:?} {error}"))?;
        if seen.insert(id) {
            distinct.push(id);
        }
    }
    let count = distinct.len();
    let told = report.pointer("/counts/events_sent").and_then(Value::as_u64).unwrap_or(0);
    if usize::try_from(told).ok() != Some(count) {
        return Err(format!("{told} events were sent, {count} are in the file"));
    }
    let digest = SentIds::extend(None, distinct).map(|sent| sent.digest_text());
    if report.get("ids_digest").and_then(Value::as_str) == digest.as_deref() {
        Ok(())
    } else {
        Err("the ids, or their order, are not those that were sent".to_owned())
    }
}

fn tell(report: &Value, with_ids: bool, output: Output) {
    if output == Output::Json {
        return output::json(&json!({ "verified": true, "ids": with_ids, "report": report }));
    }
    let text = |name: &str| report.get(name).and_then(Value::as_str).unwrap_or("-");
    let count = |name: &str| {
        report.pointer(&format!("/counts/{name}")).and_then(Value::as_u64).unwrap_or(0)
    };
    output::line(&format!(
        "verified: job {} {}, {} to {}: {} sent, {} refused one by one, {} expired{}",
        text("job_id"),
        text("state"),
        text("start_at"),
        text("end_at"),
        count("events_sent"),
        count("events_quarantined"),
        count("events_expired"),
        if with_ids { "; the ids are those" } else { "" },
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(report: &Value) -> String {
        json!({ "report": report, "jws": "a.b.c" }).to_string()
    }

    #[test]
    fn only_what_was_signed_is_believed() {
        let signed = json!({ "state": "completed" });
        let opened = |jws: &str| (jws == "a.b.c").then(|| signed.to_string().into_bytes());
        assert_eq!(open(&document(&signed), opened), Ok(signed.clone()));
        let altered = open(&document(&json!({ "state": "failed" })), opened).unwrap_err();
        assert!(altered.contains("not the one that was signed"), "{altered}");
        assert!(open(&document(&signed), |_| None).unwrap_err().contains("no published key"));
        assert!(open("{}", opened).is_err() && open("no", opened).is_err());
    }

    #[test]
    fn a_list_of_ids_is_checked_by_count_and_digest() {
        let ids = ["998db3e4-5cb7-4dd5-b51c-9878096a6999", "3e551b39-227d-4297-b911-e68fd5d77c17"];
        let sent = SentIds::extend(None, ids.map(|id| id.parse().unwrap())).unwrap();
        let report = json!({ "counts": { "events_sent": 2 }, "ids_digest": sent.digest_text() });
        let check = |ids: &[&str]| check_ids(&report, Some(&ids.join("\n")));
        assert_eq!(check(&ids), Ok(()));
        assert_eq!(check(&[ids[0], ids[0], ids[1]]), Ok(()), "a repeat is no other event");
        assert!(check(&[ids[1], ids[0]]).unwrap_err().contains("order"));
        assert!(check(&ids[..1]).unwrap_err().contains("2 events were sent, 1"));
        assert!(check(&["x"]).is_err());
        assert_eq!(check_ids(&report, None), Ok(()));
    }
}
