//! Redirects: where one leads, and what is sent there.
//!
//! A hop is a request of its own: it is parsed, measured, judged, resolved and recorded like the first one. This file says
//! only what it is. Methods and bodies follow the Fetch standard, section 4.4 ("HTTP-redirect fetch"): 303 asks with GET,
//! 301 and 302 turn POST into GET, 307 and 308 change nothing.
//!
//! A location is resolved by the algorithm of RFC 3986 (`portcullis-reference`), never by a URL library, which would repair
//! what the gate is to refuse. Its dot segments are legal and lead where the RFC says; the gate judges the result.

use portcullis_gate::{Denial, Header, Method, RequestUrl, UrlRefusal, printable};
use portcullis_reference::resolve;

use crate::{
    error::SendError,
    outbound::{HttpRequest, HttpResponse},
};

/// Header fields of the guest's that go on to another origin. Any other might be meant for the first one alone.
const FOR_ANYBODY: [&str; 4] = ["accept", "accept-language", "content-type", "user-agent"];
/// Longest piece of a URL that is repeated in a denial, in characters.
const QUOTE: usize = 200;

/// Where this response sends the request, resolved against where it came from; none if it is no redirect.
pub(crate) fn location(response: &HttpResponse, from: &RequestUrl) -> Option<Result<String, Denial>> {
    if !matches!(response.status, 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let mut values = response.headers.iter().filter(|header| header.name.eq_ignore_ascii_case("location"));
    let value = &values.next()?.value;
    let text = String::from_utf8_lossy(value);
    if values.next().is_some() {
        let refusal = UrlRefusal::Ambiguous { what: "there are several Location fields", canonical: None };
        return Some(Err(Denial::url(&text, &refusal)));
    }
    if std::str::from_utf8(value).is_err() {
        let refusal = UrlRefusal::Ambiguous { what: "the Location field is not UTF-8", canonical: None };
        return Some(Err(Denial::url(&text, &refusal)));
    }
    Some(Ok(resolve(from.as_url().as_str(), &text)))
}

/// The request that a redirect with this status asks for. Its headers still are those of the first.
pub(crate) fn hop(mut request: HttpRequest, status: u16, url: String) -> HttpRequest {
    let get = match (status, request.method) {
        (303, Method::Head) => false,
        (303, _) | (301 | 302, Method::Post) => true,
        _ => false,
    };
    if get {
        request.method = Method::Get;
        request.body = None;
        request.headers.retain(|header| !starts_with_content(header));
    }
    request.url = url;
    request
}

/// Keeps what may be told to another origin.
pub(crate) fn reduce_headers(headers: &mut Vec<Header>) {
    headers.retain(|header| FOR_ANYBODY.iter().any(|name| header.name.eq_ignore_ascii_case(name)));
}

fn starts_with_content(header: &Header) -> bool {
    header.name.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("content-"))
}

/// Whence a hop came, for whoever reads why it was refused.
pub(crate) fn whence(status: u16, method: Method, url: &RequestUrl) -> String {
    format!("after a redirect ({status}) from {method} {}{}", url.origin(), printable(url.path(), QUOTE))
}

