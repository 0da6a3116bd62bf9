//! Percent-encoding (RFC 3986, section 2.1), strict: everything but unreserved characters, so that every parser reads
//! the same thing back.

/// Appends `text` so that it is one path segment, or one name or value in a query.
pub(crate) fn percent(text: &str, out: &mut String) {
    const HEX: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    let hex = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or_default();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(hex(byte >> 4));
            out.push(hex(byte & 15));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_but_unreserved_characters_is_encoded() {
        let mut out = String::new();
        percent("aZ09-._~ /?#[]@!$&'()*+,;=%{}é\n", &mut out);
        assert_eq!(out, "aZ09-._~%20%2F%3F%23%5B%5D%40%21%24%26%27%28%29%2A%2B%2C%3B%3D%25%7B%7D%C3%A9%0A");
    }
}
