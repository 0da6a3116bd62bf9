//! The address policy against a second source: IANA's registries, as they are published (`data/README.md`).
//!
//! What each address must be judged as is computed here from those files alone, by the longest block that holds it. The
//! policy's own table has another shape and was written by another hand, so a slip in either shows. `every_ipv4_address…`
//! goes through all of them in every form, and takes seconds; everything it could find in the table is also found by the
//! others, at the boundaries of the blocks, in milliseconds.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::print_stdout)]

use std::{
    collections::{BTreeMap, BTreeSet},
    hint::black_box,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Instant,
};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use portcullis_gate::{AddressRefusal, CarveOuts, judge_address};

/// A block of the second source.
struct Row {
    block: IpNet,
    name: String,
    /// `RFC 1918` and the like: one of them must be what a refusal names.
    sources: Vec<String>,
    globally_reachable: String,
}

/// What the second source says about an address.
enum Expected<'a> {
    Allowed,
    Refused(&'a Row),
}

/// `::ffff:0:0/96`, which the system dials as IPv4, and `64:ff9b::/96`, which IANA calls globally reachable.
const STANDS_FOR_IPV4: [IpNet; 2] = [
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::from_bits(0xffff << 32), 96)),
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::from_bits(0x64_ff9b << 96), 96)),
];

/// A way to write an IPv4 address.
type Form = (&'static str, fn(u32) -> IpAddr);

/// The policy refuses the first six as forms, and judges the IPv4 address in the others.
const FORMS: [Form; 11] = [
    ("IPv4-compatible", compatible),
    ("IPv4-translated", translated),
    ("local NAT64", local_nat64),
    ("local NAT64, RFC 6052 layout", local_nat64_48),
    ("6to4", six_to_four),
    ("Teredo", teredo),
    ("bare", bare),
    ("IPv4-mapped", mapped),
    ("NAT64", nat64),
    ("ISATAP, private", isatap_local),
    ("ISATAP, unique", isatap_unique),
];

#[inline]
fn bare(v4: u32) -> IpAddr {
    Ipv4Addr::from_bits(v4).into()
}
#[inline]
fn compatible(v4: u32) -> IpAddr {
    Ipv6Addr::from_bits(v4.into()).into()
}
#[inline]
fn mapped(v4: u32) -> IpAddr {
    Ipv6Addr::from_bits(0xffff << 32 | u128::from(v4)).into()
}
#[inline]
fn translated(v4: u32) -> IpAddr {
    Ipv6Addr::from_bits(0xffff << 48 | u128::from(v4)).into()
}
#[inline]
fn nat64(v4: u32) -> IpAddr {
    Ipv6Addr::from_bits(0x64_ff9b << 96 | u128::from(v4)).into()
}
#[inline]
fn local_nat64(v4: u32) -> IpAddr {
    Ipv6Addr::from_bits(0x64_ff9b_0001 << 80 | u128::from(v4)).into()
}
/// RFC 6052, section 2.2: behind a /48, with the octet of zeros in the middle.
#[inline]
fn local_nat64_48(v4: u32) -> IpAddr {
    let (high, low) = (u128::from(v4 >> 16), u128::from(v4 & 0xffff));
    Ipv6Addr::from_bits(0x64_ff9b_0001 << 80 | high << 64 | low << 40).into()
}
#[inline]
fn six_to_four(v4: u32) -> IpAddr {
    Ipv6Addr::from_bits(0x2002 << 112 | u128::from(v4) << 80 | 1).into()
}
/// RFC 4380, section 4: the client's address with every bit turned round.
#[inline]
fn teredo(v4: u32) -> IpAddr {
    Ipv6Addr::from_bits(0x2001_0000_4136_e378_8000_63bf << 32 | u128::from(!v4)).into()
}
#[inline]
fn isatap_local(v4: u32) -> IpAddr {
    Ipv6Addr::from_bits(0x2606_4700_0000_0001_0000_5efe << 32 | u128::from(v4)).into()
}
#[inline]
fn isatap_unique(v4: u32) -> IpAddr {
    Ipv6Addr::from_bits(0x2606_4700_0000_0001_0200_5efe << 32 | u128::from(v4)).into()
}

/// The rows of the three files.
fn rows() -> Vec<Row> {
    let files = [
        include_str!("../data/iana-ipv4-special-registry.csv"),
        include_str!("../data/iana-ipv6-special-registry.csv"),
        include_str!("../data/elsewhere.csv"),
    ];
    files.into_iter().flat_map(|file| cells(file).into_iter().skip(1)).flat_map(|cells| rows_of(&cells)).collect()
}

/// One line can have several blocks, and its cells have footnote marks: `192.0.0.0/24 [2]`.
fn rows_of(cells: &[String]) -> Vec<Row> {
    assert_eq!(cells.len(), 10, "{cells:?}");
    let bracketed = cells[2].split('[').skip(1).map(|part| part.split(']').next().unwrap());
    let sources: Vec<String> = bracketed.map(|source| source.replacen("RFC", "RFC ", 1)).collect();
    let globally_reachable = cells[8].split(' ').next().unwrap();
    let blocks = cells[0].split(',').map(|block| block.split_whitespace().next().unwrap().parse().unwrap());
    let row = |block| Row {
        block,
        name: cells[1].clone(),
        sources: sources.clone(),
        globally_reachable: globally_reachable.to_owned(),
    };
    blocks.map(row).collect()
}

/// CSV (RFC 4180): cells in quotes can hold commas, line breaks and doubled quotes.
fn cells(csv: &str) -> Vec<Vec<String>> {
    let (mut lines, mut line, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut chars = csv.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => cell.extend(chars.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => line.push(std::mem::take(&mut cell)),
            '\n' if !quoted => {
                line.push(std::mem::take(&mut cell));
                lines.push(std::mem::take(&mut line));
            }
            '\r' => {}
            c => cell.push(c),
        }
    }
    lines
}

/// The longest block that holds an address, as it is written.
fn row_of(rows: &[Row], address: IpAddr) -> Option<&Row> {
    rows.iter().filter(|row| row.block.contains(&address)).max_by_key(|row| row.block.prefix_len())
}

/// Refused is what is in any block. Two of them stand for IPv4 and are judged as that; and so is the end of an ISATAP
/// address in no block.
fn expected(rows: &[Row], address: IpAddr) -> Expected<'_> {
    let IpAddr::V6(v6) = address else {
        return row_of(rows, address).map_or(Expected::Allowed, Expected::Refused);
    };
    let end: IpAddr = Ipv4Addr::from_bits(v6.to_bits() as u32).into();
    match row_of(rows, address) {
        Some(row) if STANDS_FOR_IPV4.contains(&row.block) => expected(rows, end),
        Some(row) => Expected::Refused(row),
        None if [0x5efe, 0x0200_5efe].contains(&(v6.to_bits() as u64 >> 32)) => expected(rows, end),
        None => Expected::Allowed,
    }
}

