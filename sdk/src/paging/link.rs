//! Where the next page is: `Link` header fields, and URLs that are relative to the one that was asked.

use crate::{Failure, Response};

/// The target of the first link with this relation in the `Link` header fields (RFC 8288, section 3).
#[must_use]
pub fn link(response: &Response, relation: &str) -> Option<String> {
    let fields = response.headers.iter().filter(|header| header.name.eq_ignore_ascii_case("link"));
    for field in fields {
        let mut rest = std::str::from_utf8(&field.value).ok()?;
        while let Some((_, after)) = rest.split_once('<') {
            let (target, after) = after.split_once('>')?;
            let (parameters, remaining) = split_at_comma(after);
            let is_wanted =
                parameters.split(';').filter_map(|parameter| parameter.split_once('=')).any(|(name, value)| {
                    let mut relations = value.trim().trim_matches('"').split_ascii_whitespace();
                    name.trim().eq_ignore_ascii_case("rel") && relations.any(|one| one.eq_ignore_ascii_case(relation))
                });
            if is_wanted {
                return Some(target.trim().to_owned());
            }
            rest = remaining;
        }
    }
    None
}

/// What stands before and after the first comma that is not in quotes.
fn split_at_comma(text: &str) -> (&str, &str) {
    let mut quoted = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => return (text.get(..at).unwrap_or_default(), text.get(at + 1..).unwrap_or_default()),
            _ => {}
        }
    }
    (text, "")
}

/// The provider's URL: absolute, or relative to the URL that was asked, as `/path`, `//host/path` or `?query`. What else
/// a URL may be (RFC 3986, section 4.2) is not guessed at.
pub(super) fn resolve(asked: &str, url: &str) -> Result<String, Failure> {
    let scheme = asked.find("://").map_or(0, |at| at + 3);
    let end = |stop: &[char], from: usize| {
        asked.get(from..).and_then(|rest| rest.find(stop)).map_or(asked.len(), |at| from + at)
    };
    let up_to = |end: usize| asked.get(..end).unwrap_or_default();
    if url.starts_with("https://") || url.starts_with("http://") {
        Ok(url.to_owned())
    } else if url.starts_with("//") {
        Ok([up_to(scheme.saturating_sub(2)), url].concat())
    } else if url.starts_with('/') {
        Ok([up_to(end(&['/', '?', '#'], scheme)), url].concat())
    } else if url.starts_with('?') {
        Ok([up_to(end(&['?', '#'], scheme)), url].concat())
    } else {
        let message = "the provider's next page is neither an absolute URL nor one that starts with / or ?";
        Err(Failure::new("adapter.next-url", message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Header;

    #[test]
    fn a_link_is_found_by_its_relation() {
        let of = |values: &[&str], relation: &str| {
            let header = |value: &&str| Header { name: "Link".to_owned(), value: value.as_bytes().to_vec() };
            link(&Response { status: 200, headers: values.iter().map(header).collect(), body: Vec::new() }, relation)
        };
        let both = "<https://a/?p=1>; rel=\"prev\", <https://a/?p=3,4>; title=\"a, b; rel=x\"; rel=\"next last\"";
        assert_eq!(of(&[both], "next").unwrap(), "https://a/?p=3,4");
        assert_eq!(of(&[both], "prev").unwrap(), "https://a/?p=1");
        assert_eq!(of(&["<a>; rel=first", "<b>; REL=Next"], "next").unwrap(), "b");
        for none in ["", "<a", "<a>; rel=nextish", "a; rel=next", "<a>"] {
            assert_eq!(of(&[none], "next"), None, "{none}");
        }
    }

    #[test]
    fn a_relative_url_is_resolved_and_another_is_not_guessed() {
        let asked = "https://a.example:8443/fhir/Patient?x=/y";
        for (url, resolved) in [
            ("https://b.example/z", "https://b.example/z"),
            ("//c.example/z", "https://c.example/z"),
            ("/z?p=2", "https://a.example:8443/z?p=2"),
            ("?p=2", "https://a.example:8443/fhir/Patient?p=2"),
        ] {
            assert_eq!(resolve(asked, url).unwrap(), resolved);
        }
        assert_eq!(resolve("https://a.example", "/z").unwrap(), "https://a.example/z");
        for wrong in ["", "z", "../z", "ftp://x/", "javascript:x"] {
            assert_eq!(resolve(asked, wrong).unwrap_err().code, "adapter.next-url", "{wrong}");
        }
    }
}
