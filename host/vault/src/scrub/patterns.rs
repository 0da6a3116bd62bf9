//! What is looked for: of each secret the few byte strings that decoding a text can end in.
//!
//! Encodings are not among them: `views.rs` undoes those. What cannot be undone without knowing the secret is here: in
//! which character set it was taken to be, whether a `+` had been a space, and the halves of a Basic credential.

use zeroize::Zeroizing;

use super::{
    MIN_PATTERN,
    characters::{backslash, percent, reference},
    escapes::decoded,
};
use crate::strength::is_weak;

/// Most forms of a secret that looks escaped itself.
const MOST_FORMS: usize = 24;

/// One byte string to look for.
pub(super) struct Pattern {
    pub(super) bytes: Zeroizing<Vec<u8>>,
    /// Which secret it stands for.
    pub(super) secret: usize,
    /// It can be guessed, so only a whole word is it.
    pub(super) whole: bool,
}

/// Adds the patterns of one secret. What an earlier one has already stays that one's.
pub(super) fn add(patterns: &mut Vec<Pattern>, secret: &[u8], number: usize) {
    for bytes in halves(secret).into_iter().flat_map(forms) {
        let known = patterns.iter().any(|pattern| pattern.bytes == bytes);
        if bytes.len() >= MIN_PATTERN && !known {
            let whole = is_weak(&bytes);
            patterns.push(Pattern { bytes, secret: number, whole });
        }
    }
}

/// Shortest password that makes the user before it no secret: where it is shorter, it is a dummy as often as not
/// (`API-KEY:x`), and the user is what is secret.
const REAL_PASSWORD: usize = 8;

/// The secret; and of `user:password` the password alone, and where that is short or empty, the user, unless that is a name
/// such as `admin`, which texts hold by chance.
fn halves(secret: &[u8]) -> Vec<&[u8]> {
    let mut all = vec![secret];
    if let Some(colon) = secret.iter().position(|b| *b == b':') {
        let (user, password) = secret.split_at(colon);
        let password = password.get(1..).unwrap_or_default();
        if !password.is_empty() {
            all.push(password);
        }
        if password.len() < REAL_PASSWORD && !is_weak(user) {
            all.push(user);
        }
    }
    all
}

fn forms(secret: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
    let mut all = vec![Zeroizing::new(secret.to_vec())];
    // UTF-8 that was written as Latin-1, and bytes that were taken for Latin-1 and written as UTF-8.
    if !secret.is_ascii() {
        if let Some(latin) = std::str::from_utf8(secret).ok().and_then(latin1) {
            all.push(latin);
        }
        all.push(Zeroizing::new(secret.iter().map(|b| char::from(*b)).collect::<String>().into_bytes()));
    }
    // As form encoding leaves it when its escapes are undone.
    if secret.contains(&b' ') {
        all.push(Zeroizing::new(secret.iter().map(|b| if *b == b' ' { b'+' } else { *b }).collect()));
    }
    // What is decoded further than the secret itself: `%41` in a secret, and a `"` elsewhere in it that JSON escaped. One
    // kind at a time, as the layers of other kinds are undone in the same go.
    let mut at = 0;
    while let Some(form) = all.get(at).cloned() {
        for next in [decoded(&form, percent), decoded(&form, backslash), decoded(&form, reference)] {
            let next = Zeroizing::new(next);
            if all.len() < MOST_FORMS && !all.contains(&next) {
                all.push(next);
            }
        }
        at += 1;
    }
    all
}

fn latin1(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect::<Option<Vec<u8>>>().map(Zeroizing::new)
}
