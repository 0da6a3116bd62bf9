//! A response's body, put together piece by piece under its caps, and unpacked on the way where it is gzip.
//!
//! Every cap is asked before a byte is kept, on the wire and again after unpacking, so that a bomb costs no more than the
//! body it may be. gzip may have several members, one body each after the other (RFC 1952, section 2.2), and zero bytes
//! behind the last, as `tar` and tape blocks leave them. Members are counted: a hundred thousand empty ones fit into a
//! small body, and each costs the making of a decoder.

use std::{
    io::{self, Write},
    sync::atomic::{AtomicU64, Ordering},
};

use flate2::write::GzDecoder;
use http::{HeaderMap, HeaderValue, header::CONTENT_ENCODING};
use portcullis_gate::{Limits, printable};
use zeroize::Zeroizing;

use crate::error::SendError;

/// Longest name of an unknown coding that is repeated, in characters.
const MAX_NAME: usize = 64;
/// Most members of one gzip body.
const MAX_MEMBERS: u32 = 1_024;

/// What the host says it can unpack.
pub(crate) const ACCEPTED: &str = "gzip";

/// How a body is packed (RFC 9110, section 8.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    Identity,
    Gzip,
}

impl Coding {
    /// The coding that all fields together name (RFC 9110, section 8.4): a list, of which `identity` and empty items say
    /// nothing. The error is the name of what cannot be unpacked, so that secrets in it would not be found.
    pub(crate) fn of<'a>(fields: impl Iterator<Item = &'a [u8]>) -> Result<Self, String> {
        let mut coding = Coding::Identity;
        for name in fields.flat_map(|field| field.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii) {
            if name.is_empty() || name.eq_ignore_ascii_case(b"identity") {
                continue;
            }
            let gzip = name.eq_ignore_ascii_case(b"gzip") || name.eq_ignore_ascii_case(b"x-gzip");
            if !gzip {
                return Err(printable(&String::from_utf8_lossy(name), MAX_NAME));
            }
            if coding == Coding::Gzip {
                return Err("gzip, gzip".to_owned());
            }
            coding = Coding::Gzip;
        }
        Ok(coding)
    }

    /// The coding of a response.
    pub(crate) fn of_response(headers: &HeaderMap) -> Result<Self, String> {
        Self::of(headers.get_all(CONTENT_ENCODING).iter().map(HeaderValue::as_bytes))
    }
}

/// Bytes of all response bodies of one call: as they arrived, and as they are held. Each in sum at most `bytes_in`.
#[derive(Debug, Default)]
pub(crate) struct Intake {
    wire: AtomicU64,
    held: AtomicU64,
}

/// Why a body is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// More than `response_bytes`, packed or not.
    TooLarge,
    /// More than `bytes_in` in sum.
    TooMuch,
    /// Not gzip, though it says so, or it ends in the middle.
    Malformed,
    /// More members than a gzip body may have.
    Members,
}

impl Refusal {
    /// The bound that was hit; none where the body is malformed.
    pub(crate) fn bound(self, limits: &Limits) -> Option<SendError> {
        match self {
            Refusal::TooLarge => Some(SendError::Bound { name: "response_bytes", limit: limits.response_bytes.into() }),
            Refusal::TooMuch => Some(SendError::Bound { name: "bytes_in", limit: limits.bytes_in.into() }),
            Refusal::Members => Some(SendError::Bound { name: "gzip_members", limit: MAX_MEMBERS.into() }),
            Refusal::Malformed => None,
        }
    }
}

/// What unpacking costs, in units, for so many bytes on either side.
pub(crate) fn price(bytes: usize) -> u64 {
    bytes as u64 / 8 + 1
}

/// A body under way.
pub(crate) struct Body<'a> {
    form: Form<'a>,
    wire: usize,
    most: usize,
    intake: &'a Intake,
    most_in: u64,
}

