//! Keys that sign heads: Ed25519, in a file or wherever a [`Signer`] has them.

use std::{
    fmt,
    fs::{self, File},
    io::{self, ErrorKind, Read, Write},
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Signature;
use crate::hash::Hash;

const PRIVATE: &str = "PRIVATE KEY";
const PUBLIC: &str = "PUBLIC KEY";
/// What stands before the 32 bytes of an Ed25519 key as SubjectPublicKeyInfo (RFC 8410).
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// The object identifier of Ed25519 in DER.
const ED25519_OID: [u8; 5] = [0x06, 0x03, 0x2b, 0x65, 0x70];
/// Longest key file.
const MAX_FILE: u64 = 16 * 1024;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Others could read it.
    #[error(
        "{}: others than its owner may read or write it (mode {mode:o}); write: chmod 600 {}, and make a new key if somebody had it",
        .path.display(), .path.display()
    )]
    Permissions {
        /// Which file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It is no key.
    #[error("{}: this is no key in PEM: {what}; give the file that the host made, or one by: openssl genpkey -algorithm ed25519", .path.display())]
    NotAKey {
        /// Which file; empty for text.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// It is a key of another kind.
    #[error("{}: this is {what}; heads are signed with an Ed25519 key in PKCS#8, without a passphrase", .path.display())]
    OtherKind {
        /// Which file; empty for text.
        path: PathBuf,
        /// What it is.
        what: String,
    },
    /// The file cannot be read or made.
    #[error("{}: {problem}", .path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What went wrong.
        problem: String,
    },
}

/// By what a key is known: the first 16 hexadecimal digits of the SHA-256 of its 32 bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyId(String);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It may come from a file that a stranger wrote.
        write!(f, "{}", portcullis_gate::printable(&self.0, 64))
    }
}

/// What signatures are checked with. To be given away.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// From its bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// By what it is known.
    pub fn id(&self) -> KeyId {
        KeyId(Hash::of(&self.0).to_string().chars().take(16).collect())
    }

    /// As PEM (SubjectPublicKeyInfo), as `openssl pkey -pubout` writes it.
    pub fn to_pem(&self) -> String {
        pem(PUBLIC, &[SPKI.as_slice(), self.0.as_slice()].concat()).to_string()
    }

    /// Reads one or several of them from PEM.
    pub fn all_from_pem(text: &str) -> Result<Vec<Self>, KeyError> {
        let path = PathBuf::new;
        let not_a_key = |what: &str| KeyError::NotAKey { path: path(), what: what.to_owned() };
        let mut keys = Vec::new();
        let mut rest = text;
        while let Some((label, der, after)) = next_pem(rest).map_err(not_a_key)? {
            rest = after;
            if label != PUBLIC {
                let what = format!("a `{label}`, where the public key is wanted");
                return Err(KeyError::OtherKind { path: path(), what });
            }
            let bytes = der.strip_prefix(&SPKI).and_then(|bytes| bytes.try_into().ok());
            let what = || "a public key, but none of Ed25519".to_owned();
            keys.push(Self(bytes.ok_or_else(|| KeyError::OtherKind { path: path(), what: what() })?));
        }
        if keys.is_empty() {
            return Err(not_a_key("it has no line `-----BEGIN PUBLIC KEY-----`"));
        }
        Ok(keys)
    }

    /// Whether this key made a signature over these bytes.
    pub fn verify(&self, bytes: &[u8], signature: &Signature) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.0).verify(bytes, &signature.0).is_ok()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.id())
    }
}

/// Nothing was signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key does not sign: {0}")]
pub struct SignError(pub String);

/// Signs. A key in a file is one; a service that never lets its key out can be another.
#[async_trait]
pub trait Signer: Send + Sync {
    /// What its signatures are checked with.
    fn public_key(&self) -> PublicKey;

    /// Signs these bytes.
    async fn sign(&self, bytes: &[u8]) -> Result<Signature, SignError>;
}

/// A key in a file: PKCS#8 in PEM, to be read by its owner only.
pub struct FileSigner {
    pair: Ed25519KeyPair,
    public: PublicKey,
}

impl FileSigner {
    /// Reads the key; makes one where there is no file.
    ///
    /// The file must not stand where the store does: whoever can write to both can write another history and sign it.
    pub fn open_or_create(path: &Path) -> Result<Self, KeyError> {
        match Self::open(path) {
            Err(KeyError::Io { .. }) if !path.exists() => {}
            opened => return opened,
        }
        create(path).map_err(|error| KeyError::Io {
            path: path.to_owned(),
            problem: format!("the key that signs heads cannot be made: {error}"),
        })?;
        // Another host may have been quicker; then its key is the one.
        Self::open(path)
    }

