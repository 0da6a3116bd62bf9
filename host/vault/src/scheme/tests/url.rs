//! Query parameters and path segments.

use portcullis_gate::Scheme;
use proptest::{prelude::*, test_runner::Config};

use super::*;

fn query(url: &str, text: &str) -> String {
    let mut outgoing = get(url);
    attach(Scheme::Query { name: "api[key]".into() }, None, secret(text), &mut outgoing).unwrap();
    outgoing.url.to_string()
}

fn path(url: &str, segment: usize, prefix: &str, text: &str) -> Result<String, VaultError> {
    let mut outgoing = get(url);
    attach(Scheme::Path { name: "t".into(), prefix: prefix.into() }, Some(segment), secret(text), &mut outgoing)?;
    Ok(outgoing.url.to_string())
}

#[test]
fn a_query_parameter_is_added_escaped_behind_the_others() {
    assert_eq!(
        query("https://a.example/x?q=1", "a&b=c d+%"),
        "https://a.example/x?q=1&api%5Bkey%5D=a%26b%3Dc%20d%2B%25"
    );
    assert_eq!(query("https://a.example", "s3cret"), "https://a.example/?api%5Bkey%5D=s3cret");
    assert_eq!(query("https://a.example/x?", "s3cret"), "https://a.example/x?api%5Bkey%5D=s3cret");
}

#[test]
fn a_path_segment_takes_the_place_of_its_placeholder() {
    let made = path("https://a.example/-credential-/sendMessage?a=b", 0, "bot", "123:ABC-d_e").unwrap();
    assert_eq!(made, "https://a.example/bot123:ABC-d_e/sendMessage?a=b");
    let made = path("https://a.example:8443/x/-credential-", 1, "", "a/b?c#d%;é").unwrap();
    assert_eq!(made, "https://a.example:8443/x/a%2Fb%3Fc%23d%25%3B%C3%A9");
}

#[test]
fn only_the_segment_that_the_route_names_is_replaced() {
    let made = path("https://a.example/-credential-/-credential-", 1, "", "s3cret").unwrap();
    assert_eq!(made, "https://a.example/-credential-/s3cret");
    for (url, segment) in [
        ("https://a.example/other/x", 0),
        ("https://a.example/-credential-x", 0),
        ("https://a.example/-credential-/x", 1),
        ("https://a.example/-credential-", 2),
    ] {
        let error = path(url, segment, "", "s3cret").unwrap_err().to_string();
        assert!(error.contains("-credential-") && !error.contains("s3cret"), "{error}");
    }
    let mut outgoing = get("https://a.example/-credential-");
    let scheme = Scheme::Path { name: "t".into(), prefix: String::new() };
    assert!(attach(scheme, None, secret("s3cret"), &mut outgoing).is_err());
}

#[test]
fn a_path_segment_is_no_dot_segment_and_not_empty() {
    for text in ["", ".", ".."] {
        let mut outgoing = get("https://a.example/a/-credential-/b");
        let scheme = Scheme::Path { name: "t".into(), prefix: String::new() };
        let usable = Usable::Secret(Secret::of_any_bytes(text.as_bytes()));
        let error = attach(scheme, Some(1), usable, &mut outgoing).unwrap_err().to_string();
        assert!(error.contains("`..`"), "{error}");
        assert_eq!(outgoing.url.as_str(), "https://a.example/a/-credential-/b");
    }
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::default() })]

    #[test]
    fn a_secret_of_any_bytes_changes_its_own_place_alone(bytes in proptest::collection::vec(any::<u8>(), 4..40)) {
        let live = || Usable::Secret(Secret::of_any_bytes(&bytes));
        let before = get("https://a.example/a/-credential-/b?q=1").url;
        let mut outgoing = get(before.as_str());
        attach(Scheme::Path { name: "t".into(), prefix: "x".into() }, Some(1), live(), &mut outgoing).unwrap();
        let segments: Vec<_> = outgoing.url.path_segments().unwrap().collect();
        prop_assert_eq!((segments[0], segments[2], segments.len()), ("a", "b", 3));
        prop_assert_eq!(outgoing.url.query(), Some("q=1"));
        prop_assert_eq!(outgoing.url.origin(), before.origin());
        attach(Scheme::Query { name: "k".into() }, None, live(), &mut outgoing).unwrap();
        let pairs: Vec<_> = outgoing.url.query_pairs().collect();
        prop_assert_eq!(pairs.len(), 2);
        prop_assert_eq!(&*pairs[1].1, &*String::from_utf8_lossy(&bytes));
        prop_assert_eq!(outgoing.url.fragment(), None);
    }
}