enum Form<'a> {
    Plain(Capped<'a>),
    Gzip(Box<Members<'a>>),
}

impl<'a> Body<'a> {
    pub(crate) fn new(coding: Coding, limits: &Limits, intake: &'a Intake) -> Self {
        let (most, most_in) = (limits.response_bytes as usize, limits.bytes_in.into());
        let kept = Capped { bytes: Zeroizing::default(), most, held: &intake.held, most_in, refusal: None };
        let form = match coding {
            Coding::Identity => Form::Plain(kept),
            Coding::Gzip => Form::Gzip(Box::new(Members { decoder: GzDecoder::new(kept), members: 1, padding: false })),
        };
        Self { form, wire: 0, most, intake, most_in }
    }

    /// Takes the next piece as it came.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Result<(), Refusal> {
        self.wire = self.wire.saturating_add(piece.len());
        if self.wire > self.most {
            return Err(Refusal::TooLarge);
        }
        if !within(&self.intake.wire, piece.len(), self.most_in) {
            return Err(Refusal::TooMuch);
        }
        match &mut self.form {
            Form::Plain(kept) => kept.keep(piece),
            Form::Gzip(members) => members.push(piece),
        }
    }

    /// How many bytes are held so far, unpacked.
    pub(crate) fn held(&self) -> usize {
        match &self.form {
            Form::Plain(kept) => kept.bytes.len(),
            Form::Gzip(members) => members.decoder.get_ref().bytes.len(),
        }
    }

    /// The whole body. Nothing at all is a whole body too: answers to HEAD say how they would have been packed.
    /// Wiped when dropped: it may be a token, or echo a secret.
    pub(crate) fn finish(self) -> Result<Zeroizing<Vec<u8>>, Refusal> {
        match self.form {
            Form::Plain(kept) => Ok(kept.bytes),
            Form::Gzip(_) if self.wire == 0 => Ok(Zeroizing::default()),
            Form::Gzip(mut members) => {
                members.end()?;
                Ok(std::mem::take(&mut members.decoder.get_mut().bytes))
            }
        }
    }
}

/// The members of a gzip body, unpacked one after the other.
struct Members<'a> {
    decoder: GzDecoder<Capped<'a>>,
    members: u32,
    /// Only zero bytes may follow.
    padding: bool,
}

impl Members<'_> {
    fn push(&mut self, mut piece: &[u8]) -> Result<(), Refusal> {
        let mut ended = false;
        while let Some(first) = piece.first() {
            if self.padding {
                return if piece.iter().all(|byte| *byte == 0) { Ok(()) } else { Err(Refusal::Malformed) };
            }
            let taken = self.decoder.write(piece).map_err(|_| self.refusal())?;
            piece = piece.get(taken..).unwrap_or_default();
            if taken > 0 {
                ended = false;
                continue;
            }
            // The member is at its end: nothing is taken any more.
            if ended {
                return Err(Refusal::Malformed);
            }
            ended = true;
            self.end()?;
            if *first == 0 {
                self.padding = true;
                continue;
            }
            self.members += 1;
            if self.members > MAX_MEMBERS {
                return Err(Refusal::Members);
            }
            let kept = self.decoder.get_mut().take();
            self.decoder = GzDecoder::new(kept);
        }
        Ok(())
    }

    /// Whether the member is whole: its checksum and its length are right.
    fn end(&mut self) -> Result<(), Refusal> {
        self.decoder.try_finish().map_err(|_| self.refusal())
    }

    fn refusal(&self) -> Refusal {
        self.decoder.get_ref().refusal.unwrap_or(Refusal::Malformed)
    }
}

/// Unpacked bytes, never more than may be held.
struct Capped<'a> {
    bytes: Zeroizing<Vec<u8>>,
    most: usize,
    held: &'a AtomicU64,
    most_in: u64,
    refusal: Option<Refusal>,
}

impl<'a> Capped<'a> {
    /// What is kept so far, out of a decoder that is not needed any more.
    fn take(&mut self) -> Capped<'a> {
        Capped { bytes: std::mem::take(&mut self.bytes), ..*self }
    }
}

