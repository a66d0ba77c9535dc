//! Cursors that only we can make.

use auditrelay_model::id::OrgId;
use auditrelay_model::record::Position;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

const TAG_LENGTH: usize = 16;
const ID_LENGTH: usize = 16;
/// Begins a cursor that holds a place in a log: the version of its form.
const PLACE: u8 = 1;
/// Version, epoch, number, sequence.
const PLACE_LENGTH: usize = 1 + 3 * 8;

/// Signs cursors, so that only what we made is taken back.
#[derive(Clone)]
pub struct CursorKey([u8; 32]);

impl CursorKey {
    /// A key that every replica derives alike from a secret they share.
    pub fn derive(secret: &[u8]) -> Self {
        let digest = Sha256::new().chain_update(b"auditrelay cursors\0").chain_update(secret);
        Self(digest.finalize().into())
    }

    /// The text that leads on from `id` in the list of one organization.
    pub fn seal(&self, org: OrgId, id: Uuid) -> String {
        let mut bytes = id.as_bytes().to_vec();
        bytes.extend_from_slice(&self.tag(&[org.uuid().as_bytes(), id.as_bytes()]));
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The id that [`Self::seal`] put in; none if the text is not ours or of another organization.
    pub fn open(&self, org: OrgId, cursor: &str) -> Option<Uuid> {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (id, tag) = bytes.split_at_checked(ID_LENGTH)?;
        if !bool::from(self.tag(&[org.uuid().as_bytes(), id]).as_slice().ct_eq(tag)) {
            return None;
        }
        Uuid::from_slice(id).ok()
    }

    /// The text that leads on from a place in a log; `context` names the log and what is filtered.
    pub fn seal_place(&self, context: &str, at: Position) -> String {
        let mut bytes = vec![PLACE];
        for number in [at.epoch, at.number, at.sequence] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        bytes.extend_from_slice(&self.place_tag(context, &bytes));
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The place that [`Self::seal_place`] put in; none if the text is not ours or made elsewhere.
    pub fn open_place(&self, context: &str, cursor: &str) -> Option<Position> {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (place, tag) = bytes.split_at_checked(PLACE_LENGTH)?;
        if !bool::from(self.place_tag(context, place).as_slice().ct_eq(tag)) {
            return None;
        }
        let (&version, numbers) = place.split_first()?;
        let mut numbers =
            numbers.chunks_exact(8).map(|bytes| bytes.try_into().map(u64::from_be_bytes).ok());
        let (epoch, number, sequence) = (numbers.next()??, numbers.next()??, numbers.next()??);
        (version == PLACE).then_some(Position { epoch, number, sequence })
    }

    fn place_tag(&self, context: &str, place: &[u8]) -> [u8; TAG_LENGTH] {
        self.tag(&[b"place in a log\0", context.as_bytes(), b"\0", place])
    }

    /// HMAC-SHA-256, cut to 16 bytes.
    fn tag(&self, parts: &[&[u8]]) -> [u8; TAG_LENGTH] {
        let mut inner_pad = [0x36; 64];
        let mut outer_pad = [0x5c; 64];
        for (index, byte) in self.0.iter().enumerate() {
            if let (Some(inner), Some(outer)) = (inner_pad.get_mut(index), outer_pad.get_mut(index))
            {
                *inner ^= byte;
                *outer ^= byte;
            }
        }
        let inner = Sha256::new().chain_update(inner_pad);
        let inner = parts.iter().fold(inner, Sha256::chain_update).finalize();
        let outer: [u8; 32] =
            Sha256::new().chain_update(outer_pad).chain_update(inner).finalize().into();
        let mut tag = [0; TAG_LENGTH];
        tag.iter_mut().zip(outer).for_each(|(to, from)| *to = from);
        tag
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn org(number: u128) -> OrgId {
        OrgId::from_uuid(Uuid::from_u128(number))
    }

    #[test]
    fn a_cursor_is_only_taken_from_us_and_for_its_organization() {
        let key = CursorKey::derive(b"k");
        let id = Uuid::from_u128(77);
        let cursor = key.seal(org(1), id);
        assert_eq!(key.open(org(1), &cursor), Some(id));
        // The id, and HMAC-SHA-256 over both ids as Python's hmac makes it, cut to 16 bytes.
        assert_eq!(cursor, "AAAAAAAAAAAAAAAAAAAATcKckZVw_7MxyxaU3t39aY4");
        assert_eq!(key.open(org(2), &cursor), None);
        assert_eq!(CursorKey::derive(b"l").open(org(1), &cursor), None);
        for index in 0..cursor.len() {
            let mut forged = cursor.clone().into_bytes();
            forged[index] = if forged[index] == b'A' { b'B' } else { b'A' };
            assert_eq!(key.open(org(1), std::str::from_utf8(&forged).unwrap()), None);
        }
        for text in ["", "x", "AAAA", "ÄÖ"] {
            assert_eq!(key.open(org(1), text), None);
        }
    }

    #[test]
    fn a_place_is_only_taken_back_where_it_was_given() {
        let key = CursorKey::derive(b"k");
        let at = Position { epoch: 3, number: u64::MAX, sequence: 7 };
        let cursor = key.seal_place("log filter", at);
        assert_eq!(key.open_place("log filter", &cursor), Some(at));
        assert_eq!(key.open_place("log other", &cursor), None);
        assert_eq!(CursorKey::derive(b"l").open_place("log filter", &cursor), None);
        assert_eq!(key.open(org(1), &cursor), None);
        assert_eq!(key.open_place("", &key.seal(org(1), Uuid::from_u128(1))), None);
        for index in 0..cursor.len() {
            let mut forged = cursor.clone().into_bytes();
            forged[index] = if forged[index] == b'A' { b'B' } else { b'A' };
            let forged = std::str::from_utf8(&forged).unwrap();
            assert_eq!(key.open_place("log filter", forged), None);
            assert_eq!(key.open_place("log filter", &cursor[..index]), None);
        }
        for text in ["", "../..", "%00", "'\"", &"A".repeat(10_240)] {
            assert_eq!(key.open_place("log filter", text), None);
        }
    }
}
