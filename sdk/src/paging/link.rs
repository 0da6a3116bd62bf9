//! Where the next page is: `Link` header fields.

use portcullis_reference::targets;

use crate::Response;

/// Where the first link with this relation leads in the `Link` header fields (RFC 8288, section 3), resolved against
/// [`Response::url`]. A field that is not UTF-8 is left out.
#[must_use]
pub fn link(response: &Response, relation: &str) -> Option<String> {
    let fields = response.headers.iter().filter(|header| header.name.eq_ignore_ascii_case("link"));
    let fields = fields.filter_map(|field| std::str::from_utf8(&field.value).ok());
    targets(&response.url, fields, relation).next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Header;

    #[test]
    fn a_link_is_found_by_its_relation_in_any_of_the_fields() {
        let of = |values: &[&[u8]], relation: &str| {
            let header = |value: &&[u8]| Header { name: "Link".to_owned(), value: value.to_vec() };
            let headers = values.iter().map(header).collect();
            link(&Response { status: 200, url: "https://a/x?p=2".to_owned(), headers, body: Vec::new() }, relation)
        };
        let both = br#"<https://a/?p=1>; rel="prev", <?p=3,4>; title="a, b; rel=x"; rel="next last""#;
        assert_eq!(of(&[both], "next").unwrap(), "https://a/x?p=3,4");
        assert_eq!(of(&[both], "prev").unwrap(), "https://a/?p=1");
        assert_eq!(of(&[b"<a>; rel=first", b"<\xff>; rel=next", b"<b>; REL=Next"], "next").unwrap(), "https://a/b");
        assert_eq!(of(&[b"<a>; rel=nextish"], "next"), None);
    }
}
