//! Which addresses may be dialled: one policy, one table.
//!
//! A granted name can resolve to anything its owner likes: to the cloud's metadata service, to the database next door, to
//! this host. So after resolving, and before dialling, every address of the answer is judged here, on its canonical form,
//! with the addresses that IPv6 forms embed taken out and judged as what they are. The one exception is a carve-out: an
//! address and port that the operator wrote down.
//!
//! The table follows the IANA special-purpose registries (RFC 6890 and successors). What is not global unicast is not
//! dialled; an IPv6 address outside of 2000::/3 is not allocated for that (RFC 4291, section 2.4).

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

/// Why an address may not be dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressRefusal {
    /// What the address is, for example `link-local`.
    pub range: &'static str,
    /// Where that is written.
    pub source: &'static str,
}

impl fmt::Display for AddressRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.range, self.source)
    }
}

/// Addresses and ports that an operator carved out of the policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CarveOuts(Vec<(IpAddr, u16)>);

impl CarveOuts {
    /// From what the operator wrote.
    pub fn new(carve_outs: &[SocketAddr]) -> Self {
        Self(carve_outs.iter().map(|c| (c.ip().to_canonical(), c.port())).collect())
    }

    /// Whether this address and port were carved out.
    pub fn contains(&self, address: IpAddr, port: u16) -> bool {
        self.0.iter().any(|c| *c == (address.to_canonical(), port))
    }
}

/// PLACEHOLDER
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct CarveOut(#[schemars(with = "String")] SocketAddr);

impl CarveOut {
    /// Whether it holds all of the other.
    pub fn covers(&self, other: &CarveOut) -> bool {
        self == other
    }

    /// Port.
    pub fn port(&self) -> Option<u16> {
        Some(self.0.port())
    }
}

impl std::str::FromStr for CarveOut {
    type Err = std::net::AddrParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(CarveOut)
    }
}

impl fmt::Display for CarveOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl CarveOuts {
    /// From these.
    pub fn of(carve_outs: &[CarveOut]) -> Self {
        Self::new(&carve_outs.iter().map(|c| c.0).collect::<Vec<_>>())
    }
}

/// Judges one address that is about to be dialled. `secure` says whether TLS will be spoken: without it only a
/// carve-out will do.
pub fn judge_address(address: IpAddr, port: u16, secure: bool, carve_outs: &CarveOuts) -> Result<(), AddressRefusal> {
    if carve_outs.contains(address, port) {
        return Ok(());
    }
    let special = match address.to_canonical() {
        IpAddr::V4(v4) => special_v4(v4),
        IpAddr::V6(v6) => special_v6(v6),
    };
    match special {
        Some((range, source)) => Err(AddressRefusal { range, source }),
        None if !secure => {
            Err(AddressRefusal { range: "plain http to an address that is not carved out", source: "Portcullis" })
        }
        None => Ok(()),
    }
}

type Special = (&'static str, &'static str);

/// First address, prefix length, what it is, where that is written. Most specific first where two overlap.
const V4: [([u8; 4], u32, Special); 19] = [
    ([0, 0, 0, 0], 8, ("this network", "RFC 791")),
    ([10, 0, 0, 0], 8, ("private", "RFC 1918")),
    ([100, 64, 0, 0], 10, ("shared address space of carriers", "RFC 6598")),
    ([127, 0, 0, 0], 8, ("loopback", "RFC 1122")),
    ([168, 63, 129, 16], 32, ("a cloud platform's own services", "Azure documentation")),
    ([169, 254, 0, 0], 16, ("link-local, where clouds keep their metadata", "RFC 3927")),
    ([172, 16, 0, 0], 12, ("private", "RFC 1918")),
    ([192, 0, 0, 0], 24, ("protocol assignments", "RFC 6890")),
    ([192, 0, 2, 0], 24, ("documentation", "RFC 5737")),
    ([192, 31, 196, 0], 24, ("AS112", "RFC 7535")),
    ([192, 52, 193, 0], 24, ("AMT", "RFC 7450")),
    ([192, 88, 99, 0], 24, ("6to4 relay", "RFC 7526")),
    ([192, 168, 0, 0], 16, ("private", "RFC 1918")),
    ([192, 175, 48, 0], 24, ("AS112", "RFC 7534")),
    ([198, 18, 0, 0], 15, ("benchmarking", "RFC 2544")),
    ([198, 51, 100, 0], 24, ("documentation", "RFC 5737")),
    ([203, 0, 113, 0], 24, ("documentation", "RFC 5737")),
    ([224, 0, 0, 0], 4, ("multicast", "RFC 5771")),
    ([240, 0, 0, 0], 4, ("reserved or broadcast", "RFC 1112")),
];

