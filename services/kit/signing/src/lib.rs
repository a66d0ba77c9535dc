//! Signatures that receivers can check, and secrets that only we can open.
//!
//! Cast: [`KeySet`] signs lines and publishes its public halves as [`Jwks`]; [`Verifier`] checks
//! them the way a receiver does, on the text that [`line::split`] yields; [`manifest`] says what a
//! delivery held; [`SealingKeys`] encrypts the destinations' `Authorization` values; [`Pseudonyms`]
//! stand in the place of what nobody may see; a `ring` holds the keys of one kind and turns them.
//!
//! Invariants: no I/O and no clock; randomness is handed in by the caller. Keys are zeroed when
//! dropped and never printed. The first key of a file is the one in use, all others still verify
//! or open what they once signed or sealed.

mod jwks;
mod key_file;
mod key_set;
pub mod line;
pub mod manifest;
mod pseudonym;
mod ring;
mod sealing;

pub use aws_lc_rs::rand::{SecureRandom, SystemRandom};
pub use jwks::{Jwk, Jwks, Verifier};
pub use key_file::KeyError;
pub use key_set::{KeySet, SigningKey};
pub use pseudonym::Pseudonyms;
pub use sealing::{OpenError, SealError, Sealed, SealingKeys, random_nonce};
pub use zeroize::Zeroizing;
