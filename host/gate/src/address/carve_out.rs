//! Exceptions to the address policy, as an operator writes them, and the host's own addresses.
//!
//! A carve-out is an address or a network, with a port or for every port:
//!
//! | text | what may be dialled |
//! | --- | --- |
//! | `127.0.0.1:8025`, `[::1]:80` | one port of one address |
//! | `10.1.0.0/16:443`, `[fd00:1::/32]:443` | one port of a network |
//! | `10.1.0.0/16`, `[fd00:1::/32]` | every port of a network |
//! | `127.0.0.1/32`, `[::1/128]` | every port of one address |
//!
//! What has colons in it stands in square brackets, as in URLs. A single address without a port is refused: it is a
//! forgotten port more often than a wish for all 65535, and for that there is `/32`.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
    sync::Arc,
};

use ipnet::{IpNet, Ipv4Net};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The widest network of each family. A /8 is the widest that is anybody's own (10.0.0.0/8), and a site has a /48 of IPv6
/// (RFC 4193, RFC 6177). What is wider switches the policy off, and `0.0.0.0/0` should not read like an exception.
const WIDEST_V4: u8 = 8;
const WIDEST_V6: u8 = 16;

/// An address or network that may be dialled whatever it is, at one port or at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(into = "String", try_from = "String")]
#[schemars(with = "String")]
pub struct CarveOut {
    addresses: IpNet,
    port: Option<u16>,
}

/// Why a text is not a carve-out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CarveOutError {
    /// Of no known form.
    #[error(
        "`{0}` is not a carve-out; write an address and port (`127.0.0.1:8025`, `[::1]:80`) or a network, for one port \
         or every port (`10.1.0.0/16:443`, `10.1.0.0/16`, `[fd00:1::/32]:443`)"
    )]
    Syntax(String),
    /// IPv6 without its brackets.
    #[error(
        "`{0}` is IPv6, which stands in square brackets: write `[{0}]:PORT`, or `[{0}]` for every port of a network"
    )]
    Brackets(String),
    /// A single address, and no port.
    #[error("`{written}` has no port; write `{port}:PORT`, or `{every}` for every port of it")]
    NoPort {
        /// The text.
        written: String,
        /// The address, as it stands before a port.
        port: String,
        /// The same address with every port.
        every: String,
    },
    /// Not a port that can be dialled.
    #[error("the port of `{0}` is not a number from 1 to 65535")]
    Port(String),
    /// An address inside the network, in place of the network's own.
    #[error(
        "`{written}` has bits set behind its prefix; write `{network}`, or `{address}:PORT` for that address alone"
    )]
    HostBits {
        /// The network as it was written.
        written: String,
        /// The network that it is part of.
        network: String,
        /// The address that was written.
        address: String,
    },
    /// Wide enough to switch the policy off.
    #[error("`{network}` is wider than /{widest}; write the networks that are needed, each with its own line")]
    TooWide {
        /// The network.
        network: String,
        /// The shortest prefix of its family.
        widest: u8,
    },
}

impl CarveOut {
    /// A network, or a single address as `/32` or `/128`, at one port or at all of them.
    pub fn new(addresses: IpNet, port: Option<u16>) -> Result<Self, CarveOutError> {
        if addresses.trunc() != addresses {
            let (written, network) = (network_text(addresses), network_text(addresses.trunc()));
            return Err(CarveOutError::HostBits { written, network, address: address_text(addresses.addr()) });
        }
        let addresses = canonical(addresses);
        let widest = if addresses.addr().is_ipv4() { WIDEST_V4 } else { WIDEST_V6 };
        if addresses.prefix_len() < widest {
            return Err(CarveOutError::TooWide { network: network_text(addresses), widest });
        }
        if port == Some(0) {
            return Err(CarveOutError::Port(format!("{}:0", network_text(addresses))));
        }
        Ok(Self { addresses, port })
    }

    /// The addresses; one that was written as IPv4-mapped is IPv4 here.
    pub fn addresses(&self) -> IpNet {
        self.addresses
    }

    /// The port, or none for every port.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// Whether everything that `other` carves out is carved out by this one too.
    pub fn covers(&self, other: &CarveOut) -> bool {
        self.addresses.contains(&other.addresses) && (self.port.is_none() || self.port == other.port)
    }

    fn is_one_address(&self) -> bool {
        self.addresses.prefix_len() == self.addresses.max_prefix_len()
    }

    /// Whether it says this address, which is canonical, and port.
    fn says(&self, address: IpAddr, port: u16) -> bool {
        self.port.is_none_or(|own| own == port) && self.addresses.contains(&address)
    }
}

