//! Names to addresses. Asked once for a request; every address of the answer is judged before one is dialled.

use std::{
    collections::HashMap,
    io,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;

/// Most addresses of one answer that are looked at.
const MAX_ADDRESSES: usize = 32;
/// Most names remembered.
const MAX_NAMES: usize = 4096;

/// Resolves names. Is never asked about addresses.
#[async_trait]
pub trait Resolver: Send + Sync {
    /// All addresses of a name, in the order in which they should be tried.
    async fn resolve(&self, name: &str) -> io::Result<Arc<[IpAddr]>>;
}

/// The system's resolver, with a short memory: `getaddrinfo` tells no time to live.
#[derive(Debug)]
pub struct SystemResolver {
    keep: Duration,
    known: Mutex<HashMap<String, Known>>,
}

/// An answer, and until when it is used.
type Known = (Instant, Arc<[IpAddr]>);

impl Default for SystemResolver {
    /// Remembers answers for 30 s.
    fn default() -> Self {
        Self::new(Duration::from_secs(30))
    }
}

impl SystemResolver {
    /// Remembers answers for `keep`; failures are not remembered.
    pub fn new(keep: Duration) -> Self {
        Self { keep, known: Mutex::default() }
    }
}

#[async_trait]
impl Resolver for SystemResolver {
    async fn resolve(&self, name: &str) -> io::Result<Arc<[IpAddr]>> {
        let now = Instant::now();
        if let Some((until, addresses)) = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(name)
            && now < *until
        {
            return Ok(addresses.clone());
        }
        let mut found: Vec<IpAddr> = Vec::new();
        for address in tokio::net::lookup_host((name, 0)).await?.map(|socket| socket.ip()) {
            if !found.contains(&address) {
                found.push(address);
            }
        }
        if found.len() > MAX_ADDRESSES {
            return Err(io::Error::other(format!("{} addresses; at most {MAX_ADDRESSES} are looked at", found.len())));
        }
        let addresses: Arc<[IpAddr]> = found.into();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_NAMES {
            known.retain(|_, (until, _)| now < *until);
        }
        if known.len() < MAX_NAMES {
            known.insert(name.to_owned(), (now + self.keep, addresses.clone()));
        }
        Ok(addresses)
    }
}
