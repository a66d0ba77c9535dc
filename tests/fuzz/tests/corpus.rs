//! Every target over its corpus, and over changes of it that a seed decides.

#![expect(clippy::unwrap_used, reason = "this is test code")]
#![expect(clippy::indexing_slicing, reason = "places are chosen below lengths")]

use std::path::Path;

use auditrelay_fuzz::{TARGETS, Target};

/// Changes of each seed; those of real connections take longer.
const CHANGES: u64 = 1_500;
const SLOW: (&str, u64) = ("answer", 60);
/// What means something to one reader or another.
const TOKENS: [&[u8]; 16] = [
    b"\0",
    b"\n",
    b"\r\n",
    b"\xff\xff",
    b"\"",
    b"\\u0000",
    b"{",
    b"]",
    b"=",
    b"|",
    b"%00",
    b"..",
    b"-1",
    b"99999999999999999999",
    b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
    b"\xe2\x80\xae",
];

#[test]
fn no_bytes_break_a_promise() {
    for (name, target) in TARGETS {
        let seeds = seeds(name);
        assert!(!seeds.is_empty(), "{name} has a corpus");
        let changes = if name == SLOW.0 { SLOW.1 } else { CHANGES };
        for (number, seed) in seeds.iter().enumerate() {
            run(target, seed, (changes, number));
        }
    }
}

fn run(target: Target, seed: &[u8], (changes, number): (u64, usize)) {
    target(seed);
    let mut random = Random(number as u64);
    for _ in 0..changes {
        let mut bytes = seed.to_vec();
        for _ in 0..=random.below(4) {
            change(&mut bytes, &mut random);
        }
        target(&bytes);
    }
}

fn change(bytes: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(bytes.len() + 1);
    match random.below(6) {
        0 => bytes.truncate(at),
        1 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
        2 if at < bytes.len() => drop(bytes.remove(at)),
        3 => {
            let end = (at + random.below(16)).min(bytes.len());
            let piece = bytes[at..end].to_vec();
            bytes.splice(at..at, piece);
        }
        _ => drop(bytes.splice(at..at, TOKENS[random.below(TOKENS.len())].iter().copied())),
    }
}

/// Files of its folder, and what the wire's own goldens are.
fn seeds(name: &str) -> Vec<Vec<u8>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folder = here.join("corpus").join(name);
    if name == "stored" {
        folder = here.join("../../proto/rust/tests/golden");
    }
    let mut files: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

/// `SplitMix64`.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(end).unwrap()).unwrap()
    }
}
