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
use portcullis_vault::Identity;
use reqwest::{Client, redirect::Policy};
use rustls::{ClientConfig, client::Resumption, sign::SingleCertAndKey};
use tokio::sync::watch;

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

struct Key {
    generation: u64,
    origin: String,
    address: IpAddr,
    connect_ms: u32,
    header_count: u32,
    /// The client certificate that connections are made with, and its slot.
    identity: Option<(String, Arc<Identity>)>,
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
        identity: Option<(&str, &Arc<Identity>)>,
    ) -> Result<Client, reqwest::Error> {
        let matches = |key: &Key| {
            key.generation == generation
                && is_same_identity(key.identity.as_ref(), identity)
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
        let client = self.build(url, address, limits, identity.map(|(_, identity)| identity))?;
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
            identity: identity.map(|(slot, identity)| (slot.to_owned(), identity.clone())),
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

    /// From now on closes what was made under older generations, as soon as there is a newer one, whether or not a request
    /// comes. Ends with these connections.
    pub fn follow(self: &Arc<Self>, mut generations: watch::Receiver<u64>) {
        let weak = Arc::downgrade(self);
        tokio::spawn(async move {
            while generations.changed().await.is_ok() {
                let newest = *generations.borrow_and_update();
                let Some(connections) = weak.upgrade() else { return };
                let mut pools = connections.pools.lock().unwrap_or_else(PoisonError::into_inner);
                pools.retain(|(key, _)| key.generation >= newest);
            }
        });
    }

    fn build(
        &self,
        url: &RequestUrl,
        address: IpAddr,
        limits: &Limits,
        identity: Option<&Arc<Identity>>,
    ) -> Result<Client, reqwest::Error> {
        let mut tls = self.tls.clone();
        if let Some(identity) = identity {
            tls.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(identity.certified_key()));
            // A session of a connection without the certificate, or with another, is not gone on with.
            tls.resumption = Resumption::in_memory_sessions(TLS_SESSIONS);
        }
        Client::builder()
            .tls_backend_preconfigured(tls)
            .resolve(url.host(), SocketAddr::new(address, url.port()))
            .http1_only()
            .http1_max_headers(limits.header_count as usize)
            .no_proxy()
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            // A field that is folded over several lines is one line with spaces (RFC 9112, section 5.2).
            .http1_allow_obsolete_multiline_headers_in_responses(true)
            .connect_timeout(Duration::from_millis(limits.connect_ms.into()))
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(MAX_IDLE)
            .build()
    }
}

/// Of a slot there may be two certificates, while both are good.
fn is_same_identity(known: Option<&(String, Arc<Identity>)>, wanted: Option<(&str, &Arc<Identity>)>) -> bool {
    match (known, wanted) {
        (None, None) => true,
        (Some((slot, known)), Some((wanted_slot, wanted))) => slot == wanted_slot && Arc::ptr_eq(known, wanted),
        _ => false,
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").finish_non_exhaustive()
    }
}
