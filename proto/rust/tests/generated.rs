//! The committed code is what the contract says.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// With `UPDATE` set in the environment the code is written instead of compared.
#[test]
fn committed_code_is_what_the_contract_generates() {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/gen");
    let scratch = tempfile::tempdir().unwrap();
    generate(scratch.path());
    let wanted = files(scratch.path());
    if env::var_os("UPDATE").is_some() {
        for name in files(&committed).keys() {
            fs::remove_file(committed.join(name)).unwrap();
        }
        for (name, text) in &wanted {
            fs::write(committed.join(name), text).unwrap();
        }
        return;
    }
    let found = files(&committed);
    assert_eq!(found.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>());
    for (name, text) in &wanted {
        assert!(
            found.get(name) == Some(text),
            "{name} differs from the contract: UPDATE=1 cargo test -p auditrelay-proto"
        );
    }
}

fn generate(out: &Path) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut protos = Vec::new();
    collect_protos(&root.join("auditrelay"), &mut protos);
    protos.sort();
    let descriptors = protox::compile(&protos, [&root]).unwrap();
    prost_build::Config::new()
        .out_dir(out)
        // Labels are written in the same order every time.
        .btree_map(["."])
        .compile_fds(descriptors)
        .unwrap();
}

fn collect_protos(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect_protos(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            found.push(path);
        }
    }
}

fn files(dir: &Path) -> BTreeMap<String, String> {
    fs::read_dir(dir)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            // A package that is a keyword keeps its plain name on disk.
            (name.replace("r#", ""), fs::read_to_string(&path).unwrap())
        })
        .collect()
}
