//! The shape of the house: what lies at the top, how files are named, how long they may be.

use crate::tree::{names, none_of, read, sources};

/// Lines of code that a file may have; tests in it do not count.
const LINES: usize = 400;

#[test]
fn the_top_level_is_what_the_readme_says() {
    let expected = [
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE",
        "README.md",
        "deploy",
        "proto",
        "services",
        "tests",
    ];
    let found: Vec<_> =
        names(".").into_iter().filter(|name| !name.starts_with('.') && name != "target").collect();
    assert_eq!(
        found, expected,
        "the top level holds exactly these, and files whose names begin with a dot"
    );
}

#[test]
fn files_stay_small() {
    let mut findings = Vec::new();
    for path in sources().into_iter().filter(|path| !is_test(path)) {
        let lines = code_lines(&read(&path));
        if lines > LINES {
            findings.push(format!("{path}: {lines} lines"));
        }
    }
    none_of(
        &findings,
        &format!(
            "A file has at most {LINES} lines besides its tests: give a part of it a room of its own."
        ),
    );
}

#[test]
fn every_source_says_what_it_is() {
    let silent =
        sources().into_iter().filter(|path| !is_test(path) && !read(path).starts_with("//!"));
    none_of(
        &silent.collect::<Vec<_>>(),
        "Begin the file with a //! line: what it is, and for a crate its cast and invariants.",
    );
}

#[test]
fn a_module_is_a_file_with_its_own_name() {
    let nameless: Vec<_> = sources().into_iter().filter(|path| path.ends_with("/mod.rs")).collect();
    none_of(&nameless, "Write foo.rs beside foo/, not foo/mod.rs.");
}

#[test]
fn nothing_is_left_for_later() {
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:")];
    let mut findings = Vec::new();
    for path in sources() {
        for (index, line) in read(&path).lines().enumerate() {
            if marks.iter().any(|mark| line.contains(mark)) {
                findings.push(format!("{path}:{}: {}", index + 1, line.trim()));
            }
        }
    }
    none_of(&findings, "Do it, or leave it out.");
}

/// Files that hold nothing but tests.
fn is_test(path: &str) -> bool {
    let file = path.rsplit('/').next().unwrap_or(path);
    let in_tests =
        path.contains("/tests/") || path.starts_with("tests/") && !path.starts_with("tests/kit/");
    in_tests || file == "tests.rs" || file.ends_with("_tests.rs")
}

/// Lines before the module of tests, which is the last thing in a file.
fn code_lines(text: &str) -> usize {
    let lines: Vec<_> = text.lines().collect();
    let tests = lines.windows(2).position(|pair| {
        pair[0].trim() == "#[cfg(test)]"
            && (pair[1].starts_with("mod tests") || pair[1].starts_with("#[path"))
    });
    tests.unwrap_or(lines.len())
}
