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
    for offset in 0..3 {
        let padded = [vec![0; offset], SECRET.as_bytes().to_vec()].concat();
        let (first, last) = ((offset * 8).div_ceil(6), padded.len() * 8 / 6);
        for text in [BASE64_STANDARD_NO_PAD.encode(&padded), BASE64_URL_SAFE_NO_PAD.encode(&padded)] {
            needles.push(text[first..last].to_owned());
        }
    }
    needles
});

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
