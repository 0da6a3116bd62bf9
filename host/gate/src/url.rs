//! What a request's URL is.
//!
//! A checker and a sender that read one URL in two ways are the oldest hole in allow lists. So there is one type, parsed
//! once; the gate judges it and the sender sends it, never the text. And because upstream servers have parsers of their
//! own, a URL that two parsers could read differently is refused before anything is looked up:
//!
//! - the authority must be written exactly as it is meant: ASCII, lower or upper case, no user information, no trailing
//!   dot, no percent-encoding, no empty port, IPv4 as four decimal numbers;
//! - the path must be written exactly as it is sent: no dot segments, no backslash, no encoded slash, backslash, dot or
//!   NUL, no `;`, nothing that the parser would have encoded. Where a route's template says `escaped`, its segment may hold `%2F`;
//! - no fragment; no control characters or spaces anywhere; no `;` in the query, and no `?` without a parameter.
//!
//! Queries are judged by parameter name and may hold what the WHATWG URL standard would encode; they are sent encoded.

use std::{fmt, net::IpAddr};

use url::{Host, Position, Url};

use crate::shape::ESCAPED_SLASH;

/// Most parameters of a query.
const MAX_PAIRS: usize = 500;

/// A URL that can only be read in one way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestUrl(Url);

/// Why a text is not such a URL. The gate's rule is `url-ambiguous` or `url-invalid`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlRefusal {
    /// Longer than the `url_bytes` limit.
    #[error("the URL has {bytes} bytes; the limit url_bytes is {limit}")]
    TooLong {
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        limit: usize,
    },
    /// Not a URL at all.
    #[error("not an absolute URL: {0}")]
    Invalid(String),
    /// Neither https nor http.
    #[error("the scheme `{0}` is never granted; write https")]
    Scheme(String),
    /// Two parsers could read it differently.
    #[error("{what}; write it the one way every parser reads alike{}", .canonical.as_ref().map(|c| format!(", for example {c}")).unwrap_or_default())]
    Ambiguous {
        /// The part and what is odd about it.
        what: &'static str,
        /// How this parser reads it, where that helps.
        canonical: Option<String>,
    },
}

impl UrlRefusal {
    /// The rule's name in denials.
    pub fn rule(&self) -> &'static str {
        match self {
            UrlRefusal::TooLong { .. } => "url-too-long",
            UrlRefusal::Invalid(_) => "url-invalid",
            UrlRefusal::Scheme(_) => "scheme-not-https",
            UrlRefusal::Ambiguous { .. } => "url-ambiguous",
        }
    }
}

impl RequestUrl {
    /// Parses and judges `text`, at most `limit` bytes long as it is written and as it is sent.
    pub fn parse(text: &str, limit: usize) -> Result<Self, UrlRefusal> {
        Self::read(text, limit, false)
    }

    /// The same, but a segment of the path may hold `/` as `%2F`. Only for who judges segments that do by templates that say
    /// `escaped`: [`OperationPowers::parse_url`](crate::OperationPowers::parse_url).
    pub(crate) fn parse_escaped(text: &str, limit: usize) -> Result<Self, UrlRefusal> {
        Self::read(text, limit, true)
    }

