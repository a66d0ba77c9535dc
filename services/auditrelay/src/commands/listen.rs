//! `listen`: a SIEM on this machine.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use http::StatusCode;
use url::Url;

use crate::failure::Failure;
use crate::output::{self, Output};
use crate::receiver::{Keys, Ledger, Receiver, ReceiverOptions};

const EXAMPLES: &str = "\
Examples:
  auditrelay listen
  auditrelay listen --authorization 'Splunk 1234' \\
      --jwks http://127.0.0.1:8080/v2/audit-log-webhook/jwks.json
  auditrelay listen --store events.log      on disk before it is answered
  auditrelay listen --status 503            refuse everything, to see what happens

Point a destination at http://127.0.0.1:19090/audit-logs.
Ctrl-C ends it with a summary; the exit code is 1 when a signature did not hold.";

/// How to listen.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ListenArgs {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:19090", value_name = "ADDRESS")]
    listen: SocketAddr,

    /// The path deliveries must be sent to
    #[arg(long, default_value = "/audit-logs", value_parser = path)]
    path: String,

    /// The `Authorization` value deliveries must carry; others are answered 401
    #[arg(long, value_name = "VALUE")]
    authorization: Option<String>,

    /// Verify every line's signature with the keys published here
    #[arg(long, value_name = "URL")]
    jwks: Option<Url>,

    /// Append the lines to this file, on disk before each answer, instead of printing them
    #[arg(long, value_name = "FILE")]
    store: Option<PathBuf>,

    /// The status to answer with; other than 2xx nothing is taken
    #[arg(long, default_value = "202", value_name = "CODE", value_parser = status)]
    status: StatusCode,
}

fn path(text: &str) -> Result<String, String> {
    if text.starts_with('/') && !text.contains(['{', '}', '?', '#']) {
        return Ok(text.to_owned());
    }
    Err("must begin with / and be a plain path".to_owned())
}

fn status(text: &str) -> Result<StatusCode, String> {
    let code: u16 = text.parse().map_err(|_| "expected a number from 200 to 599".to_owned())?;
    match StatusCode::from_u16(code) {
        Ok(status) if (200..600).contains(&code) => Ok(status),
        _ => Err("expected a number from 200 to 599".to_owned()),
    }
}

/// Receives until Ctrl-C.
pub(crate) async fn run(args: ListenArgs, output: Output) -> Result<ExitCode, Failure> {
    let keys = args.jwks.map(Keys::at).transpose().map_err(anyhow::Error::from)?;
    let options = ReceiverOptions {
        path: args.path,
        authorization: args.authorization,
        status: args.status,
        keys,
        echo: output == Output::Text && args.store.is_none(),
        store: args.store,
        latency: Duration::ZERO,
    };
    let place = args.listen.to_string();
    let receiver = Receiver::start(args.listen, options).await.map_err(Failure::io(place))?;
    output::note(&format!("listening on {} (Ctrl-C ends)", receiver.endpoint()));
    super::interrupted().await.map_err(Failure::io("signals"))?;
    let ledger = receiver.stop().await;
    Ok(tell(&ledger, output))
}

fn tell(ledger: &Ledger, output: Output) -> ExitCode {
    match output {
        Output::Text => output::note(&ledger.summary()),
        Output::Json => output::json(&ledger.to_json()),
    }
    if ledger.forged == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_plain() {
        assert!(path("/services/collector").is_ok());
        for wrong in ["", "audit-logs", "/a?b", "/{x}"] {
            assert!(path(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_status_is_one_that_ends_a_request() {
        assert_eq!(status("401"), Ok(StatusCode::UNAUTHORIZED));
        for wrong in ["", "100", "600", "abc", "99999"] {
            assert!(status(wrong).is_err(), "{wrong}");
        }
    }
}
