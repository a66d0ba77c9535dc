//! Unpacking of gzipped bodies, bounded: a few bytes may stand for a gigabyte.

use std::io::{self, Read};

use flate2::bufread::MultiGzDecoder;

/// A body that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unpackable {
    /// Not gzip, cut short, or damaged.
    Damaged,
    /// Larger than it may be.
    TooLarge,
}

/// Unpacks every member of a gzipped body; they may have `limit` bytes together.
pub(super) fn gunzip(body: &[u8], limit: usize) -> Result<Vec<u8>, Unpackable> {
    let mut unpacked = Vec::new();
    let mut source = MultiGzDecoder::new(body).take(limit as u64 + 1);
    let read: io::Result<usize> = source.read_to_end(&mut unpacked);
    match read {
        Ok(length) if length > limit => Err(Unpackable::TooLarge),
        Ok(_) => Ok(unpacked),
        Err(_) => Err(Unpackable::Damaged),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn every_member_is_unpacked_and_counted() {
        let two = [gzip(b"[{}"), gzip(b",{}]")].concat();
        assert_eq!(gunzip(&two, 7).as_deref(), Ok(b"[{},{}]".as_slice()));
        assert_eq!(gunzip(&two, 6), Err(Unpackable::TooLarge));
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        let bomb = gzip(&vec![b' '; 1 << 24]);
        assert_eq!(gunzip(&bomb, 1 << 20), Err(Unpackable::TooLarge));
    }

    #[test]
    fn damage_is_seen() {
        let good = gzip(b"{}");
        let mut bad_sum = good.clone();
        let at = bad_sum.len() - 6;
        bad_sum[at] ^= 1;
        let garbage = [good.as_slice(), b"garbage"].concat();
        for bad in [b"{}".as_slice(), b"", &good[..good.len() - 3], &bad_sum, &garbage] {
            assert_eq!(gunzip(bad, 100), Err(Unpackable::Damaged));
        }
    }
}