/// As where nothing is carved out.
fn judge(address: IpAddr) -> Result<(), AddressRefusal> {
    judge_address(address, 443, true, &CarveOuts::default())
}

/// That the policy judges an address as the second source does, and for the same reason.
fn check(rows: &[Row], address: IpAddr, form: &str) {
    match (judge(address), expected(rows, address)) {
        (Ok(()), Expected::Allowed) => {}
        (Err(refusal), Expected::Refused(row)) if row.sources.iter().any(|source| source == refusal.source) => {}
        (judged, Expected::Allowed) => panic!("{address} ({form}): {judged:?}, and no block has it"),
        (judged, Expected::Refused(row)) => {
            panic!("{address} ({form}): {judged:?}, and {} {:?}", row.block, row.sources)
        }
    }
}

/// Where the answer for IPv4 may change: the first address of each block, and the first behind it.
fn changes(rows: &[Row]) -> Vec<u32> {
    let blocks = rows.iter().filter_map(|row| match row.block {
        IpNet::V4(block) => Some(block),
        IpNet::V6(_) => None,
    });
    let edges = |block: Ipv4Net| [Some(block.network().to_bits()), block.broadcast().to_bits().checked_add(1)];
    let all: BTreeSet<u32> = blocks.flat_map(edges).flatten().chain([0]).collect();
    all.into_iter().collect()
}

/// First, last, one before and one after, of each block.
fn edges(rows: &[Row]) -> Vec<[IpAddr; 4]> {
    let edges = |row: &Row| match row.block {
        IpNet::V4(block) => {
            let (first, last) = (block.network().to_bits(), block.broadcast().to_bits());
            [first, last, first.wrapping_sub(1), last.wrapping_add(1)].map(|bits| Ipv4Addr::from_bits(bits).into())
        }
        IpNet::V6(block) => {
            let (first, last) = (block.network().to_bits(), block.broadcast().to_bits());
            [first, last, first.wrapping_sub(1), last.wrapping_add(1)].map(|bits| Ipv6Addr::from_bits(bits).into())
        }
    };
    rows.iter().map(edges).collect()
}

