//! Requests that nobody thought of: schemathesis makes them from our own description and holds the
//! answers against it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::World;

const VERSION: &str = "4.32.5";
/// Requests for each operation and phase, about.
const EXAMPLES: &str = "8";
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
     response_headers_conformance,response_schema_conformance";

#[tokio::test]
async fn no_request_has_an_answer_that_is_not_described() {
    let st = match tokio::task::spawn_blocking(tool).await.unwrap() {
        Ok(st) => st,
        Err(reason) => {
            println!("skipped, schemathesis {VERSION} cannot be had: {reason}");
            return;
        }
    };
    let (_world, api) = World::admin().await;
    api.destination("d").await;
    api.portal("p").await;
    let (description, bearer) =
        (format!("{}/openapi.json", api.base), format!("Authorization: Bearer {}", api.token));
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(st);
    command
        .current_dir(folder.path())
        .args(["run", &description, "--header", &bearer, "--checks", CHECKS])
        .args(["--max-examples", EXAMPLES, "--seed", "7", "--generation-deterministic"])
        .args(["--phases", "examples,coverage,fuzzing", "--no-color", "--warnings", "off"])
        // Its threads share a cache that is not made for it.
        .args(["--workers", "1"])
        // Elsewhere is the replay-scheduler, which does not run here.
        .args(["--exclude-path-regex", "replay-|destination-test|/test$"]);
    let run = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let told = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{told}\n{}", String::from_utf8_lossy(&run.stderr));
}

/// The tool, in an environment of its own that is kept like the nats-server.
fn tool() -> Result<PathBuf, String> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    let folder = cache.ok_or("no HOME")?.join(format!("auditrelay/schemathesis-{VERSION}"));
    let st = folder.join("bin/st");
    if works(&st) {
        return Ok(st);
    }
    let path = folder.to_string_lossy().into_owned();
    ran(Command::new("python3").args(["-m", "venv", "--clear", &path]).output())?;
    let wanted = format!("schemathesis=={VERSION}");
    ran(Command::new(folder.join("bin/pip")).args(["install", "-q", &wanted]).output())?;
    if works(&st) { Ok(st) } else { Err("it does not run".to_owned()) }
}

fn works(st: &Path) -> bool {
    Command::new(st).arg("--version").output().is_ok_and(|output| output.status.success())
}

fn ran(output: std::io::Result<Output>) -> Result<(), String> {
    let output = output.map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or_default().to_owned())
}
