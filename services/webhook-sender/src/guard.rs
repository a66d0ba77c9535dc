//! Connections only to addresses that the policy permits.
//!
//! A name is resolved once for a connection, every address is checked, and exactly the checked
//! addresses are dialled: a name that resolves to something else a moment later changes nothing.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use auditrelay_model::address::AddressPolicy;
use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tower_service::Service;

use crate::resolver::Resolve;

/// A name may have a thousand addresses.
const ADDRESSES_MAX: usize = 8;

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoConnection {
    #[error("dns: {0}")]
    Dns(String),
    #[error("blocked address: the endpoint is not on the public internet")]
    Blocked,
    #[error("no connection: {0}")]
    Unreachable(String),
}

/// The connector of the delivery clients.
#[derive(Debug, Clone)]
pub(crate) struct Guard {
    policy: Arc<AddressPolicy>,
    resolver: Arc<dyn Resolve>,
    connect_wait: Duration,
}

/// The addresses of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resolved {
    /// Those that may be dialled, in their order.
    pub(crate) admitted: Vec<SocketAddr>,
    /// How many may not.
    pub(crate) refused: usize,
}

impl Guard {
    /// `connect_wait` holds for the lookup and all addresses together.
    pub(crate) fn new(
        policy: AddressPolicy,
        resolver: Arc<dyn Resolve>,
        connect_wait: Duration,
    ) -> Self {
        Self { policy: Arc::new(policy), resolver, connect_wait }
    }

    /// When a connection that begins now must be there.
    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.connect_wait
    }

    /// Finds and checks the addresses of a URL's host.
    pub(crate) async fn look_up(
        &self,
        uri: &Uri,
        deadline: Instant,
    ) -> Result<Resolved, NoConnection> {
        let found = resolve(self.resolver.as_ref(), uri, deadline).await?;
        admit(&self.policy, found)
    }

    /// The first address that answers.
    pub(crate) async fn dial(
        &self,
        addresses: &Resolved,
        deadline: Instant,
    ) -> Result<TcpStream, NoConnection> {
        if addresses.admitted.is_empty() {
            return Err(NoConnection::Blocked);
        }
        let stream = dial(&addresses.admitted, deadline).await?;
        match (stream.local_addr(), stream.peer_addr()) {
            (Ok(ours), Ok(theirs)) if is_own(&self.policy, ours.ip(), theirs.ip()) => {
                Err(NoConnection::Blocked)
            }
            _ => Ok(stream),
        }
    }
}

/// Whether who answered is this machine, at an address that nobody listed: a public address of its
/// own reaches what listens here for others, past every firewall.
fn is_own(policy: &AddressPolicy, ours: IpAddr, theirs: IpAddr) -> bool {
    ours == theirs && !policy.lists(theirs)
}

impl Service<Uri> for Guard {
    type Response = TokioIo<TcpStream>;
    type Error = NoConnection;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, NoConnection>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), NoConnection>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let guard = self.clone();
        Box::pin(async move {
            let deadline = guard.deadline();
            let addresses = guard.look_up(&uri, deadline).await?;
            guard.dial(&addresses, deadline).await.map(TokioIo::new)
        })
    }
}

async fn resolve(
    resolver: &dyn Resolve,
    uri: &Uri,
    deadline: Instant,
) -> Result<Vec<SocketAddr>, NoConnection> {
    let host = uri.host().unwrap_or_default();
    let port = uri.port_u16().unwrap_or(match uri.scheme_str() {
        Some("http") => 80,
        _ => 443,
    });
    let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    if let Ok(address) = literal {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    match timeout_at(deadline, resolver.resolve(host, port)).await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(error)) => Err(NoConnection::Dns(error.to_string())),
        Err(_) => Err(NoConnection::Dns("no answer in time".to_owned())),
    }
}

/// The permitted ones among the addresses, in their order.
fn admit(policy: &AddressPolicy, found: Vec<SocketAddr>) -> Result<Resolved, NoConnection> {
    if found.is_empty() {
        return Err(NoConnection::Dns("the name has no address".to_owned()));
    }
    let all = found.len();
    let mut admitted: Vec<SocketAddr> =
        found.into_iter().filter(|address| policy.permits(address.ip())).collect();
    let refused = all - admitted.len();
    admitted.truncate(ADDRESSES_MAX);
    Ok(Resolved { admitted, refused })
}

/// The first address that answers. Each may use its share of the time that is left, so that one
/// black hole does not hide the others.
async fn dial(addresses: &[SocketAddr], deadline: Instant) -> Result<TcpStream, NoConnection> {
    let mut last = "no address".to_owned();
    let mut left = u32::try_from(addresses.len()).unwrap_or(1);
    for address in addresses {
        let share = deadline.saturating_duration_since(Instant::now()) / left.max(1);
        left = left.saturating_sub(1);
        match timeout(share, connect(*address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = error.kind().to_string(),
            Err(_) => "timed out".clone_into(&mut last),
        }
    }
    Err(NoConnection::Unreachable(last))
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    // Head and body are written apart; waiting to join them would cost a round trip.
    stream.set_nodelay(true)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolver::SystemResolver;

    fn socket(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn of_mixed_addresses_only_the_public_ones_are_dialled() {
        let policy = AddressPolicy::default();
        let mixed = ["10.0.0.1:443", "1.1.1.1:443", "[::ffff:10.0.0.1]:443", "[2606:4700::1]:443"];
        let admitted = vec![socket("1.1.1.1:443"), socket("[2606:4700::1]:443")];
        assert_eq!(admit(&policy, mixed.map(socket).into()), Ok(Resolved { admitted, refused: 2 }));
        let private = vec![socket("127.0.0.1:443"), socket("[64:ff9b::a00:1]:443")];
        let none = Resolved { admitted: Vec::new(), refused: 2 };
        assert_eq!(admit(&policy, private), Ok(none));
    }

    #[test]
    fn this_machine_is_no_receiver_unless_its_address_is_listed() {
        let [ours, theirs] = ["198.41.0.4", "1.1.1.1"].map(|text| text.parse().unwrap());
        assert!(is_own(&AddressPolicy::default(), ours, ours));
        assert!(!is_own(&AddressPolicy::default(), ours, theirs));
        assert!(!is_own(&"198.41.0.0/24".parse().unwrap(), ours, ours));
    }

    #[test]
    fn a_name_without_addresses_is_a_dns_failure() {
        let refused = admit(&AddressPolicy::default(), Vec::new());
        assert!(matches!(refused, Err(NoConnection::Dns(_))), "{refused:?}");
    }

    #[test]
    fn of_a_thousand_addresses_eight_are_tried() {
        let many = vec![socket("1.1.1.1:443"); 1000];
        let admitted = admit(&AddressPolicy::default(), many).map(|some| some.admitted.len());
        assert_eq!(admitted, Ok(8));
    }

    #[tokio::test]
    async fn literals_are_checked_like_names() {
        for uri in ["https://127.0.0.1/", "https://[::1]:8443/", "https://[::ffff:10.0.0.1]/"] {
            let resolver = Arc::new(SystemResolver::default());
            let wait = Duration::from_secs(1);
            let mut guard = Guard::new(AddressPolicy::default(), resolver, wait);
            let refused = guard.call(uri.parse().unwrap()).await.map(|_| ());
            assert_eq!(refused, Err(NoConnection::Blocked), "{uri}");
        }
    }
}
