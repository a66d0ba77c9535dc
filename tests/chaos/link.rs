//! A wire that can be cut: a TCP proxy between a service and a broker, or between two brokers.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// How a wire is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    Good,
    /// Bytes wait; connections stay open.
    Silent,
    /// Connections are closed, new ones too.
    Cut,
    /// Every piece comes this much later.
    Slow(Duration),
}

#[derive(Clone)]
pub(crate) struct Link {
    /// Where it begins.
    pub(crate) place: SocketAddr,
    wire: watch::Sender<Wire>,
}

impl Link {
    pub(crate) async fn to(far: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let place = listener.local_addr().expect("a bound socket has an address");
        let (wire, seen) = watch::channel(Wire::Good);
        tokio::spawn(serve(listener, far, seen));
        Self { place, wire }
    }

    pub(crate) fn set(&self, wire: Wire) {
        self.wire.send_replace(wire);
    }
}

async fn serve(listener: TcpListener, to: SocketAddr, wire: watch::Receiver<Wire>) {
    while let Ok((near, _)) = listener.accept().await {
        let wire = wire.clone();
        tokio::spawn(async move {
            if *wire.borrow() == Wire::Cut {
                return;
            }
            let Ok(far) = TcpStream::connect(to).await else { return };
            let (near_read, near_write) = near.into_split();
            let (far_read, far_write) = far.into_split();
            let mut cut = wire.clone();
            tokio::select! {
                () = carry(near_read, far_write, wire.clone()) => {}
                () = carry(far_read, near_write, wire) => {}
                _ = cut.wait_for(|wire| *wire == Wire::Cut) => {}
            }
        });
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut wire: watch::Receiver<Wire>) {
    let mut piece = vec![0; 64 * 1024];
    while let Ok(read) = from.read(&mut piece).await {
        if read == 0 || wire.wait_for(|wire| *wire != Wire::Silent).await.is_err() {
            return;
        }
        let slow = if let Wire::Slow(delay) = *wire.borrow() { Some(delay) } else { None };
        if let Some(delay) = slow {
            tokio::time::sleep(delay).await;
        }
        if to.write_all(&piece[..read]).await.is_err() {
            return;
        }
    }
}
