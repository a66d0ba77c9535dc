//! The reference of all settings: what they are says the code that reads them, what they mean
//! says the README of their service.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use auditrelay_runtime::settings::{Settings, Shape};

use super::{Role, parse};
use crate::cli::Global;
use crate::failure::Failure;
use crate::output::Output;

/// Each with the heading and the beginnings of its settings' keys.
const SECTIONS: [(&str, &[&str]); 7] = [
    ("Every service", &["nats.", "admin.", "drain.", "log.", "instance"]),
    ("Keys of webhook-sender and api", &["signing.", "sealing."]),
    ("ingest", &["ingest."]),
    ("retention", &["retention."]),
    ("replay-scheduler", &["scheduler."]),
    ("webhook-sender", &["sender."]),
    ("api", &["api."]),
];

/// Where settings are explained.
const READMES: [&str; 6] = [
    include_str!("../../../README.md"),
    include_str!("../../../../ingest/README.md"),
    include_str!("../../../../retention/README.md"),
    include_str!("../../../../replay-scheduler/README.md"),
    include_str!("../../../../webhook-sender/README.md"),
    include_str!("../../../../api/README.md"),
];

const HEAD: &str = "\
# Every setting

Written by `auditrelay config reference`; do not edit it by hand.

A setting is an environment variable or a key of the TOML file that `--config` names: `[ingest]` with
`listen = \"…\"` is `ingest.listen`. The environment wins. A secret may instead be in a file that
`<key>_file` (`<VARIABLE>_FILE`) names. A duration is a whole number with its unit: `250ms`, `5s`, `10m`,
`24h`, `7d`. A size is `512`, `256KiB`, `1MB` (10⁶) or `8GiB`. `auditrelay config check` reports every mistake at once; a
variable that begins with `AUDITRELAY_` and is none of these is one.

Flags: every command takes `--config FILE`, `--log FILTER` and `--log-format json|pretty`; the last two win over
`log.filter` and `log.format`.
";

const TRACES: &str = "
## Traces

Spans are sent by OTLP when an endpoint or `OTEL_TRACES_EXPORTER=otlp` is set. These are OpenTelemetry's own
variables. Those that begin with `OTEL_EXPORTER_OTLP_` also exist with `OTEL_EXPORTER_OTLP_TRACES_`, which wins.

| variable | default | meaning |
|---|---|---|
| `OTEL_EXPORTER_OTLP_ENDPOINT` | none | where the collector is: `http://collector:4318`; `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` over HTTP with its path, `/v1/traces` |
| `OTEL_EXPORTER_OTLP_PROTOCOL` | `http/protobuf` | `grpc` or `http/protobuf` |
| `OTEL_EXPORTER_OTLP_HEADERS` | none | `name=value` pairs, separated by commas; may hold a secret |
| `OTEL_EXPORTER_OTLP_TIMEOUT` | `10000` | milliseconds for one export |
| `OTEL_EXPORTER_OTLP_COMPRESSION` | none | `gzip` |
| `OTEL_EXPORTER_OTLP_CERTIFICATE` | whom the machine trusts | file with the authorities that may vouch for the collector, PEM |
| `OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE`, `OTEL_EXPORTER_OTLP_CLIENT_KEY` | none | files with the certificate that the collector is shown and its key, PEM |
| `OTEL_EXPORTER_OTLP_INSECURE` | `false` | `true`: an endpoint of `grpc` that names no scheme is plain |
| `OTEL_TRACES_EXPORTER` | by the endpoint | `otlp`, or `none` to send nothing |
| `OTEL_SDK_DISABLED` | `false` | `true` sends nothing |
| `OTEL_TRACES_SAMPLER`, `OTEL_TRACES_SAMPLER_ARG` | `parentbased_always_on` | which traces are kept: `parentbased_traceidratio` with `0.1` |
| `OTEL_PROPAGATORS` | `tracecontext,baggage` | without `tracecontext` (`none`), callers' traces are not continued, and neither producers nor receivers are told ours; baggage is not carried |
| `OTEL_SERVICE_NAME` | `auditrelay-<service>` | the name of the service |
| `OTEL_RESOURCE_ATTRIBUTES` | none | further attributes: `deployment.environment.name=production` |
| `OTEL_BSP_MAX_QUEUE_SIZE`, `OTEL_BSP_MAX_EXPORT_BATCH_SIZE`, `OTEL_BSP_SCHEDULE_DELAY` | `2048`, `512`, `5000` | spans that wait, spans of one export, milliseconds between exports; what does not fit is dropped |
| `OTEL_SPAN_LINK_COUNT_LIMIT`, `OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT`, `OTEL_SPAN_EVENT_COUNT_LIMIT` | `128` | most links, attributes and events of a span |

