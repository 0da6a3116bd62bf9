//! A buffer for what a text says once it is decoded: where an upstream echoes a secret, that is the secret. It is wiped when it is
//! dropped, and each time it moves: a vector that grows by itself leaves copies behind.

use std::ops::Deref;

use zeroize::Zeroizing;

/// Least bytes that it has space for, once it has any.
const LEAST: usize = 256;

/// Bytes that are wiped.
#[derive(Default)]
pub(super) struct Buffer(Zeroizing<Vec<u8>>);

impl Buffer {
    #[inline]
    pub(super) fn push(&mut self, byte: u8) {
        if self.0.len() == self.0.capacity() {
            self.grow(1);
        }
        self.0.push(byte);
    }

    #[inline]
    pub(super) fn extend(&mut self, bytes: &[u8]) {
        if self.0.capacity() - self.0.len() < bytes.len() {
            self.grow(bytes.len());
        }
        self.0.extend_from_slice(bytes);
    }

    /// Forgets what is in it. That is wiped when the buffer is.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    #[cold]
    fn grow(&mut self, by: usize) {
        let space = (self.0.len() + by).max(self.0.capacity() * 2).max(LEAST);
        let mut larger = Zeroizing::new(Vec::with_capacity(space));
        larger.extend_from_slice(&self.0);
        self.0 = larger;
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}
