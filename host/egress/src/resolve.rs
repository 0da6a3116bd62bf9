//! Names to addresses. Asked once for a request; every address of the answer is judged before one is dialled.
//!
//! Two resolvers. [`DnsResolver`] speaks DNS itself: it keeps answers for as long as they say, and a look-up that nobody
//! waits for any more ends. [`SystemResolver`] asks the C library, which knows neither: its look-ups hold a thread each
//! until they end by themselves. It is for machines whose names come from elsewhere than from DNS.

use std::{
    collections::HashMap,
    io::{self, ErrorKind},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use hickory_resolver::{
    TokioResolver,
    config::{
        ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig, ServerOrderingStrategy,
    },
    net::{NetError, runtime::TokioRuntimeProvider},
    proto::rr::Name,
};

/// Most addresses of one answer that are looked at.
const MAX_ADDRESSES: usize = 32;
/// Most names remembered.
const MAX_NAMES: usize = 4096;
/// Longest that an answer is kept, however long it says it holds.
const MAX_TTL: Duration = Duration::from_secs(300);
/// Longest that "there is no such name" is kept.
const MAX_NEGATIVE_TTL: Duration = Duration::from_secs(5);

/// Resolves names. Is never asked about addresses.
#[async_trait]
pub trait Resolver: Send + Sync {
    /// All addresses of a name, in the order in which they should be tried.
    async fn resolve(&self, name: &str) -> io::Result<Arc<[IpAddr]>>;

    /// Whether this is an address of this host's own, which is never dialled unless it was carved out by itself. Sends
    /// nothing.
    fn is_own(&self, address: IpAddr) -> bool {
        routes_to_itself(address)
    }
}

/// Asks the system's routing table: a datagram to one's own address would come from that very address.
fn routes_to_itself(address: IpAddr) -> bool {
    let any: IpAddr = if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = match UdpSocket::bind((any, 0)) {
        Ok(socket) => socket,
        // No such family here, so nobody has such an address; anything else, such as too many open files, tells nothing.
        Err(error) => return !matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::AddrNotAvailable),
    };
    // Connecting sends nothing; port 9 is "discard" (RFC 863). Where nothing leads, nothing will be dialled.
    let source = socket.connect((address, 9)).and_then(|()| socket.local_addr());
    source.is_ok_and(|source: SocketAddr| source.ip() == address)
}

/// What names are resolved with unless told otherwise: DNS as the system is set up for it, and the C library where that
/// cannot be read.
pub fn system_resolver() -> Arc<dyn Resolver> {
    match DnsResolver::from_system() {
        Ok(resolver) => Arc::new(resolver),
        Err(error) => {
            tracing::info!(%error, "names are resolved by the C library: the system's DNS servers are not known");
            Arc::new(SystemResolver::default())
        }
    }
}

/// Speaks DNS. Keeps answers for as long as they say, at most five minutes; random ids and ports for every query.
///
/// Names are absolute: no search domain is ever added, so that a name means the same on every machine.
#[derive(Clone, Debug)]
pub struct DnsResolver(TokioResolver);

impl DnsResolver {
    /// With the system's servers (`/etc/resolv.conf`) and its table of hosts (`/etc/hosts`), both read once, now.
    pub fn from_system() -> io::Result<Self> {
        let (config, options) = hickory_resolver::system_conf::read_system_conf().map_err(io_error)?;
        let (_, _, servers) = config.into_parts();
        let mut builder = builder(servers);
        let own = builder.options_mut();
        (own.timeout, own.attempts) = (options.timeout, options.attempts);
        own.use_hosts_file = ResolveHosts::Always;
        builder.build().map(Self).map_err(io_error)
    }

    /// With these servers, each by UDP and, for long answers, by TCP; and no table of hosts.
    pub fn with_servers(servers: &[SocketAddr]) -> io::Result<Self> {
        let at = |port: u16, mut connection: ConnectionConfig| {
            connection.port = port;
            connection
        };
        let servers = servers.iter().map(|server| {
            let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
            NameServerConfig::new(server.ip(), true, connections.map(|one| at(server.port(), one)).into())
        });
        builder(servers.collect()).build().map(Self).map_err(io_error)
    }
}

fn builder(servers: Vec<NameServerConfig>) -> hickory_resolver::ResolverBuilder<TokioRuntimeProvider> {
    let config = ResolverConfig::from_parts(None, Vec::new(), servers);
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    let options = builder.options_mut();
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.use_hosts_file = ResolveHosts::Never;
    options.cache_size = MAX_NAMES as u64;
    options.positive_max_ttl = Some(MAX_TTL);
    options.negative_max_ttl = Some(MAX_NEGATIVE_TTL);
    // The order in which they are written down is the order in which the operator wants them asked.
    options.server_ordering_strategy = ServerOrderingStrategy::UserProvidedOrder;
    builder
}

#[async_trait]
impl Resolver for DnsResolver {
    async fn resolve(&self, name: &str) -> io::Result<Arc<[IpAddr]>> {
        let mut name = Name::from_ascii(name).map_err(io::Error::other)?;
        name.set_fqdn(true);
        let answer = self.0.lookup_ip(name).await.map_err(io_error)?;
        few(answer.iter())
    }
}

fn io_error(error: NetError) -> io::Error {
    io::Error::other(error)
}

/// Each address once, and an error where there are too many to be looked at: none is left out unjudged.
fn few(addresses: impl Iterator<Item = IpAddr>) -> io::Result<Arc<[IpAddr]>> {
    let mut found: Vec<IpAddr> = Vec::new();
    for address in addresses {
        if !found.contains(&address) {
            if found.len() == MAX_ADDRESSES {
                return Err(io::Error::other(format!("the name has more than {MAX_ADDRESSES} addresses")));
            }
            found.push(address);
        }
    }
    Ok(found.into())
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
        let addresses = few(tokio::net::lookup_host((name, 0)).await?.map(|socket| socket.ip()))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_this_hosts_own_is_one_that_leads_back_to_it() {
        assert!(routes_to_itself("127.0.0.1".parse().unwrap()));
        assert!(!routes_to_itself("192.0.2.1".parse().unwrap()));
    }
}
