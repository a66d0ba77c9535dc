//! The reference of all metrics, made of what the services themselves say.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

const DEPLOY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy");
/// Where dashboards and alerts are.
pub(crate) const MONITORING: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/helm/auditrelay/monitoring");

const HEAD: &str = "# Metrics

Every metric of every service, on `/metrics` of its admin port. Written by
`UPDATE_METRICS=1 cargo test -p auditrelay --test processes scraped`; the test fails when it differs, and when a
metric is on no dashboard and in no alert. A histogram has `_bucket`, `_count` and `_sum`.

| metric | kind | of | says | looked at in |
|---|---|---|---|---|
";

/// What is known of each metric.
#[derive(Default)]
pub(crate) struct Reference(BTreeMap<String, Metric>);

#[derive(Default)]
struct Metric {
    kind: String,
    help: String,
    services: BTreeSet<&'static str>,
}

impl Reference {
    /// Takes a service's exposition, as Prometheus' text.
    pub(crate) fn add(&mut self, service: &'static str, text: &str) {
        for line in text.lines() {
            if let Some((name, help)) = said(line, "# HELP ") {
                let metric = self.0.entry(name).or_default();
                help.trim_end_matches('.').clone_into(&mut metric.help);
                metric.services.insert(service);
            } else if let Some((name, kind)) = said(line, "# TYPE ") {
                self.0.entry(name).or_default().kind = kind;
            }
        }
    }

    /// Fails when the committed reference is another one, or when nobody looks at a metric.
    pub(crate) fn check(&self) {
        let (text, unwatched) = self.write();
        assert!(unwatched.is_empty(), "nobody looks at {unwatched:?}");
        let path = Path::new(DEPLOY).join("METRICS.md");
        if std::env::var_os("UPDATE_METRICS").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == text, "deploy/METRICS.md is not what the services say:\n{text}");
    }

    fn write(&self) -> (String, Vec<&str>) {
        let watched = watched();
        let (mut text, mut unwatched) = (HEAD.to_owned(), Vec::new());
        for (name, metric) in &self.0 {
            let endings = ["", "_bucket", "_count", "_sum"].map(|ending| format!("{name}{ending}"));
            let places =
                watched.iter().filter(|(_, names)| endings.iter().any(|n| names.contains(n)));
            let places: Vec<&str> = places.map(|(place, _)| place.as_str()).collect();
            if places.is_empty() && name.starts_with("auditrelay_") {
                unwatched.push(name.as_str());
            }
            let of = match metric.services.len() {
                5 => "every service".to_owned(),
                _ => metric.services.iter().copied().collect::<Vec<_>>().join(", "),
            };
            let (kind, help, places) = (&metric.kind, &metric.help, places.join(", "));
            let _infallible = writeln!(text, "| `{name}` | {kind} | {of} | {help} | {places} |");
        }
        (text, unwatched)
    }
}

fn said(line: &str, what: &str) -> Option<(String, String)> {
    let (name, rest) = line.strip_prefix(what)?.split_once(' ')?;
    Some((name.to_owned(), rest.to_owned()))
}

/// The metrics that each dashboard and the alerts name.
pub(crate) fn watched() -> BTreeMap<String, BTreeSet<String>> {
    let dashboards = std::fs::read_dir(Path::new(MONITORING).join("dashboards")).unwrap();
    let files = dashboards.map(|entry| entry.unwrap().path());
    let alerts = Path::new(MONITORING).join("alerts.yaml");
    let named = files.chain([alerts]).map(|file| {
        let text = std::fs::read_to_string(&file).unwrap();
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let ours = |word: &&str| word.starts_with("auditrelay_") || word.starts_with("process_");
        let place = file.file_stem().unwrap().to_string_lossy().replace("auditrelay-", "");
        (place, words.filter(ours).map(str::to_owned).collect())
    });
    named.collect()
}
