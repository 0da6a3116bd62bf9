//! A client certificate and its key, as TLS takes them.
//!
//! The key is read and tried here, when it is handed over, and not when the first handshake fails. Of X.509 only the end of
//! the certificate's validity is read by hand, twenty lines of DER: that the certificate is one is judged by the library
//! that will send it, and a whole X.509 parser for one date would be the larger risk.

use std::{fmt, sync::Arc};

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use rustls::{
    Error, InconsistentKeys,
    crypto::aws_lc_rs::sign::any_supported_type,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer},
    sign::CertifiedKey,
};
use zeroize::Zeroizing;

use crate::{material::MaterialError, pem, secret::Secret};

/// Most certificates of a chain.
const MAX_CHAIN: usize = 16;

/// A client certificate with its chain and its key.
pub struct Identity {
    key: Arc<CertifiedKey>,
    expires: Timestamp,
}

impl Identity {
    /// Reads PEM: the certificate first, then those that signed it; and its private key (PKCS #8, PKCS #1 or SEC 1). One that
    /// has expired is refused.
    pub(crate) fn new(certificates: &Secret, key: &Secret) -> Result<Self, MaterialError> {
        Self::at(certificates, key, Timestamp::now())
    }

    fn at(certificates: &Secret, key: &Secret, now: Timestamp) -> Result<Self, MaterialError> {
        let (chain, leaf_expires) = chain(certificates).map_err(in_certificates)?;
        if leaf_expires <= now {
            return Err(in_certificates(format!("the first certificate expired at {leaf_expires}; give a new one")));
        }
        let key = private_key(key).map_err(in_key)?;
        let key = CertifiedKey::new(chain, key);
        key.keys_match().map_err(|error| match error {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => in_key(
                "it is not the key of the first certificate; the client's own certificate comes first".to_owned(),
            ),
            error => in_certificates(format!("the first certificate cannot be used: {error}")),
        })?;
        Ok(Self { key: Arc::new(key), expires: leaf_expires })
    }

    /// For the TLS of a connection.
    pub fn certified_key(&self) -> Arc<CertifiedKey> {
        self.key.clone()
    }

    /// When the certificate stops to be valid.
    pub fn expires(&self) -> Timestamp {
        self.expires
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("expires", &self.expires).finish_non_exhaustive()
    }
}

fn in_certificates(problem: String) -> MaterialError {
    MaterialError::Field { field: "certificates", problem }
}

fn in_key(problem: String) -> MaterialError {
    MaterialError::Field { field: "key", problem }
}

/// The certificates, and when the first stops to be valid.
fn chain(pem: &Secret) -> Result<(Vec<CertificateDer<'static>>, Timestamp), String> {
    let mut chain = Vec::new();
    for (label, der) in sections(pem)? {
        if label != "CERTIFICATE" {
            return Err(format!("it holds a section `{label}`; write certificates alone, the key goes into `key`"));
        }
        chain.push(CertificateDer::from(der.to_vec()));
    }
    let first = chain.first().ok_or("write PEM, which begins with -----BEGIN CERTIFICATE-----")?;
    if chain.len() > MAX_CHAIN {
        return Err(format!("a chain has at most {MAX_CHAIN} certificates; this one has {}", chain.len()));
    }
    let expires = not_after(first).ok_or("the first certificate is not one of X.509 version 3 in DER")?;
    Ok((chain, expires))
}

/// The one private key.
fn private_key(pem: &Secret) -> Result<Arc<dyn rustls::sign::SigningKey>, String> {
    let encrypted = "it is encrypted with a passphrase; decrypt it first: openssl pkcs8 -in KEY -out PLAIN";
    // The traditional form says so in a header, which is no base64.
    if memchr::memmem::find(pem.expose(), b"Proc-Type:").is_some() {
        return Err(encrypted.to_owned());
    }
    let mut found = None;
    for (label, der) in sections(pem)? {
        match label {
            // `openssl ecparam` writes the curve before the key, which has it as well.
            "EC PARAMETERS" => {}
            "ENCRYPTED PRIVATE KEY" => return Err(encrypted.to_owned()),
            "PRIVATE KEY" | "RSA PRIVATE KEY" | "EC PRIVATE KEY" if found.is_none() => found = Some((label, der)),
            "PRIVATE KEY" | "RSA PRIVATE KEY" | "EC PRIVATE KEY" => return Err("it holds two keys".to_owned()),
            _ => return Err(format!("it holds a section `{label}`; write the private key alone")),
        }
    }
    let (label, der) = found.ok_or("write PEM, which begins with -----BEGIN PRIVATE KEY-----")?;
    // Lent: what is copied would not be wiped.
    let der = match label {
        "RSA PRIVATE KEY" => PrivateKeyDer::Pkcs1(PrivatePkcs1KeyDer::from(der.as_slice())),
        "EC PRIVATE KEY" => PrivateKeyDer::Sec1(PrivateSec1KeyDer::from(der.as_slice())),
        _ => PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(der.as_slice())),
    };
    // The library's own words are left out: nobody has said that they hold nothing of the key.
    any_supported_type(&der)
        .map_err(|_| "it is no key of RSA (2048 bits and more), P-256, P-384, P-521 or Ed25519".to_owned())
}

