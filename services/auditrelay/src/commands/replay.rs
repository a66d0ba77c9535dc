//! `replay`: send a stretch of the past again.

mod job;
mod report;
mod wish;

use std::process::ExitCode;
use std::time::Duration;

use auditrelay_model::id::{JobId, PortalId};
use auditrelay_model::{Clock, Timestamp};
use auditrelay_runtime::clock::SystemClock;
use clap::Subcommand;
use http::Method;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

pub(crate) use self::job::JobView;
use self::job::Seat;
use crate::client::{Call, Client, ServerArgs};
use crate::failure::Failure;
use crate::output::{self, Output};
use crate::span;

const EXAMPLES: &str = "\
Examples:
  auditrelay replay --last 6h --dry-run
  auditrelay replay --last 6h --wait
  auditrelay replay --last 24h --unacknowledged --name 'after the outage' --wait
  auditrelay replay --last 2d --kind authentication --destination 998db3e4-… --format cef
  auditrelay replay --portal 3e551b39-… --last 1h
  auditrelay replay --from 2026-11-20T02:00:00+02:00 --to 2026-11-20T12:00:00Z
  auditrelay replay list
  auditrelay replay pause 01980d2e-… --reason 'business hours'
  auditrelay replay retry 01980d2e-… --wait
  auditrelay replay report 01980d2e-… > report.json

The console's ranges: --last 1h, 6h, 12h, 24h, 2d, 3d or 7d. Seven days are kept.
It goes to the webhook that is configured when the job starts running, unless --destination says
otherwise. With a name, a filter or a target a job waits for those of the same log before it;
without, a running job is a refusal. With --wait the exit code is 0 only when the job is completed.";

/// How often a waiting command looks.
const LOOK: Duration = Duration::from_millis(250);
/// How long a waiting command bears a server that is busy or away.
const PATIENCE: Duration = Duration::from_mins(1);

/// What to send again.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(crate) struct ReplayArgs {
    #[command(subcommand)]
    action: Option<ReplayAction>,
    #[command(flatten)]
    configure: ConfigureArgs,
}

#[derive(Debug, Subcommand)]
enum ReplayAction {
    /// Show the newest job and how far it is
    Status(ScopeArgs),
    /// End the job that is under way
    Cancel {
        #[command(flatten)]
        scope: ScopeArgs,
        /// Why, for those who read the job's history
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// List the jobs of the organization, the newest first
    List {
        #[command(flatten)]
        scope: ScopeArgs,
    },
    /// Show one job
    Show(JobArgs),
    /// Follow one job to its end
    Wait(JobArgs),
    /// Let a job wait
    Pause {
        #[command(flatten)]
        job: JobArgs,
        /// Why, for those who read the job's history
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Let a paused job go on
    Resume(JobArgs),
    /// Make a job for what a failed or cancelled one did not send
    Retry {
        #[command(flatten)]
        job: JobArgs,
        /// Wait until the new job has ended, showing how far it is
        #[arg(long)]
        wait: bool,
    },
    /// Fetch what an ended job did, signed; or check such a report
    Report(report::ReportArgs),
}

#[derive(Debug, clap::Args)]
struct JobArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// The job
    #[arg(value_name = "JOB")]
    id: JobId,
}

#[derive(Debug, clap::Args)]
struct ScopeArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// The portal whose log is meant; without it the organization's own
    #[arg(long, value_name = "ID")]
    portal: Option<PortalId>,
}

#[derive(Debug, clap::Args)]
struct ConfigureArgs {
    #[command(flatten)]
    scope: ScopeArgs,
    /// The newest stretch of this length: 90s, 15m, 6h, 7d
    #[arg(long, value_name = "TIME", value_parser = span::parse, conflicts_with_all = ["from", "to"])]
    last: Option<Duration>,
    /// First instant (RFC 3339)
    #[arg(long, value_name = "INSTANT", value_parser = instant, requires = "to")]
    from: Option<Timestamp>,
    /// Last instant (RFC 3339)
    #[arg(long, value_name = "INSTANT", value_parser = instant, requires = "from")]
    to: Option<Timestamp>,
    #[command(flatten)]
    wish: wish::WishArgs,
    /// Count what would be sent, and send nothing
    #[arg(long, conflicts_with = "wait")]
    dry_run: bool,
    /// Wait until the job has ended, showing how far it is
    #[arg(long)]
    wait: bool,
}

