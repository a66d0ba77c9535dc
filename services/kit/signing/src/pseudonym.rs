//! Pseudonyms: what stands in a value's place when nobody may see it and yet the same value is to be
//! recognised. Without the key nobody can try values out, and no two organizations share a key.

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};

/// Makes the pseudonyms of one organization.
pub struct Pseudonyms(Key);

impl Pseudonyms {
    /// With a key that is derived from the deployment's own for this organization.
    pub fn derive(secret: &[u8], organization: &str) -> Self {
        let of_all = Key::new(HMAC_SHA256, secret);
        let label = format!("auditrelay pseudonyms\n{organization}");
        Self(Key::new(HMAC_SHA256, sign(&of_all, label.as_bytes()).as_ref()))
    }

    /// The value's pseudonym.
    pub fn of(&self, value: &str) -> [u8; 32] {
        let mut hash = [0; 32];
        let signed = sign(&self.0, value.as_bytes());
        hash.iter_mut().zip(signed.as_ref()).for_each(|(to, from)| *to = *from);
        hash
    }
}

impl std::fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pseudonyms").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_depend_on_the_secret_the_organization_and_the_value() {
        let pseudonym = |secret: &str, organization, value| {
            Pseudonyms::derive(secret.as_bytes(), organization).of(value)
        };
        let one = pseudonym("s", "o", "ada");
        assert_eq!(one, pseudonym("s", "o", "ada"));
        for other in
            [pseudonym("t", "o", "ada"), pseudonym("s", "p", "ada"), pseudonym("s", "o", "bob")]
        {
            assert_ne!(one, other);
        }
    }
}
