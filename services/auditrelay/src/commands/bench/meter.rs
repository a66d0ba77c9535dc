//! What a process costs, as the kernel counts it.

use std::time::Duration;

/// Clock ticks a second; Linux has had this one for user space since it was asked.
const TICKS: u64 = 100;

/// What a process has used so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Used {
    /// Of all processors, in user and kernel mode.
    pub(super) cpu: Duration,
    /// Bytes resident now.
    pub(super) memory: u64,
    /// Most bytes resident at any time.
    pub(super) memory_max: u64,
}

impl Used {
    /// Of a process; none when it is gone.
    pub(super) fn of(pid: u32) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let (memory, memory_max) = (bytes(&status, "VmRSS:")?, bytes(&status, "VmHWM:")?);
        Some(Self { cpu: cpu(&stat)?, memory, memory_max })
    }
}

/// The name in parentheses may hold anything; user and system time are fields 14 and 15.
fn cpu(stat: &str) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_ascii_whitespace().skip(11);
    let mut ticks = || times.next()?.parse::<u64>().ok();
    let sum = ticks()? + ticks()?;
    Some(Duration::from_millis(sum * (1_000 / TICKS)))
}

fn bytes(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_memory_are_read() {
        let stat = "7 (a (b) c) S 1 7 7 0 -1 4194560 9 0 0 0 150 25 0 0 20 0 8 0 1 2 3";
        assert_eq!(cpu(stat), Some(Duration::from_millis(1_750)));
        let status = "VmPeak:\t 9 kB\nVmHWM:\t    2048 kB\nVmRSS:\t 1 kB\n";
        assert_eq!(bytes(status, "VmHWM:"), Some(2_097_152));
        assert_eq!(bytes(status, "VmRSS:"), Some(1_024));
        assert_eq!((cpu(""), bytes("VmHWM: x kB", "VmHWM:")), (None, None));
    }

    #[test]
    fn this_process_uses_something() {
        assert!(Used::of(std::process::id()).unwrap().memory_max > 0);
        assert_eq!(Used::of(u32::MAX), None);
    }
}