impl From<SocketAddr> for CarveOut {
    fn from(socket: SocketAddr) -> Self {
        Self { addresses: socket.ip().to_canonical().into(), port: Some(socket.port()) }
    }
}

impl FromStr for CarveOut {
    type Err = CarveOutError;

    fn from_str(text: &str) -> Result<Self, CarveOutError> {
        let syntax = || CarveOutError::Syntax(text.to_owned());
        let (inner, port) = match text.strip_prefix('[') {
            Some(rest) => match rest.split_once(']').ok_or_else(syntax)? {
                (inner, "") => (inner, None),
                (inner, rest) => (inner, Some(rest.strip_prefix(':').ok_or_else(syntax)?)),
            },
            None if network(text).is_some_and(|(addresses, _)| addresses.addr().is_ipv6()) => {
                return Err(CarveOutError::Brackets(text.to_owned()));
            }
            None => text.split_once(':').map_or((text, None), |(inner, port)| (inner, Some(port))),
        };
        let (addresses, has_prefix) = network(inner).ok_or_else(syntax)?;
        if addresses.addr().is_ipv6() != text.starts_with('[') {
            return Err(syntax());
        }
        if port.is_none() && !has_prefix {
            let (port, every) = (address_text(addresses.addr()), network_text(addresses));
            return Err(CarveOutError::NoPort { written: text.to_owned(), port, every });
        }
        let bad_port = || CarveOutError::Port(text.to_owned());
        let port = port.map(|port| number::<u16>(port).filter(|port| *port != 0).ok_or_else(bad_port)).transpose()?;
        Self::new(addresses, port)
    }
}

impl fmt::Display for CarveOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) if self.is_one_address() => write!(f, "{}", SocketAddr::new(self.addresses.addr(), port)),
            Some(port) => write!(f, "{}:{port}", network_text(self.addresses)),
            None => f.write_str(&network_text(self.addresses)),
        }
    }
}

impl TryFrom<String> for CarveOut {
    type Error = CarveOutError;

    fn try_from(text: String) -> Result<Self, CarveOutError> {
        text.parse()
    }
}

impl From<CarveOut> for String {
    fn from(carve_out: CarveOut) -> Self {
        carve_out.to_string()
    }
}

/// What an operator carved out of the policy, and the addresses of this host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CarveOuts {
    /// Shared, not copied: each operation of an integration has them.
    carved: Arc<[CarveOut]>,
    /// Canonical and sorted.
    own: Vec<IpAddr>,
}

impl CarveOuts {
    /// From addresses with ports.
    pub fn new(carve_outs: &[SocketAddr]) -> Self {
        carve_outs.iter().copied().map(CarveOut::from).collect()
    }

    /// With the addresses of this host's own interfaces, which are never dialled unless one is carved out by itself. The
    /// gate cannot look them up: whoever makes the policy passes them in.
    pub fn own(mut self, addresses: &[IpAddr]) -> Self {
        self.own.extend(addresses.iter().map(IpAddr::to_canonical));
        self.own.sort_unstable();
        self
    }

    /// Whether this address and port were carved out. A network does not say this host's own addresses: who opens
    /// `10.1.0.0/16` means the neighbours, and not what listens here.
    pub fn contains(&self, address: IpAddr, port: u16) -> bool {
        let address = address.to_canonical();
        self.carved(address, port, self.is_own(address))
    }

    /// Whether there is neither a carve-out nor an address of this host.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.carved.is_empty() && self.own.is_empty()
    }

    /// Whether a canonical address is carved out, of which it is known whether it leads to this host.
    pub(super) fn carved(&self, address: IpAddr, port: u16, own: bool) -> bool {
        self.carved.iter().any(|carve_out| carve_out.says(address, port) && (!own || carve_out.is_one_address()))
    }

    /// Whether a canonical address is one of this host's own.
    pub(super) fn is_own(&self, address: IpAddr) -> bool {
        self.own.binary_search(&address).is_ok()
    }
}

impl FromIterator<CarveOut> for CarveOuts {
    fn from_iter<T: IntoIterator<Item = CarveOut>>(carve_outs: T) -> Self {
        Self { carved: carve_outs.into_iter().collect(), own: Vec::new() }
    }
}

/// A network of IPv4-mapped addresses is the IPv4 network that the system dials for it.
fn canonical(addresses: IpNet) -> IpNet {
    if let IpNet::V6(v6) = addresses
        && let Some(v4) = v6.addr().to_ipv4_mapped()
        && let Some(prefix) = v6.prefix_len().checked_sub(96)
        && let Ok(network) = Ipv4Net::new(v4, prefix)
    {
        return network.into();
    }
    addresses
}

