//! What the READMEs say is there.

use std::collections::BTreeSet;
use std::path::Path;

use crate::tree::{exists, files, names, none_of, read, services};

/// What the README of each service answers, in this order.
const HEADINGS: &[&str] = &[
    "## Owns",
    "## Reads",
    "## Writes",
    "## Configuration",
    "## Fails how",
    "## Start reading at",
];

#[test]
fn the_readme_of_each_service_answers_six_questions() {
    let mut findings = Vec::new();
    for service in services() {
        let path = format!("services/{service}/README.md");
        if !exists(&path) {
            findings.push(format!("{path} is missing"));
            continue;
        }
        let text = read(&path);
        let found: Vec<_> = text.lines().filter(|line| line.starts_with("## ")).collect();
        if found != HEADINGS {
            findings.push(format!("{path} has {found:?}"));
        }
    }
    none_of(
        &findings,
        &format!("The README of a service has these headings, in this order: {HEADINGS:?}"),
    );
}

/// A setting that is not in the table cannot be found; one that is only there does nothing.
#[test]
fn the_table_of_settings_is_the_code() {
    let mut findings = Vec::new();
    for service in services() {
        let rooms = ["config", "process"].map(|room| format!("services/{service}/src/{room}.rs"));
        let rooms = rooms.into_iter().filter(|path| exists(path));
        let code = rooms.flat_map(|path| keys_of_the_code(&read(&path))).collect();
        let path = format!("services/{service}/README.md");
        let table = keys_of_the_table(&read(&path));
        findings.extend(missing(
            &table,
            &code,
            &format!("{path} lacks, though the code reads it,"),
        ));
        findings.extend(missing(&code, &table, &format!("{path} lists, though no code reads it,")));
    }
    none_of(
        &findings,
        "The table under ## Configuration lists every setting in its first column, as `part.name`.",
    );
}

#[test]
fn every_path_in_the_signposts_exists() {
    let mut findings = Vec::new();
    for path in files(".md") {
        for named in paths_in(&read(&path)) {
            if !exists(&named) {
                findings.push(format!("{path} names `{named}`"));
            }
        }
    }
    none_of(&findings, "The paths above are not in the repository: mend the table.");
}

#[test]
fn every_link_between_documents_leads_somewhere() {
    let mut findings = Vec::new();
    for path in files(".md") {
        let directory = Path::new(&path).parent().unwrap_or(Path::new(""));
        for target in links_in(&read(&path)) {
            let file = target.split('#').next().unwrap_or(&target);
            let outside = file.contains("://") || file.starts_with("mailto:");
            if !outside && !file.is_empty() && !exists(&directory.join(file).to_string_lossy()) {
                findings.push(format!("{path} links to {target}"));
            }
        }
    }
    none_of(&findings, "The links above lead nowhere.");
}

/// One page each, and the map lists them all.
#[test]
fn the_map_lists_every_decision() {
    let map = read("services/README.md");
    let pages = names("services/decisions").into_iter().filter(|name| name.ends_with(".md"));
    let missing: Vec<_> =
        pages.filter(|name| !map.contains(&format!("decisions/{name}"))).collect();
    none_of(&missing, "List the decision in services/README.md.");
}

/// What is only in the second set.
fn missing(from: &BTreeSet<String>, among: &BTreeSet<String>, what: &str) -> Vec<String> {
    among.difference(from).map(|key| format!("{what} `{key}`")).collect()
}

fn keys_of_the_table(readme: &str) -> BTreeSet<String> {
    let section =
        readme.split("## Configuration").nth(1).and_then(|rest| rest.split("\n## ").next());
    let rows = section.unwrap_or_default().lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| row.split('`').next())
        .filter(|key| is_key(key))
        .map(str::to_owned)
        .collect()
}

/// Every text in the code that looks like a setting's key, tests excepted.
fn keys_of_the_code(code: &str) -> BTreeSet<String> {
    let code = code.split("#[cfg(test)]").next().unwrap_or(code);
    code.split('"').skip(1).step_by(2).filter(|text| is_key(text)).map(str::to_owned).collect()
}

fn is_key(text: &str) -> bool {
    let named =
        |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    text.split('.').count() >= 2 && text.split('.').all(named)
}

/// Texts in backticks that begin like a path of this repository; `*` and `<…>` stand for names.
fn paths_in(text: &str) -> Vec<String> {
    let prose = text.split("```").step_by(2).collect::<String>();
    let quoted = prose.split('`').skip(1).step_by(2);
    let ours = |text: &&str| {
        ["services/", "proto/", "tests/", "deploy/", ".ci/"].iter().any(|top| text.starts_with(top))
    };
    let exact = |text: &&str| !text.contains(['*', '<', '{', ' ']);
    quoted.filter(ours).filter(exact).map(str::to_owned).collect()
}

fn links_in(text: &str) -> Vec<String> {
    let prose = text.split("```").step_by(2).collect::<String>();
    prose.split("](").skip(1).filter_map(|rest| rest.split(')').next()).map(str::to_owned).collect()
}
