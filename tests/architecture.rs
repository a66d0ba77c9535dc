//! The house rules that a machine can check: which crate may use which, how long a file may be,
//! and that the signposts (READMEs, tables of rooms and settings) still tell the truth.
//!
//! Every test collects all it finds and says for each finding what to do about it.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::case_sensitive_file_extension_comparisons,
    reason = "this is test code, and file names here are written in lower case"
)]

#[path = "architecture/arrows.rs"]
mod arrows;
#[path = "architecture/outside.rs"]
mod outside;
#[path = "architecture/rooms.rs"]
mod rooms;
#[path = "architecture/signposts.rs"]
mod signposts;
#[path = "architecture/tree.rs"]
mod tree;