/// A section of a PEM text: its label and its content.
type Section<'a> = (&'a str, Zeroizing<Vec<u8>>);

/// The sections of a PEM text (RFC 7468). What stands between them is left out, as everybody does.
fn sections(pem: &Secret) -> Result<Vec<Section<'_>>, String> {
    let mut rest = std::str::from_utf8(pem.expose()).map_err(|_| "PEM is ASCII text")?;
    let mut sections = Vec::new();
    while let Some((_, begun)) = rest.split_once("-----BEGIN ") {
        let (label, inside) = begun.split_once("-----").ok_or("a BEGIN line of the PEM is not whole")?;
        // Not told: what is no label may be anything.
        if label.len() > 40 || !label.bytes().all(|byte| byte.is_ascii_uppercase() || b" 0123456789".contains(&byte)) {
            return Err("a BEGIN line of the PEM has no proper label".to_owned());
        }
        let (text, behind) =
            inside.split_once("-----END ").ok_or_else(|| format!("the PEM section `{label}` has no end"))?;
        rest = behind
            .strip_prefix(label)
            .and_then(|behind| behind.strip_prefix("-----"))
            .ok_or_else(|| format!("the PEM section `{label}` does not end with -----END {label}-----"))?;
        let der = pem::decode(text).map_err(|problem| format!("the PEM section `{label}`: {problem}"))?;
        sections.push((label, der));
    }
    Ok(sections)
}

/// When a certificate stops to be valid (RFC 5280, section 4.1.2.5).
fn not_after(certificate: &[u8]) -> Option<Timestamp> {
    const SEQUENCE: u8 = 0x30;
    let (tag, certificate, _) = element(certificate)?;
    let (inner, mut fields, _) = element(certificate)?;
    if (tag, inner) != (SEQUENCE, SEQUENCE) {
        return None;
    }
    // Version, serial number, algorithm and issuer stand before it. Only version 1 has no version, and TLS takes version 3.
    for expected in [0xa0, 0x02, SEQUENCE, SEQUENCE] {
        let (tag, _, rest) = element(fields)?;
        if tag != expected {
            return None;
        }
        fields = rest;
    }
    let (tag, validity, _) = element(fields)?;
    let (_, _, rest) = element(validity).filter(|_| tag == SEQUENCE)?;
    let (tag, time, _) = element(rest)?;
    time_of(tag, std::str::from_utf8(time).ok()?)
}

/// One element of DER: its tag, its content and what follows.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x83 => {
            let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (length.iter().fold(0, |length, byte| length * 256 + usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

/// `UTCTime` has two digits of the year, `GeneralizedTime` four; both end with the seconds and `Z`.
fn time_of(tag: u8, text: &str) -> Option<Timestamp> {
    let digits = text.strip_suffix('Z').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    let (year, rest) = match (tag, digits.len()) {
        (0x17, 12) => {
            let year: i16 = digits.get(..2)?.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, digits.get(2..)?)
        }
        (0x18, 14) => (digits.get(..4)?.parse().ok()?, digits.get(4..)?),
        _ => return None,
    };
    let two = |at: usize| rest.get(at..at + 2)?.parse::<i8>().ok();
    let time = DateTime::new(year, two(0)?, two(2)?, two(4)?, two(6)?, two(8)?, 0).ok()?;
    // Beyond the last day that can be told stands "never": 99991231235959Z.
    Some(time.to_zoned(TimeZone::UTC).map_or(Timestamp::MAX, |zoned| zoned.timestamp()))
}

#[cfg(test)]
pub(crate) use tests::test_file;

#[cfg(test)]
mod tests;
