//! What can be asked of texts when constants are compiled.

/// Whether this can name a slot, a route or an adapter: 1 to 64 lower-case letters, digits and `-`.
pub(crate) const fn is_name(name: &str) -> bool {
    let mut rest = name.as_bytes();
    if rest.is_empty() || rest.len() > 64 {
        return false;
    }
    while let [first, others @ ..] = rest {
        if !matches!(first, b'a'..=b'z' | b'0'..=b'9' | b'-') {
            return false;
        }
        rest = others;
    }
    true
}

/// When two texts are the same.
#[derive(Clone, Copy)]
pub(super) enum Reading {
    Exact,
    /// Regardless of case, as servers may read names of parameters and cookies.
    AnyCase,
    /// Regardless of case and with `_` for `-`, as servers may read names of header fields.
    Field,
}

/// Whether two texts are the same, as they are read.
pub(super) const fn is_same(one: &str, other: &str, reading: Reading) -> bool {
    let (mut one, mut other) = (one.as_bytes(), other.as_bytes());
    if one.len() != other.len() {
        return false;
    }
    while let ([first, rest @ ..], [second, others @ ..]) = (one, other) {
        if folded(*first, reading) != folded(*second, reading) {
            return false;
        }
        (one, other) = (rest, others);
    }
    true
}

const fn folded(byte: u8, reading: Reading) -> u8 {
    match (reading, byte) {
        (Reading::Exact, byte) => byte,
        (Reading::Field, b'_') => b'-',
        (_, byte) => byte.to_ascii_lowercase(),
    }
}

/// The text at this place.
pub(super) const fn nth<'a>(texts: &[&'a str], at: usize) -> Option<&'a str> {
    let (mut rest, mut at) = (texts, at);
    while let [first, others @ ..] = rest {
        if at == 0 {
            return Some(first);
        }
        (rest, at) = (others, at - 1);
    }
    None
}

/// Whether this is one of them.
pub(super) const fn is_one_of(text: &str, texts: &[&str], reading: Reading) -> bool {
    let mut at = 0;
    while let Some(one) = nth(texts, at) {
        if is_same(text, one, reading) {
            return true;
        }
        at += 1;
    }
    false
}

/// Whether `part`, which is in lower case, stands in the text in any case.
pub(super) const fn contains(text: &str, part: &str) -> bool {
    let mut rest = text.as_bytes();
    loop {
        if starts_with(rest, part.as_bytes()) {
            return true;
        }
        let [_, others @ ..] = rest else { return false };
        rest = others;
    }
}

/// Whether the text begins with `start`, which is in lower case, in any case.
pub(super) const fn starts_with(text: &[u8], start: &[u8]) -> bool {
    let (mut text, mut start) = (text, start);
    while let [wanted, others @ ..] = start {
        match text {
            [first, rest @ ..] if first.to_ascii_lowercase() == *wanted => (text, start) = (rest, others),
            _ => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lower_case_letters_digits_and_hyphens() {
        for good in ["a", "server-token", "v2", &"x".repeat(64)] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "Server", "a_b", "a b", "é", &"x".repeat(65)] {
            assert!(!is_name(bad), "{bad}");
        }
    }

    #[test]
    fn texts_are_the_same_as_they_are_read() {
        for (one, other, exact, any_case, field) in [
            ("a-b", "a-b", true, true, true),
            ("a-b", "A-b", false, true, true),
            ("a-b", "a_B", false, false, true),
            ("a", "ab", false, false, false),
        ] {
            let told = [Reading::Exact, Reading::AnyCase, Reading::Field].map(|reading| is_same(one, other, reading));
            assert_eq!(told, [exact, any_case, field], "{one} {other}");
        }
    }

    #[test]
    fn a_part_is_found_wherever_it_stands() {
        for (text, part, found) in
            [("abc", "abc", true), ("abc", "c", true), ("aab", "ab", true), ("xAB", "ab", true), ("ab", "abc", false)]
        {
            assert_eq!(contains(text, part), found, "{text} {part}");
        }
    }
}
