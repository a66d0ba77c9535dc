//! The outer skin of every HTTP surface.
//!
//! [`layer`] wraps a router: span, metrics, panics, time-outs, and problems for everything that no
//! handler answers. [`serve`] accepts connections and drains them. [`body`] reads a bounded body.
//! [`origin`] tells where a request came from.

mod body;
mod layer;
mod origin;
mod pace;
mod record;
mod refuse;
mod serve;

pub use body::body;
pub use layer::layer;
pub use origin::{Proxies, origin};
pub(crate) use record::request_duration;
pub use serve::serve;

#[cfg(test)]
mod tests;
