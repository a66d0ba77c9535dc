//! Names to addresses.

use std::fmt::Debug;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::Semaphore;

/// Names that are looked up at the same time. The machine's resolver can neither be interrupted
/// nor asked without a thread: those that hang must leave threads for other work.
const LOOKUPS_MAX: usize = 256;

/// A lookup under way.
pub type Lookup<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>>;

/// Finds the addresses of a name. What it says is checked before anything is dialled.
pub trait Resolve: Debug + Send + Sync {
    /// Every address of the name, with the port.
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Lookup<'a>;
}

/// The machine's own resolver; it remembers nothing, so that what is mended works at once.
#[derive(Debug)]
pub struct SystemResolver {
    room: Arc<Semaphore>,
}

impl Default for SystemResolver {
    fn default() -> Self {
        Self { room: Arc::new(Semaphore::new(LOOKUPS_MAX)) }
    }
}

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Lookup<'a> {
        let (room, host) = (Arc::clone(&self.room), host.to_owned());
        Box::pin(async move {
            let place = room.acquire_owned().await.map_err(io::Error::other)?;
            let ask = move || {
                // Kept until the resolver returns, whoever still waits for it.
                let _place = place;
                (host.as_str(), port).to_socket_addrs().map(Iterator::collect)
            };
            tokio::task::spawn_blocking(ask).await.map_err(io::Error::other)?
        })
    }
}