impl Capped<'_> {
    fn keep(&mut self, piece: &[u8]) -> Result<(), Refusal> {
        let length = self.bytes.len().saturating_add(piece.len());
        let refusal = if length > self.most {
            Some(Refusal::TooLarge)
        } else if !within(self.held, piece.len(), self.most_in) {
            Some(Refusal::TooMuch)
        } else {
            None
        };
        if let Some(refusal) = refusal {
            self.refusal = Some(refusal);
            return Err(refusal);
        }
        if length > self.bytes.capacity() {
            // Doubled as usual, but not beyond what it may become.
            let wanted = length.max(self.bytes.capacity() * 2).min(self.most);
            // Into a buffer of its own, so that the one before it is wiped: a vector that grows leaves copies behind.
            let mut larger = Zeroizing::new(Vec::with_capacity(wanted));
            larger.extend_from_slice(&self.bytes);
            self.bytes = larger;
        }
        self.bytes.extend_from_slice(piece);
        Ok(())
    }
}

impl Write for Capped<'_> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.keep(piece).map_err(|_| io::Error::other("more than may be held"))?;
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Counts, and says whether the sum still is within the bound.
fn within(sum: &AtomicU64, more: usize, most: u64) -> bool {
    let more = more as u64;
    sum.fetch_add(more, Ordering::Relaxed).saturating_add(more) <= most
}

#[cfg(test)]
mod tests {
    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    fn unpack(packed: &[u8], limits: &Limits, intake: &Intake) -> Result<Vec<u8>, Refusal> {
        let mut body = Body::new(Coding::Gzip, limits, intake);
        for piece in packed.chunks(7) {
            body.push(piece)?;
        }
        body.finish().map(|mut body| std::mem::take(&mut *body))
    }

    #[test]
    fn gzip_comes_out_as_it_went_in_whatever_the_pieces() {
        let plain: Vec<u8> = (0..100_000_u32).map(|i| (i % 997 * i % 251) as u8).collect();
        assert_eq!(unpack(&gzip(&plain), &Limits::default(), &Intake::default()).unwrap(), plain);
        assert_eq!(unpack(&gzip(b""), &Limits::default(), &Intake::default()).unwrap(), b"");
        assert_eq!(unpack(b"", &Limits::default(), &Intake::default()).unwrap(), b"");
    }

    #[test]
    fn a_bomb_never_holds_more_than_its_cap() {
        let limits = Limits { response_bytes: 100_000, ..Limits::default() };
        let bomb = gzip(&vec![0; 50 << 20]);
        assert!(bomb.len() < 100_000);
        let intake = Intake::default();
        let mut body = Body::new(Coding::Gzip, &limits, &intake);
        assert_eq!(body.push(&bomb), Err(Refusal::TooLarge));
        let Form::Gzip(members) = &body.form else { panic!("not gzip") };
        let held = members.decoder.get_ref().bytes.capacity();
        assert!(held <= 100_000, "{held}");
    }

    #[test]
    fn the_cap_counts_the_wire_too_and_is_exact() {
        let limits = Limits { response_bytes: 100, ..Limits::default() };
        let noise: Vec<u8> = (0..101_u32).map(|i| (i * 7919 % 256) as u8).collect();
        assert_eq!(unpack(&gzip(&noise[..100]), &limits, &Intake::default()), Err(Refusal::TooLarge), "on the wire");
        assert_eq!(unpack(&gzip(&[0; 101]), &limits, &Intake::default()), Err(Refusal::TooLarge), "unpacked");
        assert_eq!(unpack(&gzip(&[0; 100]), &limits, &Intake::default()).unwrap(), [0; 100]);
        let intake = Intake::default();
        let mut plain = Body::new(Coding::Identity, &limits, &intake);
        plain.push(&noise[..100]).unwrap();
        assert_eq!(plain.push(b"x"), Err(Refusal::TooLarge));
    }

