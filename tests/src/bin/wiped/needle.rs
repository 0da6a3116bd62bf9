//! What is looked for, masked: a list of what must not be in memory must not itself be what is found there.

/// A piece of a secret, each byte masked.
#[derive(Clone, Debug)]
pub(crate) struct Needle {
    pub(crate) name: String,
    masked: Vec<u8>,
}

/// What each byte is masked with.
pub(crate) const MASK: u8 = 0x5a;

impl Needle {
    /// Of bytes that are masked already.
    pub(crate) fn masked(name: impl Into<String>, masked: Vec<u8>) -> Self {
        Self { name: name.into(), masked }
    }

    /// Of bytes as they are, which stay where they are.
    pub(crate) fn of(name: impl Into<String>, bytes: &[u8]) -> Self {
        Self::masked(name, bytes.iter().map(|byte| byte ^ MASK).collect())
    }

    pub(crate) fn len(&self) -> usize {
        self.masked.len()
    }

    pub(crate) fn begins_with(&self, byte: u8) -> bool {
        self.masked.first() == Some(&(byte ^ MASK))
    }

    /// Whether these bytes are the needle's.
    pub(crate) fn is(&self, byte: impl Fn(usize) -> u8) -> bool {
        self.masked.iter().enumerate().all(|(index, masked)| byte(index) ^ MASK == *masked)
    }
}

/// Masked bytes, written in hex.
pub(crate) fn unhex(text: &str) -> Vec<u8> {
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok()).unwrap_or(0);
    let byte = |pair: &[u8]| pair.iter().fold(0, |byte, next| (byte << 4) | digit(*next));
    text.as_bytes().chunks_exact(2).map(byte).collect()
}
