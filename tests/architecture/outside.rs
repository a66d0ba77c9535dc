//! What comes into the build from outside: the rules of `.deny.toml`, checked without a tool.

use std::collections::BTreeSet;
use std::process::Command;

use cargo_metadata::{Metadata, Package};
use toml::Value;

use crate::arrows::metadata;
use crate::tree::{none_of, read, root};

#[test]
fn everything_comes_from_the_registry_that_is_allowed() {
    let rules = rules();
    let allowed = texts(&rules["sources"]["allow-registry"]);
    let strangers = foreign(metadata()).filter(|package| {
        let source = package.source.as_ref().map(|source| source.repr.clone()).unwrap_or_default();
        !allowed.iter().any(|registry| source == format!("registry+{registry}"))
    });
    let findings: Vec<_> =
        strangers.map(|package| format!("{} {:?}", package.name, package.source)).collect();
    none_of(&findings, "Only the registries under [sources] of .deny.toml are used.");
}

#[test]
fn every_licence_is_an_accepted_one() {
    let rules = rules();
    let allowed = texts(&rules["licenses"]["allow"]);
    let mut findings = Vec::new();
    for package in foreign(metadata()) {
        let licence = package.license.clone().unwrap_or_else(|| "none".to_owned());
        if !accepts(&allowed, &licence) {
            findings.push(format!("{}: {licence}", package.name));
        }
    }
    none_of(&findings, "Take another crate, or add the licence to .deny.toml after reading it.");
}

#[test]
fn nothing_banned_is_linked() {
    let rules = rules();
    let banned = rules["bans"]["deny"].as_array().expect("a list").iter();
    let banned: Vec<_> =
        banned.map(|ban| ban["crate"].as_str().expect("a name").to_owned()).collect();
    let findings: Vec<_> = linked().into_iter().filter(|name| banned.contains(name)).collect();
    none_of(
        &findings,
        "`cargo tree --workspace -i <crate>` says who brought it; .deny.toml says what to take instead.",
    );
}

fn rules() -> Value {
    toml::from_str(&read(".deny.toml")).expect(".deny.toml is TOML")
}

fn texts(list: &Value) -> Vec<String> {
    let list = list.as_array().expect("a list of texts").iter();
    list.map(|text| text.as_str().expect("a text").to_owned()).collect()
}

/// Names of everything that is built. `cargo metadata` would also name what a feature asks of a
/// dependency only if that is there for another reason.
fn linked() -> BTreeSet<String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let tree = Command::new(cargo)
        .current_dir(root())
        .args(["tree", "--workspace", "--prefix", "none", "--format", "{p}", "--edges", "all"])
        .output()
        .expect("cargo runs");
    assert!(tree.status.success(), "cargo tree: {}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).expect("names are text");
    tree.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

/// Packages that others made.
fn foreign(metadata: &Metadata) -> impl Iterator<Item = &Package> {
    metadata.packages.iter().filter(|package| package.source.is_some())
}

/// Whether an SPDX expression can be met: AND needs both sides, OR (and the old `/`) one.
fn accepts(allowed: &[String], expression: &str) -> bool {
    let expression = expression.replace('/', " OR ").replace(" WITH LLVM-exception", "");
    let spaced = expression.replace('(', " ( ").replace(')', " ) ");
    let words: Vec<_> = spaced.split_whitespace().collect();
    let (met, rest) = any_of(allowed, &words);
    assert!(rest.is_empty(), "cannot read the licence {expression:?}");
    met
}

fn any_of<'a>(allowed: &[String], words: &'a [&'a str]) -> (bool, &'a [&'a str]) {
    let (mut met, mut rest) = all_of(allowed, words);
    while let Some(("OR", after)) = rest.split_first().map(|(word, after)| (*word, after)) {
        let (other, after) = all_of(allowed, after);
        met |= other;
        rest = after;
    }
    (met, rest)
}

fn all_of<'a>(allowed: &[String], words: &'a [&'a str]) -> (bool, &'a [&'a str]) {
    let (mut met, mut rest) = one(allowed, words);
    while let Some(("AND", after)) = rest.split_first().map(|(word, after)| (*word, after)) {
        let (other, after) = one(allowed, after);
        met &= other;
        rest = after;
    }
    (met, rest)
}

fn one<'a>(allowed: &[String], words: &'a [&'a str]) -> (bool, &'a [&'a str]) {
    match words.split_first() {
        Some((&"(", inner)) => {
            let (met, rest) = any_of(allowed, inner);
            (met, rest.get(1..).unwrap_or_default())
        }
        Some((name, rest)) => (allowed.iter().any(|allowed| allowed == name), rest),
        None => (false, words),
    }
}

#[test]
fn licence_expressions_are_read_as_spdx_means_them() {
    let allowed = ["MIT".to_owned(), "ISC".to_owned()];
    let cases = [
        ("MIT", true),
        ("Apache-2.0 OR MIT", true),
        ("Apache-2.0/MIT", true),
        ("ISC AND (Apache-2.0 OR MIT)", true),
        ("ISC AND (Apache-2.0 OR GPL-3.0)", false),
        ("GPL-3.0 AND MIT OR ISC", true),
    ];
    for (expression, met) in cases {
        assert_eq!(accepts(&allowed, expression), met, "{expression}");
    }
}
