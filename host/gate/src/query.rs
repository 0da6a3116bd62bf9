//! A query as the gate reads it: pairs of names and values, decoded as servers do.

use crate::url::RequestUrl;

/// The pairs of a query, in order. Between two `&` with nothing in between there is none.
pub(crate) fn pairs(url: &RequestUrl) -> impl Iterator<Item = (Decoded<'_>, Decoded<'_>)> {
    url.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (Decoded(name.as_bytes()), Decoded(value.as_bytes()))
    })
}

/// The bytes that `application/x-www-form-urlencoded` text stands for: `%XX` and `+` decoded, all else as it is.
#[derive(Clone, Debug)]
pub(crate) struct Decoded<'a>(pub(crate) &'a [u8]);

impl Iterator for Decoded<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let (first, tail) = self.0.split_first()?;
        let hex = |b: &u8| char::from(*b).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        if *first == b'%'
            && let [high, low, rest @ ..] = tail
            && let (Some(high), Some(low)) = (hex(high), hex(low))
        {
            self.0 = rest;
            return Some(high * 16 + low);
        }
        self.0 = tail;
        Some(if *first == b'+' { b' ' } else { *first })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str) -> String {
        Decoded(text.as_bytes()).map(char::from).collect()
    }

    #[test]
    fn escapes_and_plus_are_decoded_and_stray_percents_stay() {
        assert_eq!(decoded("a%5Bb%5d+c"), "a[b] c");
        assert_eq!(decoded("a%5"), "a%5");
        assert_eq!(decoded("a%zz%2"), "a%zz%2");
        assert_eq!(decoded("%%41"), "%A");
        for byte in 0..=255_u8 {
            assert_eq!(Decoded(format!("%{byte:02x}%{byte:02X}").as_bytes()).collect::<Vec<u8>>(), [byte, byte]);
        }
        assert_eq!(decoded("x41"), "x41");
    }

    #[test]
    fn pairs_are_what_stands_between_two_ampersands() {
        let url = RequestUrl::parse("https://a.example/?a=1&&b&=2&c=d=e", 100).unwrap();
        let read: Vec<(String, String)> =
            pairs(&url).map(|(n, v)| (n.map(char::from).collect(), v.map(char::from).collect())).collect();
        let expected = [("a", "1"), ("b", ""), ("", "2"), ("c", "d=e")];
        assert_eq!(read, expected.map(|(n, v)| (n.to_owned(), v.to_owned())));
    }
}
