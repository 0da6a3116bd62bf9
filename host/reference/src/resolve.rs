//! Resolving a reference against the URL of the page that it came from (RFC 3986, section 5.2).
//!
//! Beside the algorithm, and because real providers write it, a path and a query are made fit to be sent:
//!
//! | written | sent | why |
//! | --- | --- | --- |
//! | space, `"`, `<`, `>`, `^`, `` ` ``, `{`, `}` | `%20`, … | no URL holds them as they are (RFC 3986, section 2) |
//! | letters outside ASCII | their UTF-8, escaped | RFC 3987, section 3.1 |
//! | `;` in a query | `%3B` | some servers split a query at it |
//! | `&amp;` in a query | `&` | a link that was escaped for HTML; no parameter's name begins with `amp;` |
//! | white space around it, and the fragment | nothing | neither is part of what is sent |
//!
//! What could be read in two ways stays as it is: control characters, `\`, an odd host, escapes such as `%2F`. So does a
//! reference with a scheme and without `//`.

/// The reference as an absolute URL. `base` is absolute: the URL of the page that it stands in, after redirects. Against
/// anything else nothing is resolved.
///
/// ```
/// use portcullis_reference::resolve;
///
/// let page = "https://api.example.com/v1/items?page=1";
/// assert_eq!(resolve(page, "items?page=2"), "https://api.example.com/v1/items?page=2");
/// assert_eq!(resolve(page, "?page=2"), "https://api.example.com/v1/items?page=2");
/// assert_eq!(resolve(page, "../v2/items"), "https://api.example.com/v2/items");
/// assert_eq!(resolve(page, "//eu.example.com/items"), "https://eu.example.com/items");
/// ```
#[must_use]
pub fn resolve(base: &str, reference: &str) -> String {
    let base = Parts::of(base);
    let given = Parts::of(reference.trim_matches([' ', '\t', '\r', '\n']));
    if given.scheme.or(base.scheme).is_none() || (given.scheme.is_some() && given.authority.is_none()) {
        // `https:host`, `mailto:…`: some read an authority into it. As written, the gate refuses it.
        return reference.to_owned();
    }
    let scheme = given.scheme.or(base.scheme).unwrap_or_default().to_ascii_lowercase();
    let (authority, path, query) = if given.authority.is_some() {
        (given.authority, without_dots(given.path), given.query)
    } else if given.path.is_empty() {
        (base.authority, base.path.to_owned(), given.query.or(base.query))
    } else if given.path.starts_with('/') {
        (base.authority, without_dots(given.path), given.query)
    } else {
        let folder = base.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        (base.authority, without_dots(&[folder, "/", given.path].concat()), given.query)
    };
    let mut url = [&scheme, "://", authority.unwrap_or_default()].concat();
    escape(&path, &mut url);
    // A `?` that lists nothing says nothing, and servers differ on it.
    if let Some(query) = query.filter(|query| !query.is_empty()) {
        url.push('?');
        escape(&query.replace("&amp;", "&").replace(';', "%3B"), &mut url);
    }
    url
}

/// A URL or a reference, cut at the places that RFC 3986 names (appendix B), without its fragment.
struct Parts<'a> {
    scheme: Option<&'a str>,
    authority: Option<&'a str>,
    path: &'a str,
    query: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Self {
        let text = text.split('#').next().unwrap_or_default();
        let (scheme, rest) = match text.split_once(':') {
            Some((scheme, rest)) if is_scheme(scheme) => (Some(scheme), rest),
            _ => (None, text),
        };
        let (authority, rest) = match rest.strip_prefix("//") {
            Some(rest) => {
                let end = rest.find(['/', '?']).unwrap_or(rest.len());
                let (authority, rest) = rest.split_at(end);
                (Some(authority), rest)
            }
            None => (None, rest),
        };
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (rest, None),
        };
        Self { scheme, authority, path, query }
    }
}

/// RFC 3986, section 3.1.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
}

/// The path without `.` and `..` (RFC 3986, section 5.2.4). At the root, `..` leads to the root.
fn without_dots(path: &str) -> String {
    let Some(inside) = path.strip_prefix('/') else { return path.to_owned() };
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = inside.split('/').peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                }
                // What ends with a dot segment names a folder.
                if is_last {
                    kept.push("");
                }
            }
            _ => kept.push(segment),
        }
    }
    ["/", &kept.join("/")].concat()
}