Not read: `OTEL_LOG_LEVEL` (see `log.filter`), `OTEL_METRICS_*` and `OTEL_LOGS_*` (metrics are scraped, the log is on
stderr), the other limits, samplers of a vendor, and every
variable that is not in the table.
";

/// The reference as Markdown.
pub(super) fn reference() -> Result<String, Failure> {
    let mut settings = Settings::load(None, std::iter::empty())?;
    let global = Global { output: Output::Text, config: None, log_format: None, log: None };
    parse(&mut settings, &Role::ALL, &global);
    let explained = explained();
    let mut text = HEAD.to_owned();
    for (heading, starts) in SECTIONS {
        let rows = settings
            .shapes()
            .iter()
            .filter(|(key, _)| starts.iter().any(|start| key.starts_with(start)))
            .map(|(key, shape)| row(key, shape, explained.get(key.as_str())));
        let _infallible = write!(text, "\n## {heading}\n\n{TABLE}{}", rows.collect::<String>());
    }
    text.push_str(TRACES);
    Ok(text)
}

const TABLE: &str =
    "| key | variable | kind | default | bounds | meaning |\n|---|---|---|---|---|---|\n";

fn row(key: &str, shape: &Shape, explained: Option<&(&str, &str)>) -> String {
    let (default, meaning) = explained.copied().unwrap_or_default();
    let bounds = shape.bounds.as_ref().map(|(least, most)| format!("{least} to {most}"));
    let (variable, kind, bounds) = (&shape.variable, &shape.kind, bounds.unwrap_or_default());
    format!("| `{key}` | `{variable}` | {kind} | {default} | {bounds} | {meaning} |\n")
}

/// Default and meaning of each key, from the READMEs' tables.
fn explained() -> BTreeMap<&'static str, (&'static str, &'static str)> {
    let rows = READMES.into_iter().flat_map(str::lines).filter_map(|line| {
        let (key, rest) = line.strip_prefix("| `")?.split_once("` | ")?;
        let (default, meaning) = rest.strip_suffix(" |")?.split_once(" | ")?;
        Some((key, (default, meaning)))
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/CONFIGURATION.md");

    #[test]
    fn the_kept_reference_is_the_code() {
        let now = reference().unwrap();
        if std::env::var_os("UPDATE_REFERENCE").is_some() {
            std::fs::write(KEPT, &now).unwrap();
        }
        let kept = std::fs::read_to_string(KEPT).unwrap();
        assert!(
            kept == now,
            "run UPDATE_REFERENCE=1 cargo test -p auditrelay reference, and look at the difference"
        );
    }

    #[test]
    fn every_setting_is_in_a_section_and_explained_with_its_default() {
        let mut settings = Settings::load(None, std::iter::empty()).unwrap();
        let global = Global { output: Output::Text, config: None, log_format: None, log: None };
        parse(&mut settings, &Role::ALL, &global);
        let explained = explained();
        for (key, shape) in settings.shapes() {
            let starts = SECTIONS.iter().flat_map(|(_, starts)| starts.iter());
            assert!(starts.clone().any(|start| key.starts_with(start)), "{key} has no section");
            let (default, _) = explained.get(key.as_str()).unwrap_or_else(|| {
                panic!("{key} is in no README");
            });
            let by_machine = ["sender.cpu_slots", "instance", "log.filter"];
            if let Some(read) = &shape.default
                && !by_machine.contains(&key.as_str())
            {
                assert_eq!(value(default.trim_matches('`')), value(read), "{key}");
            }
        }
    }

    /// `24h` and `1d` are the same.
    fn value(text: &str) -> (Option<u64>, String) {
        let units = [
            ("ms", 1),
            ("s", 1_000),
            ("m", 60_000),
            ("h", 3_600_000),
            ("d", 86_400_000),
            ("MB", 1_000_000),
            ("KiB", 1 << 10),
            ("MiB", 1 << 20),
            ("GiB", 1 << 30),
        ];
        let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
        let unit = units.iter().find(|(unit, _)| *unit == &text[digits.len()..]);
        match (digits.parse::<u64>(), unit) {
            (Ok(number), Some((_, factor))) => (Some(number * factor), String::new()),
            _ => (None, text.to_owned()),
        }
    }
}
