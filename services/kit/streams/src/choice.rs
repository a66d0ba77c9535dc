//! Which of several brokers is asked when a connection ends: another one. The one that was left may
//! sleep or be cut off from the others, and still take connections.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, PoisonError};

use async_nats::{ReconnectToServer, Server, ServerAddr};

/// Who was asked last.
#[derive(Debug, Clone, Default)]
pub(crate) struct Choice(Arc<Mutex<Option<ServerAddr>>>);

impl Choice {
    /// Who is asked next; the first time all of them are, as the client does by itself.
    pub(crate) fn next(&self, servers: &[Server]) -> Option<ReconnectToServer> {
        let first = servers.iter().find(|server| server.did_connect)?;
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left = last.as_ref().unwrap_or(&first.addr);
        let addr = another(servers, left, RandomState::new().hash_one(()))?;
        *last = Some(addr.clone());
        Some(ReconnectToServer { addr, delay: None })
    }
}

/// One of those that failed least often, but for the one that was left unless it is the only one.
fn another(servers: &[Server], left: &ServerAddr, dice: u64) -> Option<ServerAddr> {
    let others = || servers.iter().filter(|server| server.addr != *left);
    let least = others().map(|server| server.failed_attempts).min();
    let mut best: Vec<_> = others().filter(|one| Some(one.failed_attempts) == least).collect();
    if best.is_empty() {
        best.extend(servers);
    }
    let place = dice.checked_rem(u64::try_from(best.len()).ok()?)?;
    best.get(usize::try_from(place).ok()?).map(|server| server.addr.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(name: &str, failed_attempts: usize, did_connect: bool) -> Server {
        let addr = name.parse().unwrap();
        Server { addr, failed_attempts, did_connect, is_discovered: false, last_error: None }
    }

    fn asked(choice: &Choice, servers: &[Server]) -> Option<String> {
        Some(choice.next(servers)?.addr.host().to_owned())
    }

    #[test]
    fn who_was_left_is_not_asked_at_once_again() {
        let choice = Choice::default();
        let mut servers = [server("a", 0, false), server("b", 0, false), server("c", 0, false)];
        assert_eq!(asked(&choice, &servers), None, "nobody was left yet");
        servers[1].did_connect = true;
        let mut last = "b".to_owned();
        for _ in 0..20 {
            let next = asked(&choice, &servers).unwrap();
            assert_ne!(next, last);
            last = next;
        }
    }

    #[test]
    fn who_failed_is_asked_behind_the_others_and_an_only_one_always() {
        let servers = [server("a", 0, true), server("b", 2, false), server("c", 1, false)];
        let choice = Choice::default();
        assert_eq!(asked(&choice, &servers).as_deref(), Some("c"));
        assert_eq!(asked(&choice, &servers).as_deref(), Some("a"));
        let choice = Choice::default();
        assert_eq!(asked(&choice, &servers[..1]).as_deref(), Some("a"));
    }

    #[test]
    fn all_of_the_best_are_asked_now_and_then() {
        let servers = [server("a", 0, true), server("b", 0, false), server("c", 0, false)];
        let left = &servers[0].addr;
        let hosts: Vec<_> =
            (0..2).map(|dice| another(&servers, left, dice).unwrap().host().to_owned()).collect();
        assert_eq!(hosts, ["b", "c"]);
        assert!(another(&[], left, 7).is_none());
    }
}