    fn read(text: &str, limit: usize, escaped: bool) -> Result<Self, UrlRefusal> {
        let ambiguous =
            |what, canonical: Option<&str>| UrlRefusal::Ambiguous { what, canonical: canonical.map(str::to_owned) };
        if text.len() > limit {
            return Err(UrlRefusal::TooLong { bytes: text.len(), limit });
        }
        if text.bytes().any(|b| b <= b' ' || b == 0x7f) {
            return Err(ambiguous("it holds a space or a control character", None));
        }
        let url = Url::parse(text).map_err(|error| UrlRefusal::Invalid(error.to_string()))?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(UrlRefusal::Scheme(url.scheme().to_owned()));
        }
        if url.fragment().is_some() {
            return Err(ambiguous("it has a fragment, which is never sent", None));
        }
        // What is sent may be longer than what was written: the parser escapes what a query may not hold.
        if url.as_str().len() > limit {
            return Err(UrlRefusal::TooLong { bytes: url.as_str().len(), limit });
        }
        // The query is left out: it may hold what nobody should read.
        let canonical = &url[..Position::AfterPath];
        // What was written, split by hand at the places RFC 3986 names; compared with what the parser made of it.
        let after_scheme = text.split_once("://").filter(|(scheme, _)| scheme.eq_ignore_ascii_case(url.scheme()));
        let Some((_, rest)) = after_scheme else {
            return Err(ambiguous("the scheme is not followed by `://`", None));
        };
        let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
        let after = rest.get(authority.len()..).unwrap_or_default();
        if authority.contains('@') {
            return Err(ambiguous("it has user information before the host", None));
        }
        let host = url.host_str().unwrap_or_default();
        if host.ends_with('.') {
            return Err(ambiguous("the host ends with a dot", None));
        }
        if let Some(Host::Domain(name)) = url.host()
            && !is_dns_name(name)
        {
            return Err(ambiguous("the host is not a DNS name of letters, digits, `-` and `_`", None));
        }
        let read_as = &url[Position::BeforeHost..Position::AfterPort];
        let default_port = if url.scheme() == "https" { ":443" } else { ":80" };
        let written = authority.to_ascii_lowercase();
        if written != read_as && written.strip_suffix(default_port) != Some(read_as) {
            return Err(ambiguous("the host or port is written in a way that can be read as another", Some(canonical)));
        }
        let path = after.split('?').next().unwrap_or_default();
        if path.contains('\\') {
            return Err(ambiguous("the path holds a backslash", None));
        }
        if path != url.path() && !(path.is_empty() && url.path() == "/") {
            return Err(ambiguous("the path is not written as it is sent", Some(canonical)));
        }
        if is_tricky(url.path(), escaped) {
            let what =
                "the path holds `;`, a stray `%`, or the escape of a separator, a dot, `%` or a control character";
            return Err(ambiguous(what, None));
        }
        if url.query().is_some_and(|query| query.split('&').count() > MAX_PAIRS) {
            return Err(ambiguous(
                "the query has more than 500 parameters, and servers stop reading at different counts",
                None,
            ));
        }
        // A list of parameters that are allowed says nothing of it, and some servers route by it.
        if url.query().is_some_and(|query| query.bytes().all(|byte| byte == b'&')) {
            return Err(ambiguous("it has a `?` with no parameter behind it; leave it out", None));
        }
        if url.query().is_some_and(|query| query.contains(';')) {
            return Err(ambiguous("the query holds `;`, at which some servers split it; write `%3B`", None));
        }
        Ok(Self(url))
    }

    /// `scheme://host[:port]`, the port left out where it is the scheme's own. Borrowed from the URL.
    pub fn origin(&self) -> &str {
        &self.0[..Position::BeforePath]
    }

    /// `https` or `http`.
    pub fn scheme(&self) -> &str {
        self.0.scheme()
    }

    /// The host as it is sent: a lower-case name, or an address (IPv6 in brackets).
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// The port, the scheme's own where none is written.
    pub fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or(0)
    }

    /// The address, where the host is one. Resolvers are never asked about these, so the gate judges them itself.
    pub fn address(&self) -> Option<IpAddr> {
        match self.0.host()? {
            Host::Ipv4(address) => Some(IpAddr::V4(address)),
            Host::Ipv6(address) => Some(IpAddr::V6(address)),
            Host::Domain(_) => None,
        }
    }

    /// The path, percent-encoded as it is sent. Starts with `/`.
    pub fn path(&self) -> &str {
        self.0.path()
    }

    /// The query, percent-encoded as it is sent, without `?`.
    pub fn query(&self) -> Option<&str> {
        self.0.query()
    }

    /// The URL itself, to be sent as it is.
    pub fn as_url(&self) -> &Url {
        &self.0
    }
}

impl fmt::Display for RequestUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

/// Labels of letters, digits, `-` and `_`, as resolvers take them: the parser itself lets through more.
fn is_dns_name(name: &str) -> bool {
    let good = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    name.len() <= 253 && name.split('.').all(|label| (1..=63).contains(&label.len()) && label.bytes().all(good))
}