/// The same numbers in each run (xorshift, Marsaglia 2003).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn wide(&mut self) -> u128 {
        u128::from(self.next()) << 64 | u128::from(self.next())
    }
}

#[test]
fn the_second_source_is_read_whole() {
    let rows = rows();
    let v4 = rows.iter().filter(|row| row.block.addr().is_ipv4()).count();
    // 26 and 25 blocks of the registries, 2 and 19 of elsewhere.
    assert_eq!((v4, rows.len() - v4), (28, 44));
    assert!(rows.iter().all(|row| !row.sources.is_empty()));
    let broadcast = row_of(&rows, "255.255.255.255".parse().unwrap()).unwrap();
    assert_eq!(broadcast.sources, ["RFC 8190", "RFC 919"]);
}

/// Each of these was decided by itself (see the policy's first lines). A new one in the registry fails here first.
#[test]
fn globally_reachable_blocks_that_are_refused_all_the_same_are_these() {
    let rows = rows();
    let reachable: Vec<String> =
        rows.iter().filter(|row| row.globally_reachable == "True").map(|row| row.block.to_string()).collect();
    assert_eq!(
        reachable,
        [
            "192.0.0.9/32",
            "192.0.0.10/32",
            "192.31.196.0/24",
            "192.52.193.0/24",
            "192.175.48.0/24",
            "64:ff9b::/96",
            "2001:1::1/128",
            "2001:1::2/128",
            "2001:1::3/128",
            "2001:3::/32",
            "2001:4:112::/48",
            "2001:20::/28",
            "2001:30::/28",
            "2620:4f:8000::/48",
        ]
    );
}

#[test]
fn every_boundary_of_every_block_is_judged_as_the_registries_say() {
    let rows = rows();
    for address in edges(&rows).into_iter().flatten() {
        check(&rows, address, "boundary");
    }
}

#[test]
fn every_boundary_of_every_ipv4_block_is_judged_the_same_in_every_form() {
    let rows = rows();
    for address in edges(&rows).into_iter().flatten() {
        let IpAddr::V4(v4) = address else { continue };
        for (form, of) in FORMS {
            check(&rows, of(v4.to_bits()), form);
        }
    }
}

/// So no line of the policy is without effect, even where what is around it is refused too.
#[test]
fn a_block_is_one_thing_from_its_first_address_to_its_last_and_its_neighbours_are_another() {
    let rows = rows();
    let mut things = BTreeMap::new();
    for [first, last, before, after] in edges(&rows) {
        for (inside, outside) in [(first, before), (last, after)] {
            let row = row_of(&rows, inside).unwrap();
            if row_of(&rows, outside).is_none_or(|other| other.name != row.name) {
                assert_ne!(judge(inside), judge(outside), "{inside} and {outside}");
            }
            if !STANDS_FOR_IPV4.contains(&row.block) {
                let thing = *things.entry((&row.name, &row.sources)).or_insert(judge(inside));
                assert_eq!(judge(inside), thing, "{inside}");
            }
        }
    }
}

#[test]
fn random_ipv6_addresses_are_judged_as_the_registries_say() {
    let rows = rows();
    let blocks: Vec<(u128, u8)> = rows
        .iter()
        .filter_map(|row| match row.block {
            IpNet::V6(block) => Some((block.network().to_bits(), block.prefix_len())),
            IpNet::V4(_) => None,
        })
        .collect();
    let mut numbers = Numbers(0x5eed);
    for round in 0..200_000 {
        let (any, (first, prefix)) = (numbers.wide(), blocks[round % blocks.len()]);
        let inside = first | any & u128::MAX.checked_shr(prefix.into()).unwrap_or(0);
        // One bit of the prefix turned round: near, and in most cases outside.
        let near = inside ^ 1 << (any % 128);
        let unicast = any >> 3 | 1 << 125;
        let isatap =
            |prefix: u128| prefix >> 64 << 64 | [0x5efe, 0x0200_5efe, 0x0100_5efe][round % 3] << 32 | any >> 96;
        for bits in [any, inside, near, unicast, isatap(unicast), isatap(inside)] {
            check(&rows, Ipv6Addr::from_bits(bits).into(), "random");
        }
    }
}