/// An address with or without a prefix, and whether it had one. Not ipnet's own reader: the standard library's refuses
/// octets with leading zeros, which others read as octal.
fn network(text: &str) -> Option<(IpNet, bool)> {
    match text.split_once('/') {
        Some((address, prefix)) => Some((IpNet::new(address.parse().ok()?, number(prefix)?).ok()?, true)),
        None => Some((text.parse::<IpAddr>().ok()?.into(), false)),
    }
}

/// A number in its one spelling: no sign, no leading zeros.
fn number<T: FromStr + ToString>(text: &str) -> Option<T> {
    text.parse::<T>().ok().filter(|number| number.to_string() == text)
}

fn network_text(network: IpNet) -> String {
    if network.addr().is_ipv6() { format!("[{network}]") } else { network.to_string() }
}

fn address_text(address: IpAddr) -> String {
    if address.is_ipv6() { format!("[{address}]") } else { address.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        text.parse::<CarveOut>().unwrap_err().to_string()
    }

    fn carve_outs(texts: &[&str]) -> CarveOuts {
        texts.iter().map(|text| text.parse::<CarveOut>().unwrap()).collect()
    }

    fn contains(carve_outs: &CarveOuts, socket: &str) -> bool {
        let socket: SocketAddr = socket.parse().unwrap();
        carve_outs.contains(socket.ip(), socket.port())
    }

    #[test]
    fn a_carve_out_covers_what_is_within_it() {
        let covers =
            |wide: &str, narrow: &str| wide.parse::<CarveOut>().unwrap().covers(&narrow.parse::<CarveOut>().unwrap());
        for narrow in ["10.1.0.0/16", "10.1.0.0/16:443", "10.1.2.0/24", "10.1.2.3:80", "10.1.2.3/32"] {
            assert!(covers("10.1.0.0/16", narrow), "{narrow}");
        }
        assert!(!covers("10.1.0.0/16", "10.0.0.0/8") && !covers("10.1.0.0/16", "10.2.0.1:80"));
        assert!(covers("10.1.0.0/16:443", "10.1.2.3:443") && !covers("10.1.0.0/16:443", "10.1.2.3:80"));
        assert!(!covers("10.1.0.0/16:443", "10.1.0.0/16") && !covers("127.0.0.1:80", "[::1]:80"));
    }

    #[test]
    fn every_form_is_shown_as_it_is_written() {
        for text in [
            "127.0.0.1:8025",
            "[::1]:80",
            "10.1.0.0/16:443",
            "[fd00:1::/32]:443",
            "10.1.0.0/16",
            "[fd00:1::/32]",
            "127.0.0.1/32",
            "[::1/128]",
            "10.0.0.0/8:65535",
            "[fd00::/16]:1",
        ] {
            let carve_out: CarveOut = text.parse().unwrap();
            assert_eq!(carve_out.to_string(), text);
            let json = serde_json::to_string(&carve_out).unwrap();
            assert_eq!(json, format!("\"{text}\""));
            assert_eq!(serde_json::from_str::<CarveOut>(&json).unwrap(), carve_out);
        }
        let carve_out: CarveOut = "10.1.0.0/16:443".parse().unwrap();
        assert_eq!((carve_out.addresses().to_string().as_str(), carve_out.port()), ("10.1.0.0/16", Some(443)));
    }

    #[test]
    fn ipv4_that_was_written_as_ipv6_is_ipv4() {
        for (text, means) in [
            ("[::ffff:127.0.0.1]:80", "127.0.0.1:80"),
            ("[::ffff:10.1.0.0/112]:80", "10.1.0.0/16:80"),
            ("127.0.0.1/32:80", "127.0.0.1:80"),
            ("[::1/128]:80", "[::1]:80"),
        ] {
            assert_eq!(text.parse::<CarveOut>().unwrap().to_string(), means);
        }
        assert_eq!(CarveOut::from("[::ffff:127.0.0.1]:80".parse::<SocketAddr>().unwrap()).to_string(), "127.0.0.1:80");
    }

    #[test]
    fn what_is_of_no_known_form_is_refused_with_those_that_are() {
        for text in [
            "",
            "localhost:80",
            "10.1.0.0/",
            "10.1.0.0/16/16",
            "10.1.0.0/33",
            "10.1.0.0/+16",
            "10.1.0.0/016",
            "010.0.0.1:80",
            "10.1:80",
            " 127.0.0.1:80",
            "[127.0.0.1]:80",
            "[::1",
            "[::1]80",
            "[::1]/128:80",
            "[fe80::1%2]:80",
            "[]:80",
            "*:80",
        ] {
            assert!(matches!(text.parse::<CarveOut>(), Err(CarveOutError::Syntax(_))), "{text}");
        }
        assert_eq!(
            error("localhost:80"),
            "`localhost:80` is not a carve-out; write an address and port (`127.0.0.1:8025`, `[::1]:80`) or a network, \
             for one port or every port (`10.1.0.0/16:443`, `10.1.0.0/16`, `[fd00:1::/32]:443`)"
        );
    }

    #[test]
    fn what_is_nearly_right_is_refused_with_what_is() {
        let cases = [
            ("127.0.0.1", "`127.0.0.1` has no port; write `127.0.0.1:PORT`, or `127.0.0.1/32` for every port of it"),
            ("[::1]", "`[::1]` has no port; write `[::1]:PORT`, or `[::1/128]` for every port of it"),
            (
                "fd00:1::/32",
                "`fd00:1::/32` is IPv6, which stands in square brackets: write `[fd00:1::/32]:PORT`, or \
                 `[fd00:1::/32]` for every port of a network",
            ),
            (
                "10.1.2.3/16",
                "`10.1.2.3/16` has bits set behind its prefix; write `10.1.0.0/16`, or `10.1.2.3:PORT` for that \
                 address alone",
            ),
            (
                "[fd00::1/64]:443",
                "`[fd00::1/64]` has bits set behind its prefix; write `[fd00::/64]`, or `[fd00::1]:PORT` for that \
                 address alone",
            ),
            (
                "0.0.0.0/0:443",
                "`0.0.0.0/0` is wider than /8; write the networks that are needed, each with its own line",
            ),
        ];
        for (text, says) in cases {
            assert_eq!(error(text), says);
        }
        for text in ["127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:+80", "127.0.0.1:080", "127.0.0.1:", "10.1.0.0/16:x"]
        {
            assert_eq!(error(text), format!("the port of `{text}` is not a number from 1 to 65535"));
        }
        assert!(matches!(CarveOut::new("10.0.0.0/8".parse().unwrap(), Some(0)), Err(CarveOutError::Port(_))));
    }

    #[test]
    fn a_network_that_would_switch_the_policy_off_is_refused() {
        for text in ["10.0.0.0/7", "[fc00::/15]", "[::/0]:443", "[::ffff:0.0.0.0/96]", "[::ffff:10.0.0.0/103]"] {
            assert!(matches!(text.parse::<CarveOut>(), Err(CarveOutError::TooWide { .. })), "{text}");
        }
        for text in ["10.0.0.0/8", "[fc00::/16]", "[::ffff:10.0.0.0/104]"] {
            assert!(text.parse::<CarveOut>().is_ok(), "{text}");
        }
    }

    #[test]
    fn a_network_is_carved_out_from_its_first_address_to_its_last_at_its_port() {
        let some = carve_outs(&["10.1.0.0/16:443", "[fd00:1::/32]"]);
        for socket in ["10.1.0.0:443", "10.1.255.255:443", "[::ffff:10.1.2.3]:443", "[fd00:1::]:1", "[fd00:1:ffff::]:2"]
        {
            assert!(contains(&some, socket), "{socket}");
        }
        for socket in
            ["10.0.255.255:443", "10.2.0.0:443", "10.1.0.0:80", "[fd00::1]:1", "[fd00:2::]:1", "[::10.1.2.3]:443"]
        {
            assert!(!contains(&some, socket), "{socket}");
        }
        assert!(!contains(&carve_outs(&["[::/64]"]), "[::ffff:10.1.2.3]:443"), "that is IPv4, and not in it");
    }

    #[test]
    fn this_hosts_own_addresses_are_carved_out_one_by_one() {
        let own: Vec<IpAddr> = ["10.1.0.9", "::ffff:10.1.0.5", "fd00:1::9"].map(|own| own.parse().unwrap()).to_vec();
        let network = carve_outs(&["10.1.0.0/16", "[fd00:1::/32]"]).own(&own);
        for socket in ["10.1.0.5:22", "10.1.0.9:22", "[::ffff:10.1.0.9]:22", "[fd00:1::9]:22"] {
            assert!(!contains(&network, socket), "{socket}");
        }
        assert!(contains(&network, "10.1.0.6:22") && contains(&network, "[fd00:1::8]:22"));
        let each = carve_outs(&["10.1.0.9:8080", "[fd00:1::9/128]"]).own(&own[..1]).own(&own[1..]);
        assert!(contains(&each, "10.1.0.9:8080") && contains(&each, "[fd00:1::9]:22"));
        assert!(!contains(&each, "10.1.0.9:22") && !contains(&each, "10.1.0.5:8080"));
    }
}