fn instant(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse_rfc3339(text).map_err(|error| error.to_string())
}

/// Does it.
pub(crate) async fn run(args: ReplayArgs, output: Output) -> Result<ExitCode, Failure> {
    match args.action {
        None => configure(args.configure, output).await,
        Some(action) => act(action, output).await,
    }
}

async fn act(action: ReplayAction, output: Output) -> Result<ExitCode, Failure> {
    match action {
        ReplayAction::Status(scope) => {
            let client = Client::from_args(&scope.server)?;
            tell(&JobView::get(&client, scope.portal).await?, output);
        }
        ReplayAction::Cancel { scope, reason } => {
            let client = Client::from_args(&scope.server)?;
            let ended = job::cancel(&client, scope.portal, reason).await?;
            match output {
                Output::Json => output::json(&ended),
                Output::Text => output::line("cancelled"),
            }
        }
        ReplayAction::List { scope } => {
            let client = Client::from_args(&scope.server)?;
            job::list(&client, scope.portal, output).await?;
        }
        ReplayAction::Show(job) => {
            let client = Client::from_args(&job.server)?;
            tell(&JobView::at(&client, &Seat::Job(job.id)).await?, output);
        }
        ReplayAction::Pause { job, reason } => {
            let body = reason.map_or_else(|| json!({}), |reason| json!({ "reason": reason }));
            tell(&change(&job, "pause", &body).await?, output);
        }
        ReplayAction::Resume(job) => tell(&change(&job, "resume", &json!({})).await?, output),
        ReplayAction::Wait(job) => {
            let client = Client::from_args(&job.server)?;
            return wait(&client, &Seat::Job(job.id), output).await;
        }
        ReplayAction::Retry { job, wait: patiently } => {
            let made = change(&job, "retry", &json!({})).await?;
            let client = Client::from_args(&job.server)?;
            return begun(&client, made, patiently, output).await;
        }
        ReplayAction::Report(args) => return report::run(args, output).await,
    }
    Ok(ExitCode::SUCCESS)
}

async fn change(job: &JobArgs, what: &str, body: &Value) -> Result<JobView, Failure> {
    let client = Client::from_args(&job.server)?;
    let path = format!("/v1/replay-jobs/{}/{what}", job.id);
    Ok(JobView::from(client.expect(Method::POST, &path, Some(body)).await?))
}

/// A job was made: say so, or follow it.
async fn begun(
    client: &Client,
    job: JobView,
    patiently: bool,
    output: Output,
) -> Result<ExitCode, Failure> {
    if let (true, Some(id)) = (patiently, job.id()) {
        return wait(client, &Seat::Job(id), output).await;
    }
    tell(&job, output);
    Ok(ExitCode::SUCCESS)
}

async fn configure(args: ConfigureArgs, output: Output) -> Result<ExitCode, Failure> {
    let client = Client::from_args(&args.scope.server)?;
    let window = window(&args, SystemClock.now())?;
    let portal = args.scope.portal;
    if args.dry_run {
        let path = "/v1/replay-estimates";
        let found =
            client.expect(Method::POST, path, Some(&args.wish.body(portal, window))).await?;
        match output {
            Output::Json => output::json(&found),
            Output::Text => output::line(&wish::estimate(&found)),
        }
        return Ok(ExitCode::SUCCESS);
    }
    if args.wish.is_plain() {
        return ask(&client, portal, window, args.wait, output).await;
    }
    if args.wish.all_portals {
        let body = args.wish.body(None, window);
        let made = client.expect(Method::POST, "/v1/portal-replay-jobs", Some(&body)).await?;
        output::json(&made);
        return Ok(ExitCode::SUCCESS);
    }
    let body = args.wish.body(portal, window);
    let made = client.expect(Method::POST, "/v1/replay-jobs", Some(&body)).await?;
    begun(&client, JobView::from(made), args.wait, output).await
}

