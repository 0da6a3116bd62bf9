//! A master key for this crate's tests: it "wraps" by a MAC over key and purpose, which authenticates and hides nothing.

use async_trait::async_trait;
use aws_lc_rs::hmac;

use crate::code::{CodeError, CodeKey, CodeKeys, MadeKey};

/// Bytes of a key.
const KEY: usize = 32;

pub(crate) struct Keys {
    name: String,
    key: hmac::Key,
}

impl Keys {
    pub(crate) fn of(name: &str) -> Self {
        Self { name: name.to_owned(), key: hmac::Key::new(hmac::HMAC_SHA256, name.as_bytes()) }
    }

    fn tag(&self, key: &[u8], purpose: &[u8]) -> hmac::Tag {
        hmac::sign(&self.key, &[key, purpose].concat())
    }
}

#[async_trait]
impl CodeKeys for Keys {
    async fn make(&self, purpose: &[u8]) -> Result<MadeKey, CodeError> {
        let mut key = [0; KEY];
        aws_lc_rs::rand::fill(&mut key).map_err(|_| CodeError::NoKey)?;
        let wrapped = [key.as_slice(), self.tag(&key, purpose).as_ref()].concat();
        Ok(MadeKey { key: CodeKey::new(&key), by: self.name.clone(), wrapped })
    }

    async fn open(&self, by: &str, wrapped: &[u8], purpose: &[u8]) -> Result<CodeKey, CodeError> {
        if by != self.name {
            return Err(CodeError::Key { by: by.to_owned(), here: self.name.clone() });
        }
        let (key, tag) = wrapped.split_at_checked(KEY).ok_or(CodeError::Changed)?;
        if self.tag(key, purpose).as_ref() == tag { Ok(CodeKey::new(key)) } else { Err(CodeError::Changed) }
    }
}
