//! How hard a secret is to guess, estimated from its length and the sorts of characters in it.
//!
//! An estimate, not a proof: `correct-horse` and a random text of the same sort count the same. It decides two things. The
//! operator is warned of a weak secret when it is stored. And a weak one is looked for as a whole word only: a number of
//! six digits stands within longer numbers by chance, and a request that happens to hold one must not end its call.

/// A secret below this many bits is weak: seven random letters of lower case have 33, eight 38; ten digits have 33.
const WEAK_BELOW: f64 = 36.0;
/// A text of this many different bytes or fewer is one pattern repeated.
const REPEATED: usize = 3;

/// Whether these bytes can be guessed within what an attacker can try through requests.
pub(crate) fn is_weak(secret: &[u8]) -> bool {
    bits(secret) < WEAK_BELOW
}

/// The same of what may be `user:password`: its stronger half counts, for the user may be the key and the password a dummy.
pub(crate) fn is_weak_credential(secret: &[u8]) -> bool {
    secret.splitn(2, |byte| *byte == b':').all(is_weak)
}

/// The logarithm, to the base 2, of how many texts of this length and these sorts of characters there are.
fn bits(secret: &[u8]) -> f64 {
    let has = |sort: fn(&u8) -> bool| secret.iter().any(sort);
    let sorts: [(bool, u32); 5] = [
        (has(u8::is_ascii_digit), 10),
        (has(u8::is_ascii_lowercase), 26),
        (has(u8::is_ascii_uppercase), 26),
        (has(|byte| byte.is_ascii() && !byte.is_ascii_alphanumeric()), 33),
        (has(|byte| !byte.is_ascii()), 64),
    ];
    let alphabet: u32 = sorts.iter().filter(|(has, _)| *has).map(|(_, size)| size).sum();
    let mut seen = [false; 256];
    for byte in secret {
        if let Some(seen) = seen.get_mut(usize::from(*byte)) {
            *seen = true;
        }
    }
    let different = seen.iter().filter(|seen| **seen).count();
    let length = if different <= REPEATED { different } else { secret.len() };
    f64::from(alphabet.max(1)).log2() * f64::from(u32::try_from(length).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_can_be_tried_out_is_weak_and_a_providers_key_is_not() {
        for weak in ["1234", "123456", "00000000000000000000", "abababababab", "hunter", "Passw0", "admin", "x", ""] {
            assert!(is_weak(weak.as_bytes()), "{weak}");
        }
        for strong in ["hunter22", "sk_live_4eC39HqLyjWDarjtT1zdp7dc", "s3cr3t-client-0123", "9f86d081884c"] {
            assert!(!is_weak(strong.as_bytes()), "{strong}");
        }
        assert!(is_weak_credential(b"admin:hunter") && !is_weak_credential(b"apikey123:x"));
        assert!(!is_weak_credential(b"user:hunter22"));
    }
}
