//! Unpacking of bodies, bounded: a few bytes may stand for a gigabyte.
//!
//! What is unpacked grows in steps and never beyond the limit, and a zstd frame that asks for a
//! larger window than that is refused before it gets one.

use std::io::{self, Read};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::media::Encoding;

/// Larger bodies may not be more than so many times as large as they came: events that differ at
/// all are packed a tenth or twentieth of their size.
const MAX_RATIO: usize = 100;
/// Bodies up to this size may be packed however well.
const ANY_RATIO: usize = 1_024 * 1_024;
/// What is unpacked at once.
const STEP: usize = 64 * 1_024;
/// The largest window that senders may count on (RFC 8878, section 3.1.1.1.2).
const MAX_WINDOW: u64 = 8 * 1_024 * 1_024;

/// A body that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unpackable {
    /// Not packed as it says, cut short, or damaged.
    Damaged,
    /// Larger than so many bytes.
    TooLarge(usize),
}

/// Unpacks a body: every member of a gzip file, every frame of a zstd one. All of them may have
/// `limit` bytes together.
pub(super) fn unpack(body: &[u8], encoding: Encoding, limit: usize) -> Result<Vec<u8>, Unpackable> {
    let limit = limit.min(ANY_RATIO.max(body.len().saturating_mul(MAX_RATIO)));
    let mut unpacked = Unpacked { bytes: Vec::new(), limit };
    match encoding {
        Encoding::Identity => unpacked.add(body)?,
        Encoding::Gzip => gunzip(body, &mut unpacked)?,
        Encoding::Zstd => unzstd(body, &mut unpacked)?,
    }
    Ok(unpacked.bytes)
}

struct Unpacked {
    bytes: Vec<u8>,
    limit: usize,
}

impl Unpacked {
    fn add(&mut self, bytes: &[u8]) -> Result<(), Unpackable> {
        let length = self.bytes.len() + bytes.len();
        if length > self.limit {
            return Err(Unpackable::TooLarge(self.limit));
        }
        if length > self.bytes.capacity() {
            let doubled = self.bytes.capacity().saturating_mul(2).clamp(length, self.limit);
            self.bytes.reserve_exact(doubled - self.bytes.len());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// Adds everything that the source has.
    fn drain(&mut self, source: &mut impl Read, step: &mut [u8]) -> Result<(), Unpackable> {
        loop {
            let read = source.read(step).map_err(damaged)?;
            let Some(bytes) = step.get(..read).filter(|bytes| !bytes.is_empty()) else {
                return Ok(());
            };
            self.add(bytes)?;
        }
    }
}

fn damaged(_: io::Error) -> Unpackable {
    Unpackable::Damaged
}

fn gunzip(body: &[u8], unpacked: &mut Unpacked) -> Result<(), Unpackable> {
    unpacked.drain(&mut MultiGzDecoder::new(body), &mut vec![0; STEP])
}

fn unzstd(mut body: &[u8], unpacked: &mut Unpacked) -> Result<(), Unpackable> {
    let mut step = vec![0; STEP];
    let mut frames = 0;
    while !body.is_empty() {
        let mut frame = FrameDecoder::new();
        frame.set_max_window_size(MAX_WINDOW);
        match frame.init(&mut body) {
            Ok(()) => {}
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length,
                ..
            })) => {
                let length = usize::try_from(length).map_err(|_| Unpackable::Damaged)?;
                body = body.get(length..).ok_or(Unpackable::Damaged)?;
                continue;
            }
            Err(FrameDecoderError::WindowSizeTooBig { .. }) => {
                return Err(Unpackable::TooLarge(unpacked.limit));
            }
            Err(_) => return Err(Unpackable::Damaged),
        }
        if frame.content_size() > unpacked.limit as u64 {
            return Err(Unpackable::TooLarge(unpacked.limit));
        }
        unzstd_frame(&mut frame, &mut body, unpacked, &mut step)?;
        frames += 1;
    }
    // Nothing is not packed at all, and a frame that is skipped says nothing.
    if frames == 0 { Err(Unpackable::Damaged) } else { Ok(()) }
}

fn unzstd_frame(
    frame: &mut FrameDecoder,
    body: &mut &[u8],
    unpacked: &mut Unpacked,
    step: &mut [u8],
) -> Result<(), Unpackable> {
    let (before, announced) = (unpacked.bytes.len(), frame.content_size());
    while !frame.is_finished() {
        let decoded = frame.decode_blocks(&mut *body, BlockDecodingStrategy::UptoBlocks(1));
        decoded.map_err(|_| Unpackable::Damaged)?;
        unpacked.drain(frame, step)?;
    }
    let sum = frame.get_checksum_from_data();
    let length = unpacked.bytes.len() - before;
    let lies = announced > 0 && announced != length as u64;
    if lies || sum.is_some() && sum != frame.get_calculated_checksum() {
        return Err(Unpackable::Damaged);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
