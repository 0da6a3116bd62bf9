//! Which addresses may be dialled: one policy, one table.
//!
//! A granted name can resolve to anything its owner likes: to the cloud's metadata service, to the database next door, to
//! this host. So after resolving, and before dialling, every address of the answer is judged here, as what it leads to:
//! an IPv6 form that carries an IPv4 address is either refused as a form, or the IPv4 address is judged too. The one
//! exception is a carve-out, which the operator wrote down (`carve_out.rs`).
//!
//! The table has an arm for each block of IANA's special-purpose registries (RFC 6890), and for what IANA and others
//! keep elsewhere: multicast, IPv6 space that is not allocated, deprecated forms. Each of these is refused, also those that
//! IANA calls globally reachable, since none is the ordinary address of an ordinary server: anycast services (PCP, TURN,
//! DNS-SD, AMT, AS112) are answered by the nearest box, which may be this network's own router; ORCHIDs and DETs are
//! identities, not places; 6to4 and Teredo lead out of a relay that somebody else chose. `tests/addresses.rs` holds the
//! table against IANA's own files, for every IPv4 address in every form.
//!
//! What cannot be seen here: an IPv6 prefix that a network's own NAT64 uses (RFC 6052, section 2.2) looks like any other.

mod carve_out;

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

pub use carve_out::{CarveOut, CarveOutError, CarveOuts};

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

/// Judges one address that is about to be dialled. `secure` says whether TLS will be spoken: without it only a
/// carve-out will do.
// Inlined, so that the proof over all addresses is compiled for each form by itself: under one minute, not five.
#[inline(always)]
pub fn judge_address(address: IpAddr, port: u16, secure: bool, carve_outs: &CarveOuts) -> Result<(), AddressRefusal> {
    if !carve_outs.is_empty()
        && let Some(judged) = judge_exception(address.to_canonical(), port, carve_outs)
    {
        return judged;
    }
    let special = match address {
        IpAddr::V4(v4) => special_v4(v4),
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            // This is what the system dials.
            Some(v4) => special_v4(v4),
            None => special_v6(v6).or_else(|| embedded(v6).and_then(special_v4)),
        },
    };
    match special {
        Some(&(range, source)) => Err(AddressRefusal { range, source }),
        None if !secure => Err(PLAIN_HTTP),
        None => Ok(()),
    }
}

/// What carve-outs and this host's own addresses decide about a canonical address, whatever else it is.
#[inline(never)]
fn judge_exception(address: IpAddr, port: u16, carve_outs: &CarveOuts) -> Option<Result<(), AddressRefusal>> {
    let embedded = match address {
        IpAddr::V4(_) => None,
        IpAddr::V6(v6) => embedded(v6),
    };
    let own = carve_outs.is_own(address) || embedded.is_some_and(|v4| carve_outs.is_own(v4.into()));
    if carve_outs.carved(address, port, own) {
        return Some(Ok(()));
    }
    own.then_some(Err(OWN))
}

const OWN: AddressRefusal = AddressRefusal { range: "this host's own address", source: "Portcullis" };
const PLAIN_HTTP: AddressRefusal =
    AddressRefusal { range: "plain http to an address that is not carved out", source: "Portcullis" };

/// What an address is, and where that is written.
type Special = (&'static str, &'static str);

/// The IPv4 address inside of this one that a packet to it is for in the end, if there is one.
pub fn embedded_address(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(_) => None,
        IpAddr::V6(v6) => embedded(v6).map(IpAddr::V4),
    }
}

/// The IPv4 address that a packet to this one is for in the end, where the form itself may be dialled: behind NAT64
/// (RFC 6052), and the interface identifier of ISATAP under any prefix (RFC 5214, section 6.1).
#[inline(always)]
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, _, _] | [_, _, _, _, 0 | 0x200, 0x5efe, _, _] => {
            Some(Ipv4Addr::from_bits(address.to_bits() as u32))
        }
        _ => None,
    }
}

