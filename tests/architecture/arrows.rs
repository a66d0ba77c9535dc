//! Who may depend on whom.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::LazyLock;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package, PackageId};

use crate::tree::{none_of, read, root, sources};

/// Crates that do I/O, keep time or run tasks: a core that can reach one of them is no core.
const NOT_IN_A_CORE: &[&str] = &[
    "tokio",
    "tokio-util",
    "async-nats",
    "futures-executor",
    "hyper",
    "hyper-util",
    "axum",
    "reqwest",
    "rustls",
    "tower",
    "tracing",
    "opentelemetry",
    "mio",
    "socket2",
];

/// Outside crates that have one door each.
const DOORS: &[(&str, &[&str])] = &[
    ("async-nats", &["auditrelay-streams"]),
    ("prost", &["auditrelay-proto", "auditrelay-streams"]),
    (
        "axum",
        &[
            "auditrelay-runtime",
            "auditrelay-api",
            "auditrelay-ingest",
            "auditrelay",
            "auditrelay-testkit",
        ],
    ),
    ("aws-lc-rs", &["auditrelay-signing"]),
    ("hyper-rustls", &["auditrelay-webhook-sender"]),
    ("opentelemetry-otlp", &["auditrelay-runtime"]),
];

/// What each crate of the kit may use of ours.
const KIT: &[(&str, &[&str])] = &[
    ("auditrelay-model", &[]),
    ("auditrelay-format", &["auditrelay-model"]),
    ("auditrelay-signing", &[]),
    ("auditrelay-broker", &[]),
    ("auditrelay-runtime", &["auditrelay-model"]),
    ("auditrelay-streams", &["auditrelay-model", "auditrelay-proto"]),
];

#[test]
fn cores_do_no_io() {
    let metadata = metadata();
    let closures = Closures::of(metadata);
    let mut findings = Vec::new();
    for package in ours(metadata).filter(|package| is_pure(package)) {
        for (name, way) in closures.reachable(&package.id) {
            if NOT_IN_A_CORE.contains(&name.as_str()) {
                findings.push(format!("{} reaches {name}: {}", package.name, way.join(" → ")));
            }
        }
    }
    none_of(
        &findings,
        "A core decides; sockets, tasks, logs and clocks belong to the shell around it.",
    );
}

#[test]
fn a_core_uses_only_the_vocabulary() {
    let mut findings = Vec::new();
    for package in ours(metadata()).filter(|package| place(package).ends_with("/core")) {
        for used in ours_used_by(package, false) {
            if used != "auditrelay-model" {
                findings.push(format!("{} depends on {used}", package.name));
            }
        }
    }
    none_of(&findings, "Of our crates a core may use auditrelay-model alone.");
}

#[test]
fn the_kit_depends_on_no_service() {
    let mut findings = Vec::new();
    let allowed: BTreeMap<_, _> = KIT.iter().copied().collect();
    for package in ours(metadata()).filter(|package| place(package).starts_with("services/kit/")) {
        let Some(may) = allowed.get(package.name.as_str()) else {
            findings.push(format!("{} is not in the list KIT of this test", package.name));
            continue;
        };
        for used in ours_used_by(package, false) {
            if !may.contains(&used.as_str()) {
                findings.push(format!("{} depends on {used}", package.name));
            }
        }
        for used in ours_used_by(package, true) {
            if !allowed.contains_key(used.as_str()) {
                findings.push(format!("the tests of {} depend on {used}", package.name));
            }
        }
    }
    none_of(
        &findings,
        "Services are built of the kit; the kit knows none of them. A new crate of the kit needs two users.",
    );
}

#[test]
fn no_service_uses_another() {
    let mut findings = Vec::new();
    for package in ours(metadata()) {
        let place = place(package);
        let Some(service) =
            place.strip_prefix("services/").map(|rest| rest.trim_end_matches("/core"))
        else {
            continue;
        };
        if service.starts_with("kit/") || service == "auditrelay" {
            continue;
        }
        let own_core = format!("auditrelay-{service}-core");
        let kit: BTreeSet<_> = KIT.iter().map(|(name, _)| *name).collect();
        let normal = ours_used_by(package, false).into_iter();
        // Tests of a shell need streams, and what those must be is retention's to say.
        let in_tests = ours_used_by(package, true).into_iter();
        let in_tests = in_tests.filter(|used| used != "auditrelay-retention-core");
        // What producers may post is read in place; tests write it by the contract.
        let in_tests = in_tests.filter(|used| used != "auditrelay-proto");
        for used in normal.chain(in_tests) {
            if used != own_core && !kit.contains(used.as_str()) {
                findings.push(format!("{} depends on {used}", package.name));
            }
        }
    }
    none_of(
        &findings,
        "Services meet in streams only. What two of them need belongs into services/kit.",
    );
}

