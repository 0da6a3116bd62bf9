//! Keys that sign JWTs: read once, from PEM, and tried once, so that a wrong one is told when it is given.
//!
//! PEM and PKCS #8 are read here and not by the JWT library, whose reader leaves copies of the key in memory.

use super::MaterialError;
use crate::{pem, secret::Secret};
use jsonwebtoken::{Algorithm, EncodingKey, crypto};

/// A private key, with how it signs and what it is called.
#[derive(Debug)]
pub(crate) struct JwtKey {
    pub(crate) key: EncodingKey,
    pub(crate) algorithm: Algorithm,
    pub(crate) id: Option<String>,
}

/// What sorts of keys there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Rsa,
    P256,
    P384,
    Ed25519,
}

impl Sort {
    fn name(self) -> &'static str {
        match self {
            Sort::Rsa => "an RSA key",
            Sort::P256 => "a key on the curve P-256",
            Sort::P384 => "a key on the curve P-384",
            Sort::Ed25519 => "an Ed25519 key",
        }
    }

    /// The algorithms that it can sign with, the usual one first.
    fn algorithms(self) -> &'static [(&'static str, Algorithm)] {
        match self {
            Sort::Rsa => &[
                ("RS256", Algorithm::RS256),
                ("RS384", Algorithm::RS384),
                ("RS512", Algorithm::RS512),
                ("PS256", Algorithm::PS256),
                ("PS384", Algorithm::PS384),
                ("PS512", Algorithm::PS512),
            ],
            Sort::P256 => &[("ES256", Algorithm::ES256)],
            Sort::P384 => &[("ES384", Algorithm::ES384)],
            Sort::Ed25519 => &[("EdDSA", Algorithm::EdDSA)],
        }
    }
}

impl JwtKey {
    /// Reads and tries a key. `allowed` says what may be chosen, where not everything may.
    pub(crate) fn new(
        field: &'static str,
        pem: &[u8],
        algorithm: Option<&str>,
        id: Option<&str>,
        allowed: Option<&[&str]>,
    ) -> Result<Self, MaterialError> {
        let wrong = |problem: String| MaterialError::Field { field, problem };
        let (sort, key) = read(pem).map_err(wrong)?;
        let fits = |name: &str| allowed.is_none_or(|allowed| allowed.contains(&name));
        let possible: Vec<_> = sort.algorithms().iter().filter(|(name, _)| fits(name)).collect();
        let names = || possible.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        let chosen = match algorithm {
            None => possible.first().ok_or_else(|| {
                let allowed = allowed.unwrap_or_default().join(" or ");
                wrong(format!("it is {}, and {allowed} is needed", sort.name()))
            })?,
            Some(name) => possible.iter().find(|(own, _)| *own == name).ok_or_else(|| {
                let problem = match names() {
                    none if none.is_empty() => format!("{} does not sign as it must here", sort.name()),
                    names => format!("{} signs with {names}", sort.name()),
                };
                MaterialError::Field { field: "algorithm", problem }
            })?,
        };
        if crypto::sign(b"trial", &key, chosen.1).is_err() {
            let problem = "it cannot sign: an RSA key needs 2048 to 8192 bits, and a key must be whole";
            return Err(wrong(problem.to_owned()));
        }
        Ok(Self { key, algorithm: chosen.1, id: id.map(str::to_owned) })
    }

    /// The same, of a secret.
    pub(crate) fn of(
        pem: &Secret,
        algorithm: Option<&str>,
        id: Option<&str>,
        allowed: Option<&[&str]>,
    ) -> Result<Self, MaterialError> {
        Self::new("private-key", pem.expose(), algorithm, id, allowed)
    }

    /// The algorithm, as it is written.
    pub(crate) fn algorithm_name(&self) -> String {
        format!("{:?}", self.algorithm)
    }
}

fn read(pem: &[u8]) -> Result<(Sort, EncodingKey), String> {
    let no_pem = || "it is no PEM; a key begins with `-----BEGIN PRIVATE KEY-----`".to_owned();
    let text = std::str::from_utf8(pem).map_err(|_| no_pem())?;
    let (label, body) = block(text).ok_or_else(no_pem)?;
    let convert = "; write it as PKCS #8: `openssl pkcs8 -topk8 -nocrypt -in OLD.pem -out NEW.pem`";
    match label {
        "PRIVATE KEY" | "RSA PRIVATE KEY" => {}
        "EC PRIVATE KEY" | "EC PARAMETERS" => return Err(format!("it is a key in SEC 1 form{convert}")),
        "ENCRYPTED PRIVATE KEY" => return Err(format!("it is locked with a passphrase{convert}")),
        "OPENSSH PRIVATE KEY" => return Err("it is a key of OpenSSH; a key in PKCS #8 is needed".to_owned()),
        "PUBLIC KEY" | "RSA PUBLIC KEY" => return Err("it is a public key; the private key is needed".to_owned()),
        "CERTIFICATE" => return Err("it is a certificate; the private key is needed".to_owned()),
        _ => return Err("it is something else than a key; `-----BEGIN PRIVATE KEY-----` is needed".to_owned()),
    }
    let der = pem::decode(body)?;
    if label == "RSA PRIVATE KEY" {
        return Ok((Sort::Rsa, EncodingKey::from_rsa_der(&der)));
    }
    let (sort, inner) = pkcs8(&der).ok_or("it is no PKCS #8, or of a sort that is not RSA, P-256, P-384 or Ed25519")?;
    Ok(match sort {
        // The signer takes PKCS #1 for RSA, and PKCS #8 for all others.
        Sort::Rsa => (sort, EncodingKey::from_rsa_der(inner)),
        Sort::P256 | Sort::P384 => (sort, EncodingKey::from_ec_der(&der)),
        Sort::Ed25519 => (sort, EncodingKey::from_ed_der(&der)),
    })
}

/// The first block: its label, and its base64.
fn block(text: &str) -> Option<(&str, &str)> {
    let (_, rest) = text.split_once("-----BEGIN ")?;
    let (label, rest) = rest.split_once("-----")?;
    let (body, end) = rest.split_once("-----END ")?;
    end.starts_with(label).then_some((label, body))
}

/// What is in a PKCS #8 document (RFC 5958): the sort of key, and the key.
fn pkcs8(der: &[u8]) -> Option<(Sort, &[u8])> {
    const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
    const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
    const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
    const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
    const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
    const INTEGER: u8 = 0x02;
    const OCTETS: u8 = 0x04;
    const OID: u8 = 0x06;
    const SEQUENCE: u8 = 0x30;
    let (document, _) = element(der, SEQUENCE)?;
    let (_version, rest) = element(document, INTEGER)?;
    let (algorithm, rest) = element(rest, SEQUENCE)?;
    let (key, _) = element(rest, OCTETS)?;
    let (sort, parameters) = element(algorithm, OID)?;
    let sort = match sort {
        RSA => Sort::Rsa,
        ED25519 => Sort::Ed25519,
        EC => match element(parameters, OID)?.0 {
            P256 => Sort::P256,
            P384 => Sort::P384,
            _ => return None,
        },
        _ => return None,
    };
    Some((sort, key))
}

/// The content of the element of DER that stands first, and what comes after it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[own, first], mut rest) = der.split_first_chunk::<2>()?;
    if own != tag {
        return None;
    }
    let length = match first {
        0..=0x7f => usize::from(first),
        0x81..=0x83 => {
            let (bytes, after) = rest.split_at_checked(usize::from(first & 0x7f))?;
            rest = after;
            bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte))
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}
