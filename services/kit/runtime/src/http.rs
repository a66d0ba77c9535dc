//! The outer skin of every HTTP surface.
//!
//! [`layer`] wraps a router: span, metrics, panics, time-outs, and problems for everything that no
//! handler answers. [`serve`] accepts connections and drains them. [`body`] reads a bounded body.

mod body;
mod layer;
mod pace;
mod record;
mod refuse;
mod serve;

pub use body::body;
pub use layer::layer;
pub(crate) use record::request_duration;
pub use serve::serve;

#[cfg(test)]
mod tests;
