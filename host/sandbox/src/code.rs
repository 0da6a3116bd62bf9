//! Compiled code as it is kept: a head in clear that says of which adapter, for which engine and under which master key, then a
//! MAC, then the code.
//!
//! The MAC is made with a key of this code alone. That key stands in the head, wrapped by the master key for this adapter and
//! this engine, so that nobody without the master key can make code that is taken, or give one adapter another's. Nothing
//! beside the code decides: a file can lie anywhere, and goes from one host to another that has the same master key.

use std::fmt;

use async_trait::async_trait;
use aws_lc_rs::{constant_time::verify_slices_are_equal, hmac};

/// How a file of compiled code begins.
const MAGIC: &str = "portcullis compiled code 1";
/// Length of the MAC, in bytes.
pub(crate) const MAC: usize = 32;
/// Largest head, in bytes.
const MAX_HEAD: usize = 64 * 1024;

/// A key that vouches for one piece of compiled code.
pub struct CodeKey(hmac::Key);

impl CodeKey {
    /// From random bytes.
    pub fn new(bytes: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// The MAC of a head and the code after it, told apart by the head's length.
    pub(crate) fn mac(&self, head: &[u8], code: &[u8]) -> [u8; MAC] {
        let mut signing = hmac::Context::with_key(&self.0);
        signing.update(&(head.len() as u64).to_le_bytes());
        signing.update(head);
        signing.update(code);
        let mut mac = [0; MAC];
        mac.iter_mut().zip(signing.sign().as_ref()).for_each(|(to, from)| *to = *from);
        mac
    }

    /// Whether this is that MAC, in constant time.
    pub(crate) fn verify(&self, head: &[u8], code: &[u8], mac: &[u8]) -> bool {
        verify_slices_are_equal(&self.mac(head, code), mac).is_ok()
    }
}

impl fmt::Debug for CodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CodeKey(…)")
    }
}

/// Makes and opens the keys of compiled code. Implemented by whoever has the master key.
#[async_trait]
pub trait CodeKeys: Send + Sync {
    /// A new key, and what it is wrapped as for this purpose.
    async fn make(&self, purpose: &[u8]) -> Result<MadeKey, CodeError>;

    /// The key that the master key of this name wrapped for this purpose.
    async fn open(&self, by: &str, wrapped: &[u8], purpose: &[u8]) -> Result<CodeKey, CodeError>;
}

/// A new key for compiled code.
#[derive(Debug)]
pub struct MadeKey {
    /// The key.
    pub key: CodeKey,
    /// Which master key wrapped it.
    pub by: String,
    /// Wrapped.
    pub wrapped: Vec<u8>,
}

/// Compiled code that was made in advance, or is kept, is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodeError {
    /// It is something else.
    #[error("it is no compiled code as this version keeps it; make it with `portcullis adapter compile`")]
    Form,
    /// Of another adapter.
    #[error("it is compiled code of the adapter {of}, and this adapter is {wanted}; make it of the same file")]
    Adapter {
        /// Of which.
        of: String,
        /// Which adapter is to run.
        wanted: String,
    },
    /// For another engine.
    #[error(
        "it was compiled for {of}, and this host runs {here}; make it with the same version of this program on a machine \
         with the same kind of processor, or leave it away: then the adapter is compiled here"
    )]
    Engine {
        /// For which.
        of: String,
        /// Which runs here.
        here: String,
    },
    /// Under another master key.
    #[error(
        "it was made under the master key {by}, and here is {here}; compiled code goes to hosts with the same master key \
         alone: make it with this one"
    )]
    Key {
        /// Under which.
        by: String,
        /// Which is here.
        here: String,
    },
    /// It is not as it was made.
    #[error("it was changed since it was made, or was put in the place of other code; make it again")]
    Changed,
    /// Nobody here could vouch for it.
    #[error("compiled code is kept and taken under a master key alone, and there is none here")]
    NoKey,
    /// The master key cannot be used now.
    #[error("the master key did not do its part: {0}")]
    Service(String),
}

/// What compiled code is of, and for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Purpose<'a> {
    pub(crate) adapter: &'a str,
    pub(crate) engine: &'a str,
}

impl Purpose<'_> {
    /// As its key is wrapped for it. No digest and no engine's name has a zero byte in it.
    fn bytes(&self) -> Vec<u8> {
        format!("{MAGIC}\0{}\0{}", self.adapter, self.engine).into_bytes()
    }
}

/// A file of compiled code, taken apart. Nothing of it is checked yet.
pub(crate) struct Sealed<'a> {
    /// All before the MAC.
    pub(crate) head: &'a [u8],
    pub(crate) mac: &'a [u8],
    pub(crate) code: &'a [u8],
    adapter: &'a str,
    engine: &'a str,
    by: &'a str,
    wrapped: Vec<u8>,
}

impl<'a> Sealed<'a> {
    pub(crate) fn read(file: &'a [u8]) -> Option<Self> {
        let window = file.get(..file.len().min(MAX_HEAD))?;
        let end = window.windows(2).position(|bytes| bytes == b"\n\n")? + 2;
        let (head, rest) = file.split_at_checked(end)?;
        let (mac, code) = rest.split_at_checked(MAC)?;
        let mut lines = std::str::from_utf8(head).ok()?.lines();
        let mut line = |name: &str| lines.next()?.strip_prefix(name);
        line(MAGIC).filter(|rest| rest.is_empty())?;
        let (adapter, engine, by) = (line("adapter ")?, line("engine ")?, line("master-key ")?);
        let wrapped = from_hex(line("wrapped-key ")?)?;
        line("").filter(|rest| rest.is_empty())?;
        Some(Self { head, mac, code, adapter, engine, by, wrapped })
    }

    /// The key of this code, if it is for this purpose and the master key says so.
    pub(crate) async fn key(&self, purpose: Purpose<'_>, keys: &dyn CodeKeys) -> Result<CodeKey, CodeError> {
        let shown = |text: &str| portcullis_gate::printable(text, 200);
        if self.adapter != purpose.adapter {
            return Err(CodeError::Adapter { of: shown(self.adapter), wanted: purpose.adapter.to_owned() });
        }
        if self.engine != purpose.engine {
            return Err(CodeError::Engine { of: shown(self.engine), here: purpose.engine.to_owned() });
        }
        keys.open(self.by, &self.wrapped, &purpose.bytes()).await
    }
}

/// Code as it is kept, under a key of its own.
pub(crate) async fn seal(code: &[u8], purpose: Purpose<'_>, keys: &dyn CodeKeys) -> Result<Vec<u8>, CodeError> {
    let MadeKey { key, by, wrapped } = keys.make(&purpose.bytes()).await?;
    if by.contains(char::is_control) || by.len() + 2 * wrapped.len() > MAX_HEAD / 2 {
        return Err(CodeError::Service("its name or what it wrapped cannot be written into a file".to_owned()));
    }
    let Purpose { adapter, engine } = purpose;
    let wrapped = to_hex(&wrapped);
    let head = format!("{MAGIC}\nadapter {adapter}\nengine {engine}\nmaster-key {by}\nwrapped-key {wrapped}\n\n");
    let mac = key.mac(head.as_bytes(), code);
    Ok([head.as_bytes(), &mac, code].concat())
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    };
    text.as_bytes().chunks(2).map(pair).collect()
}
