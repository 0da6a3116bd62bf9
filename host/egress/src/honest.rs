//! What no honest peer answers, refused by its name: another protocol that nobody asked for, a transfer coding that is not
//! known, JSON in a character set in which secrets would not be found.

use http::{HeaderMap, header::CONTENT_TYPE, header::TRANSFER_ENCODING};
use portcullis_gate::printable;

/// Longest piece of a peer's text that is repeated, in characters.
const QUOTE: usize = 80;
/// The status by which a server changes to another protocol (RFC 9110, section 15.2.2). No request asks for one.
const SWITCHING: u16 = 101;

/// What is wrong with the head of an answer, if anything.
pub(crate) fn problem(status: u16, headers: &HeaderMap) -> Option<String> {
    if status == SWITCHING {
        return Some("it answered 101 and switched protocols, which nobody asked for".to_owned());
    }
    let codings = headers.get_all(TRANSFER_ENCODING).iter().flat_map(|field| field.as_bytes().split(|b| *b == b','));
    let mut codings = codings.map(<[u8]>::trim_ascii).filter(|coding| !coding.is_empty());
    // RFC 9112, section 6.1: chunked once, and last; nothing else was asked for by TE.
    let mut chunked = false;
    if let Some(odd) =
        codings.find(|coding| std::mem::replace(&mut chunked, true) || !coding.eq_ignore_ascii_case(b"chunked"))
    {
        let named = printable(&String::from_utf8_lossy(odd), QUOTE);
        return Some(format!("its Transfer-Encoding names `{named}` where it can be `chunked`, once"));
    }
    let said = headers.get(CONTENT_TYPE).map(|field| String::from_utf8_lossy(field.as_bytes()).into_owned())?;
    let charset = charset(&said).filter(|_| is_json(&said))?;
    let hides = [
        "utf-16",
        "utf16",
        "utf-32",
        "utf32",
        "utf-7",
        "utf7",
        "ucs",
        "iso-10646",
        "csunicode",
        "unicode",
        "ebcdic",
        "ibm",
        "cp037",
    ];
    let charset = charset.to_ascii_lowercase();
    hides.iter().any(|name| charset.starts_with(name)).then(|| {
        format!("its Content-Type is `{}`, and JSON is UTF-8 (RFC 8259, section 8.1)", printable(&said, QUOTE))
    })
}

/// What is wrong with the beginning of a body, if anything: JSON that is UTF-16 without saying so.
pub(crate) fn body_problem(headers: &HeaderMap, body: &[u8]) -> Option<String> {
    let wide = body.starts_with(b"\xff\xfe") || body.starts_with(b"\xfe\xff");
    let said = headers.get(CONTENT_TYPE).map(|field| String::from_utf8_lossy(field.as_bytes()).into_owned());
    let json = said.as_deref().is_some_and(is_json);
    (wide && json).then(|| {
        "its body begins with the byte order mark of UTF-16, and JSON is UTF-8 (RFC 8259, section 8.1)".to_owned()
    })
}

fn is_json(content_type: &str) -> bool {
    let media = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    media == "application/json" || media == "text/json" || media.ends_with("+json")
}

/// The parameter `charset`, without quotes.
fn charset(content_type: &str) -> Option<&str> {
    let parameters = content_type.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
    let mut named = parameters.filter(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
    named.next().map(|(_, value)| value.trim().trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn of(status: u16, fields: &[(&'static str, &str)]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        problem(status, &headers)
    }

    #[test]
    fn what_no_honest_peer_answers_is_named() {
        for (status, fields, named) in [
            (101, &[][..], "101"),
            (200, &[("transfer-encoding", "gzip, chunked")], "`gzip`"),
            (200, &[("transfer-encoding", "xchunked")], "`xchunked`"),
            (200, &[("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")], "once"),
            (200, &[("content-type", "application/json; charset=utf-16")], "charset=utf-16"),
            (200, &[("content-type", "application/problem+json;charset=\"UTF-16LE\"")], "UTF-16LE"),
            (200, &[("content-type", "application/json; charset=utf-7")], "charset=utf-7"),
        ] {
            let problem = of(status, fields).unwrap_or_else(|| panic!("{fields:?}"));
            assert!(problem.contains(named), "{problem}");
        }
    }

    #[test]
    fn what_honest_peers_answer_is_taken() {
        for fields in [
            &[][..],
            &[("transfer-encoding", "chunked")],
            &[("transfer-encoding", ", Chunked")],
            &[("content-type", "application/json; charset=utf-8")],
            &[("content-type", "application/json;charset=ISO-8859-1")],
            &[("content-type", "text/csv; charset=utf-16le")],
            &[("content-type", "application/json; charset")],
        ] {
            assert_eq!(of(200, fields), None, "{fields:?}");
        }
    }

    #[test]
    fn json_that_is_utf_16_without_saying_so_is_named() {
        let json = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        assert!(body_problem(&json, b"\xff\xfe{\0").unwrap().contains("UTF-16"));
        assert_eq!(body_problem(&json, b"{}"), None);
        assert_eq!(body_problem(&HeaderMap::new(), b"\xff\xfe{\0"), None);
    }
}