/// Compares without reading the text where it is the same text in memory, which it nearly always is.
fn same(a: Result<(), AddressRefusal>, b: Result<(), AddressRefusal>) -> bool {
    match (a, b) {
        (Ok(()), Ok(())) => true,
        (Err(a), Err(b)) => std::ptr::eq(a.source, b.source) || a.source == b.source,
        _ => false,
    }
}

/// The first address of a piece that is not judged as the second source says.
fn first_wrong(rows: &[Row], from: u32, to: u32, of: impl Fn(u32) -> IpAddr) -> Option<u32> {
    check(rows, of(from), "first of a piece");
    let (first, carve_outs) = (judge(of(from)), CarveOuts::default());
    (from..=to).find(|&v4| !same(judge_address(of(v4), 443, true, &carve_outs), first))
}

/// All of IPv4 in one form, in two threads.
fn check_all(rows: &[Row], form: &str, of: impl Fn(u32) -> IpAddr + Copy + Send + Sync) {
    let started = Instant::now();
    let firsts: Vec<u32> = changes(rows).into_iter().chain([1 << 31]).collect::<BTreeSet<_>>().into_iter().collect();
    let lasts = firsts.iter().skip(1).map(|first| first - 1).chain([u32::MAX]);
    let pieces: Vec<(u32, u32)> = firsts.iter().copied().zip(lasts).collect();
    assert_eq!(pieces.iter().map(|(from, to)| u64::from(to - from) + 1).sum::<u64>(), 1 << 32);
    std::thread::scope(|scope| {
        for half in 0..2 {
            let mine = pieces.iter().filter(move |(from, _)| from >> 31 == half);
            scope.spawn(move || {
                for &(from, to) in mine {
                    let wrong = first_wrong(rows, from, to, of).map(of);
                    assert_eq!(wrong, None, "{form}: not judged as {}, the first of its piece", of(from));
                }
            });
        }
    });
    println!("{form}: 2^32 addresses in {:?}", started.elapsed());
}

#[test]
fn every_ipv4_address_is_judged_as_the_registries_say_in_every_form() {
    let rows = rows();
    // Written out, and not a loop over `FORMS`, so that each is compiled by itself.
    check_all(&rows, "bare", bare);
    check_all(&rows, "IPv4-mapped", mapped);
    check_all(&rows, "NAT64", nat64);
    check_all(&rows, "ISATAP, private", isatap_local);
    check_all(&rows, "ISATAP, unique", isatap_unique);
    check_all(&rows, "IPv4-compatible", compatible);
    check_all(&rows, "IPv4-translated", translated);
    check_all(&rows, "local NAT64", local_nat64);
    check_all(&rows, "local NAT64, RFC 6052 layout", local_nat64_48);
    check_all(&rows, "6to4", six_to_four);
    check_all(&rows, "Teredo", teredo);
}

/// Not a test: `cargo test -p portcullis-gate --test addresses -- --ignored --nocapture`.
#[test]
#[ignore = "measures"]
fn what_one_judgement_costs() {
    let own: Vec<IpAddr> = (0..64u32).map(|n| Ipv4Addr::from_bits(0x0a00_0000 | n).into()).collect();
    let some = CarveOuts::new(&["127.0.0.1:8025".parse().unwrap(), "[::1]:80".parse().unwrap()]).own(&own);
    for (carve_outs, with) in [(CarveOuts::default(), "nothing"), (some, "2 carve-outs, 64 own")] {
        for address in [
            "93.184.215.14",
            "10.0.0.1",
            "192.175.48.1",
            "203.0.114.1",
            "2606:4700::1111",
            "64:ff9b::1.1.1.1",
            "2606:4700::5efe:1.1.1.1",
        ] {
            let addresses = vec![address.parse::<IpAddr>().unwrap(); 1000];
            let (rounds, started, mut allowed) = (20_000, Instant::now(), 0usize);
            for _ in 0..rounds {
                let addresses = black_box(&addresses).iter();
                allowed += addresses.filter(|a| judge_address(**a, 443, true, black_box(&carve_outs)).is_ok()).count();
            }
            let each = started.elapsed().as_secs_f64() * 1e9 / f64::from(rounds) / 1000.0;
            println!(
                "{address} ({with}): {each:.2} ns, {}",
                if black_box(allowed) > 0 { "allowed" } else { "refused" }
            );
        }
    }
}