/// A block inside another stands before it.
#[inline]
fn special_v4(address: Ipv4Addr) -> Option<&'static Special> {
    Some(match address.octets() {
        [0, 0, 0, 0] => &("this host", "RFC 1122"),
        [0, ..] => &("this network", "RFC 791"),
        [10, ..] => &("private", "RFC 1918"),
        [100, 64..=127, ..] => &("shared address space of carriers", "RFC 6598"),
        [127, ..] => &("loopback", "RFC 1122"),
        [168, 63, 129, 16] => &("a cloud platform's own services", "Azure documentation"),
        [169, 254, ..] => &("link-local, where clouds keep their metadata", "RFC 3927"),
        [172, 16..=31, ..] => &("private", "RFC 1918"),
        [192, 0, 0, 0..=7] => &("IPv4 service continuity", "RFC 7335"),
        [192, 0, 0, 8] => &("dummy address", "RFC 7600"),
        [192, 0, 0, 9] => &("port control protocol anycast", "RFC 7723"),
        [192, 0, 0, 10] => &("TURN anycast", "RFC 8155"),
        [192, 0, 0, 170 | 171] => &("NAT64 discovery", "RFC 8880"),
        [192, 0, 0, _] => &("protocol assignments", "RFC 6890"),
        [192, 0, 2, _] => &("documentation", "RFC 5737"),
        [192, 31, 196, _] => &("AS112", "RFC 7535"),
        [192, 52, 193, _] => &("AMT", "RFC 7450"),
        [192, 88, 99, 2] => &("6a44 relay", "RFC 6751"),
        [192, 88, 99, _] => &("6to4 relay, deprecated", "RFC 7526"),
        [192, 168, ..] => &("private", "RFC 1918"),
        [192, 175, 48, _] => &("AS112", "RFC 7534"),
        [198, 18 | 19, ..] => &("benchmarking", "RFC 2544"),
        [198, 51, 100, _] => &("documentation", "RFC 5737"),
        [203, 0, 113, _] => &("documentation", "RFC 5737"),
        [224..=239, ..] => &("multicast", "RFC 5771"),
        [255, 255, 255, 255] => &("broadcast", "RFC 919"),
        [240..=255, ..] => &("reserved", "RFC 1112"),
        _ => return None,
    })
}

