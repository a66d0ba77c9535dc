//! A process of its own: what ingest holds in memory at most, whatever is sent.

#[cfg(test)]
#[path = "ingest/support.rs"]
#[expect(dead_code, reason = "shared with the other tests, which need all of it")]
mod support;

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::Command;
    use std::sync::Arc;
    use std::time::Duration;

    use auditrelay_ingest::Config;
    use bytes::Bytes;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use tokio::time::Instant;

    use crate::support::{World, event};

    const MIB: usize = 1_024 * 1_024;
    const ROOM: usize = 16 * MIB;
    /// What is promised. Four bodies may be unpacked at once, each up to 8 MiB, beside the room for
    /// all others; the rest is for connections, the client that floods, and what the allocator
    /// keeps for each thread. All 48 bodies at once would need more.
    const BOUND: usize = 320 * MIB;

    fn gzip(text: &[u8]) -> Bytes {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap().into()
    }

    /// The most that was resident since the last time this was forgotten.
    fn resident_max() -> usize {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches("kB").trim().parse::<usize>().unwrap() * 1_024
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_flood_of_large_bodies_and_bombs_stays_within_its_room() {
        let world = World::new().await;
        let config = Config { max_inflight: ROOM, ..Config::default() };
        let instance = Arc::new(world.instance_with(config).await);
        let agent = "x".repeat(7_000);
        let large = vec![event(&format!(r#","user_agent":"{agent}""#)); 1_000].join(",");
        // Nearly 8 MiB in some ten kilobytes; a gibibyte in one megabyte; plain, and never ending.
        let bodies = [
            (true, gzip(format!("[{large}]").as_bytes())),
            (true, gzip(&vec![b' '; 256 * MIB])),
            (false, Bytes::from(vec![b' '; MIB])),
            (false, Bytes::from(format!("[{}]", large.get(..MIB / 2).unwrap()))),
        ];
        instance.post(event("")).await.ids();
        // Nothing leaves from here on: whatever is taken in is held.
        let pid = world.broker.as_ref().unwrap().pid().to_string();
        let signal = |name: &str| Command::new("kill").args([name, &pid]).status().unwrap();
        assert!(signal("-STOP").success());
        std::fs::write("/proc/self/clear_refs", "5").unwrap();
        let before = resident_max();
        let until = Instant::now() + Duration::from_secs(4);
        let flood: Vec<_> = (0..48)
            .map(|client| {
                let (instance, bodies) = (Arc::clone(&instance), bodies.clone());
                tokio::spawn(async move {
                    for turn in client.. {
                        let (packed, body) = &bodies[turn % bodies.len()];
                        let mut request = instance.request(body.clone());
                        if *packed {
                            request = request.header("content-encoding", "gzip");
                        }
                        let _ = request.timeout(Duration::from_secs(8)).send().await;
                        if Instant::now() > until {
                            return;
                        }
                    }
                })
            })
            .collect();
        for client in flood {
            client.await.unwrap();
        }
        let grown = resident_max().saturating_sub(before);
        assert!(signal("-CONT").success());
        println!("{} MiB more than at rest", grown / MIB);
        assert!(grown < BOUND, "{} MiB", grown / MIB);
        let metrics = instance.context.metrics.encode();
        assert!(metrics.contains("auditrelay_ingest_inflight_bytes 0\n"), "{metrics}");
    }
}
