//! A response's body, put together piece by piece under its caps, and unpacked on the way where it is gzip.
//!
//! Every cap is asked before a byte is kept, on the wire and again after unpacking, so that a bomb costs no more than the
//! body it may be. gzip is one member (RFC 1952): who sends several, or something behind it, is refused, because a hundred
//! thousand empty members fit into a small body and each costs the making of a decoder.

use std::{
    io::{self, Write},
    sync::atomic::{AtomicU64, Ordering},
};

use flate2::write::GzDecoder;
use http::{HeaderMap, header::CONTENT_ENCODING};
use portcullis_gate::Limits;
use zeroize::Zeroizing;

use crate::error::SendError;

/// What the host says it can unpack.
pub(crate) const ACCEPTED: &str = "gzip";

/// How a body is packed (RFC 9110, section 8.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    Identity,
    Gzip,
}

impl Coding {
    /// The coding of a response; none if it is one that cannot be unpacked, so that secrets in it would not be found.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(CONTENT_ENCODING).iter();
        let coding = match values.next() {
            None => return Some(Coding::Identity),
            Some(value) => value.as_bytes().trim_ascii(),
        };
        if values.next().is_some() {
            None
        } else if coding.eq_ignore_ascii_case(b"identity") {
            Some(Coding::Identity)
        } else if coding.eq_ignore_ascii_case(b"gzip") || coding.eq_ignore_ascii_case(b"x-gzip") {
            Some(Coding::Gzip)
        } else {
            None
        }
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
}

impl Refusal {
    /// The bound that was hit; none where the body is malformed.
    pub(crate) fn bound(self, limits: &Limits) -> Option<SendError> {
        match self {
            Refusal::TooLarge => Some(SendError::Bound { name: "response_bytes", limit: limits.response_bytes.into() }),
            Refusal::TooMuch => Some(SendError::Bound { name: "bytes_in", limit: limits.bytes_in.into() }),
            Refusal::Malformed => None,
        }
    }
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
    Gzip(Box<GzDecoder<Capped<'a>>>),
}

impl<'a> Body<'a> {
    pub(crate) fn new(coding: Coding, limits: &Limits, intake: &'a Intake) -> Self {
        let (most, most_in) = (limits.response_bytes as usize, limits.bytes_in.into());
        let kept = Capped { bytes: Zeroizing::default(), most, held: &intake.held, most_in, refusal: None };
        let form = match coding {
            Coding::Identity => Form::Plain(kept),
            Coding::Gzip => Form::Gzip(Box::new(GzDecoder::new(kept))),
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
            Form::Gzip(decoder) => {
                let written = decoder.write_all(piece);
                written.map_err(|_| decoder.get_ref().refusal.unwrap_or(Refusal::Malformed))
            }
        }
    }

    /// The whole body. Nothing at all is a whole body too: answers to HEAD say how they would have been packed.
    /// Wiped when dropped: it may be a token, or echo a secret.
    pub(crate) fn finish(self) -> Result<Zeroizing<Vec<u8>>, Refusal> {
        match self.form {
            Form::Plain(kept) => Ok(kept.bytes),
            Form::Gzip(_) if self.wire == 0 => Ok(Zeroizing::default()),
            Form::Gzip(mut decoder) => match decoder.try_finish() {
                Ok(()) => Ok(std::mem::take(&mut decoder.get_mut().bytes)),
                Err(_) => Err(decoder.get_ref().refusal.unwrap_or(Refusal::Malformed)),
            },
        }
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
    use http::HeaderValue;

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
        let Form::Gzip(decoder) = &body.form else { panic!("not gzip") };
        assert!(decoder.get_ref().bytes.capacity() <= 100_000, "{}", decoder.get_ref().bytes.capacity());
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
    fn gzip_that_breaks_off_or_goes_on_is_malformed() {
        let whole = gzip(b"hello hello hello");
        for end in 1..whole.len() {
            assert_eq!(unpack(&whole[..end], &Limits::default(), &Intake::default()), Err(Refusal::Malformed), "{end}");
        }
        for more in [&b"x"[..], &whole] {
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
    fn only_gzip_and_nothing_twice_can_be_unpacked() {
        let of = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CONTENT_ENCODING, HeaderValue::from_str(value).unwrap());
            }
            Coding::of(&headers)
        };
        assert_eq!(of(&[]), Some(Coding::Identity));
        assert_eq!((of(&["GZIP"]), of(&["x-gzip"])), (Some(Coding::Gzip), Some(Coding::Gzip)));
        for values in [&["br"][..], &["deflate"], &["gzip, gzip"], &["gzip", "gzip"], &["identity", "br"], &[""]] {
            assert_eq!(of(values), None, "{values:?}");
        }
    }
}
