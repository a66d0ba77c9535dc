//! What is in memory stays there: keys and tokens are.

/// No core file when this process crashes, and no look into it by others of the same user.
pub(crate) fn keep_to_itself() {
    // Where the system refuses that, it is no worse off than without.
    let _kept = nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_CORE, 0, 0);
    #[cfg(target_os = "linux")]
    let _hidden = nix::sys::prctl::set_dumpable(false);
}
