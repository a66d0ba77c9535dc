//! Keeping the streams what they must be, and saying when that is in danger.
//!
//! Pure: no I/O, no clock, no randomness. Start with [`policy::Policy`] (what is wanted) and
//! [`plan::plan`] (what must change so that it is true); then [`coverage::Coverage`] (what is
//! really held) and [`risk`] (what threatens it).
//!
//! Cast: the *broker* (keeps the streams), *retention* (the only one that creates or changes
//! them), the *operator* (chooses size and copies; does by hand what is refused here).
//!
//! Invariants: no plan deletes a stored message; what can not be repaired in place is said in
//! words, never passed over; a stream that is as wanted leads to an empty plan.

pub mod coverage;
pub mod plan;
pub mod policy;
pub mod risk;
