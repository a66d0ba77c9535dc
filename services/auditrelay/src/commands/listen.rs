//! `listen`: a SIEM on this machine.

mod connect;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use auditrelay_model::destination::LogFormat;
use auditrelay_model::id::PortalId;
use http::StatusCode;
use serde_json::json;
use url::Url;

use self::connect::Connection;
use crate::client::{Client, ServerArgs};
use crate::failure::Failure;
use crate::output::{self, Output};
use crate::receiver::{Keys, Ledger, Receiver, ReceiverOptions};

const EXAMPLES: &str = "\
Examples:
  auditrelay listen --connect               the organization's webhook sends here
  auditrelay listen --connect --portal 3e551b39-… --format cef
  auditrelay listen --authorization 'Splunk 1234'
  auditrelay listen --store events.log      on disk before it is answered
  auditrelay listen --store events.log --manifests manifests.log
  auditrelay listen --status 503            refuse everything, to see what happens

Without --connect, point a destination at http://127.0.0.1:19090/audit-logs yourself. --connect
needs an admin's $AUDITRELAY_TOKEN; it makes a destination, binds the webhook and verifies every
signature. The webhook stays: what happens while nobody listens comes when you listen again.
--remove takes it away at the end instead. Ctrl-C ends it with a summary; the exit code is 1 when a signature did not hold.";

/// How to listen.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ListenArgs {
    #[command(flatten)]
    server: ServerArgs,

    /// Let the webhook send here
    #[arg(long)]
    connect: bool,

    /// With --connect: take webhook and destination away at the end
    #[arg(long, requires = "connect")]
    remove: bool,

    /// With --connect: the name of the destination that is made, or taken up again
    #[arg(long, default_value = "auditrelay-listen")]
    name: String,

    /// With --connect: the portal whose webhook is meant; without it the organization's own
    #[arg(long, value_name = "ID", requires = "connect")]
    portal: Option<PortalId>,

    /// With --connect: how events are written: json, cef or cps
    #[arg(long, default_value = "json", value_parser = format)]
    format: LogFormat,

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

    /// With --store: append each request's signed manifest to this file, for `auditrelay verify`
    #[arg(long, value_name = "FILE", requires = "store")]
    manifests: Option<PathBuf>,

    /// The status to answer with; other than 2xx nothing is taken
    #[arg(long, default_value = "202", value_name = "CODE", value_parser = status)]
    status: StatusCode,
}

fn format(text: &str) -> Result<LogFormat, String> {
    LogFormat::from_name(text).ok_or_else(|| "expected json, cef or cps".to_owned())
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
    let client = args.connect.then(|| Client::from_args(&args.server)).transpose()?;
    let options = options(&args, output)?;
    let authorization = options.authorization.clone().unwrap_or_default();
    let place = args.listen.to_string();
    let receiver = Receiver::start(args.listen, options).await.map_err(Failure::io(place))?;
    let endpoint = receiver.endpoint();
    let connection = match client {
        None => None,
        Some(client) => {
            let wanted = json!({
                "name": args.name,
                "endpoint": endpoint,
                "authorization": authorization,
                "log_format": args.format.name(),
            });
            Some(Connection::make(client, args.portal, &wanted).await?)
        }
    };
    let mut interrupts = super::Interrupts::listen()?;
    output::note(&format!("listening on {endpoint} (Ctrl-C ends)"));
    interrupts.next().await;
    // Unbound while it still listens: the last request must not meet a closed door.
    match connection {
        Some(connection) if args.remove => connection.remove().await,
        Some(_) => output::note(STAYS),
        None => {}
    }
    let ledger = receiver.stop().await;
    Ok(tell(&ledger, output))
}

const STAYS: &str = "the webhook stays: what happens now comes when you listen again";

fn options(args: &ListenArgs, output: Output) -> Result<ReceiverOptions, Failure> {
    let published = args.server.url.join("/v2/audit-log-webhook/jwks.json").ok();
    let jwks = args.jwks.clone().or_else(|| published.filter(|_| args.connect));
    let random = || args.connect.then(connect::random_authorization);
    Ok(ReceiverOptions {
        path: args.path.clone(),
        authorization: args.authorization.clone().or_else(random),
        status: args.status,
        keys: jwks.map(Keys::at).transpose().map_err(anyhow::Error::from)?,
        echo: output == Output::Text && args.store.is_none(),
        store: args.store.clone(),
        manifests: args.manifests.clone(),
        latency: Duration::ZERO,
    })
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
