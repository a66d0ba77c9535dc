//! The pull API: a scope's stored events, page by page, in the order they were stored.
//!
//! Cast: a [`Wish`] is what a request asks for; [`Forward`] and [`Backward`] gather a page out of
//! the records that they are shown, as few of them decoded as possible, and end early rather than
//! look at everything; a [`Page`] says where its neighbours begin; [`item`] is how an event reads.
//!
//! Invariants: a page's borders are places in the scope's numbered chain, so that pages neither
//! overlap nor leave anything out while events arrive; where a border's neighbour has expired the
//! cursor is refused instead of passing over the gap.

mod backward;
mod forward;
pub mod item;
mod needle;
mod page;
mod wish;

pub use backward::Backward;
pub use forward::Forward;
pub use needle::Needle;
pub use page::{Look, Page, Peek};
pub use wish::{At, Wish};

#[cfg(test)]
mod tests;
