//! When a token is asked for anew, and a token as bytes, to be sealed.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use zeroize::Zeroizing;

use crate::{secret::Secret, usable::Token};

/// So long before its end a token is asked for anew, unless a tenth of its life is less.
const AHEAD: SignedDuration = SignedDuration::from_secs(60);
/// The form of the bytes.
const VERSION: u8 = 1;

/// How good a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// Use it.
    Fresh,
    /// Use it, and somebody asks for a new one.
    Stale,
    /// Wait for a new one.
    Expired,
}

impl Token {
    /// How good it is.
    pub(crate) fn freshness(&self, now: Timestamp) -> Freshness {
        let Some(expires) = self.expires else { return Freshness::Fresh };
        let ahead = AHEAD.min(expires.duration_since(self.received) / 10);
        match expires.duration_since(now) {
            left if left <= SignedDuration::ZERO => Freshness::Expired,
            left if left <= ahead => Freshness::Stale,
            _ => Freshness::Fresh,
        }
    }

    /// The same, at its end: another one can be got with it.
    pub(crate) fn expired_at(&self, now: Timestamp) -> Self {
        Self {
            access: self.access.duplicate(),
            refresh: self.refresh.as_ref().map(Secret::duplicate),
            received: self.received,
            expires: Some(now),
            values: self.values.clone(),
        }
    }

    /// All of it, to be sealed.
    pub(crate) fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let received = self.received.as_nanosecond().to_string();
        let expires = self.expires.map(|at| at.as_nanosecond().to_string()).unwrap_or_default();
        // No secret is empty.
        let refresh = self.refresh.as_ref().map_or(&[][..], Secret::expose);
        let mut parts = vec![self.access.expose(), refresh, received.as_bytes(), expires.as_bytes()];
        for (name, value) in &self.values {
            parts.extend([name.as_bytes(), value.as_bytes()]);
        }
        pack(&parts)
    }

    /// What `to_bytes` wrote; none if it is something else.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let parts = unpack(bytes)?;
        let (&[access, refresh, received, expires], values) = parts.split_first_chunk()?;
        let (values, rest) = values.as_chunks();
        if !rest.is_empty() {
            return None;
        }
        let values = values.iter().map(|[name, value]| Some((text(name)?.to_owned(), text(value)?.to_owned())));
        Some(Self {
            access: secret(access)?,
            refresh: if refresh.is_empty() { None } else { Some(secret(refresh)?) },
            received: time(received)?,
            expires: if expires.is_empty() { None } else { Some(time(expires)?) },
            values: values.collect::<Option<BTreeMap<_, _>>>()?,
        })
    }
}

pub(super) fn secret(bytes: &[u8]) -> Option<Secret> {
    Secret::new(bytes.to_vec()).ok()
}

pub(super) fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

pub(super) fn time(bytes: &[u8]) -> Option<Timestamp> {
    Timestamp::from_nanosecond(text(bytes)?.parse().ok()?).ok()
}

/// Parts, each after its length, in one buffer that never grows.
pub(super) fn pack(parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(1 + parts.iter().map(|part| 4 + part.len()).sum::<usize>()));
    bytes.push(VERSION);
    for part in parts {
        bytes.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}

/// Those parts; none if there is anything else.
pub(super) fn unpack(bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let (version, mut rest) = bytes.split_first()?;
    if *version != VERSION {
        return None;
    }
    let mut parts = Vec::new();
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk()?;
        let (part, after) = after.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        parts.push(part);
        rest = after;
    }
    Some(parts)
}