/// Appends a path or a query, with escapes for what no URL holds as it is. Escapes, control characters and `\` stay.
fn escape(text: &str, url: &mut String) {
    for c in text.chars() {
        if c.is_ascii() && !matches!(c, ' ' | '"' | '<' | '>' | '^' | '`' | '{' | '}') {
            url.push(c);
            continue;
        }
        let mut utf8 = [0; 4];
        for byte in c.encode_utf8(&mut utf8).bytes() {
            url.push('%');
            for nibble in [byte >> 4, byte & 15] {
                url.push(char::from_digit(nibble.into(), 16).unwrap_or_default().to_ascii_uppercase());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 3986, sections 5.4.1 and 5.4.2, without their fragments.
    #[test]
    fn the_examples_of_rfc_3986_resolve_as_it_says() {
        let base = "http://a/b/c/d;p?q";
        for (reference, resolved) in [
            ("g", "http://a/b/c/g"),
            ("./g", "http://a/b/c/g"),
            ("g/", "http://a/b/c/g/"),
            ("/g", "http://a/g"),
            ("//g", "http://g"),
            ("?y", "http://a/b/c/d;p?y"),
            ("g?y", "http://a/b/c/g?y"),
            ("#s", "http://a/b/c/d;p?q"),
            ("g#s", "http://a/b/c/g"),
            ("g?y#s", "http://a/b/c/g?y"),
            (";x", "http://a/b/c/;x"),
            ("g;x", "http://a/b/c/g;x"),
            ("", "http://a/b/c/d;p?q"),
            (".", "http://a/b/c/"),
            ("./", "http://a/b/c/"),
            ("..", "http://a/b/"),
            ("../", "http://a/b/"),
            ("../g", "http://a/b/g"),
            ("../..", "http://a/"),
            ("../../", "http://a/"),
            ("../../g", "http://a/g"),
            ("../../../g", "http://a/g"),
            ("../../../../g", "http://a/g"),
            ("/./g", "http://a/g"),
            ("/../g", "http://a/g"),
            ("g.", "http://a/b/c/g."),
            (".g", "http://a/b/c/.g"),
            ("g..", "http://a/b/c/g.."),
            ("..g", "http://a/b/c/..g"),
            ("./../g", "http://a/b/g"),
            ("./g/.", "http://a/b/c/g/"),
            ("g/./h", "http://a/b/c/g/h"),
            ("g/../h", "http://a/b/c/h"),
            ("g;x=1/./y", "http://a/b/c/g;x=1/y"),
            ("g;x=1/../y", "http://a/b/c/y"),
            ("g?y/./x", "http://a/b/c/g?y/./x"),
            ("g?y/../x", "http://a/b/c/g?y/../x"),
            ("g#s/../x", "http://a/b/c/g"),
            ("http:g", "http:g"),
        ] {
            assert_eq!(resolve(base, reference), resolved, "{reference}");
        }
    }

    #[test]
    fn what_providers_write_is_made_fit_to_be_sent() {
        let base = "https://a.example:8443/v1/items?page=1";
        for (reference, resolved) in [
            ("HTTPS://b.example/x?y=1#z", "https://b.example/x?y=1"),
            ("https://a.example:443/x", "https://a.example:443/x"),
            ("https://b.example/x/../y", "https://b.example/y"),
            ("https://b.example?x", "https://b.example?x"),
            (" /x?a b=ü \n", "https://a.example:8443/x?a%20b=%C3%BC"),
            ("/ä b/\"{x}\"", "https://a.example:8443/%C3%A4%20b/%22%7Bx%7D%22"),
            ("?a=1;b=2", "https://a.example:8443/v1/items?a=1%3Bb=2"),
            ("?a=1&amp;b=2&amp;c=3", "https://a.example:8443/v1/items?a=1&b=2&c=3"),
            ("/x?a=%2F&b=%zz", "https://a.example:8443/x?a=%2F&b=%zz"),
            ("items:next?page=2", "items:next?page=2"),
            ("./items:next?page=2", "https://a.example:8443/v1/items:next?page=2"),
            ("a/b:c", "https://a.example:8443/v1/a/b:c"),
            ("/x/?", "https://a.example:8443/x/"),
        ] {
            assert_eq!(resolve(base, reference), resolved, "{reference}");
        }
        assert_eq!(resolve("https://a.example", "x"), "https://a.example/x");
        assert_eq!(resolve("https://a.example?q", "?r"), "https://a.example?r");
        assert_eq!(resolve("", "x"), "x");
    }

    #[test]
    fn what_could_be_read_in_two_ways_stays_as_it_is() {
        let base = "https://a.example/b/c";
        for (reference, resolved) in [
            ("/\\b.example/", "https://a.example/\\b.example/"),
            ("\\\\b.example/x", "https://a.example/b/\\\\b.example/x"),
            ("///b.example/", "https:///b.example/"),
            ("https:/..//b.example/x", "https:/..//b.example/x"),
            ("https:b.example", "https:b.example"),
            ("javascript:alert(1)", "javascript:alert(1)"),
            ("/a\tb", "https://a.example/a\tb"),
            ("/%2e%2e/x", "https://a.example/%2e%2e/x"),
            ("//ä.example/x", "https://ä.example/x"),
            ("/..//b.example/x", "https://a.example//b.example/x"),
        ] {
            assert_eq!(resolve(base, reference), resolved, "{reference}");
        }
    }

    #[test]
    fn resolving_twice_is_resolving_once_and_no_dot_segment_is_left() {
        let alphabet = ["", ".", "..", "a", "a b", "%2e", "ü", ";"];
        for one in alphabet {
            for two in alphabet {
                for three in alphabet {
                    for reference in [format!("{one}/{two}/{three}"), format!("/{one}/{two}/{three}?{one};{two}")] {
                        // Two slashes begin an authority.
                        if reference.starts_with("//") {
                            continue;
                        }
                        let once = resolve("https://a.example/x/y", &reference);
                        assert_eq!(resolve("https://b.example/", &once), once, "{reference}");
                        let path = once.split('?').next().unwrap_or_default();
                        assert!(!path.split('/').any(|segment| matches!(segment, "." | "..")), "{reference}: {once}");
                    }
                }
            }
        }
    }
}
