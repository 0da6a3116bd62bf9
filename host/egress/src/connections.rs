//! An integration's own connections.
//!
//! One pool for each (credential generation, origin, judged address), so that no connection, cookie or TLS session of one
//! integration serves another, a rotated credential leaves no connection behind, and a connection that was opened to one
//! address is never used for a name that now stands for another.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use portcullis_gate::{Limits, RequestUrl};
use reqwest::{Client, redirect::Policy};
use rustls::{ClientConfig, client::Resumption};

use crate::resolve::Resolver;

/// Most pools of one integration; the one unused for longest makes room.
const MAX_POOLS: usize = 64;
/// Most idle connections of one pool.
const MAX_IDLE: usize = 64;
/// How long a connection may be idle before it is closed.
const IDLE: Duration = Duration::from_secs(30);
/// TLS sessions an integration remembers.
const TLS_SESSIONS: usize = 32;

/// Connections of one integration.
pub struct Connections {
    pub(crate) resolver: Arc<dyn Resolver>,
    tls: ClientConfig,
    /// Least recently used first.
    pools: Mutex<Vec<(Key, Client)>>,
}

#[derive(PartialEq, Eq)]
struct Key {
    generation: u64,
    origin: String,
    address: IpAddr,
    connect_ms: u32,
    header_count: u32,
}

impl Connections {
    pub(crate) fn new(resolver: Arc<dyn Resolver>, tls: &ClientConfig) -> Self {
        let mut tls = tls.clone();
        tls.resumption = Resumption::in_memory_sessions(TLS_SESSIONS);
        Self { resolver, tls, pools: Mutex::default() }
    }

    /// The pool for this origin at this address, which was judged. Makes one if there is none.
    pub(crate) fn client(
        &self,
        url: &RequestUrl,
        address: IpAddr,
        generation: u64,
        limits: &Limits,
    ) -> Result<Client, reqwest::Error> {
        let matches = |key: &Key| {
            key.generation == generation
                && key.address == address
                && key.origin == url.origin()
                && key.connect_ms == limits.connect_ms
                && key.header_count == limits.header_count
        };
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = pools.iter().rposition(|(key, _)| matches(key)) {
            if at + 1 < pools.len() {
                let found = pools.remove(at);
                pools.push(found);
            }
            if let Some((_, client)) = pools.last() {
                return Ok(client.clone());
            }
        }
        let client = self.build(url, address, limits)?;
        // Connections of an older generation of credentials are not used again.
        pools.retain(|(key, _)| key.generation >= generation);
        if pools.len() >= MAX_POOLS {
            pools.remove(0);
        }
        let key = Key {
            generation,
            origin: url.origin().to_owned(),
            address,
            connect_ms: limits.connect_ms,
            header_count: limits.header_count,
        };
        pools.push((key, client.clone()));
        Ok(client)
    }

    /// Whether there is a pool to this address already, so that it is tried first.
    pub(crate) fn knows(&self, url: &RequestUrl, address: IpAddr, generation: u64) -> bool {
        let pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools
            .iter()
            .any(|(key, _)| key.generation == generation && key.address == address && key.origin == url.origin())
    }

    fn build(&self, url: &RequestUrl, address: IpAddr, limits: &Limits) -> Result<Client, reqwest::Error> {
        Client::builder()
            .tls_backend_preconfigured(self.tls.clone())
            .resolve(url.host(), SocketAddr::new(address, url.port()))
            .http1_only()
            .http1_max_headers(limits.header_count as usize)
            .no_proxy()
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .connect_timeout(Duration::from_millis(limits.connect_ms.into()))
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(MAX_IDLE)
            .build()
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").finish_non_exhaustive()
    }
}