    #[test]
    fn the_sum_of_all_bodies_is_bounded_packed_and_unpacked() {
        let limits = Limits { bytes_in: 250, ..Limits::default() };
        let intake = Intake::default();
        for _ in 0..2 {
            unpack(&gzip(&[0; 100]), &limits, &intake).unwrap();
        }
        assert_eq!(unpack(&gzip(&[0; 100]), &limits, &intake), Err(Refusal::TooMuch), "unpacked");
        let intake = Intake::default();
        let mut body = Body::new(Coding::Gzip, &limits, &intake);
        // An endless file name in the header unpacks to nothing.
        body.push(&[0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 3]).unwrap();
        assert_eq!((0..30).find_map(|_| body.push(&[b'x'; 10]).err()), Some(Refusal::TooMuch), "on the wire");
    }

    #[test]
    fn gzip_that_breaks_off_or_goes_on_as_something_else_is_malformed() {
        let whole = gzip(b"hello hello hello");
        for end in 1..whole.len() {
            assert_eq!(unpack(&whole[..end], &Limits::default(), &Intake::default()), Err(Refusal::Malformed), "{end}");
            let second = [&whole, &whole[..end]].concat();
            assert_eq!(unpack(&second, &Limits::default(), &Intake::default()), Err(Refusal::Malformed), "{end}");
        }
        for more in [&b"x"[..], b"\0x", b"\0\0\0\0\0\0\0\0\0x"] {
            let long = [&whole, more].concat();
            assert_eq!(unpack(&long, &Limits::default(), &Intake::default()), Err(Refusal::Malformed));
        }
        let mut wrong_sum = whole.clone();
        let crc = wrong_sum.len() - 8;
        wrong_sum[crc] ^= 1;
        assert_eq!(unpack(&wrong_sum, &Limits::default(), &Intake::default()), Err(Refusal::Malformed));
        assert_eq!(unpack(b"not gzip at all", &Limits::default(), &Intake::default()), Err(Refusal::Malformed));
    }

    #[test]
    fn members_are_one_body_and_zero_bytes_may_follow() {
        let (limits, intake) = (Limits::default(), Intake::default());
        for zeros in [0, 1, 7, 600] {
            let long = [gzip(b"{\"ok\":"), gzip(b""), gzip(b" true}"), vec![0; zeros]].concat();
            assert_eq!(unpack(&long, &limits, &intake).unwrap(), b"{\"ok\": true}", "{zeros}");
        }
        let many = |count: usize| gzip(b"x").repeat(count);
        assert_eq!(unpack(&many(MAX_MEMBERS as usize), &limits, &intake).unwrap(), vec![b'x'; MAX_MEMBERS as usize]);
        assert_eq!(unpack(&many(MAX_MEMBERS as usize + 1), &limits, &intake), Err(Refusal::Members));
        let small = Limits { response_bytes: 150, ..Limits::default() };
        assert_eq!(unpack(&[gzip(&[0; 100]), gzip(&[0; 51])].concat(), &small, &intake), Err(Refusal::TooLarge));
    }

    #[test]
    fn only_gzip_and_nothing_twice_can_be_unpacked_and_what_cannot_is_named() {
        let of = |values: &[&str]| Coding::of(values.iter().map(|value| value.as_bytes()));
        for identity in [&[][..], &[""], &["identity"], &[" , ,", "Identity"]] {
            assert_eq!(of(identity), Ok(Coding::Identity), "{identity:?}");
        }
        for gzip in [&["GZIP"][..], &["x-gzip"], &["gzip, identity"], &["gzip", "identity"], &[", gzip ,"]] {
            assert_eq!(of(gzip), Ok(Coding::Gzip), "{gzip:?}");
        }
        for (values, named) in [
            (&["br"][..], "br"),
            (&["deflate"], "deflate"),
            (&["gzip, gzip"], "gzip, gzip"),
            (&["gzip", "x-gzip"], "gzip, gzip"),
            (&["identity", "utf-8"], "utf-8"),
        ] {
            assert_eq!(of(values), Err(named.to_owned()), "{values:?}");
        }
    }
}
