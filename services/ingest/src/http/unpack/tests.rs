use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use super::*;

const PACKED: [Encoding; 2] = [Encoding::Gzip, Encoding::Zstd];

fn pack(encoding: Encoding, text: &[u8]) -> Vec<u8> {
    match encoding {
        Encoding::Identity => text.to_vec(),
        Encoding::Gzip => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(text).unwrap();
            encoder.finish().unwrap()
        }
        Encoding::Zstd => compress_to_vec(text, CompressionLevel::Fastest),
    }
}

/// Bytes that cannot be packed.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(length).collect()
}

#[test]
fn every_member_is_unpacked_and_counted() {
    for encoding in PACKED {
        let two = [pack(encoding, b"[{}"), pack(encoding, b",{}]")].concat();
        assert_eq!(unpack(&two, encoding, 7).as_deref(), Ok(b"[{},{}]".as_slice()));
        assert_eq!(unpack(&two, encoding, 6), Err(Unpackable::TooLarge(6)));
    }
}

#[test]
fn a_bomb_is_not_unpacked() {
    for encoding in PACKED {
        let bomb = pack(encoding, &vec![b' '; 1 << 24]);
        assert_eq!(unpack(&bomb, encoding, 1 << 19), Err(Unpackable::TooLarge(1 << 19)));
        // Within the limit of size, and yet nothing that anybody would send.
        let limit = ANY_RATIO.max(bomb.len() * MAX_RATIO);
        assert_eq!(unpack(&bomb, encoding, 1 << 24), Err(Unpackable::TooLarge(limit)));
        // Bombs side by side are one bomb.
        let small = pack(encoding, &vec![b' '; 1 << 16]);
        let many = small.repeat(1_000);
        let refused = unpack(&many, encoding, 1 << 23);
        assert!(matches!(refused, Err(Unpackable::TooLarge(_))), "{encoding:?}");
    }
}

#[test]
fn damage_is_seen() {
    for encoding in PACKED {
        let good = pack(encoding, br#"[{"type":"authorization"},{"type":"authorization"}]"#);
        assert!(unpack(&good, encoding, 100).is_ok());
        let garbage = [good.as_slice(), b"garbage"].concat();
        for bad in [b"{}".as_slice(), b"", &garbage] {
            assert_eq!(unpack(bad, encoding, 100), Err(Unpackable::Damaged), "{encoding:?}");
        }
        for cut in 1..good.len() {
            assert_eq!(unpack(&good[..cut], encoding, 100), Err(Unpackable::Damaged), "{cut}");
        }
    }
    let mut bad_sum = pack(Encoding::Gzip, b"{}");
    let at = bad_sum.len() - 6;
    bad_sum[at] ^= 1;
    assert_eq!(unpack(&bad_sum, Encoding::Gzip, 100), Err(Unpackable::Damaged));
}

#[test]
fn the_sum_of_a_frame_counts_where_there_is_one() {
    // One segment with a sum: two bytes as they are, and the sum of others.
    let mut frame = [0x28, 0xb5, 0x2f, 0xfd, 0x24, 2, 0x11, 0, 0, b'{', b'}', 0, 0, 0, 0];
    assert_eq!(unpack(&frame, Encoding::Zstd, 100), Err(Unpackable::Damaged));
    let mut decoder = FrameDecoder::new();
    let mut source = frame.as_slice();
    decoder.init(&mut source).unwrap();
    decoder.decode_blocks(&mut source, BlockDecodingStrategy::All).unwrap();
    decoder.collect().unwrap();
    let sum = decoder.get_calculated_checksum().unwrap();
    frame[11..].copy_from_slice(&sum.to_le_bytes());
    assert_eq!(unpack(&frame, Encoding::Zstd, 100).as_deref(), Ok(b"{}".as_slice()));
}

#[test]
fn a_window_larger_than_anybody_needs_is_refused_before_it_is_made() {
    // A frame without content size whose window is 2³¹ bytes (descriptor 0, exponent 21).
    let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3, 0x01, 0x00, 0x00];
    assert_eq!(unpack(&frame, Encoding::Zstd, 1 << 23), Err(Unpackable::TooLarge(ANY_RATIO)));
    // A frame that announces a terabyte.
    let frame = [0x28, 0xb5, 0x2f, 0xfd, 0xc0, 0x00, 0, 0, 0, 0, 0, 1, 0, 0, 0x01, 0x00, 0x00];
    assert_eq!(unpack(&frame, Encoding::Zstd, 1 << 23), Err(Unpackable::TooLarge(ANY_RATIO)));
}

#[test]
fn frames_to_be_skipped_are() {
    let skipped = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
    let both = [skipped.clone(), pack(Encoding::Zstd, b"{}"), skipped.clone()].concat();
    assert_eq!(unpack(&both, Encoding::Zstd, 100).as_deref(), Ok(b"{}".as_slice()));
    assert_eq!(unpack(&skipped, Encoding::Zstd, 100), Err(Unpackable::Damaged));
    assert_eq!(unpack(&skipped[..9], Encoding::Zstd, 100), Err(Unpackable::Damaged));
}

#[test]
fn what_cannot_be_packed_is_unpacked_up_to_the_last_byte() {
    let noise = noise(3 << 20);
    for encoding in PACKED {
        let packed = pack(encoding, &noise);
        assert_eq!(unpack(&packed, encoding, noise.len()).as_ref(), Ok(&noise));
        let less = noise.len() - 1;
        assert_eq!(unpack(&packed, encoding, less), Err(Unpackable::TooLarge(less)));
    }
}

proptest! {
    #[test]
    fn nothing_unpacks_to_more_than_the_limit(
        mut bytes in prop::collection::vec(any::<u8>(), 0..300),
        text in prop::collection::vec(any::<u8>(), 0..300),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        zstd in any::<bool>(),
    ) {
        let encoding = if zstd { Encoding::Zstd } else { Encoding::Gzip };
        let mut packed = pack(encoding, &text);
        prop_assert_eq!(unpack(&packed, encoding, 300), Ok(text));
        for (at, value) in flips {
            let at = at.index(packed.len());
            packed[at] ^= value;
        }
        for body in [&packed, &bytes] {
            prop_assert!(unpack(body, encoding, 100).map_or(0, |bytes| bytes.len()) <= 100);
        }
        bytes.splice(..0, [0x28, 0xb5, 0x2f, 0xfd]);
        prop_assert!(unpack(&bytes, Encoding::Zstd, 100).map_or(0, |bytes| bytes.len()) <= 100);
    }
}