    /// Reads the key.
    pub fn open(path: &Path) -> Result<Self, KeyError> {
        let owned = || path.to_owned();
        let io = |error: io::Error| KeyError::Io { path: owned(), problem: format!("it cannot be read: {error}") };
        let not_a_key = |what: &str| KeyError::NotAKey { path: owned(), what: what.to_owned() };
        // The opening of a pipe would wait for somebody to write.
        if !fs::metadata(path).map_err(io)?.is_file() {
            return Err(not_a_key("it is no regular file"));
        }
        let file = File::open(path).map_err(io)?;
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::PermissionsExt::mode(&file.metadata().map_err(io)?.permissions()) & 0o7777;
            if mode & 0o077 != 0 {
                return Err(KeyError::Permissions { path: owned(), mode });
            }
        }
        let mut text = Zeroizing::new(String::new());
        file.take(MAX_FILE).read_to_string(&mut text).map_err(|error| match error.kind() {
            ErrorKind::InvalidData => not_a_key("it is not text"),
            _ => io(error),
        })?;
        let (label, der, _) = next_pem(&text)
            .map_err(not_a_key)?
            .ok_or_else(|| not_a_key("it has no line `-----BEGIN PRIVATE KEY-----`"))?;
        if label != PRIVATE {
            return Err(KeyError::OtherKind { path: owned(), what: format!("a `{label}`") });
        }
        if !der.windows(ED25519_OID.len()).any(|bytes| bytes == ED25519_OID) {
            return Err(KeyError::OtherKind { path: owned(), what: "a private key, but none of Ed25519".to_owned() });
        }
        let pair = Ed25519KeyPair::from_pkcs8(&der).map_err(|error| not_a_key(&error.to_string()))?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| not_a_key("its public half is damaged"))?;
        Ok(Self { pair, public: PublicKey(public) })
    }
}

impl fmt::Debug for FileSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileSigner({})", self.public.id())
    }
}

#[async_trait]
impl Signer for FileSigner {
    fn public_key(&self) -> PublicKey {
        self.public
    }

    async fn sign(&self, bytes: &[u8]) -> Result<Signature, SignError> {
        let made = self.pair.try_sign(bytes).map_err(|_| SignError("the signature could not be made".to_owned()))?;
        made.as_ref().try_into().map(Signature).map_err(|_| SignError("the signature has another length".to_owned()))
    }
}

/// Makes the file as a whole or not at all, so that no half of a key is ever found.
fn create(path: &Path) -> io::Result<()> {
    let der = Ed25519KeyPair::generate().and_then(|pair| pair.to_pkcs8v1()).map_err(io::Error::other)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.exists() {
        portcullis_files::folder(folder)?;
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".new-{}", std::process::id()));
    let new = folder.join(name);
    let mut file = portcullis_files::create_new(&new)?;
    let made = file
        .write_all(pem(PRIVATE, der.as_ref()).as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::hard_link(&new, path));
    fs::remove_file(&new)?;
    match made {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        other => other?,
    }
    File::open(folder)?.sync_all()
}

fn pem(label: &str, der: &[u8]) -> Zeroizing<String> {
    let base64 = Zeroizing::new(BASE64_STANDARD.encode(der));
    let mut text = Zeroizing::new(format!("-----BEGIN {label}-----\n"));
    for (i, char) in base64.chars().enumerate() {
        if i > 0 && i % 64 == 0 {
            text.push('\n');
        }
        text.push(char);
    }
    text.push_str(&format!("\n-----END {label}-----\n"));
    text
}

type Pem<'a> = (&'a str, Zeroizing<Vec<u8>>, &'a str);

/// The next thing in PEM: what it is called, its bytes, and what comes after it.
fn next_pem(text: &str) -> Result<Option<Pem<'_>>, &'static str> {
    let Some((_, rest)) = text.split_once("-----BEGIN ") else { return Ok(None) };
    let (label, rest) = rest.split_once("-----").ok_or("its first line is cut short")?;
    let (body, rest) = rest.split_once("-----END ").ok_or("it has no line that begins with `-----END`")?;
    let (end, rest) = rest.split_once("-----").ok_or("its last line is cut short")?;
    if label != end {
        return Err("its first and its last line do not fit each other");
    }
    let body: Zeroizing<String> = Zeroizing::new(body.split_whitespace().collect());
    let der = BASE64_STANDARD.decode(body.as_bytes()).map_err(|_| "what stands between its lines is not base64")?;
    Ok(Some((label, Zeroizing::new(der), rest)))
}
