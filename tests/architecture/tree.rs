//! The repository as the checks see it.

use std::fs;
use std::path::{Path, PathBuf};

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the root").to_path_buf()
}

/// The text of a file of the repository.
pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|why| panic!("{path}: {why}"))
}

/// Whether a file or directory is there.
pub(crate) fn exists(path: &str) -> bool {
    root().join(path).exists()
}

/// Names in a directory of the repository, sorted.
pub(crate) fn names(directory: &str) -> Vec<String> {
    let entries =
        fs::read_dir(root().join(directory)).unwrap_or_else(|why| panic!("{directory}: {why}"));
    let mut names: Vec<_> = entries
        .map(|entry| entry.expect("a directory entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// The services: every directory of `services/` that holds a crate.
pub(crate) fn services() -> Vec<String> {
    names("services")
        .into_iter()
        .filter(|name| exists(&format!("services/{name}/Cargo.toml")))
        .collect()
}

/// Every file of the repository with this ending, as paths from the root, build output excepted.
pub(crate) fn files(ending: &str) -> Vec<String> {
    let mut found = Vec::new();
    for top in names(".") {
        if top != "target" && top != ".git" {
            collect(&root().join(&top), ending, &mut found);
        }
    }
    found.sort();
    found
}

fn collect(path: &Path, ending: &str, found: &mut Vec<String>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("a readable directory") {
            collect(&entry.expect("a directory entry").path(), ending, found);
        }
    } else if path.to_string_lossy().ends_with(ending) {
        let short = path.strip_prefix(root()).expect("below the root");
        found.push(short.to_string_lossy().into_owned());
    }
}

/// Rust that people wrote: everything but what the proto crate generates.
pub(crate) fn sources() -> Vec<String> {
    files(".rs").into_iter().filter(|path| !path.starts_with("proto/rust/src/gen")).collect()
}

/// Fails with every finding and what to do about them.
pub(crate) fn none_of(findings: &[String], advice: &str) {
    assert!(findings.is_empty(), "\n  {}\n{advice}\n", findings.join("\n  "));
}