#[test]
fn outside_crates_have_one_door() {
    let mut findings = Vec::new();
    for package in ours(metadata()) {
        for dependency in
            package.dependencies.iter().filter(|found| found.kind != DependencyKind::Development)
        {
            let door = DOORS.iter().find(|(name, _)| *name == dependency.name);
            if door.is_some_and(|(_, keepers)| !keepers.contains(&package.name.as_str())) {
                findings.push(format!("{} depends on {}", package.name, dependency.name));
            }
        }
    }
    none_of(&findings, "Go through the crate that keeps this door (list DOORS of this test).");
}

#[test]
fn only_the_streams_crate_speaks_of_async_nats() {
    let findings: Vec<_> = sources()
        .into_iter()
        .filter(|path| {
            !path.starts_with("services/kit/streams/") && !path.starts_with("tests/architecture")
        })
        .filter(|path| read(path).contains("async_nats"))
        .collect();
    none_of(&findings, "JetStream is spoken in services/kit/streams; ask it for what is missing.");
}

#[test]
fn every_crate_follows_the_workspace() {
    let mut findings = Vec::new();
    for package in ours(metadata()) {
        let manifest = read(&format!("{}/Cargo.toml", place(package)));
        for line in
            ["[lints]\nworkspace = true", "version.workspace = true", "publish.workspace = true"]
        {
            if !manifest.contains(line) {
                findings.push(format!("{}: lacks {line:?}", package.name));
            }
        }
        for dependency in &package.dependencies {
            let inherited = format!("{}.workspace = true", dependency.name);
            if !manifest.contains(&inherited)
                && !manifest.contains(&format!("{} = {{ workspace = true", dependency.name))
            {
                findings.push(format!(
                    "{}: {} is not inherited from the workspace",
                    package.name, dependency.name
                ));
            }
        }
    }
    none_of(
        &findings,
        "Versions, lints and dependencies are written once, in the root Cargo.toml.",
    );
}

/// What cargo knows of the workspace; asked once.
pub(crate) fn metadata() -> &'static Metadata {
    static METADATA: LazyLock<Metadata> = LazyLock::new(ask_cargo);
    &METADATA
}

fn ask_cargo() -> Metadata {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let host = Command::new(rustc).args(["--print", "host-tuple"]).output().expect("rustc runs");
    let host = String::from_utf8(host.stdout).expect("a target's name is text");
    // For this machine only: what other platforms need may never have been downloaded.
    let options = ["--filter-platform".to_owned(), host.trim().to_owned()];
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .other_options(options)
        .exec()
        .expect("cargo metadata describes the workspace")
}

fn ours(metadata: &'static Metadata) -> impl Iterator<Item = &'static Package> {
    metadata.packages.iter().filter(|package| package.source.is_none())
}

/// The directory of a package, from the root.
fn place(package: &Package) -> String {
    let directory = package.manifest_path.parent().expect("a manifest lies in a directory");
    directory
        .as_std_path()
        .strip_prefix(root())
        .expect("below the root")
        .to_string_lossy()
        .into_owned()
}

fn is_pure(package: &Package) -> bool {
    let place = place(package);
    let kit = ["services/kit/model", "services/kit/format", "services/kit/signing"];
    place.ends_with("/core") || kit.contains(&place.as_str())
}

fn ours_used_by(package: &Package, in_tests: bool) -> Vec<String> {
    let kind = |found: DependencyKind| (found == DependencyKind::Development) == in_tests;
    let dependencies =
        package.dependencies.iter().filter(|found| kind(found.kind) && found.path.is_some());
    dependencies.map(|found| found.name.clone()).collect()
}

/// What each package reaches by dependencies that are linked into it.
struct Closures {
    names: BTreeMap<PackageId, String>,
    arrows: BTreeMap<PackageId, Vec<PackageId>>,
}

impl Closures {
    fn of(metadata: &Metadata) -> Self {
        let names = metadata
            .packages
            .iter()
            .map(|package| (package.id.clone(), package.name.to_string()))
            .collect();
        let resolve = metadata.resolve.as_ref().expect("the dependency graph is resolved");
        let mut arrows: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for node in &resolve.nodes {
            let linked = node.deps.iter().filter(|found| {
                found.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal)
            });
            arrows.insert(node.id.clone(), linked.map(|found| found.pkg.clone()).collect());
        }
        Self { names, arrows }
    }

    /// The name of everything reachable, each with one way to it.
    fn reachable(&self, from: &PackageId) -> BTreeMap<String, Vec<String>> {
        let mut found = BTreeMap::new();
        let mut open = vec![(from.clone(), vec![self.names[from].clone()])];
        while let Some((id, way)) = open.pop() {
            for next in &self.arrows[&id] {
                let name = self.names[next].clone();
                if found.contains_key(&name) {
                    continue;
                }
                let mut way = way.clone();
                way.push(name.clone());
                found.insert(name, way.clone());
                open.push((next.clone(), way));
            }
        }
        found
    }
}