/// The same for IPv6. `::ffff:0:0/96` is not here: it was made canonical before.
#[inline(always)]
fn special_v6(address: Ipv6Addr) -> Option<&'static Special> {
    Some(match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => &("unspecified", "RFC 4291"),
        [0, 0, 0, 0, 0, 0, 0, 1] => &("loopback", "RFC 4291"),
        [0, 0, 0, 0, 0, 0, ..] => &("IPv4-compatible, deprecated", "RFC 4291"),
        [0, 0, 0, 0, 0xffff, 0, ..] => &("IPv4-translated", "RFC 2765"),
        // NAT64: what it leads to is judged as IPv4.
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => return None,
        [0x64, 0xff9b, 1, ..] => &("local NAT64", "RFC 8215"),
        [0x100, 0, 0, 0, ..] => &("discard only", "RFC 6666"),
        [0x100, 0, 0, 1, ..] => &("dummy prefix", "RFC 9780"),
        [0x200..=0x3ff, ..] => &("once OSI addresses", "RFC 4048"),
        [0x2001, 0, ..] => &("Teredo", "RFC 4380"),
        [0x2001, 1, 0, 0, 0, 0, 0, 1] => &("port control protocol anycast", "RFC 7723"),
        [0x2001, 1, 0, 0, 0, 0, 0, 2] => &("TURN anycast", "RFC 8155"),
        [0x2001, 1, 0, 0, 0, 0, 0, 3] => &("DNS-SD registration anycast", "RFC 9665"),
        [0x2001, 2, 0, ..] => &("benchmarking", "RFC 5180"),
        [0x2001, 3, ..] => &("AMT", "RFC 7450"),
        [0x2001, 4, 0x112, ..] => &("AS112", "RFC 7535"),
        [0x2001, 0x10..=0x1f, ..] => &("ORCHID, deprecated", "RFC 4843"),
        [0x2001, 0x20..=0x2f, ..] => &("ORCHID", "RFC 7343"),
        [0x2001, 0x30..=0x3f, ..] => &("drones' entity tags", "RFC 9374"),
        [0x2001, 0..=0x1ff, ..] => &("protocol assignments", "RFC 2928"),
        [0x2001, 0xdb8, ..] => &("documentation", "RFC 3849"),
        [0x2002, ..] => &("6to4", "RFC 3056"),
        [0x2620, 0x4f, 0x8000, ..] => &("AS112", "RFC 7534"),
        [0x3fff, 0..=0xfff, ..] => &("documentation", "RFC 9637"),
        [0x2000..=0x3fff, ..] => return None,
        [0x5f00, ..] => &("segment routing", "RFC 9602"),
        [0xfc00..=0xfdff, ..] => &("unique local", "RFC 4193"),
        [0xfe80..=0xfebf, ..] => &("link-local", "RFC 4291"),
        [0xfec0..=0xfeff, ..] => &("site-local, deprecated", "RFC 3879"),
        [0xff00..=0xffff, ..] => &("multicast", "RFC 4291"),
        _ => &("not allocated as global unicast", "RFC 4291"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(address: &str, carve_outs: &CarveOuts) -> Option<&'static str> {
        judge_address(address.parse().unwrap(), 443, true, carve_outs).err().map(|refusal| refusal.range)
    }

    #[test]
    fn public_addresses_may_be_dialled_with_tls_and_not_without() {
        for address in ["1.1.1.1", "93.184.215.14", "2606:4700::1111", "64:ff9b::1.1.1.1", "::ffff:1.1.1.1"] {
            assert_eq!(refusal(address, &CarveOuts::default()), None, "{address}");
            let plain = judge_address(address.parse().unwrap(), 443, false, &CarveOuts::default()).unwrap_err();
            assert_eq!(plain.to_string(), "plain http to an address that is not carved out (Portcullis)");
        }
    }

    #[test]
    fn private_addresses_in_disguise_are_refused_as_what_they_are() {
        for (address, range) in [
            ("::ffff:127.0.0.1", "loopback"),
            ("::ffff:169.254.169.254", "link-local, where clouds keep their metadata"),
            ("::127.0.0.1", "IPv4-compatible, deprecated"),
            ("::ffff:0:127.0.0.1", "IPv4-translated"),
            ("64:ff9b::10.0.0.1", "private"),
            ("64:ff9b::169.254.169.254", "link-local, where clouds keep their metadata"),
            ("64:ff9b:1::10.0.0.1", "local NAT64"),
            ("2002:7f00:1::", "6to4"),
            ("2001:0:4136:e378:8000:63bf:80ff:fffe", "Teredo"),
            ("2606:4700::5efe:10.0.0.1", "private"),
            ("2606:4700::200:5efe:10.0.0.1", "private"),
            ("fe80::5efe:1.1.1.1", "link-local"),
            ("fd00:ec2::254", "unique local"),
            ("100::1", "discard only"),
            ("ff02::1", "multicast"),
            ("::", "unspecified"),
        ] {
            assert_eq!(refusal(address, &CarveOuts::default()), Some(range), "{address}");
        }
        assert_eq!(refusal("2606:4700::200:5efe:1.1.1.1", &CarveOuts::default()), None);
    }

    #[test]
    fn this_hosts_own_addresses_are_refused_in_every_form_that_leads_to_them() {
        let own = CarveOuts::default().own(&["1.2.3.4".parse().unwrap(), "2606:4700::1".parse().unwrap()]);
        for address in ["1.2.3.4", "::ffff:1.2.3.4", "64:ff9b::1.2.3.4", "2606:4700::5efe:1.2.3.4", "2606:4700::1"] {
            assert_eq!(refusal(address, &own), Some("this host's own address"), "{address}");
        }
        for address in ["1.2.3.5", "2606:4700::2", "64:ff9b::1.2.3.5"] {
            assert_eq!(refusal(address, &own), None, "{address}");
        }
    }

    #[test]
    fn this_hosts_own_address_is_refused_as_such_until_it_is_carved_out_by_itself() {
        let own: [IpAddr; 1] = ["10.1.0.9".parse().unwrap()];
        let judge = |carve_out: CarveOut, port| {
            let carve_outs = CarveOuts::from_iter([carve_out]).own(&own);
            judge_address(own[0], port, true, &carve_outs).err().map(|refusal| refusal.to_string())
        };
        let refused = Some("this host's own address (Portcullis)".to_owned());
        assert_eq!(judge("10.1.0.0/16".parse().unwrap(), 22), refused);
        assert_eq!(judge("10.1.0.9:8080".parse().unwrap(), 22), refused);
        assert_eq!(judge("10.1.0.9:8080".parse().unwrap(), 8080), None);
    }

    #[test]
    fn beside_what_is_carved_out_everything_is_judged_as_ever() {
        let carve_outs = CarveOuts::new(&["127.0.0.1:8025".parse().unwrap()]);
        assert_eq!(refusal("10.0.0.1", &carve_outs), Some("private"));
        assert_eq!(refusal("1.1.1.1", &carve_outs), None);
    }

    #[test]
    fn a_carve_out_is_all_it_takes_and_only_for_what_it_says() {
        let carve_outs = CarveOuts::new(&["127.0.0.1:8025".parse().unwrap()]);
        let judge = |address: &str, port| judge_address(address.parse().unwrap(), port, false, &carve_outs).is_ok();
        assert!(judge("127.0.0.1", 8025));
        assert!(judge("::ffff:127.0.0.1", 8025));
        assert!(!judge("127.0.0.1", 8026));
        assert!(!judge("127.0.0.2", 8025));
        // The system may well dial this through a translator that is somewhere else.
        assert!(!judge("64:ff9b::127.0.0.1", 8025));
    }
}
