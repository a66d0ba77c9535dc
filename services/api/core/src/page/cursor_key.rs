//! Cursors that only we can make.

use auditrelay_model::id::OrgId;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

const TAG_LENGTH: usize = 16;
const ID_LENGTH: usize = 16;

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
        bytes.extend_from_slice(&self.tag(org, id.as_bytes()));
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The id that [`Self::seal`] put in; none if the text is not ours or of another organization.
    pub fn open(&self, org: OrgId, cursor: &str) -> Option<Uuid> {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (id, tag) = bytes.split_at_checked(ID_LENGTH)?;
        if !bool::from(self.tag(org, id).as_slice().ct_eq(tag)) {
            return None;
        }
        Uuid::from_slice(id).ok()
    }

    /// HMAC-SHA-256, cut to 16 bytes.
    fn tag(&self, org: OrgId, id: &[u8]) -> [u8; TAG_LENGTH] {
        let mut inner_pad = [0x36; 64];
        let mut outer_pad = [0x5c; 64];
        for (index, byte) in self.0.iter().enumerate() {
            if let (Some(inner), Some(outer)) = (inner_pad.get_mut(index), outer_pad.get_mut(index))
            {
                *inner ^= byte;
                *outer ^= byte;
            }
        }
        let inner = Sha256::new()
            .chain_update(inner_pad)
            .chain_update(org.uuid().as_bytes())
            .chain_update(id)
            .finalize();
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
}