/// Whether a path holds what some server decodes, cuts off or splits before it routes: a `;` (path parameters, as in
/// `..;/`), an encoded `/`, `\`, `.`, `;`, `?`, `#`, `%` or control character, a `%` without two hex digits, or escapes
/// that are not UTF-8 (overlong forms among them).
///
/// Where `escaped` is allowed, `%2F` in this spelling is not tricky, unless a server that decodes it would find an empty
/// segment, `.` or `..` beside it.
fn is_tricky(path: &str, escaped: bool) -> bool {
    let odd = |part: &str| matches!(part, "" | "." | "..");
    if escaped && path.split('/').any(|one| one.contains(ESCAPED_SLASH) && one.split(ESCAPED_SLASH).any(odd)) {
        return true;
    }
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first != b'%' {
            if *first == b';' {
                return true;
            }
            decoded.push(*first);
            continue;
        }
        let hex = |b: &u8| char::from(*b).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let Some((high, low)) = tail.first().and_then(hex).zip(tail.get(1).and_then(hex)) else { return true };
        let byte = high * 16 + low;
        let is_slash = escaped && byte == b'/' && tail.starts_with(b"2F");
        if byte < b' ' || byte == 0x7f || (b"/\\.;?#%".contains(&byte) && !is_slash) {
            return true;
        }
        decoded.push(byte);
        rest = tail.get(2..).unwrap_or_default();
    }
    std::str::from_utf8(&decoded).is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> &'static str {
        match RequestUrl::parse(text, 8192) {
            Ok(_) => "ok",
            Err(refusal) => refusal.rule(),
        }
    }

    #[test]
    fn plain_urls_are_read_as_written() {
        for text in [
            "https://api.example.com/v1/customers/c%20us?limit=3",
            "https://api.example.com",
            "https://api.example.com:443/",
            "https://API.example.com/x",
            "https://api.example.com:8443/a//b/",
            "https://[2001:db8::1]:8443/",
            "http://127.0.0.1:8080/x?q=a|b&c={d}",
            "https://xn--bcher-kva.example/",
        ] {
            assert_eq!(rule(text), "ok", "{text}");
        }
    }

    #[test]
    fn what_two_parsers_could_read_differently_is_refused() {
        for text in [
            "https://good.example\\@evil.example/",
            "https://good.example@evil.example/",
            "https://user:pw@good.example/",
            "https://@good.example/",
            "https:good.example/",
            "https:\\\\good.example/",
            "https:///good.example/",
            "https:good.example?://good.example/",
            "https://good.example./",
            "https://good.example:/",
            "https://good.example:0443/",
            "https://good%2eexample/",
            "https://good{x}.example/",
            "https://good$.example/",
            "https://a..example/",
            "https://.example/",
            "https://bücher.example/",
            "https://ｇood.example/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://127.1/",
            "https://0177.0.0.1/",
            "https://[::ffff:127.0.0.1]/",
            "https://good.example/a/../b",
            "https://good.example/a/./b",
            "https://good.example/a/%2e%2e/b",
            "https://good.example/a/%2E%2E%2fb",
            "https://good.example/a%2Fb",
            "https://good.example/a%5cb",
            "https://good.example/a\\b",
            "https://good.example/..;/admin",
            "https://good.example/a;b=c",
            "https://good.example/..%3b/admin",
            "https://good.example/a%252fb",
            "https://good.example/%c0%ae%c0%ae/b",
            "https://good.example/a%0d%0ab",
            "https://good.example/a%3fb",
            "https://good.example/a%23b",
            "https://good.example/?page=1;_method=DELETE",
            "https://good.example/a%00b",
            "https://good.example/a%2",
            "https://good.example/ü",
            "https://good.example/\"x\"",
            "https://good.example/a#b",
            "https://good.example/a b",
            "https://good.example/a\tb",
            " https://good.example/",
            "https://good.example/\r\nHost: evil",
            "https://good.example/\u{7f}",
            "https://good.example?q=\u{7f}",
            "https://good.example/?q=a b",
        ] {
            assert_eq!(rule(text), "url-ambiguous", "{text}");
        }
    }

    #[test]
    fn an_escaped_slash_passes_where_it_is_allowed_and_hides_no_step() {
        let rule = |path: &str| match RequestUrl::parse_escaped(&format!("https://a.example{path}"), 8192) {
            Ok(url) => {
                assert_eq!(url.path(), path);
                "ok"
            }
            Err(refusal) => refusal.rule(),
        };
        for path in ["/group%2Fproject", "/a/b%2Fc%2Fd/e", "/.a%2Fb", "/a%2Fb..", "/a%2F%C3%BC"] {
            assert_eq!(rule(path), "ok", "{path}");
        }
        for path in [
            "/a%2fb",
            "/%2Fa",
            "/a%2F",
            "/a%2F%2Fb",
            "/a%2F..%2Fb",
            "/a%2F..",
            "/..%2Fa",
            "/.%2Fa",
            "/a%2F.",
            "/%2F",
            "/a%2F%2e%2e",
            "/a%252Fb",
            "/a%5Cb",
            "/a%2Fb%3Fc",
            "/a%2F%00",
            "/a%2F../b",
            "/a%2F;b",
        ] {
            assert_eq!(rule(path), "url-ambiguous", "{path}");
        }
    }

    #[test]
    fn other_schemes_and_non_urls_have_rules_of_their_own() {
        assert_eq!(rule("ftp://good.example/"), "scheme-not-https");
        assert_eq!(rule("file:///etc/passwd"), "scheme-not-https");
        assert_eq!(rule("/relative"), "url-invalid");
        assert_eq!(rule(""), "url-invalid");
        assert_eq!(rule("https://"), "url-invalid");
        assert_eq!(rule("https://good.example:99999/"), "url-invalid");
        let refusal = RequestUrl::parse("https://good.example/", 10).unwrap_err();
        assert_eq!(refusal.rule(), "url-too-long");
        // 27 bytes as it is written, 33 as it is sent.
        let text = "https://good.example/?q=ü\"";
        assert_eq!(RequestUrl::parse(text, 32).unwrap_err(), UrlRefusal::TooLong { bytes: 33, limit: 32 });
        assert_eq!(RequestUrl::parse(text, 33).unwrap().to_string().len(), 33);
    }

    #[test]
    fn the_longest_hosts_are_accepted_and_longer_ones_are_not() {
        let label = |length: usize| "a".repeat(length);
        assert_eq!(rule(&format!("https://{}.example/", label(63))), "ok");
        assert_eq!(rule(&format!("https://{}.example/", label(64))), "url-ambiguous");
        // Four labels of 62 and their dots are 252 bytes.
        let long = [label(62), label(62), label(62), label(62)].join(".");
        assert_eq!(rule(&format!("https://{long}.a/")), "ok");
        assert_eq!(rule(&format!("https://{long}.ab/")), "url-ambiguous");
        assert_eq!(rule("https://a-b_c.example/"), "ok");
    }

    #[test]
    fn its_parts_are_told_as_they_are_sent() {
        let url = RequestUrl::parse("HTTPS://API.example.com:443/a%20b?q=ü", 100).unwrap();
        assert_eq!((url.scheme(), url.host(), url.port()), ("https", "api.example.com", 443));
        assert_eq!((url.path(), url.query(), url.address()), ("/a%20b", Some("q=%C3%BC"), None));
        assert_eq!(url.to_string(), "https://api.example.com/a%20b?q=%C3%BC");
        assert_eq!(url.as_url().as_str(), url.to_string());
        let address = |text: &str| RequestUrl::parse(text, 100).unwrap().address().map(|address| address.to_string());
        assert_eq!(address("http://127.0.0.1:80/").as_deref(), Some("127.0.0.1"));
        assert_eq!(address("https://[2001:db8::1]/").as_deref(), Some("2001:db8::1"));
    }

    #[test]
    fn an_escape_is_refused_by_the_byte_it_stands_for() {
        for byte in 0..=255_u8 {
            let odd = !(b' '..0x7f).contains(&byte) || b"/\\.;?#%".contains(&byte);
            for text in [format!("https://a.example/x%{byte:02x}y"), format!("https://a.example/%{byte:02X}")] {
                assert_eq!(rule(&text), if odd { "url-ambiguous" } else { "ok" }, "{text}");
            }
        }
        assert_eq!(rule("https://a.example/%C3%BC%e2%82%ac"), "ok");
        assert_eq!(rule("https://a.example/%C3x"), "url-ambiguous");
    }

    #[test]
    fn a_refusal_never_tells_the_query() {
        for text in [
            "https://good.example/a/../b?q=secret",
            "https://GOOD.example:0443/?q=secret",
            "https:good.example?q=secret",
        ] {
            let told = RequestUrl::parse(text, 8192).unwrap_err().to_string();
            assert!(!told.contains("secret"), "{told}");
        }
    }

    #[test]
    fn the_origin_leaves_the_default_port_out() {
        assert_eq!(RequestUrl::parse("https://a.example:443/x", 100).unwrap().origin(), "https://a.example");
        assert_eq!(RequestUrl::parse("http://a.example:443/x", 100).unwrap().origin(), "http://a.example:443");
    }
}
