//! Disks that can become full, or lose what was not synced when the power goes. Only for root.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disk {
    /// A folder of this machine.
    Ours,
    /// So many mebibytes of memory.
    Small(u32),
    /// A file system in a file: what is not synced has not reached that file.
    Image,
}

/// Written just before the power goes, and never synced.
const MARKED: &str = "what nobody synced";

pub(crate) struct Mount {
    folder: PathBuf,
}

impl Mount {
    /// Puts such a disk here.
    pub(crate) async fn of(disk: Disk, folder: &Path) -> Option<Self> {
        if disk == Disk::Ours {
            return None;
        }
        let mount = Self { folder: folder.to_owned() };
        match disk {
            Disk::Ours => {}
            Disk::Small(mebibytes) => {
                let size = format!("size={mebibytes}m");
                let place = folder.to_str().expect("a path in UTF-8");
                run("mount", &["-t", "tmpfs", "-o", &size, "tmpfs", place]).await;
            }
            Disk::Image => {
                run("truncate", &["-s", "512M", &mount.image()]).await;
                run("mkfs.ext4", &["-q", "-F", &mount.image()]).await;
                mount.mount().await;
            }
        }
        Some(mount)
    }

    /// Whether this machine lets us have one.
    pub(crate) async fn can_be_had(disk: Disk) -> bool {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let place = folder.path().join("n");
        std::fs::create_dir_all(&place).expect("a writable directory");
        let trial = tokio::spawn(async move { drop(Self::of(disk, &place).await) });
        trial.await.is_ok()
    }

    /// Takes every byte that is left.
    pub(crate) fn fill(&self) {
        let mut filler = std::fs::File::create(self.filler()).expect("a writable disk");
        let piece = vec![7; 4096];
        while std::io::Write::write_all(&mut filler, &piece).is_ok() {}
    }

    /// Gives them back.
    pub(crate) fn make_room(&self) {
        std::fs::remove_file(self.filler()).expect("a filler");
    }

    /// Keeps what has reached the disk by now, under a mark that has not.
    pub(crate) async fn remember(&self, mark: &str) {
        std::fs::write(self.folder.join(mark), MARKED).expect("a writable disk");
        run("cp", &["--sparse=always", &self.image(), &self.kept()]).await;
    }

    /// Goes on with what was kept, as a machine does when its power comes back; says whether the
    /// mark is gone. Now and then the system is faster and has written it.
    pub(crate) async fn forget_the_rest(&self, mark: &str) -> bool {
        run("umount", &[self.folder.to_str().expect("a path in UTF-8")]).await;
        std::fs::rename(self.kept(), self.image()).expect("a writable directory");
        self.mount().await;
        std::fs::read_to_string(self.folder.join(mark)).unwrap_or_default() != MARKED
    }

    async fn mount(&self) {
        let place = self.folder.to_str().expect("a path in UTF-8");
        run("mount", &["-o", "loop", &self.image(), place]).await;
    }

    fn image(&self) -> String {
        format!("{}.img", self.folder.display())
    }

    fn kept(&self) -> String {
        format!("{}.kept", self.folder.display())
    }

    fn filler(&self) -> PathBuf {
        self.folder.join("filler")
    }
}

/// Lazily: a process that is being killed may still hold it.
impl Drop for Mount {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.folder).status();
    }
}

/// Runs a program that is part of the system; it must succeed.
pub(crate) async fn run(program: &str, args: &[&str]) {
    let running = Command::new(program).args(args).kill_on_drop(true).output();
    let done = tokio::time::timeout(Duration::from_mins(1), running).await;
    let done = done.expect("it ends").expect("it can be run");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{program} {args:?}: {said}");
}
