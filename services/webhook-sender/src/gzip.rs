//! Compressing a request's body.

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

/// The body as one gzip member. The same body gives the same bytes: no time, no name.
pub fn gzip(body: &[u8]) -> Bytes {
    // Lines repeat their keys: the fastest level already takes four fifths away.
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4 + 64), Compression::fast());
    // Writing into a vector cannot fail.
    let _ = encoder.write_all(body);
    encoder.finish().unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::GzDecoder;

    use super::*;

    #[test]
    fn any_size_unpacks_to_the_same_bytes() {
        for size in [0, 1, 1_000, 1_000_000] {
            let body: Vec<u8> = (0..size).map(|n| b"action=list "[n % 12]).collect();
            let packed = gzip(&body);
            let mut unpacked = Vec::new();
            GzDecoder::new(&packed[..]).read_to_end(&mut unpacked).unwrap();
            assert_eq!(unpacked, body);
            assert_eq!(packed, gzip(&body));
        }
    }
}