/// Asks for a replay of a window and, if wanted, waits for its end.
pub(crate) async fn ask(
    client: &Client,
    portal: Option<PortalId>,
    (start, end): (Timestamp, Timestamp),
    patiently: bool,
    output: Output,
) -> Result<ExitCode, Failure> {
    let body = json!({ "start_at": start.to_string(), "end_at": end.to_string() });
    let path = job::konnect_path(portal);
    let call = Call {
        method: Method::PUT,
        path: &path,
        body: Some(body.to_string()),
        idempotency_key: None,
    };
    let waiting = |why: &str, pause: Duration| {
        output::note(&format!("{why}; again in {} ms", pause.as_millis()));
    };
    let accepted = client.patiently(&call, PATIENCE, waiting).await?.success(&call)?;
    if !patiently {
        match output {
            Output::Json => output::json(&accepted),
            Output::Text => output::line(&format!("accepted: {start} to {end}")),
        }
        return Ok(ExitCode::SUCCESS);
    }
    wait(client, &Seat::Newest(portal), output).await
}

fn window(args: &ConfigureArgs, now: Timestamp) -> Result<(Timestamp, Timestamp), Failure> {
    match (args.last, args.from, args.to) {
        (Some(last), _, _) => Ok((now - last, now)),
        (None, Some(from), Some(to)) => Ok((from, to)),
        _ => Err(Failure::Usage("say --last TIME, or --from and --to (see --help)".to_owned())),
    }
}

/// Follows a job to its end and says what came of it.
async fn wait(client: &Client, seat: &Seat, output: Output) -> Result<ExitCode, Failure> {
    let bar = match output {
        // Draws on stderr, and only when that is a terminal.
        Output::Text => progress_bar(),
        Output::Json => ProgressBar::hidden(),
    };
    let result = loop {
        let job = match JobView::patiently_at(client, seat, PATIENCE).await {
            Ok(job) => job,
            Err(error) => break Err(error),
        };
        if let Some(estimate) = job.estimated {
            bar.set_length(estimate.max(job.done()));
        }
        bar.set_position(job.done());
        bar.set_message(job.standing());
        if job.is_ended() {
            break Ok(job);
        }
        tokio::time::sleep(LOOK).await;
    };
    bar.finish_and_clear();
    let job = result?;
    tell(&job, output);
    Ok(if job.is_completed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn progress_bar() -> ProgressBar {
    let style = ProgressStyle::with_template(
        "{msg} {bar:40.cyan} {human_pos}/{human_len} events, {elapsed}",
    );
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn tell(job: &JobView, output: Output) {
    match output {
        Output::Json => output::json(&job.document),
        Output::Text => output::line(&job.summary()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(last: Option<u64>, from: Option<i64>, to: Option<i64>) -> ConfigureArgs {
        let server = ServerArgs { url: "http://127.0.0.1:1".parse().unwrap(), token_file: None };
        ConfigureArgs {
            scope: ScopeArgs { server, portal: None },
            last: last.map(Duration::from_secs),
            from: from.map(Timestamp::from_nanos),
            to: to.map(Timestamp::from_nanos),
            wish: wish::WishArgs::default(),
            dry_run: false,
            wait: false,
        }
    }

    #[test]
    fn the_window_is_the_newest_stretch_or_as_written() {
        let now = Timestamp::from_nanos(1_800_000_000_000_000_000);
        let hour = window(&args(Some(3600), None, None), now).unwrap();
        assert_eq!(hour, (now - Duration::from_hours(1), now));
        let written = window(&args(None, Some(1), Some(2)), now).unwrap();
        assert_eq!(written, (Timestamp::from_nanos(1), Timestamp::from_nanos(2)));
        assert!(matches!(window(&args(None, None, None), now), Err(Failure::Usage(_))));
    }
}
