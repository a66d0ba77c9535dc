//! What a SIEM stored is checked with nothing but the published keys, and mended by a replay.

use std::path::Path;
use std::process::Output;

use crate::clients::{end, listen, until_lines};
use crate::process::{code, json, stderr, stdout};
use crate::system::Dev;

fn verify(dev: &Dev, files: &[&Path], more: &[&str]) -> Output {
    let mut args = vec!["verify"];
    args.extend(files.iter().map(|file| file.to_str().unwrap()));
    args.extend(more);
    dev.client(&args)
}

#[test]
fn a_stored_log_is_proven_complete_and_a_hole_in_it_is_found_and_mended() {
    let folder = tempfile::tempdir().unwrap();
    let (store, manifests) = (folder.path().join("events"), folder.path().join("manifests"));
    let dev = Dev::start(&folder.path().join("data"));
    let kept = manifests.to_str().unwrap();
    let listening = listen(&dev, &store, &["--listen", "127.0.0.1:0", "--manifests", kept]);
    assert_eq!(code(&dev.client(&["send", "--count", "60", "--batch", "7"])), 0);
    until_lines(&store, 60);
    let whole = verify(&dev, &[&store, &manifests], &[]);
    assert_eq!(code(&whole), 0, "{}", stdout(&whole));
    assert!(stdout(&whole).contains("complete from 1 to 60"), "{}", stdout(&whole));

    // Somebody takes lines away, one in the middle and the newest ones, and alters another.
    let text = std::fs::read_to_string(&store).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let altered = lines[20].replacen("event_id", "event_ID", 1);
    let kept: Vec<&str> = [&lines[..10], &lines[11..20], &[&*altered], &lines[21..55]].concat();
    let torn = folder.path().join("torn");
    std::fs::write(&torn, kept.join("\n")).unwrap();
    let report = verify(&dev, &[&torn, &manifests], &["--output", "json"]);
    assert_eq!(code(&report), 1);
    let found = json(&report);
    let epoch = &found["logs"][0]["epochs"][0];
    let gaps = epoch["gaps"].as_array().unwrap();
    let numbers =
        |at: usize| (gaps[at]["first"].as_u64().unwrap(), gaps[at]["last"].as_u64().unwrap());
    assert_eq!([numbers(0), numbers(1), numbers(2)], [(11, 11), (21, 21), (56, 60)], "{found}");

    let asked = verify(&dev, &[&torn, &manifests], &["--replay", "--wait"]);
    assert_eq!(code(&asked), 1, "it was not complete when it was read");
    assert!(stdout(&asked).contains("completed"), "{} {}", stdout(&asked), stderr(&asked));
    end(listening);
    // What the replay brought lies in the store behind the first sixty lines.
    let text = std::fs::read_to_string(&store).unwrap();
    let replayed: Vec<&str> = text.lines().skip(60).collect();
    std::fs::write(&torn, [kept, replayed].concat().join("\n")).unwrap();
    let mended = verify(&dev, &[&torn, &manifests], &["--output", "json"]);
    let report = json(&mended);
    assert_eq!(report["logs"][0]["epochs"][0]["gaps"].as_array().unwrap().len(), 0, "{report}");
    dev.stop();
}

#[test]
fn a_file_that_cannot_be_read_and_keys_that_cannot_be_had_are_named() {
    let run = |args: &[&str]| crate::process::auditrelay(args);
    let folder = tempfile::tempdir().unwrap();
    let jwks = folder.path().join("jwks.json");
    std::fs::write(&jwks, r#"{"keys":[]}"#).unwrap();
    let jwks = jwks.to_str().unwrap();
    assert_eq!(code(&run(&["verify", "/nowhere/events", "--jwks", jwks])), 74);
    assert_eq!(code(&run(&["verify", jwks, "--jwks", "/nowhere/jwks"])), 74);
    assert_eq!(code(&run(&["verify", jwks, "--jwks", "http://127.0.0.1:1/jwks"])), 69);
    assert_eq!(code(&run(&["verify"])), 64);
    assert_eq!(code(&run(&["verify", jwks, "--jwks", jwks])), 1, "nothing is not complete");
}
