//! What is asked of the operating system: that what is in memory stays there, keys and tokens are;
//! and as many open files as it lets us have.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// No core file when this process crashes, and no look into it by others of the same user.
pub(crate) fn keep_to_itself() {
    // Where the system refuses that, it is no worse off than without.
    let _kept = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    #[cfg(target_os = "linux")]
    let _hidden = nix::sys::prctl::set_dumpable(false);
}

/// How many files may be open, once it is as many as we may ask for; none where nobody can say.
pub(crate) fn raise_open_files() -> Option<u64> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most).ok()?;
    Some(most)
}