/// The same for IPv6, by the first 64 bits. `::ffff:0:0/96` is not here: it was made canonical before.
const V6: [([u16; 4], u32, Special); 13] = [
    ([0x0064, 0xff9b, 1, 0], 48, ("local NAT64", "RFC 8215")),
    ([0x0100, 0, 0, 0], 64, ("discard only", "RFC 6666")),
    ([0x0100, 0, 0, 1], 64, ("dummy prefix", "RFC 9780")),
    ([0x2001, 0x0db8, 0, 0], 32, ("documentation", "RFC 3849")),
    ([0x2001, 0, 0, 0], 23, ("protocol assignments, Teredo among them", "RFC 2928")),
    ([0x2002, 0, 0, 0], 16, ("6to4", "RFC 7526")),
    ([0x2620, 0x004f, 0x8000, 0], 48, ("AS112", "RFC 7534")),
    ([0x3fff, 0, 0, 0], 20, ("documentation", "RFC 9637")),
    ([0x5f00, 0, 0, 0], 16, ("segment routing", "RFC 9602")),
    ([0xfc00, 0, 0, 0], 7, ("unique local", "RFC 4193")),
    ([0xfe80, 0, 0, 0], 10, ("link-local", "RFC 4291")),
    ([0xfec0, 0, 0, 0], 10, ("site-local", "RFC 3879")),
    ([0xff00, 0, 0, 0], 8, ("multicast", "RFC 4291")),
];

fn special_v4(address: Ipv4Addr) -> Option<Special> {
    let bits = address.to_bits();
    V4.iter()
        .find(|(first, prefix, _)| (bits ^ u32::from_be_bytes(*first)) >> (32 - prefix) == 0)
        .map(|(_, _, special)| *special)
}

fn special_v6(address: Ipv6Addr) -> Option<Special> {
    let bits = address.to_bits();
    let high = (bits >> 64) as u64;
    if high == 0 {
        // ::, ::1, and the deprecated ::a.b.c.d.
        return Some(match bits {
            0 => ("unspecified", "RFC 4291"),
            1 => ("loopback", "RFC 4291"),
            _ => ("IPv4-compatible, deprecated", "RFC 4291"),
        });
    }
    // NAT64: the last 32 bits are the IPv4 address that will be reached.
    if bits >> 32 == 0x0064_ff9b_u128 << 64 {
        return special_v4(Ipv4Addr::from_bits(bits as u32));
    }
    let table = V6.iter().find(|([a, b, c, d], prefix, _)| {
        let first = u64::from(*a) << 48 | u64::from(*b) << 32 | u64::from(*c) << 16 | u64::from(*d);
        (high ^ first) >> (64 - prefix) == 0
    });
    match table {
        Some((_, _, special)) => Some(*special),
        None if high >> 61 != 1 => Some(("not allocated as global unicast", "RFC 4291")),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(address: &str) -> bool {
        judge_address(address.parse().unwrap(), 443, true, &CarveOuts::default()).is_err()
    }

    #[test]
    fn public_addresses_may_be_dialled_with_tls_and_not_without() {
        for address in ["1.1.1.1", "93.184.215.14", "2606:4700::1111", "64:ff9b::1.1.1.1", "::ffff:1.1.1.1"] {
            assert!(!refused(address), "{address}");
            assert!(judge_address(address.parse().unwrap(), 80, false, &CarveOuts::default()).is_err());
        }
    }

    #[test]
    fn first_and_last_of_every_range_are_refused_and_their_neighbours_are_judged_alone() {
        for (first, prefix, special) in V4 {
            let first = u32::from_be_bytes(first);
            let last = first | (u32::MAX.checked_shr(prefix).unwrap_or(0));
            for bits in [first, last] {
                assert_eq!(special_v4(Ipv4Addr::from_bits(bits)), Some(special), "{}", Ipv4Addr::from_bits(bits));
            }
        }
        for address in ["9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0"] {
            assert!(!refused(address), "{address}");
        }
    }

    #[test]
    fn private_addresses_in_disguise_are_refused() {
        for address in [
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::10.0.0.1",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2001::1",
            "2001:db8::1",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "fec0::1",
            "ff02::1",
            "3fff::1",
            "5f00::1",
            "100::1",
            "4000::1",
            "0:0:0:1::1",
            "168.63.129.16",
            "255.255.255.255",
            "0.0.0.0",
        ] {
            assert!(refused(address), "{address}");
        }
    }

    #[test]
    fn a_carve_out_is_one_address_and_one_port_in_any_form() {
        let carve_outs = CarveOuts::new(&["127.0.0.1:8025".parse().unwrap()]);
        let judge = |address: &str, port| judge_address(address.parse().unwrap(), port, false, &carve_outs).is_ok();
        assert!(judge("127.0.0.1", 8025));
        assert!(judge("::ffff:127.0.0.1", 8025));
        assert!(!judge("127.0.0.1", 8026));
        assert!(!judge("127.0.0.2", 8025));
    }
}
