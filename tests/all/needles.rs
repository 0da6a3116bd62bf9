//! How a secret of the tests looks, as it is and in the ways it may be written: what must be found nowhere.

use std::sync::LazyLock;

use base64::{
    Engine,
    prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD},
};
use portcullis_tests::canary::LOOT;

/// How every secret of every case begins.
pub(crate) const SECRET: &str = "s3cr3t/Pa55+phrase=&\"x\"";

/// Pieces of it that survive every way of escaping, and the whole of it in base64 and hex, wherever in a text it stands.
static NEEDLES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let hex: String = SECRET.bytes().map(|byte| format!("{byte:02x}")).collect();
    let mut needles = vec!["s3cr3t".to_owned(), "Pa55".to_owned(), LOOT.to_owned(), hex.to_uppercase(), hex];
    // A client's secret is written as in a form before it is written in base64 (RFC 6749, section 2.3.1).
    let form: String = url::form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
    for (secret, offset) in [SECRET, &form].into_iter().flat_map(|secret| (0..3).map(move |offset| (secret, offset))) {
        let padded = [vec![0; offset], secret.as_bytes().to_vec()].concat();
        let (first, last) = ((offset * 8).div_ceil(6), padded.len() * 8 / 6);
        for text in [BASE64_STANDARD_NO_PAD.encode(&padded), BASE64_URL_SAFE_NO_PAD.encode(&padded)] {
            needles.push(text[first..last].to_owned());
        }
    }
    needles
});

/// All of them that are made of a secret.
pub(crate) fn of_secrets() -> impl Iterator<Item = &'static str> {
    NEEDLES.iter().map(String::as_str).filter(|needle| *needle != LOOT)
}

/// The first that is found.
pub(crate) fn found_in(text: &str) -> Option<&'static str> {
    NEEDLES.iter().map(String::as_str).find(|needle| text.contains(needle))
}

#[test]
fn a_secret_is_found_however_it_is_written() {
    assert_eq!(found_in("nothing"), None);
    for around in ["", "x", "xy", "user:"] {
        assert!(found_in(&BASE64_STANDARD_NO_PAD.encode(format!("{around}{SECRET}more"))).is_some(), "{around}");
    }
    assert!(found_in(&format!("{:?}", Some(SECRET))).is_some());
}