/// The same error; a denial says that it was of a redirect, and whence.
pub(crate) fn tell(error: SendError, whence: Option<&str>) -> SendError {
    let from = |denial: Denial, whence| Denial { message: format!("{whence}: {}", denial.message), ..denial };
    match (error, whence) {
        (SendError::Denied(denial), Some(whence)) => SendError::Denied(from(denial, whence)),
        (SendError::SecretSent(denial), Some(whence)) => SendError::SecretSent(from(denial, whence)),
        (error, _) => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> RequestUrl {
        RequestUrl::parse(text, 8192).unwrap()
    }

    fn request(method: Method) -> HttpRequest {
        let headers = ["Content-Type", "content-language", "X-Trace", "Accept"]
            .map(|name| Header { name: name.to_owned(), value: b"v".to_vec() })
            .to_vec();
        HttpRequest { method, url: String::new(), headers, body: Some("b".into()), slots: Vec::new() }
    }

    fn names(headers: &[Header]) -> Vec<&str> {
        headers.iter().map(|header| header.name.as_str()).collect()
    }

    fn led_to(from: &str, reference: &str) -> String {
        let header = Header { name: "Location".to_owned(), value: reference.into() };
        let response = HttpResponse { status: 302, url: from.to_owned(), headers: vec![header], body: Vec::new() };
        location(&response, &url(from)).unwrap().unwrap()
    }

    #[test]
    fn a_location_is_resolved_as_rfc_3986_says() {
        let from = "https://a.example:8443/b/c?q=1";
        for (reference, to) in [
            ("https://b.example/x", "https://b.example/x"),
            ("HTTP://b.example/x#top", "http://b.example/x"),
            ("//b.example/x", "https://b.example/x"),
            ("/x?y", "https://a.example:8443/x?y"),
            ("x", "https://a.example:8443/b/x"),
            ("?r=2", "https://a.example:8443/b/c?r=2"),
            ("#top", "https://a.example:8443/b/c?q=1"),
            ("a/b:c", "https://a.example:8443/b/a/b:c"),
            ("../x", "https://a.example:8443/x"),
            ("/x/../y/.", "https://a.example:8443/y/"),
            ("../../../x", "https://a.example:8443/x"),
            ("/a b?ü", "https://a.example:8443/a%20b?%C3%BC"),
        ] {
            assert_eq!(led_to(from, reference), to);
        }
    }

    #[test]
    fn what_a_library_would_repair_stays_as_it_is_and_is_refused() {
        let from = "https://a.example/b/c";
        for reference in [
            "/\\b.example/",
            "\\\\b.example/x",
            "///b.example/",
            "https:/b.example/x",
            "https:/..//b.example/x",
            "https:b.example",
            "https://a.example@b.example/",
            "https://2130706433/",
            "/a\tb",
            "https://ä.example/",
            "/%2e%2e/x",
            "/a%2F../x",
        ] {
            let resolved = led_to(from, reference);
            let refusal = RequestUrl::parse(&resolved, 8192).expect_err(reference);
            assert_eq!(refusal.rule(), "url-ambiguous", "{reference} became {resolved}");
        }
        for other in ["javascript:alert(1)", "file:///etc/passwd", "data:text/plain,x"] {
            assert_eq!(RequestUrl::parse(&led_to(from, other), 8192).unwrap_err().rule(), "scheme-not-https");
        }
    }

    #[test]
    fn each_status_keeps_or_changes_the_method() {
        use Method::{Delete, Get, Head, Patch, Post, Put};
        for (status, before, after) in [
            (301, Post, Get),
            (302, Post, Get),
            (303, Post, Get),
            (303, Put, Get),
            (303, Delete, Get),
            (303, Head, Head),
            (301, Put, Put),
            (302, Head, Head),
            (302, Delete, Delete),
            (307, Post, Post),
            (308, Patch, Patch),
            (302, Get, Get),
        ] {
            assert_eq!(hop(request(before), status, String::new()).method, after, "{status} {before}");
        }
    }

    #[test]
    fn a_body_and_what_describes_it_stay_behind_when_the_method_becomes_get() {
        let got = hop(request(Method::Post), 303, String::new());
        assert_eq!((got.body, names(&got.headers)), (None, vec!["X-Trace", "Accept"]));
        let kept = hop(request(Method::Post), 307, String::new());
        assert_eq!((kept.body.as_deref(), kept.headers.len()), (Some(&b"b"[..]), 4));
    }

    #[test]
    fn another_origin_learns_only_what_anybody_may() {
        let mut headers = request(Method::Post).headers;
        reduce_headers(&mut headers);
        assert_eq!(names(&headers), ["Content-Type", "Accept"]);
    }

    #[test]
    fn two_locations_are_one_too_many() {
        let header = |value: &str| Header { name: "location".to_owned(), value: value.into() };
        let response = |headers| HttpResponse { status: 302, url: String::new(), headers, body: Vec::new() };
        let from = url("https://a.example/");
        assert_eq!(location(&response(vec![header("/x")]), &from).unwrap().unwrap(), "https://a.example/x");
        let denial = location(&response(vec![header("/x"), header("/y")]), &from).unwrap().unwrap_err();
        assert_eq!(denial.rule, "url-ambiguous");
        let latin = Header { name: "location".to_owned(), value: b"/\xfc".to_vec() };
        assert_eq!(location(&response(vec![latin]), &from).unwrap().unwrap_err().rule, "url-ambiguous");
        assert!(location(&response(Vec::new()), &from).is_none());
        let ok = HttpResponse { status: 200, ..response(vec![header("/x")]) };
        assert!(location(&ok, &from).is_none());
    }
}
