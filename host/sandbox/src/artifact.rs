//! Loads compiled code: the one file with `unsafe`.
//!
//! Compiled code is machine code, and wasmtime runs it as it is. So there is a type for bytes that may be loaded, with two
//! ways to make one: the compiler's own output, handed over by a pipe from a child process this process started; and bytes
//! from a file whose MAC was checked, under a key that the master key wrapped for this adapter and this engine.

#![allow(unsafe_code)]

use wasmtime::{Engine, component::Component};

use crate::code::{CodeError, CodeKeys, Purpose, Sealed};

/// Compiled code that may be loaded.
pub(crate) struct Trusted(Vec<u8>);

impl Trusted {
    /// The compiler's output.
    pub(crate) fn from_compiler(code: Vec<u8>) -> Self {
        Self(code)
    }

    /// Code from a file, if the master key says that this host, or another one that has it, made it for this purpose.
    pub(crate) async fn open(file: Vec<u8>, purpose: Purpose<'_>, keys: &dyn CodeKeys) -> Result<Self, CodeError> {
        let sealed = Sealed::read(&file).ok_or(CodeError::Form)?;
        let key = sealed.key(purpose, keys).await?;
        if !key.verify(sealed.head, sealed.code, sealed.mac) {
            return Err(CodeError::Changed);
        }
        let before = file.len() - sealed.code.len();
        let mut code = file;
        code.drain(..before);
        Ok(Self(code))
    }

    /// The code.
    pub(crate) fn code(&self) -> &[u8] {
        &self.0
    }
}

/// Loads compiled code. Code for another engine or processor is refused by wasmtime.
pub(crate) fn load(engine: &Engine, code: &Trusted) -> wasmtime::Result<Component> {
    // SAFETY: `Component::deserialize` asks that the bytes are unmodified output of wasmtime's own serialisation. A
    // `Trusted` is made from the output of this program's compiler, or from bytes with a valid MAC under a key that is
    // used for one such output alone, and that nobody can make or open without the master key.
    unsafe { Component::deserialize(engine, &code.0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{code::seal, testing::Keys};

    const A: Purpose<'_> = Purpose { adapter: "sha256:aa", engine: "wasmtime 1" };

    #[tokio::test]
    async fn code_with_a_flipped_bit_or_for_another_adapter_is_not_loaded() {
        let keys = Keys::of("k1");
        let sealed = seal(b"code", A, &keys).await.unwrap();
        assert_eq!(Trusted::open(sealed.clone(), A, &keys).await.unwrap().code(), b"code");
        for at in 0..sealed.len() {
            let mut flipped = sealed.clone();
            flipped[at] ^= 1;
            assert!(Trusted::open(flipped, A, &keys).await.is_err(), "byte {at}");
            assert!(Trusted::open(sealed[..at].to_vec(), A, &keys).await.is_err(), "cut at {at}");
        }
    }

    #[tokio::test]
    async fn code_of_another_adapter_engine_or_master_key_is_refused_by_name_also_where_its_head_was_written_anew() {
        let keys = Keys::of("k1");
        let sealed = seal(b"code", A, &keys).await.unwrap();
        let refused = async |file: &[u8], purpose, keys: &Keys| match Trusted::open(file.to_vec(), purpose, keys).await
        {
            Err(error) => error,
            Ok(_) => panic!("it was taken"),
        };
        let (b, new) = (Purpose { adapter: "sha256:bb", ..A }, Purpose { engine: "wasmtime 2", ..A });
        let error = refused(&sealed, b, &keys).await;
        assert_eq!(error, CodeError::Adapter { of: "sha256:aa".into(), wanted: "sha256:bb".into() });
        let error = refused(&sealed, new, &keys).await;
        assert_eq!(error, CodeError::Engine { of: "wasmtime 1".into(), here: "wasmtime 2".into() });
        let error = refused(&sealed, A, &Keys::of("k2")).await;
        assert_eq!(error, CodeError::Key { by: "k1".into(), here: "k2".into() });
        // What stands in the head in clear decides nothing.
        let anew = |from: &str, to: &str| {
            let head = sealed.len() - b"code".len() - crate::code::MAC;
            let text = std::str::from_utf8(&sealed[..head]).unwrap().replace(from, to);
            [text.as_bytes(), &sealed[head..]].concat()
        };
        assert_eq!(refused(&anew("sha256:aa", "sha256:bb"), b, &keys).await, CodeError::Changed);
        assert_eq!(refused(&anew("wasmtime 1", "wasmtime 2"), new, &keys).await, CodeError::Changed);
        assert_eq!(refused(&anew("master-key k1", "master-key k2"), A, &Keys::of("k2")).await, CodeError::Changed);
    }
}
